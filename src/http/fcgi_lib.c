/*
 * fcgi_lib - see fcgi_lib.h.  Walk 2, inside step 1: from http/fcgi_thread.c, and back to it.
 *
 * libfcgi reads here, blocking, each call bounded by the connection's time-outs, and is done with the connection when the request is read: what is answered goes
 * the same way whoever read it. Two members are used that its header asks not to use (ipcFd, keepConnection): the struct has not changed since 2.4.0, and the
 * alternative is libfcgi's own accept, which at a shutdown may close descriptors of other threads in an endless loop, and waits seconds for silent peers.
 */
#include "http/fcgi_lib.h"

#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

#define BODY_DEADLINE_FACTOR 5 /* a body that trickles may take this many receive time-outs in all */

struct fcgi_lib {
	FCGX_Request r;
	int64_t deadline_us;
};

struct fcgi_lib *
fcgi_lib_new(struct err *e)
{
	struct fcgi_lib *lib = calloc(1, sizeof(*lib));

	if (lib == NULL)
		err_set(e, ERR_MEMORY, "no memory for a request thread");
	else
		FCGX_InitRequest(&lib->r, -1, 0);
	return lib;
}

void
fcgi_lib_free(struct fcgi_lib *lib)
{
	free(lib);
}

/* FCGX_GetParam() knows the first of a name only. */
static const char *
lib_var(void *arg, const char *name, unsigned nth)
{
	FCGX_Request *r = arg;
	size_t n = strlen(name);

	for (char **p = r->envp; p != NULL && *p != NULL; p++)
		if (strncmp(*p, name, n) == 0 && (*p)[n] == '=' && nth-- == 0)
			return *p + n + 1;
	return NULL;
}

/* At the end only the empty record counts: anything else (ABORT, a closed connection, a time-out) is a client that is gone. */
static ssize_t
lib_read(void *arg, char *p, size_t n)
{
	struct fcgi_lib *lib = arg;
	int got = FCGX_GetStr(p, (int)n, lib->r.in);

	if (got < (int)n && FCGX_GetError(lib->r.in) != 0)
		return -1;
	return clock_mono_us() > lib->deadline_us ? -1 : got;
}

static void
make_blocking(int fd, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

/* libfcgi's way to end a request that gets no answer: END_REQUEST, and the connection closed. */
static void
break_off(struct fcgi_lib *lib)
{
	/* Kept connections would each hold a thread; closing is always legal. */
	lib->r.keepConnection = 0;
	FCGX_Finish_r(&lib->r);
}

int
fcgi_lib_read(struct fcgi_lib *lib, int fd, const struct fcgi_opts *opts, struct request *request, unsigned *request_id)
{
	FCGX_Request *r = &lib->r;

	make_blocking(fd, opts->receive_timeout_ms);
	lib->deadline_us = clock_mono_us() + BODY_DEADLINE_FACTOR * opts->receive_timeout_ms * 1000;
	/* "Kept", so that FCGX_Accept_r() does not close it at first; the record that begins the request overwrites that. */
	r->ipcFd = fd;
	r->keepConnection = 1;
	/* A silent or broken connection: libfcgi has closed it, and then failed to accept another from listener -1. */
	if (FCGX_Accept_r(r) < 0) {
		r->ipcFd = -1;
		return -1;
	}
	if (r->role != FCGI_RESPONDER || request_init(request, lib_var, r, opts->base_path, NULL) != 0) {
		break_off(lib);
		return 0;
	}
	if (request_read_body(request, lib_read, lib, NULL) != 0) {
		request_fini(request);
		break_off(lib);
		return 0;
	}
	*request_id = (unsigned)r->requestId;
	/* Without a descriptor it frees what it has, and closes nothing. */
	r->ipcFd = -1;
	FCGX_Free(r, 1);
	return 1;
}

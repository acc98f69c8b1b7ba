/*
 * fcgi_thread - see fcgi_thread.h.  Walk 2, step 1, second half: from http/fcgi.c, on to http/request.c.
 *
 * libfcgi reads and writes here, blocking, each call bounded by the connection's time-outs. Two members are used that its header asks
 * not to use (ipcFd, keepConnection): the struct has not changed since 2.4.0, and the alternative is libfcgi's own accept, which at a shutdown
 * may close descriptors of other threads in an endless loop, and waits seconds for silent peers.
 */
#include "http/fcgi_thread.h"

#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define BODY_DEADLINE_FACTOR 5 /* a body that trickles may take this many receive time-outs in all */

struct fcgi_request {
	FCGX_Request r;
	struct reply reply;
	struct buf head;
	int64_t deadline_us;
};

struct fcgi_request *
fcgi_request_new(struct err *e)
{
	struct fcgi_request *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		err_set(e, ERR_MEMORY, "no memory for a request thread");
		return NULL;
	}
	FCGX_InitRequest(&f->r, -1, 0);
	reply_init(&f->reply);
	return f;
}

void
fcgi_request_free(struct fcgi_request *f)
{
	if (f == NULL)
		return;
	reply_fini(&f->reply);
	buf_fini(&f->head);
	free(f);
}

/* FCGX_GetParam() knows the first of a name only. */
static const char *
fcgi_var(void *arg, const char *name, unsigned nth)
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
fcgi_read(void *arg, char *p, size_t n)
{
	struct fcgi_request *f = arg;
	int got = FCGX_GetStr(p, (int)n, f->r.in);

	if (got < (int)n && FCGX_GetError(f->r.in) != 0)
		return -1;
	return clock_mono_us() > f->deadline_us ? -1 : got;
}

/* Head and the first bytes of the body leave in one record: Apache sends no head before it has body. */
static int
send_reply(struct fcgi_request *f, enum method method)
{
	struct reply *reply = &f->reply;

	buf_clear(&f->head);
	reply_write_head(reply, &f->head);
	if (f->head.failed || FCGX_PutStr(f->head.p, (int)f->head.len, f->r.out) < 0)
		return -1;
	if (reply_has_body(reply, method) && reply->body.len > 0 &&
	    FCGX_PutStr(reply->body.p, (int)reply->body.len, f->r.out) < 0)
		return -1;
	return FCGX_FFlush(f->r.out);
}

/*
 * Gives the connection away. Its descriptor is doubled first: libfcgi closes its own, without a shutdown, which would reach the other (Detach).
 * Only when libfcgi is done with it may it be made non-blocking: the two descriptors share that.
 */
static int
hand_over(struct fcgi_request *f)
{
	struct reply *reply = &f->reply;
	reply_take_fn take = reply->take;
	unsigned request_id = (unsigned)f->r.requestId;
	int fd = fcntl(f->r.ipcFd, F_DUPFD_CLOEXEC, 3);

	buf_clear(&f->head);
	reply_write_head(reply, &f->head);
	if (fd < 0 || f->head.failed || reply->take == NULL) {
		if (fd >= 0)
			close(fd);
		reply_problem(reply, PROBLEM_INTERNAL_ERROR, "no descriptor or memory for another stream", NULL);
		return -1;
	}
	reply->take = NULL;
	FCGX_Detach(&f->r);
	FCGX_Free(&f->r, 1);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	take(reply->take_arg, fd, request_id, buf_text(&f->head));
	return 0;
}

static int
answer(struct fcgi_request *f, const struct fcgi_opts *opts, void *thread)
{
	struct request request;
	int status = 0;

	if (f->r.role != FCGI_RESPONDER || request_init(&request, fcgi_var, &f->r, opts->base_path, NULL) != 0)
		return 0;
	if (request_read_body(&request, fcgi_read, f, NULL) == 0) {
		opts->handle(thread, &request, &f->reply);
		if ((f->reply.take != NULL && hand_over(f) == 0) || send_reply(f, request.method) == 0)
			status = f->reply.status;
	}
	request_fini(&request);
	return status;
}

void
fcgi_answer(struct fcgi_request *f, int fd, const struct fcgi_opts *opts, void *thread)
{
	int64_t start_us = clock_mono_us();
	int status;

	/* "Kept", so that FCGX_Accept_r() does not close it at first; the record that begins the request overwrites that. */
	f->r.ipcFd = fd;
	f->r.keepConnection = 1;
	/* A silent or broken connection: libfcgi has closed it, and then failed to accept another from listener -1. */
	if (FCGX_Accept_r(&f->r) < 0) {
		f->r.ipcFd = -1;
		return;
	}
	f->deadline_us = start_us + BODY_DEADLINE_FACTOR * opts->receive_timeout_ms * 1000;
	reply_clear(&f->reply);
	status = answer(f, opts, thread);
	/* Kept connections would each hold a thread; closing is always legal. Of one that was given away nothing is left to finish. */
	f->r.keepConnection = 0;
	if (f->r.in != NULL)
		FCGX_Finish_r(&f->r);
	if (opts->count != NULL)
		opts->count(opts->arg, status, clock_mono_us() - start_us);
}

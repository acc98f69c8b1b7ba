/*
 * fcgi - the FastCGI side of a worker.  Walk 2, step 1: from the web server, on to http/request.c.
 *
 * One of the request threads at a time accepts connections (never FCGX_OpenSocket or libfcgi's accept), watches them until they are readable, so that idle ones
 * hold no thread, and answers them: fcgi_lead.h. A request that is there as a whole is read by ourselves, any other by libfcgi. Request threads are not
 * interrupted by signals (base/thread.h); libfcgi never sees a shutdown.
 */
#ifndef HTTP_FCGI_H
#define HTTP_FCGI_H

#include "base/err.h"
#include "http/reply.h"
#include "http/request.h"

struct fcgi_thread; /* a request thread */

struct fcgi_opts {
	int listener; /* non-blocking, CLOEXEC; borrowed */
	int stop_fd; /* readable: stop accepting, finish what is in hand, return */
	int threads;
	int64_t receive_timeout_ms; /* for a request that comes in pieces, and for a reader that does not read */
	const char *base_path; /* borrowed */

	/* The application: one context a thread. */
	void *(*thread_start)(void *arg, struct fcgi_thread *thread, struct err *e);
	void (*handle)(void *context, struct request *request, struct reply *reply);
	void (*thread_stop)(void *context);
	void *arg;
	void (*count)(void *arg, int status, int64_t took_us); /* after each answer; may be NULL */
};

/*
 * The application says that what it does next may take long: a disk, Redis, anything that can stall. Others are then looked after by another thread. From handle() only, of that
 * thread; cheap, and may be called more than once.
 */
void fcgi_lengthy(struct fcgi_thread *thread);

/*
 * Once in a worker, before fcgi_serve() and before the caller's own signal handlers: libfcgi installs some, and would keep
 * neither an ignored SIGPIPE nor a default SIGTERM.
 */
int fcgi_init(struct err *e);

/* Serves until stop_fd is readable. Blocks. */
int fcgi_serve(const struct fcgi_opts *opts, struct err *e);

#endif

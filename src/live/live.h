/*
 * live - the live thread of a worker: one event loop that follows the log for everybody who waits for news of it.
 *
 * Request threads check a request, make a `struct live_request` of it and join it; from then on its connection belongs to this loop. It also keeps
 * `positions` up for the request threads. While nobody waits, and nobody has asked a position lately, it reads nothing.
 */
#ifndef LIVE_LIVE_H
#define LIVE_LIVE_H

#include "live/positions.h"
#include "live/view.h"

struct live_opts {
	const char *state_dir, *run_dir; /* borrowed */
	size_t ring_bytes;
	int stop_fd; /* readable: say bye to everybody and take nobody in any more; -1: none. Borrowed, never read */
	bool framed; /* clients are FastCGI connections; else plain descriptors (CGI) */
	bool alone; /* live_run() ends when its last client has gone (CGI) */

	/*
	 * Makes the whole answer, head and body, to a waiter's request: what came after `checked`, which may be nothing, and the gaps after `after`; -1: this
	 * log is another one than it asked about. From the live thread. A buffer that failed is no answer.
	 */
	void (*render)(void *arg, struct text ask, const char *epoch, int64_t after, int64_t checked, struct buf *out);
	/* So long after its commit something was sent to the first client of a view. From the live thread. May be NULL. */
	void (*on_served)(void *arg, int64_t took_us);
	/* A client has left, however; once for each request that was made, also for those that never joined. Any thread. */
	void (*on_gone)(void *arg, bool waiter, uint64_t address);
	void *arg;
};

/* A request on its way to the live thread. Made and filled in by a request thread. */
struct live_request {
	struct live_request *next;
	int fd; /* owned; -1: none yet */
	unsigned request_id;
	bool waiter;
	char epoch[16]; /* of `after` */
	int64_t after; /* everything up to here the client has; a waiter's answer begins after it */
	int64_t checked; /* waiters: nothing up to here is for it */
	int64_t lasts_ms; /* of a stream until its bye, of a wait until its answer */
	uint32_t heartbeat_ms;
	uint16_t pause_ms; /* batch or linger */
	bool told_stale;
	uint64_t address; /* for on_gone() */
	struct buf key; /* view_key() */
	struct buf first; /* what is sent before anything else: head and hello, unframed */
	struct live *live;
};

struct live;

/* NULL: no memory. Freed by live_join() or live_request_free(). */
struct live_request *live_request_new(struct live *l, bool waiter, uint64_t address);
void live_request_free(struct live_request *req); /* calls on_gone(); closes its descriptor */

/* Hands it over (taken). For any thread. */
void live_join(struct live_request *req);

struct live *live_new(const struct live_opts *opts, struct err *e);
void live_free(struct live *l); /* NULL is fine; live_stop() first */

/* Starts the thread, with all signals blocked. */
int live_start(struct live *l, struct err *e);
/* Says bye to everybody, and ends it. Blocks until it has, a few seconds at most. */
void live_stop(struct live *l);
/* Without a thread: runs until the last client has gone. */
void live_run(struct live *l);

struct positions *live_positions(struct live *l); /* borrowed; for any thread */

#endif

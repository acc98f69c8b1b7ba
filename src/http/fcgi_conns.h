/*
 * fcgi_conns - the connections of a worker from accept to a request thread: waiting until readable, then queued.
 *
 * The waiting ones belong to the poll loop alone; the queue is what loop and threads share. Together they are bounded, so the
 * queue always has room for what is waiting.
 */
#ifndef HTTP_FCGI_CONNS_H
#define HTTP_FCGI_CONNS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CONNS_MAX 1024

struct conn {
	int fd; /* owned while waiting */
	int64_t deadline_us; /* of the monotonic clock */
	struct conn *prev, *next; /* oldest first; free ones by next */
};

struct conns {
	struct conn slots[CONNS_MAX];
	struct conn *unused, *oldest, *newest;
	unsigned n_waiting;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t more;
	int queue[CONNS_MAX]; /* a ring of descriptors */
	unsigned head, n_queued;
	unsigned n_idle; /* threads in conns_take() */
	bool closed; /* nothing will be queued any more */
};

void conns_init(struct conns *c);
void conns_fini(struct conns *c); /* closes what is left */

struct conn *conns_add(
    struct conns *c, int fd, int64_t deadline_us); /* takes fd; NULL (fd is the caller's) when full */
void conns_drop(struct conns *c, struct conn *conn); /* closes it */
void conns_ready(struct conns *c, struct conn *conn); /* from waiting to the queue */
void conns_queue(struct conns *c, int fd); /* takes fd, which never waited; there is room: see conns_full() */
bool conns_full(struct conns *c);

int conns_take(
    struct conns *c); /* a request thread's: the next descriptor, owned by the caller; -1: closed and empty. Blocks */
void conns_close(struct conns *c);

#endif

/*
 * client - one parked connection: where in the log it stands, and a way to send to it.  Walk 3, step 7: from serve.c, on to record.c.
 *
 * A few hundred bytes whatever is waiting for it: what it has not been sent yet is in the log. The rest of a piece that the socket took
 * only half of is kept (shared with all who got the same piece). Live thread only.
 */
#ifndef LIVE_CLIENT_H
#define LIVE_CLIENT_H

#include "live/blob.h"
#include "live/view.h"
#include "live/wheel.h"

enum client_state {
	CLIENT_LIVE, /* has everything up to the hub's position: in view->live */
	CLIENT_BEHIND, /* is to be served as soon as it is its turn */
	CLIENT_LAGGING, /* a stream so far behind that it had a turn and needs more: after all the others */
	CLIENT_PAUSED, /* is to be served at its time: in view->paused */
	CLIENT_BLOCKED, /* its socket is full */
	CLIENT_ENDING, /* everything is said; the rest is to be flushed, then it is closed */
};

struct client {
	struct timer timer; /* first: serve.c casts */
	struct client *prev, *next; /* among those in the same state */
	struct client *all_prev, *all_next;
	struct view *view;
	struct blob *rest; /* sent from rest_at on before anything else; NULL: none */
	uint32_t rest_at;
	int fd; /* owned */
	int64_t pos; /* has (or, a waiter, has been checked against) everything up to here; while live: the hub's */
	int64_t
	    after; /* waiters: what the answer begins after; -1: what was asked for, since this log is another one */
	int64_t served_us; /* when it was last sent something */
	int64_t blocked_us; /* since when it has taken nothing */
	int64_t due_us; /* paused until then */
	int64_t end_us; /* of a stream: its age; of a wait: its time */
	uint64_t address; /* whose it is, for on_gone() */
	uint32_t heartbeat_ms;
	uint16_t pause_ms; /* batch or linger */
	uint16_t request_id;
	uint8_t state;
	bool waiter, framed;
	bool woken; /* waiters: to be answered at once */
	bool reset; /* the log is another one: to be told next */
	bool told_stale;
	bool watched_out; /* EPOLLOUT is asked for */
	bool unwatched; /* no descriptor that epoll takes (a file): never full */
};

enum client_sent { SENT, SENT_PART, SENT_NOTHING, SENT_GONE };

/* Sends all of `b`; of a part the rest is kept (another reference). Call only when c->rest is NULL. */
enum client_sent client_send(struct client *c, struct blob *b);
enum client_sent client_flush(struct client *c); /* the rest; SENT if there is none any more */

/* True: the other side is gone, or says something that ends the request. */
bool client_hangs_up(struct client *c);

void clients_add(struct clients *list, struct client *c); /* at the end */
void clients_remove(struct clients *list, struct client *c);

#endif

/*
 * fcgi_conns - the connections of a worker that have said nothing yet: the oldest goes first, when its time is over or there is no room. Those that were accepted
 * just now stand in a ring of their own, to be looked at again a few times before they are watched.
 *
 * Whoever leads (fcgi_lead.h) has them to himself: no locks in here.
 */
#ifndef HTTP_FCGI_CONNS_H
#define HTTP_FCGI_CONNS_H

#include <stdbool.h>
#include <stdint.h>

#define CONNS_MAX 1024
#define FRESH_MAX 64
#define FRESH_LOOKS 3

struct conn {
	int fd; /* owned */
	int64_t deadline_us; /* of the monotonic clock */
	struct conn *prev, *next; /* oldest first; free ones by next */
};

struct conns {
	struct conn slots[CONNS_MAX];
	struct conn *unused, *oldest, *newest;
	unsigned n;
};

void conns_init(struct conns *c);
void conns_fini(struct conns *c); /* closes what is left */

struct conn *conns_add(struct conns *c, int fd, int64_t deadline_us); /* takes fd. When full, the oldest is dropped */
int conns_remove(struct conns *c, struct conn *conn); /* its descriptor, which is the caller's again */
void conns_drop(struct conns *c, struct conn *conn); /* closes it */

struct fresh {
	struct {
		int fd; /* owned */
		int looks;
	} ring[FRESH_MAX];
	unsigned first, n;
};

/* Takes fd, which was looked at so many times. False (fd is the caller's): that is often enough, or there is no room. */
bool fresh_add(struct fresh *f, int fd, int looks);
/* The one that was added first, the caller's again; there is one. */
int fresh_take(struct fresh *f, int *looks);
void fresh_fini(struct fresh *f); /* closes what is left */

#endif

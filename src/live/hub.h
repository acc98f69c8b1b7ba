/*
 * hub - who is waiting for what.  Walk 3, step 4: from follow.c, on to serve.c.
 *
 * Keeps the views, finds for a new row those that may want it (by symbol in a table, those without symbols in a list), has the row read
 * only if there are any, and marks the views that it matches. It never touches a socket. Live thread only: no locks in here.
 */
#ifndef LIVE_HUB_H
#define LIVE_HUB_H

#include "live/ring.h"
#include "live/view.h"
#include "store/read.h"

struct topic { /* a symbol that somebody waits for */
	struct topic *next;
	struct topic_link *links;
	uint64_t newest; /* ordinal of its newest entry in the ring; 0: none */
	uint8_t n;
	char symbol[]; /* in the same allocation */
};

struct hit {
	uint64_t ordinal; /* in the ring */
	uint32_t next; /* in the same view, 1 more than the index; 0: the last */
};

struct hub {
	char epoch[16]; /* empty: nothing is followed yet */
	int64_t from, to; /* the present turn went from one to the other; every row up to `to` has been looked at */
	bool unserved; /* something came for somebody in it, and hub_turn_done() was not called since */
	int64_t gap; /* the newest gap that was seen */
	struct ring ring;
	uint64_t seed, last_view;
	struct terms_table terms;

	struct view **views; /* tables of chains, sizes powers of two */
	size_t views_size, n_views;
	struct topic **topics;
	size_t topics_size, n_topics;
	struct topic_link *wild; /* of views without symbols */
	struct view *dirty; /* newest first */

	struct hit *hits; /* of the present turn */
	uint32_t n_hits, hits_size;
	struct buf scratch;

	struct topic *topic; /* of the row being judged */
};

int hub_init(struct hub *h, size_t ring_bytes, struct err *e);
void hub_fini(struct hub *h); /* every view has been left */

/* The view of that key, made if need be; one client more. NULL: no memory. */
struct view *hub_join(struct hub *h, struct text key);
void hub_leave(struct hub *h, struct view *v); /* one client less */

/* Everything from here on is new: the ring begins again. Clients are the caller's business. */
void hub_start(struct hub *h, const struct snapshot *snap);

/* A new row: read if somebody may want it, kept if somebody does. -1: it could not be read. */
int hub_row(struct hub *h, struct reader *r, const struct row_key *key, struct err *e);

/* The same of one that is there already. */
void hub_event(struct hub *h, const struct event *ev, struct text body);

/* The turn's rows have all been told. A turn whose views were not all taken, to hub_turn_done(), and the next one count as one. */
void hub_advance(struct hub *h, int64_t head);

/* A view that something came for, taken off the list; NULL: no more. Its hits stay until hub_turn_done(). */
struct view *hub_next_dirty(struct hub *h);
void hub_turn_done(struct hub *h);

/* The view's topic, if it is of one symbol; else NULL. */
struct topic *hub_topic(const struct view *v);

#endif

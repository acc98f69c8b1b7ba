/*
 * view - what a client sees of the log: a filter and a form, shared by all clients that ask for the same.
 *
 * Filters are judged, and bytes put together, once a view and not once a client. A view is made from its key, the whole of what
 * distinguishes it as bytes; it lives while it has clients. Live thread only, but for the making of keys.
 */
#ifndef LIVE_VIEW_H
#define LIVE_VIEW_H

#include "base/buf.h"
#include "event/filter.h"

struct client;
struct view;

/* What tells views apart. */
struct view_form {
	bool waiter; /* a long-poll: one answer; else a stream */
	bool ndjson, batch, conflate;
	struct text ask; /* waiters: the request to be answered; else empty */
};

/* Appends the key. For any thread. */
void view_key(struct buf *out, const struct filter *filter, const struct view_form *form);

/* A client's place among those in the same state. */
struct clients {
	struct client *first, *last;
};

struct topic;

/* One of a view's symbols, in the list of that symbol's topic. */
struct topic_link {
	struct topic *topic;
	struct view *view;
	struct topic_link *next, **at;
};

struct view {
	struct view *next, **at; /* in the hub's table */
	struct view *wild_next, **wild_at; /* views without symbols */
	struct view *dirty_next;
	uint64_t hash;
	uint64_t number; /* never given again */
	int64_t since; /* the ring has everything that this view wants from above this seq on */
	unsigned n_clients;
	struct clients live; /* have everything up to the hub's position */
	struct clients paused; /* wait for their time to be served */

	bool dirty; /* something for it came in this turn */
	bool urgent; /* and something of it does not wait for a batch */
	bool lost; /* and not all of it is among the hits */
	uint32_t hits,
	    last_hit; /* what came: a list in the hub's hits, first and last, 1 more than the index; 0: none */

	struct view_form form;
	struct filter filter;
	struct text key;
	size_t n_links;
	struct topic_link *links; /* in the same allocation, as are the filter's texts and the key */
};

/* A copy of what the key says, linked nowhere. NULL: no memory, or no key. */
struct view *view_new(struct text key);
void view_free(struct view *v);

#endif

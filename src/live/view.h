/*
 * view - what a client sees of the log: symbols, on certain terms; shared by all clients that ask for the same.
 *
 * Filters are judged, and bytes put together, once a view and not once a client. A view is made from its key, the whole of what
 * distinguishes it as bytes; it lives while it has clients. Most views have one client, so they are small: 200 bytes for one symbol. Live thread
 * only, but for the making of keys.
 */
#ifndef LIVE_VIEW_H
#define LIVE_VIEW_H

#include "live/terms.h"

struct client;
struct view;

/* Appends the key. For any thread. */
void view_key(struct buf *out, const struct filter *filter, const struct view_form *form);

/* A client's place among those in the same state. */
struct clients {
	struct client *first, *last;
};

struct topic;

/* One of a view's symbols, in the list of that symbol's topic; of a view without symbols its place in the list of those. */
struct topic_link {
	struct topic *topic; /* NULL: without symbols */
	struct view *view;
	struct topic_link *next, **at; /* at: NULL: in no list yet */
};

struct view {
	struct view *next; /* in the hub's table */
	struct view *dirty_next;
	struct terms *terms; /* used until the view is freed */
	uint64_t number; /* never given again */
	int64_t since; /* the ring has everything that this view wants from above this seq on */
	struct clients live; /* have everything up to the hub's position */
	struct clients paused; /* wait for their time to be served */
	uint32_t hash; /* of its key */
	unsigned n_clients;
	uint32_t hits,
	    last_hit; /* what came: a list in the hub's hits, first and last, 1 more than the index; 0: none */
	bool dirty; /* something for it came in this turn */
	bool urgent; /* and something of it does not wait for a batch */
	bool lost; /* and not all of it is among the hits */
	uint32_t n_links, n_own;
	struct text_set symbols; /* upper case, sorted, each once; none: all */
	struct topic_link links
	    []; /* one a symbol, or one; behind them the symbols and `n_own` bytes of the key: what is not the terms' */
};

/* A copy of what the key says, linked nowhere. NULL: no memory, or no key. */
struct view *view_new(struct terms_table *t, struct text key);
void view_free(struct terms_table *t, struct view *v);

bool view_has_key(const struct view *v, struct text key);
struct text view_ask(const struct view *v); /* waiters: the request to be answered */

bool view_has_symbol(const struct view *v, struct text symbol); /* without symbols it has all */
bool view_matches(const struct view *v, const struct event *ev);
void view_filter(const struct view *v, struct filter *out); /* whole, with the symbols; borrows from the view */

#endif

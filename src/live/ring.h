/*
 * ring - the newest events that somebody waits for, encoded once, in memory.
 *
 * Bounded in bytes: the oldest go when there is no more room. It holds only what was wanted when it came; how far back it is whole for
 * a client is for view.h and hub.c to know. Entries of the same topic are chained forwards. Live thread only.
 */
#ifndef LIVE_RING_H
#define LIVE_RING_H

#include "base/buf.h"
#include "base/err.h"
#include "event/filter.h"

struct ring_entry {
	struct event ev; /* what filters look at; its texts are in the ring */
	uint64_t next; /* ordinal of the next one of the same topic; 0: none yet */
	uint32_t size; /* of the whole entry, with what follows the struct */
	uint32_t body_at; /* where in the frame the text begins */
	struct text frame; /* as SSE */
};

struct ring {
	char *bytes; /* owned */
	size_t size; /* of it; 0: nothing is kept */
	size_t head; /* where the next entry goes */
	uint32_t *places; /* owned; by ordinal: where in `bytes`, in units of 8 */
	size_t n_places; /* a power of two */
	uint64_t first, end; /* ordinals held: first <= n < end; they begin at 1 */
	int64_t from; /* what was wanted is whole above this seq */
};

int ring_init(struct ring *r, size_t size, struct err *e);
void ring_fini(struct ring *r);
void ring_clear(struct ring *r, int64_t from);

/* The entry of an event with its frame; older ones make room. NULL: it is larger than the whole ring, so nothing is held any more. */
struct ring_entry *ring_add(struct ring *r, const struct event *ev, struct text frame, size_t body_at);

struct ring_entry *ring_at(const struct ring *r, uint64_t ordinal); /* first <= ordinal < end */

/* The first ordinal whose seq is above `seq`; `end` if there is none. */
uint64_t ring_after(const struct ring *r, int64_t seq);

#endif

/*
 * unindexed - events that the index does not have yet: a run of the log, its places by symbol.  Between append.c or the tail of the log and index.c.
 *
 * As events are appended they are noted here, so that the index can follow without reading them back, which was a fifth of what it cost; what of a
 * batch was rolled back, what has no room, and what was there at the start is read from the log instead (index.c). Bounded in events and bytes.
 * The store thread's alone.
 */
#ifndef STORE_UNINDEXED_H
#define STORE_UNINDEXED_H

#include "event/event.h"
#include "store/groups.h"

#define UNINDEXED_MAX 65536 /* events */

struct unplaced { /* an event */
	int64_t seq;
	unsigned next; /* of the same symbol, among `events`, if there is one more */
	enum kind kind;
};

struct unplaced_symbol {
	struct group group;
	unsigned first, last, n; /* of its events, among `events` */
};

struct unindexed {
	struct groups symbols; /* of struct unplaced_symbol */
	struct unplaced *events; /* ascending */
	unsigned n, room;
	unsigned kinds; /* KIND_BIT()s of those that are among them */
};

void unindexed_init(struct unindexed *u, uint64_t seed); /* of hashes */
void unindexed_fini(struct unindexed *u);
void unindexed_clear(struct unindexed *u); /* of all events; the memory of their array stays */

/*
 * Adds the next event; `symbol` is copied; what is none, TEXT_NONE or what no decoder lets through, leaves it without one. -1: there are UNINDEXED_MAX, or no
 * memory; nothing was added.
 */
int unindexed_add(struct unindexed *u, int64_t seq, enum kind kind, struct text symbol);

#endif

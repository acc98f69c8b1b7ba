/*
 * recent - which places the newest events have in the log, by symbol, in a worker's memory.  For positions.c, which tells it every row and has the lock.
 *
 * The index by symbol lags behind the log while events come in; what it does not cover yet is looked up here instead of in the log. Of a symbol it keeps
 * a hash: whoever is given a place looks at the row in any case, and so finds out if it is another's. Bounded: the oldest are forgotten.
 */
#ifndef LIVE_RECENT_H
#define LIVE_RECENT_H

#include "event/event.h"

#define RECENT_PLACES 32768 /* a power of two: half as many again as the index ever lags behind (INDEX_LAG_MAX) */

struct recent_place {
	int64_t seq;
	uint64_t before; /* ordinal of the next older one in its chain; 0: none */
	uint32_t mark; /* the part of the hash that does not choose the chain */
	uint8_t kind;
};

struct recent {
	struct recent_place *places; /* owned; by ordinal; NULL: remembers nothing */
	uint64_t *chains; /* owned; ordinals of the newest */
	uint64_t end; /* the next ordinal; they begin at 1 */
	int64_t from; /* of what came above it nothing is missing that has a symbol */
	int64_t newest; /* what came last; 0: nothing since the start */
};

/* Forgets everything; what is told from now on lies above `from`. Of zeros, too. Without memory it remembers nothing. */
void recent_start(struct recent *r, int64_t from);
void recent_fini(struct recent *r);

/* In the order of the log; `hash` of a symbol's name, always made the same way. */
void recent_row(struct recent *r, int64_t seq, enum kind kind, uint64_t hash);

/* Whether everything above `above` is there that came up to now. */
bool recent_covers(const struct recent *r, int64_t above);

/*
 * The places above `above` up to `upto` of a hash and `kinds` (KIND_BIT()s), newest first: how many, of which `max` at most are stored. Perhaps some are
 * another symbol's with the same hash.
 */
size_t recent_find(
    const struct recent *r, uint64_t hash, unsigned kinds, int64_t above, int64_t upto, int64_t *seqs, size_t max);

#endif

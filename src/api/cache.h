/*
 * cache - rendered lists of a worker, shared by its request threads.
 *
 * What is kept is the `data` of an answer and the gaps in it, never the envelope, whose cursor and time move on. Its position was taken
 * before it was read; it is right until that of the same question is another one: nothing here is told of new events, and nothing
 * expires by time. Bounded in bytes; what was used longest ago goes first. Locks inside; nothing blocks.
 */
#ifndef API_CACHE_H
#define API_CACHE_H

#include "api/page.h"
#include "live/positions.h"

struct cache;

struct cached {
	struct text data, gaps, incomplete; /* as they stand in the answer */
	struct list_result result;
};

/* `bytes_max` 0: keeps nothing. */
struct cache *cache_new(size_t bytes_max, struct err *e);
void cache_free(struct cache *c); /* NULL is fine; nothing may be held any more */

/*
 * What was kept for `question`, if it is right at the position `at`; borrowed until cache_release(), even if it is thrown out
 * meanwhile. NULL: nothing, or it is out of date.
 */
const struct cached *cache_find(struct cache *c, struct text question, const struct position *at);
void cache_release(struct cache *c, const struct cached *held);

/*
 * Keeps a copy, but not the first time: a list that nobody asks again costs no memory and pushes no other out. `at` was taken before the read, `head` is where the log stood in it: nobody whose position lies before `head` gets it,
 * or what is in it could come to that client twice. Too large for its share of the bytes, or no memory: not kept.
 */
void cache_keep(
    struct cache *c, struct text question, const struct position *at, int64_t head, const struct cached *what);

struct cache_counts {
	size_t entries, bytes;
	uint64_t hits, misses;
};
void cache_count(struct cache *c, struct cache_counts *out);

#endif

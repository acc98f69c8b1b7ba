/*
 * groups - what belongs to one symbol, brought together: a hash table of symbols, with whatever its user keeps of each.
 *
 * For unindexed.c and retain.c, to whom 20,000 events are some 4,000 symbols: only these have to be sorted. Names come from outside, so hashes are seeded.
 * No locks: the store thread's.
 */
#ifndef STORE_GROUPS_H
#define STORE_GROUPS_H

#include "base/pool.h"
#include "base/text.h"

/* The first member of what is kept of a symbol. */
struct group {
	struct group *next; /* in its chain */
	uint64_t hash;
	struct text symbol; /* in the pool */
};

struct groups {
	struct pool pool;
	uint64_t seed;
	size_t size; /* of what is kept of a symbol */
	struct group **chains;
	size_t n_chains, n;
};

/* `size` bytes are kept of each symbol, beginning with a struct group; of all and their texts no more than `max_bytes`. */
void groups_init(struct groups *g, size_t size, size_t max_bytes, uint64_t seed);
void groups_fini(struct groups *g);

/* What is kept of a symbol; borrowed; zeros behind the struct group if it is new. NULL: no memory, or `max_bytes` reached. */
void *groups_at(struct groups *g, struct text symbol);

/* All of them in the order of their symbols, which is that of the tables; the caller frees the array. NULL: no memory. */
struct group **groups_sorted(const struct groups *g);

#endif

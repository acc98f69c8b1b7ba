/* limits - see limits.h. */
#include "http/limits.h"

#include <sys/random.h>

#include "base/text.h"

/* A word: 24 bits of tag, 40 bits of microseconds, which go round in twelve days. */
#define TIME_BITS 40
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

int
limits_init(struct limits *l, struct err *e)
{
	if (getrandom(&l->seed, sizeof(l->seed), 0) == (ssize_t)sizeof(l->seed))
		return 0;
	err_sys(e, "no random numbers");
	return -1;
}

static uint64_t
hash_of(const struct limits *l, const struct address *client)
{
	return text_hash(client == NULL ? TEXT("?") : address_client(client), l->seed);
}

/*
 * How far ahead of now the bucket's time is; 0: it is full. What seems further ahead than any bucket can be is a time of long ago, around which the clock
 * has gone.
 */
static int64_t
ahead(uint64_t word, int64_t now_us, int64_t window_us)
{
	int64_t diff = (int64_t)((word - (uint64_t)now_us) & TIME_MASK);

	return word != 0 && diff <= window_us ? diff : 0;
}

/* The slot of `tag`, or else the one that is fullest. */
static _Atomic uint64_t *
find(struct limits *l, uint64_t hash, uint64_t tag, int64_t now_us, int64_t window_us)
{
	_Atomic uint64_t *set = l->slots[hash % LIMITS_SETS], *best = NULL;
	int64_t least = INT64_MAX;

	for (int i = 0; i < LIMITS_WAYS; i++) {
		uint64_t word = atomic_load_explicit(&set[i], memory_order_relaxed);
		int64_t left = ahead(word, now_us, window_us);

		if (word >> TIME_BITS == tag && word != 0)
			return &set[i];
		if (left < least) {
			least = left;
			best = &set[i];
		}
	}
	return best;
}

int64_t
limits_take(struct limits *l, const struct address *client, int64_t rate, int64_t burst, int64_t now_us)
{
	uint64_t hash = hash_of(l, client), tag = (hash >> 32 & 0xffffff) | 1, word, next;
	int64_t each_us = 1000000 / rate, window_us = each_us * burst, due_us;
	_Atomic uint64_t *slot = find(l, hash, tag, now_us, window_us);

	if (each_us < 1)
		each_us = 1;
	do {
		word = atomic_load_explicit(slot, memory_order_relaxed);
		due_us = word >> TIME_BITS == tag ? ahead(word, now_us, window_us) : 0;
		if (due_us + each_us > window_us)
			return due_us + each_us - window_us;
		next = tag << TIME_BITS | ((uint64_t)(now_us + due_us + each_us) & TIME_MASK);
	} while (!atomic_compare_exchange_weak_explicit(slot, &word, next, memory_order_relaxed, memory_order_relaxed));
	return 0;
}

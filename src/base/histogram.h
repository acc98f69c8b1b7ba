/*
 * histogram - how often something took how long, as Prometheus counts it.
 *
 * All have the same edges: fine ones where latency is promised, coarse ones above. Adding is one relaxed atomic addition each to a count and to the
 * sum, so a histogram can lie in memory that processes share, and one that dies in the middle leaves nothing locked.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_EDGES 11

/* An edge belongs to the bucket below it: "le". */
struct histogram_edge {
	int64_t us;
	const char *le; /* seconds, as Prometheus writes them */
};
extern const struct histogram_edge histogram_edges[HISTOGRAM_EDGES];

struct histogram {
	_Atomic int64_t counts[HISTOGRAM_EDGES + 1]; /* each bucket by itself; the last has no edge */
	_Atomic int64_t sum_us;
};

/* The same at rest, in one thread: what is kept, sent and summed. */
struct histogram_sum {
	int64_t counts[HISTOGRAM_EDGES + 1];
	int64_t sum_us;
};

void histogram_add(struct histogram *h, int64_t took_us); /* negative counts as 0 */
void histogram_sum_add(struct histogram_sum *h, int64_t took_us);
void histogram_read(const struct histogram *h, struct histogram_sum *to); /* adds it to *to */
void histogram_merge(struct histogram_sum *to, const struct histogram_sum *from);

#endif

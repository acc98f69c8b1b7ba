/*
 * histogram - how often a duration came, for percentiles of millions of them.
 *
 * Buckets grow with the value (32 a doubling: at most 3 % off), from 1 us to 2^40 us. Nothing allocates.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#include "base/buf.h"

#define HISTOGRAM_BUCKETS 1184

struct histogram {
	int64_t n, max_us;
	int64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, int64_t us);
int64_t histogram_at(
    const struct histogram *h, double share); /* the value below which `share` (0..1) of them lie, in us */

/* Appends {"n":…,"p50_us":…,"p90_us":…,"p99_us":…,"p999_us":…,"max_us":…}. */
void histogram_json(const struct histogram *h, struct buf *out);

#endif

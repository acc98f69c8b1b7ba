/* histogram - see histogram.h. */
#include "histogram.h"

#define STEPS 32 /* buckets a doubling */
#define STEP_BITS 5

static unsigned
bucket_of(int64_t us)
{
	unsigned log, bucket;

	if (us < STEPS)
		return us < 0 ? 0 : (unsigned)us;
	log = 63 - (unsigned)__builtin_clzll((unsigned long long)us);
	bucket = (log - STEP_BITS) * STEPS + (unsigned)(us >> (log - STEP_BITS));
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket. */
static int64_t
value_of(unsigned bucket)
{
	unsigned shift;

	if (bucket < 2 * STEPS)
		return bucket;
	shift = bucket / STEPS - 1;
	return ((int64_t)(bucket % STEPS + STEPS) << shift) + ((int64_t)1 << shift) / 2;
}

void
histogram_add(struct histogram *h, int64_t us)
{
	h->buckets[bucket_of(us)]++;
	h->n++;
	if (us > h->max_us)
		h->max_us = us;
}

int64_t
histogram_at(const struct histogram *h, double share)
{
	int64_t rank = (int64_t)((double)h->n * share), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen > rank)
			return value_of(i) < h->max_us ? value_of(i) : h->max_us;
	}
	return h->max_us;
}

void
histogram_json(const struct histogram *h, struct buf *out)
{
	buf_printf(out, "{\"n\":%lld,\"p50_us\":%lld,\"p90_us\":%lld,\"p99_us\":%lld,\"p999_us\":%lld,\"max_us\":%lld}",
	    (long long)h->n, (long long)histogram_at(h, 0.5), (long long)histogram_at(h, 0.9),
	    (long long)histogram_at(h, 0.99), (long long)histogram_at(h, 0.999), (long long)h->max_us);
}

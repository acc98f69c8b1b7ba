/* histogram - see histogram.h. */
#include "base/histogram.h"

#include <stddef.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics take no lock");

/* clang-format off */
const struct histogram_edge histogram_edges[HISTOGRAM_EDGES] = {
	{ 1000, "0.001" }, { 5000, "0.005" }, { 10000, "0.01" }, { 50000, "0.05" }, { 100000, "0.1" }, { 500000, "0.5" },
	{ 1000000, "1" }, { 5000000, "5" }, { 10000000, "10" }, { 60000000, "60" }, { 600000000, "600" },
};
/* clang-format on */

static size_t
bucket_of(int64_t us)
{
	size_t i = 0;

	while (i < HISTOGRAM_EDGES && us > histogram_edges[i].us)
		i++;
	return i;
}

void
histogram_add(struct histogram *h, int64_t took_us)
{
	took_us = took_us < 0 ? 0 : took_us;
	atomic_fetch_add_explicit(&h->counts[bucket_of(took_us)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_us, took_us, memory_order_relaxed);
}

void
histogram_sum_add(struct histogram_sum *h, int64_t took_us)
{
	took_us = took_us < 0 ? 0 : took_us;
	h->counts[bucket_of(took_us)]++;
	h->sum_us += took_us;
}

void
histogram_read(const struct histogram *h, struct histogram_sum *to)
{
	for (size_t i = 0; i <= HISTOGRAM_EDGES; i++)
		to->counts[i] += atomic_load_explicit(&h->counts[i], memory_order_relaxed);
	to->sum_us += atomic_load_explicit(&h->sum_us, memory_order_relaxed);
}

void
histogram_merge(struct histogram_sum *to, const struct histogram_sum *from)
{
	for (size_t i = 0; i <= HISTOGRAM_EDGES; i++)
		to->counts[i] += from->counts[i];
	to->sum_us += from->sum_us;
}

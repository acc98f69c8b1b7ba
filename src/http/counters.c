/* counters - see counters.h. */
#include "http/counters.h"

#include <sys/mman.h>

#include "base/clock.h"

/* Lock-free, or a killed worker could leave a lock behind. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics take no lock");

struct counters *
counters_new(unsigned n_workers, struct err *e)
{
	struct counters *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (c == MAP_FAILED) {
		err_sys(e, "cannot share memory with the workers");
		return NULL;
	}
	if (limits_init(&c->limits, e) != 0) {
		counters_free(c);
		return NULL;
	}
	c->n_workers = n_workers;
	c->started_us = clock_real_us();
	return c;
}

void
counters_free(struct counters *c)
{
	if (c != NULL)
		munmap(c, sizeof(*c));
}

static void
add(_Atomic int64_t *to, int64_t n)
{
	atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

void
counters_add(struct counters_worker *w, int status, int64_t took_us)
{
	add(&w->requests, 1);
	add(&w->by_class[status >= 100 && status < 600 ? status / 100 : 0], 1);
	add(&w->took_us, took_us);
	histogram_add(&w->latencies[LATENCY_REQUEST], took_us);
}

void
counters_problem(struct counters_worker *w, enum problem problem)
{
	add(&w->problems[problem], 1);
}

void
counters_count(struct counters_worker *w, enum count count, int64_t n)
{
	add(&w->counts[count], n);
}

void
counters_latency(struct counters_worker *w, enum latency latency, int64_t took_us)
{
	histogram_add(&w->latencies[latency], took_us);
}

void
counters_sum(const struct counters *c, struct counters_total *out)
{
	*out = (struct counters_total){ 0 };
	for (unsigned i = 0; i < COUNTERS_WORKERS_MAX; i++) {
		const struct counters_worker *w = &c->workers[i];

		out->workers += w->pid != 0;
		out->requests += w->requests;
		out->took_us += w->took_us;
		out->restarts += w->starts > 1 ? w->starts - 1 : 0;
		for (int k = 0; k < 6; k++)
			out->by_class[k] += w->by_class[k];
		for (int g = 0; g < GAUGE__MAX; g++)
			out->gauges[g] += w->gauges[g];
		for (int p = 0; p < PROBLEM__MAX; p++)
			out->problems[p] += w->problems[p];
		for (int n = 0; n < COUNT__MAX; n++)
			out->counts[n] += w->counts[n];
		for (int l = 0; l < LATENCY__MAX; l++)
			histogram_read(&w->latencies[l], &out->latencies[l]);
	}
}

static int64_t
sum_gauge(const struct counters *c, enum gauge gauge)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < c->n_workers; i++)
		sum += c->workers[i].gauges[gauge];
	return sum;
}

/* Counted first and looked at then: of two that come at once for the last place both may be refused, but never both be taken. */
bool
counters_take(const struct counters *c, struct counters_worker *own, enum gauge gauge, int64_t max)
{
	atomic_fetch_add(&own->gauges[gauge], 1);
	if (sum_gauge(c, gauge) <= max)
		return true;
	atomic_fetch_sub(&own->gauges[gauge], 1);
	return false;
}

void
counters_give(struct counters_worker *own, enum gauge gauge)
{
	atomic_fetch_sub(&own->gauges[gauge], 1);
}

unsigned
counters_index(const struct counters *c, const struct counters_worker *w)
{
	return (unsigned)(w - c->workers);
}

void
counters_ended(struct counters *c, unsigned worker)
{
	struct counters_worker *w = &c->workers[worker];

	w->pid = 0;
	for (int g = 0; g < GAUGE__MAX; g++)
		w->gauges[g] = 0;
	if (c->quota != NULL)
		quota_ended(c->quota, worker);
}

/*
 * counters - what all workers of a service count together.
 *
 * The parent makes them before it forks: one slot a worker, in memory that is shared and belongs to no process, so that what a killed worker
 * had counted stays. A slot is written by its worker alone (and by the parent while that worker is not running), and read by everybody.
 */
#ifndef HTTP_COUNTERS_H
#define HTTP_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/histogram.h"
#include "http/limits.h"
#include "http/quota.h"
#include "http/reply.h"

#define COUNTERS_WORKERS_MAX 256

enum gauge { GAUGE_STREAMS, GAUGE_WAITERS, GAUGE__MAX };

/* How long what took. */
enum latency {
	LATENCY_REQUEST, /* from accepted to answered */
	LATENCY_DELIVERY, /* from a commit to the first byte of what it brought to a stream */
	LATENCY_PUBLISH, /* one transaction, answered or not */
	LATENCY__MAX
};

enum count {
	COUNT_TICKS, /* published */
	COUNT_ERRORS, /* the same, of POST /v1/errors */
	COUNT_UNCHANGED, /* lists: 304 */
	COUNT_CACHED, /* lists rendered before */
	COUNT_READ, /* lists read from the log */
	COUNT__MAX
};

struct counters_worker {
	_Atomic int64_t pid; /* 0: not running */
	_Atomic int64_t started_us;
	_Atomic int64_t starts; /* 1 after the first */
	_Atomic int64_t requests;
	_Atomic int64_t by_class[6]; /* by the status's first digit; [0]: ended without an answer */
	_Atomic int64_t took_us; /* of all requests together */
	_Atomic int64_t gauges[GAUGE__MAX]; /* parked with this worker now */
	_Atomic int64_t problems[PROBLEM__MAX]; /* answers that were one, by code */
	_Atomic int64_t counts[COUNT__MAX];
	struct histogram latencies[LATENCY__MAX];
} __attribute__((aligned(64))); /* a cache line of its own: workers do not slow each other */

struct counters {
	_Atomic int64_t started_us; /* the parent */
	unsigned n_workers;
	struct limits limits; /* of clients, over all workers */
	struct quota *quota; /* places by client address; NULL: not limited. Owned by the parent */
	struct counters_worker workers[COUNTERS_WORKERS_MAX];
};

struct counters *counters_new(unsigned n_workers, struct err *e); /* owned; shared with children forked later */
void counters_free(struct counters *c);

void counters_add(struct counters_worker *w, int status, int64_t took_us);

/* The place of a worker in the table. */
unsigned counters_index(const struct counters *c, const struct counters_worker *w);

/* One more with this worker, unless the service has `max` of them. False: it has. */
bool counters_take(const struct counters *c, struct counters_worker *own, enum gauge gauge, int64_t max);
void counters_give(struct counters_worker *own, enum gauge gauge);
/* The parent's, when a worker has ended, however: nothing is parked with it any more. */
void counters_ended(struct counters *c, unsigned worker);
void counters_problem(struct counters_worker *w, enum problem problem);
void counters_count(struct counters_worker *w, enum count count, int64_t n);
void counters_latency(struct counters_worker *w, enum latency latency, int64_t took_us);

/* The sums over all slots, also those of workers that are gone. */
struct counters_total {
	unsigned workers; /* running now */
	int64_t requests, by_class[6], took_us;
	int64_t gauges[GAUGE__MAX];
	int64_t restarts; /* of workers that died or were replaced */
	int64_t problems[PROBLEM__MAX], counts[COUNT__MAX];
	struct histogram_sum latencies[LATENCY__MAX];
};
void counters_sum(const struct counters *c, struct counters_total *out);

#endif

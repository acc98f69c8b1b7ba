/*
 * retain - see retain.h.  Called by tend.c between batches.
 *
 * A run is always the oldest of its scope (all kinds, or one), so what is deleted is one range of events. The index by symbol is left as it is: readers
 * pass over what lies at or below kinds.trimmed_to, and sweep.c takes it out.
 */
#include "store/retain.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/pool.h"
#include "store/index.h"
#include "store/sweep.h"
#include "store/tallies.h"
#include "store/writer.h"

#define RUN_CALM 1000
#define RUN_LOADED 20000
#define ALL_KINDS (-1)

struct gone {
	struct text symbol;
	int64_t seq;
	int kind;
	bool duplicate;
};

struct run {
	struct pool pool;
	struct gone *gone; /* in the pool */
	int n, max;
	int64_t bytes;
	bool behind; /* ended where index or tallies do */
};

/* How much a scope has too much. */
struct excess {
	int64_t events, bytes, before_us; /* before_us 0: age does not matter */
};

static int64_t
over(int64_t have, int64_t limit)
{
	return limit > 0 && have > limit ? have - limit : 0;
}

static struct excess
excess_of(const struct store *s, int scope)
{
	struct excess x = { .events = 0 };
	int64_t events = 0, bytes = 0, age_ms;

	if (scope != ALL_KINDS) {
		const struct held *h = &s->now.kinds[scope];

		age_ms = s->kind[scope].age_ms > 0 ? s->kind[scope].age_ms : s->total.age_ms;
		x.events = over(h->events, s->kind[scope].events);
		x.bytes = over(h->bytes, s->kind[scope].bytes);
		if (age_ms > 0 && age_ms < INT64_MAX / 1000)
			x.before_us = clock_real_us() - age_ms * 1000;
		return x;
	}
	for (int kind = 0; kind < KIND__MAX; kind++) {
		events += s->now.kinds[kind].events;
		bytes += s->now.kinds[kind].bytes;
	}
	x.events = over(events, s->total.events);
	x.bytes = over(bytes, s->total.bytes);
	return x;
}

/* The oldest of a kind, looked at no more often than once a second: age needs no more. */
static bool
aged(struct store *s, int kind, int64_t before_us)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_OLDEST_OF_KIND, NULL);
	bool old = false;

	if (before_us <= 0 || s->now.kinds[kind].events == 0)
		return false;
	if (st != NULL && db_bind_int(st, ":kind", kind) == 0 && db_bind_int(st, ":limit", 1) == 0 &&
	    db_step(&s->db, st, NULL) == 1) {
		old = sqlite3_column_int64(st, 4) < before_us;
		sqlite3_reset(st);
	}
	return old;
}

/* How many events more than its limit a scope may hold under load: half of it, within reason. */
static int64_t
slack_of(int64_t limit)
{
	int64_t half = limit / 2;

	return half < RUN_CALM ? RUN_CALM : half > RUN_LOADED ? RUN_LOADED : half;
}

/*
 * Under load one waits until a whole run has gathered. The larger the run, the fewer writes a symbol: over 4,000 symbols,
 * runs of 20,000 cost half of what runs of 5,000 do, all in.
 */
static bool
scope_due(struct store *s, int scope, bool calm, bool look_at_age)
{
	const struct retention *limit = scope == ALL_KINDS ? &s->total : &s->kind[scope];
	struct excess x = excess_of(s, scope);

	/* One percent of the bytes is a run, too. */
	return x.events > (calm ? 0 : slack_of(limit->events)) || x.bytes > (calm ? 0 : limit->bytes / 100) ||
	    (scope != ALL_KINDS && look_at_age && aged(s, scope, x.before_us));
}

bool
retain_soon(struct store *s)
{
	struct excess x = excess_of(s, ALL_KINDS);

	return x.events > slack_of(s->total.events) / 2 || x.bytes > s->total.bytes / 200;
}

bool
retain_due(struct store *s, bool calm)
{
	int64_t mono = clock_mono_us();
	bool look = mono - s->aged_us >= 1000000;

	for (int scope = ALL_KINDS; scope < KIND__MAX; scope++)
		if (scope_due(s, scope, calm, look))
			return true;
	if (look)
		s->aged_us = mono;
	return false;
}

static int
collect(struct store *s, int scope, struct run *run, struct err *e)
{
	struct excess x = excess_of(s, scope);
	sqlite3_stmt *st = db_stmt(&s->db, scope == ALL_KINDS ? SQL_OLDEST_EVENTS : SQL_OLDEST_OF_KIND, e);
	int rc;

	if (st == NULL || (scope != ALL_KINDS && db_bind_int(st, ":kind", scope) != 0) ||
	    db_bind_int(st, ":limit", run->max) != 0)
		return -1;
	while ((rc = db_step(&s->db, st, e)) == 1) {
		struct gone *g = &run->gone[run->n];
		int kind = sqlite3_column_int(st, 1);

		/* What goes must have been indexed and counted before. */
		run->behind =
		    sqlite3_column_int64(st, 0) > s->now.indexed_to || sqlite3_column_int64(st, 0) > s->now.tallied_to;
		if (run->behind)
			break;
		if (run->n >= x.events && run->bytes >= x.bytes && sqlite3_column_int64(st, 4) >= x.before_us)
			break;
		if (kind < 0 || kind >= KIND__MAX) {
			err_set(e, ERR_CORRUPT, "retention: an event of kind %d", kind);
			sqlite3_reset(st);
			return -1;
		}
		*g = (struct gone){ .seq = sqlite3_column_int64(st, 0),
			.kind = kind,
			.symbol = db_column_text(st, 2),
			.duplicate = sqlite3_column_int64(st, 3) != 0 };
		if (g->symbol.p != NULL && (g->symbol = pool_text(&run->pool, g->symbol)).p == NULL)
			break;
		run->n++;
		run->bytes += sqlite3_column_bytes(st, 5);
		s->now.kinds[kind].events--;
		s->now.kinds[kind].bytes -= sqlite3_column_bytes(st, 5);
		s->now.kinds[kind].trimmed_to = g->seq;
	}
	if (rc == 1)
		sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

static int
delete_events(struct store *s, int scope, int64_t to, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, scope == ALL_KINDS ? SQL_EVENTS_DELETE : SQL_EVENTS_DELETE_KIND, e);

	if (st == NULL || (scope != ALL_KINDS && db_bind_int(st, ":kind", scope) != 0) ||
	    db_bind_int(st, ":to", to) != 0)
		return -1;
	return db_step(&s->db, st, e);
}

/* n: patterns, indicators, alerts, all. */
static int
subtract(struct store *s, struct text symbol, const int64_t n[4], struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_SYMBOL_SUBTRACT, e);
	int64_t held = 1;
	int rc;

	if (st == NULL || db_bind_text(st, ":symbol", symbol) != 0 || db_bind_int(st, ":patterns", n[0]) != 0 ||
	    db_bind_int(st, ":indicators", n[1]) != 0 || db_bind_int(st, ":alerts", n[2]) != 0 ||
	    db_bind_int(st, ":held", n[3]) != 0)
		return -1;
	while ((rc = db_step(&s->db, st, e)) == 1)
		held = sqlite3_column_int64(st, 0);
	if (rc != 0 || held > 0)
		return rc;
	st = db_stmt(&s->db, SQL_SYMBOL_DELETE, e);
	return st == NULL || db_bind_text(st, ":symbol", symbol) != 0 ? -1 : db_step(&s->db, st, e);
}

static int
by_symbol(const void *a, const void *b)
{
	const struct gone *x = a, *y = b;
	int d = text_cmp(x->symbol, y->symbol);

	return d != 0 ? d : (x->seq > y->seq) - (x->seq < y->seq);
}

static int
forget(struct store *s, struct run *run, struct err *e)
{
	int64_t n[4] = { 0 };

	qsort(run->gone, (size_t)run->n, sizeof(*run->gone), by_symbol);
	for (int i = 0; i < run->n; i++) {
		const struct gone *g = &run->gone[i], *next = i + 1 < run->n ? g + 1 : NULL;
		bool last = next == NULL || !text_eq(next->symbol, g->symbol);

		if (g->symbol.p == NULL)
			continue;
		n[3]++;
		if (!g->duplicate && g->kind <= KIND_ALERT)
			n[g->kind]++;
		if (!last)
			continue;
		if (subtract(s, g->symbol, n, e) != 0)
			return -1;
		n[0] = n[1] = n[2] = n[3] = 0;
	}
	return 0;
}

static int
trim_scope(struct store *s, int scope, bool calm, struct err *e)
{
	struct run run = { .max = calm ? RUN_CALM : RUN_LOADED };
	int rc = -1;

	pool_init(&run.pool, 16u << 20);
	run.gone = pool_array(&run.pool, (size_t)run.max, sizeof(*run.gone));
	if (run.gone == NULL)
		err_set(e, ERR_MEMORY, "retention: out of memory");
	else
		rc = collect(s, scope, &run, e);
	/* Rare: little is kept and much came. Else both have long passed what is oldest, and following is put off further. */
	if (rc == 0 && run.n == 0 && run.behind)
		rc = index_follow(s, e) != 0 || tallies_follow(s, e) != 0 ? -1 : collect(s, scope, &run, e);
	if (rc == 0 && run.n > 0)
		rc = delete_events(s, scope, run.gone[run.n - 1].seq, e) != 0 || forget(s, &run, e) != 0 ? -1 : 0;
	if (rc == 0 && run.n == 0 && !run.behind && (excess_of(s, scope).events > 0 || excess_of(s, scope).bytes > 0)) {
		/* Else it would be due for ever. */
		err_set(e, ERR_CORRUPT, "retention: more is counted than there is");
		rc = -1;
	}
	pool_fini(&run.pool);
	return rc;
}

int
retain_step(struct store *s, bool calm, struct err *e)
{
	/* Its own limits first: what they remove needs not be removed for the sake of all. */
	for (int kind = 0; kind < KIND__MAX; kind++)
		if (scope_due(s, kind, calm, true) && trim_scope(s, kind, calm, e) != 0)
			return -1;
	return scope_due(s, ALL_KINDS, calm, false) || (!calm && retain_soon(s)) ? trim_scope(s, ALL_KINDS, calm, e)
										 : 0;
}

int
retain_sweep(struct store *s, struct err *e)
{
	if (db_run(&s->db, SQL_LATEST_TRIM, e) != 0)
		return -1;
	return db_run(&s->db, SQL_TIMELINE_TRIM, e) != 0 ? -1 : sweep_index(s, SWEEP_A_MINUTE, e);
}

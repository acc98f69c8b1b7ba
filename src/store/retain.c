/*
 * retain - see retain.h.  Called by tend.c between batches.
 *
 * A run is always the oldest of its scope: of all kinds one range of events, of one kind those that the index has first of it. The index is left as it is: readers
 * pass over what lies at or below kinds.trimmed_to, and sweep.c takes it out.
 */
#include "store/retain.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/bundle.h"
#include "store/groups.h"
#include "store/index.h"
#include "store/sweep.h"
#include "store/tallies.h"
#include "store/writer.h"

#define RUN_CALM 1000
#define RUN_LOADED 20000
#define ALL_KINDS (-1)
#define GONE_BYTES (16u << 20) /* symbols of a run */

/* Of a symbol: what goes. */
struct gone {
	struct group group;
	int64_t n[4]; /* patterns, indicators, alerts, all; of the first three no duplicates */
};

struct run {
	struct groups gone; /* of struct gone */
	int64_t *seqs; /* ascending */
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

/* ---- the oldest of a kind ---- */

/* The places of a row of the index that lie above `after`: how many, 0 if it ends before; -1. `first` is the row's. */
static int
places_after(struct store *s, int kind, struct text packed, int64_t first, int64_t after,
    struct place out[BUNDLE_PLACES], struct err *e)
{
	int n = bundle_unpack(packed, first, out), kept = 0;

	if (n < 0)
		return index_bad(s, bundle_kind_name((enum kind)kind), e);
	for (int i = 0; i < n; i++) {
		/* Passed over, it would have what is newer removed in its place. */
		if ((int)out[i].kind != kind)
			return index_bad(s, bundle_kind_name((enum kind)kind), e);
		if (out[i].seq > after)
			out[kept++] = out[i];
	}
	return kept;
}

/* The next places of a kind that the index has, above `after`: how many, 0 if there are none, -1. */
static int
next_places(struct store *s, int kind, int64_t after, struct place out[BUNDLE_PLACES], struct err *e)
{
	const struct text name = bundle_kind_name((enum kind)kind);
	sqlite3_stmt *st = db_stmt(&s->db, SQL_PLACES_OLDEST, e);
	int n = 0, rc;

	/* The row in which `after` lies or would lie may have nothing above it; then it is the next. */
	if (st == NULL || db_bind_text(st, ":symbol", name) != 0 || db_bind_int(st, ":from", after) != 0 ||
	    db_bind_int(st, ":n", 2) != 0)
		return db_fail(&s->db, "retention: bind", e);
	while (n == 0 && (rc = db_step(&s->db, st, e)) != 0)
		n = rc < 0 ? -1
			   : places_after(s, kind, db_column_blob(st, 3), sqlite3_column_int64(st, 0), after, out, e);
	sqlite3_reset(st);
	if (n != 0)
		return n;
	st = db_stmt(&s->db, SQL_PLACES_OPEN, e);
	if (st == NULL || db_bind_text(st, ":symbol", name) != 0)
		return db_fail(&s->db, "retention: bind", e);
	if ((rc = db_step(&s->db, st, e)) < 0)
		return -1;
	if (rc == 1)
		n = places_after(s, kind, db_column_blob(st, 1), sqlite3_column_int64(st, 0), after, out, e);
	sqlite3_reset(st);
	return n;
}

/* The event of a kind at a place of the index: 1: `st` stands at it, borrowed until its reset; -1. */
static int
event_at(struct store *s, int kind, int64_t seq, sqlite3_stmt **st, struct err *e)
{
	int rc;

	*st = db_stmt(&s->db, SQL_KIND_EVENT, e);
	if (*st == NULL || db_bind_int(*st, ":seq", seq) != 0 || db_bind_int(*st, ":kind", kind) != 0)
		return db_fail(&s->db, "retention: bind", e);
	if ((rc = db_step(&s->db, *st, e)) < 0)
		return -1;
	return rc == 1 ? 1 : index_bad(s, bundle_kind_name((enum kind)kind), e);
}

/* Whether the row at which `st` stands came before a time; resets it. */
static bool
is_older(sqlite3_stmt *st, int64_t before_us)
{
	bool older = sqlite3_column_int64(st, 4) < before_us;

	sqlite3_reset(st);
	return older;
}

/* Whether the index may have more of a kind when it has followed the log. */
static bool
is_behind(const struct store *s, int kind)
{
	return s->now.kinds[kind].newest > s->now.indexed_to && s->now.indexed_to < s->now.next_seq - 1;
}

/*
 * The oldest of a kind, looked at no more often than once a second: age needs no more. As long as the index has none of it nobody knows; then the oldest event of all
 * answers, since the index follows before anything is removed.
 */
static bool
aged(struct store *s, int kind, int64_t before_us)
{
	const struct held *h = &s->now.kinds[kind];
	struct place places[BUNDLE_PLACES];
	struct err e;
	sqlite3_stmt *st;
	int n;

	if (before_us <= 0 || h->events == 0 || (n = next_places(s, kind, h->trimmed_to, places, &e)) < 0)
		return false;
	if (n > 0)
		return event_at(s, kind, places[0].seq, &st, &e) == 1 && is_older(st, before_us);
	if (!is_behind(s, kind))
		return false;
	st = db_stmt(&s->db, SQL_OLDEST_EVENTS, NULL);
	return st != NULL && db_bind_int(st, ":limit", 1) == 0 && db_step(&s->db, st, NULL) == 1 &&
	    is_older(st, before_us);
}

/* ---- how much is too much ---- */

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

/* Counts what goes of the symbol of the row at which `st` stands. 0; -1: no memory, nothing was counted. */
static int
take_symbol(struct run *run, sqlite3_stmt *st, int64_t kind)
{
	struct text symbol = db_column_text(st, 2);
	struct gone *g;

	if (symbol.p == NULL)
		return 0;
	if ((g = groups_at(&run->gone, symbol)) == NULL)
		return -1;
	g->n[3]++;
	if (kind <= KIND_ALERT && sqlite3_column_int64(st, 3) == 0)
		g->n[kind]++;
	return 0;
}

/* Takes the event at which `st` stands into the run. 1; 0: the run ends before it; -1. */
static int
take(struct store *s, sqlite3_stmt *st, const struct excess *x, struct run *run, struct err *e)
{
	int64_t seq = sqlite3_column_int64(st, 0), bytes;
	int64_t kind = sqlite3_column_int64(st, 1);

	/* What goes must have been indexed and counted before. */
	run->behind = seq > s->now.indexed_to || seq > s->now.tallied_to;
	if (run->behind || run->n == run->max)
		return 0;
	if (run->n >= x->events && run->bytes >= x->bytes && sqlite3_column_int64(st, 4) >= x->before_us)
		return 0;
	if (kind < 0 || kind >= KIND__MAX) {
		err_set(e, ERR_CORRUPT, "retention: an event of kind %" PRId64, kind);
		return -1;
	}
	if (take_symbol(run, st, kind) != 0) {
		if (run->n > 0)
			return 0;
		/* Not that there is none: nothing is damaged. */
		err_set(e, ERR_MEMORY, "retention: out of memory");
		return -1;
	}
	bytes = sqlite3_column_bytes(st, 5);
	run->seqs[run->n++] = seq;
	run->bytes += bytes;
	s->now.kinds[kind].events--;
	s->now.kinds[kind].bytes -= bytes;
	if (seq > s->now.kinds[kind].trimmed_to)
		s->now.kinds[kind].trimmed_to = seq;
	return 1;
}

static int
collect_all(struct store *s, const struct excess *x, struct run *run, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_OLDEST_EVENTS, e);
	int rc;

	if (st == NULL || db_bind_int(st, ":limit", run->max) != 0)
		return -1;
	while ((rc = db_step(&s->db, st, e)) == 1)
		if ((rc = take(s, st, x, run, e)) != 1)
			break;
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

static int
collect_kind(struct store *s, int kind, const struct excess *x, struct run *run, struct err *e)
{
	struct place places[BUNDLE_PLACES];
	int64_t after = s->now.kinds[kind].trimmed_to;
	sqlite3_stmt *st;
	int n = 0, rc = 1;

	while (rc == 1 && (n = next_places(s, kind, after, places, e)) > 0) {
		for (int i = 0; rc == 1 && i < n; i++) {
			if (event_at(s, kind, places[i].seq, &st, e) < 0)
				return -1;
			rc = take(s, st, x, run, e);
			sqlite3_reset(st);
		}
		after = places[n - 1].seq;
	}
	/* All that the index has of it. */
	if (rc == 1 && n == 0)
		run->behind = is_behind(s, kind);
	return rc < 0 || n < 0 ? -1 : 0;
}

static int
collect(struct store *s, int scope, struct run *run, struct err *e)
{
	const struct excess x = excess_of(s, scope);

	return scope == ALL_KINDS ? collect_all(s, &x, run, e) : collect_kind(s, scope, &x, run, e);
}

static int
delete_events(struct store *s, int scope, const struct run *run, struct err *e)
{
	for (int i = scope == ALL_KINDS ? run->n - 1 : 0; i < run->n; i++) {
		sqlite3_stmt *st = db_stmt(&s->db, scope == ALL_KINDS ? SQL_EVENTS_DELETE : SQL_EVENT_DELETE, e);

		if (st == NULL || db_bind_int(st, scope == ALL_KINDS ? ":to" : ":seq", run->seqs[i]) != 0)
			return db_fail(&s->db, "retention: bind", e);
		if (db_step(&s->db, st, e) != 0)
			return -1;
	}
	return 0;
}

static int
subtract(struct store *s, const struct gone *g, struct err *e)
{
	struct text symbol = g->group.symbol;
	sqlite3_stmt *st = db_stmt(&s->db, SQL_SYMBOL_SUBTRACT, e);
	int bad = st == NULL;

	for (int i = 0; !bad && i < 4; i++)
		bad = sqlite3_bind_int64(st, i + 1, g->n[i]) != SQLITE_OK;
	if (bad || sqlite3_bind_text64(st, 5, symbol.p, symbol.n, SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK)
		return db_fail(&s->db, "retention: bind", e);
	if (db_step(&s->db, st, e) != 0)
		return -1;
	if (sqlite3_changes(s->db.conn) > 0)
		return 0;
	st = db_stmt(&s->db, SQL_SYMBOL_DELETE, e);
	if (st == NULL || db_bind_text(st, ":symbol", symbol) != 0)
		return db_fail(&s->db, "retention: bind", e);
	return db_step(&s->db, st, e);
}

/* In the order of the symbols: they lie beside each other in the table. */
static int
forget(struct store *s, struct run *run, struct err *e)
{
	struct group **sorted = groups_sorted(&run->gone);
	int rc = 0;

	if (sorted == NULL) {
		err_set(e, ERR_MEMORY, "retention: out of memory");
		return -1;
	}
	for (size_t i = 0; rc == 0 && i < run->gone.n; i++)
		rc = subtract(s, (const struct gone *)sorted[i], e);
	free(sorted);
	return rc;
}

/*
 * More is counted than there is to remove: it would be due for ever. Either the index does not know of it, be it that a row of it was lost and what is newer went
 * instead (index.c puts `trimmed_to` right when it is made anew), or the count is wrong. Always -1.
 */
static int
missing(struct store *s, int scope, struct err *e)
{
	sqlite3_stmt *st;

	if (scope != ALL_KINDS) {
		int rc;

		st = db_stmt(&s->db, SQL_KIND_WALK, e);
		if (st == NULL || db_bind_int(st, ":kind", scope) != 0 ||
		    db_bind_int(st, ":to", s->now.indexed_to) != 0)
			return db_fail(&s->db, "retention: bind", e);
		rc = db_step(&s->db, st, e);
		sqlite3_reset(st);
		if (rc != 0)
			return rc < 0 ? -1 : index_bad(s, bundle_kind_name((enum kind)scope), e);
	}
	err_set(e, ERR_CORRUPT, "retention: more is counted than there is");
	return -1;
}

static int
trim_scope(struct store *s, int scope, bool calm, struct err *e)
{
	struct run run = { .max = calm ? RUN_CALM : RUN_LOADED };
	int rc = -1;

	groups_init(&run.gone, sizeof(struct gone), GONE_BYTES, s->seed);
	run.seqs = calloc((size_t)run.max, sizeof(*run.seqs));
	if (run.seqs == NULL)
		err_set(e, ERR_MEMORY, "retention: out of memory");
	else
		rc = collect(s, scope, &run, e);
	/* Rare: little is kept and much came. Else both have long passed what is oldest, and following is put off further. */
	if (rc == 0 && run.n == 0 && run.behind)
		rc = index_follow(s, e) != 0 || tallies_follow(s, e) != 0 ? -1 : collect(s, scope, &run, e);
	if (rc == 0 && run.n > 0)
		rc = delete_events(s, scope, &run, e) != 0 || forget(s, &run, e) != 0 ? -1 : 0;
	if (rc == 0 && run.n == 0 && !run.behind && (excess_of(s, scope).events > 0 || excess_of(s, scope).bytes > 0))
		rc = missing(s, scope, e);
	groups_fini(&run.gone);
	free(run.seqs);
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

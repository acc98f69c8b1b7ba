/*
 * directory - what is kept per symbol: read_symbols(), read_symbol_known(), read_latest().  Walk 2, inside step 6.
 *
 * The subscriber keeps these tallies in memory and writes them once a second; every answer adds the events after `tallied_to`, so
 * that a symbol is listed as soon as its first event is in the log.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "store/reader.h"

#define LATEST_MAX 1000 /* (name, timeframe) pairs of one symbol and kind */

int
tally_load(struct reader *r, const struct snapshot *snap, struct err *e)
{
	sqlite3_stmt *st;
	int64_t rows = snap->head - snap->tallied_to;
	int rc;

	if (r->tally_loaded || rows <= 0) {
		r->tally_loaded = true;
		return 0;
	}
	if (rows > READ_TAIL_MAX)
		rows = READ_TAIL_MAX;
	if ((r->tally = pool_array(&r->pool, (size_t)rows, sizeof(*r->tally))) == NULL)
		goto no_memory;
	if ((st = db_stmt(&r->db, SQL_TALLY_TAIL, e)) == NULL)
		return -1;
	if (db_bind_int(st, ":after", snap->tallied_to) != 0 || db_bind_int(st, ":n", rows) != 0)
		return db_fail(&r->db, "tally_tail", e);
	while ((rc = db_step(&r->db, st, e)) == 1 && r->n_tally < (size_t)rows) {
		struct tally_row *t = &r->tally[r->n_tally];
		struct text symbol = db_column_text(st, 2), name = db_column_text(st, 3),
			    timeframe = db_column_text(st, 4);
		int kind = sqlite3_column_int(st, 1);

		if (kind < 0 || kind >= KIND__MAX)
			continue;
		*t = (struct tally_row){ .seq = sqlite3_column_int64(st, 0),
			.kind = (enum kind)kind,
			.duplicate_of = sqlite3_column_int64(st, 5),
			.received_us = sqlite3_column_int64(st, 6),
			.confidence = db_column_real(st, 7) };
		if ((symbol.p != NULL && (t->symbol = pool_text(&r->pool, symbol)).p == NULL) ||
		    (name.p != NULL && (t->name = pool_text(&r->pool, name)).p == NULL) ||
		    (timeframe.p != NULL && (t->timeframe = pool_text(&r->pool, timeframe)).p == NULL)) {
			sqlite3_reset(st);
			goto no_memory;
		}
		r->n_tally++;
	}
	if (rc == 1)
		sqlite3_reset(st);
	r->tally_loaded = rc >= 0;
	return rc < 0 ? -1 : 0;
no_memory:
	r->n_tally = 0;
	err_set(e, ERR_MEMORY, "no memory for the %lld newest events", (long long)rows);
	return -1;
}

static int
by_symbol_newest(const void *a, const void *b)
{
	const struct tally_row *x = *(const struct tally_row *const *)a, *y = *(const struct tally_row *const *)b;
	int c = text_cmp(x->symbol, y->symbol);

	return c != 0 ? c : x->seq < y->seq ? 1 : x->seq > y->seq ? -1 : 0;
}

/*
 * Where the newest events of a symbol begin in r->tally_sorted, and how many they are. Sorted once a snapshot: an answer may be of
 * 200 symbols, and looking through all of them for each would take what reading them took 400 times.
 */
static int
tally_of_symbol(
    struct reader *r, const struct snapshot *snap, struct text symbol, size_t *first, size_t *n, struct err *e)
{
	size_t from = 0, to;

	*first = *n = 0;
	if (tally_load(r, snap, e) != 0)
		return -1;
	if (r->tally_sorted == NULL && r->n_tally > 0) {
		r->tally_sorted = pool_array(&r->pool, r->n_tally, sizeof(const struct tally_row *));
		if (r->tally_sorted == NULL) {
			err_set(e, ERR_MEMORY, "no memory for the newest of a symbol");
			return -1;
		}
		for (size_t i = 0; i < r->n_tally; i++)
			if (r->tally[i].symbol.p != NULL)
				r->tally_sorted[r->n_sorted++] = &r->tally[i];
		qsort(r->tally_sorted, r->n_sorted, sizeof(const struct tally_row *), by_symbol_newest);
	}
	to = r->n_sorted;
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (text_cmp(r->tally_sorted[middle]->symbol, symbol) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	*first = from;
	while (from + *n < r->n_sorted && text_eq(r->tally_sorted[from + *n]->symbol, symbol))
		++*n;
	return 0;
}

/* ---- the symbols ---- */

static void
count_kind(struct symbol_row *row, enum kind kind)
{
	if (kind == KIND_PATTERN)
		row->patterns++;
	else if (kind == KIND_INDICATOR)
		row->indicators++;
	else if (kind == KIND_ALERT)
		row->alerts++;
}

static int
by_symbol(const void *a, const void *b)
{
	return text_cmp(((const struct symbol_row *)a)->symbol, ((const struct symbol_row *)b)->symbol);
}

/* What the newest events add, a row a symbol, sorted: *rows in the pool. */
static int
tally_symbols(struct reader *r, struct symbol_row **rows, size_t *n, struct err *e)
{
	struct symbol_row *all;
	size_t used = 0, last = 0;

	*rows = NULL;
	*n = 0;
	if (r->n_tally == 0)
		return 0;
	if ((all = pool_array(&r->pool, r->n_tally, sizeof(*all))) == NULL) {
		err_set(e, ERR_MEMORY, "no memory for the directory");
		return -1;
	}
	for (size_t i = 0; i < r->n_tally; i++) {
		const struct tally_row *t = &r->tally[i];

		if (t->symbol.p == NULL || t->duplicate_of != 0)
			continue;
		all[used] =
		    (struct symbol_row){ .symbol = t->symbol, .last_seq = t->seq, .last_received_us = t->received_us };
		count_kind(&all[used++], t->kind);
	}
	if (used == 0)
		return 0;
	qsort(all, used, sizeof(*all), by_symbol);
	for (size_t i = 1; i < used; i++) {
		if (!text_eq(all[i].symbol, all[last].symbol)) {
			all[++last] = all[i];
			continue;
		}
		all[last].patterns += all[i].patterns;
		all[last].indicators += all[i].indicators;
		all[last].alerts += all[i].alerts;
		if (all[i].last_seq > all[last].last_seq) {
			all[last].last_seq = all[i].last_seq;
			all[last].last_received_us = all[i].last_received_us;
		}
	}
	*rows = all;
	*n = last + 1;
	return 0;
}

/* Where the rows of the directory go: straight to the caller, or, by activity, through a heap of the `limit` most recent. */
struct sieve {
	struct pool *pool;
	const struct symbols_query *q;
	read_symbol_fn row;
	void *arg;
	int n;
	struct symbol_row *best; /* a heap, the least recent in front */
	bool failed;
};

static void
heap_down(struct symbol_row *heap, int n, int at)
{
	for (;;) {
		int least = at, left = 2 * at + 1, right = left + 1;
		struct symbol_row swap;

		if (left < n && heap[left].last_seq < heap[least].last_seq)
			least = left;
		if (right < n && heap[right].last_seq < heap[least].last_seq)
			least = right;
		if (least == at)
			return;
		swap = heap[at];
		heap[at] = heap[least];
		heap[least] = swap;
		at = least;
	}
}

static int
keep_if_recent(struct sieve *s, const struct symbol_row *row)
{
	bool full = s->n == s->q->limit;
	struct symbol_row *at;

	if (full && row->last_seq <= s->best[0].last_seq)
		return 0;
	at = full ? &s->best[0] : &s->best[s->n];
	*at = *row;
	at->symbol = pool_text(s->pool, row->symbol);
	if (at->symbol.p == NULL) {
		s->failed = true;
		return 1;
	}
	if (!full && ++s->n < s->q->limit)
		return 0;
	/* Just became full: order it once. Else only the front changed. */
	for (int i = full ? 0 : s->n / 2; i >= 0; i--)
		heap_down(s->best, s->n, i);
	return 0;
}

/* Non-zero: enough. */
static int
sift(struct sieve *s, const struct symbol_row *row)
{
	const struct symbols_query *q = s->q;

	if (!text_starts(row->symbol, q->prefix) || row->last_received_us < q->active_since_us)
		return 0;
	if (!q->by_activity && q->after.n > 0 && text_cmp(row->symbol, q->after) <= 0)
		return 0;
	if (q->by_activity)
		return keep_if_recent(s, row);
	return s->row(s->arg, row) != 0 || ++s->n >= q->limit;
}

static int
by_recency(const void *a, const void *b)
{
	const struct symbol_row *x = a, *y = b;

	return x->last_seq < y->last_seq ? 1 : x->last_seq > y->last_seq ? -1 : 0;
}

static void
add_tally(struct symbol_row *row, const struct symbol_row *more)
{
	row->patterns += more->patterns;
	row->indicators += more->indicators;
	row->alerts += more->alerts;
	if (more->last_seq > row->last_seq) {
		row->last_seq = more->last_seq;
		row->last_received_us = more->last_received_us;
	}
}

/* The table and the newest events, merged in the order of symbols. */
static int
merge_symbols(
    struct reader *r, struct text from, const struct symbol_row *fresh, size_t n_fresh, struct sieve *s, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&r->db, SQL_SYMBOLS_FROM, e);
	size_t at = 0;
	int rc, stop = 0;

	if (st == NULL)
		return -1;
	if (db_bind_text(st, ":from", from) != 0)
		return db_fail(&r->db, "symbols_from", e);
	while ((rc = db_step(&r->db, st, e)) == 1 && stop == 0) {
		struct symbol_row row = { .symbol = db_column_text(st, 0),
			.patterns = sqlite3_column_int64(st, 1),
			.indicators = sqlite3_column_int64(st, 2),
			.alerts = sqlite3_column_int64(st, 3),
			.last_seq = sqlite3_column_int64(st, 4),
			.last_received_us = sqlite3_column_int64(st, 5) };

		if (s->q->prefix.n > 0 && !text_starts(row.symbol, s->q->prefix) &&
		    text_cmp(row.symbol, s->q->prefix) > 0)
			break;
		while (stop == 0 && at < n_fresh && text_cmp(fresh[at].symbol, row.symbol) < 0)
			stop = sift(s, &fresh[at++]);
		if (at < n_fresh && text_eq(fresh[at].symbol, row.symbol))
			add_tally(&row, &fresh[at++]);
		if (stop == 0)
			stop = sift(s, &row);
		if (stop != 0)
			break;
	}
	sqlite3_reset(st);
	while (rc >= 0 && stop == 0 && at < n_fresh)
		stop = sift(s, &fresh[at++]);
	return rc < 0 ? -1 : 0;
}

int
read_symbols(struct reader *r, const struct snapshot *snap, const struct symbols_query *q, read_symbol_fn row,
    void *arg, struct err *e)
{
	struct sieve s = { .pool = &r->pool, .q = q, .row = row, .arg = arg };
	struct text from = q->prefix.p == NULL ? TEXT("") : q->prefix;
	struct symbol_row *fresh;
	size_t n_fresh;

	if (q->limit < 1)
		return 0;
	if (tally_load(r, snap, e) != 0 || tally_symbols(r, &fresh, &n_fresh, e) != 0)
		return -1;
	if (!q->by_activity && q->after.n > 0 && text_cmp(q->after, from) > 0)
		from = q->after;
	if (q->by_activity && (s.best = pool_array(&r->pool, (size_t)q->limit, sizeof(*s.best))) == NULL)
		s.failed = true;
	if (!s.failed && merge_symbols(r, from, fresh, n_fresh, &s, e) != 0)
		return -1;
	if (s.failed) {
		err_set(e, ERR_MEMORY, "no memory for the directory");
		return -1;
	}
	if (!q->by_activity)
		return 0;
	qsort(s.best, (size_t)s.n, sizeof(*s.best), by_recency);
	for (int i = 0; i < s.n && row(arg, &s.best[i]) == 0; i++)
		;
	return 0;
}

int
read_symbol_known(struct reader *r, const struct snapshot *snap, struct text symbol, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&r->db, SQL_SYMBOL_KNOWN, e);
	size_t first, n;
	int64_t one;
	int rc;

	if (st == NULL)
		return -1;
	if (db_bind_text(st, ":symbol", symbol) != 0)
		return db_fail(&r->db, "symbol_known", e);
	if ((rc = row_int(r, st, &one, e)) != 0)
		return rc;
	return tally_of_symbol(r, snap, symbol, &first, &n, e) != 0 ? -1 : n > 0;
}

/* ---- the newest of a symbol ---- */

struct latest_row {
	struct text name, timeframe;
	int64_t seq;
};

static int
by_name(const void *a, const void *b)
{
	const struct latest_row *x = a, *y = b;
	int c = text_cmp(x->name, y->name);

	if (c == 0)
		c = text_cmp(x->timeframe, y->timeframe);
	/* The newest first: the others of the pair are skipped. */
	return c != 0 ? c : x->seq < y->seq ? 1 : x->seq > y->seq ? -1 : 0;
}

static struct text
kept_text(struct reader *r, struct text t, bool *failed)
{
	struct text copy = pool_text(&r->pool, t.p == NULL ? TEXT("") : t);

	if (copy.p == NULL)
		*failed = true;
	return copy;
}

/* From the table and from the newest events, unsorted, into r->latest. The number of rows, or -1. */
static int64_t
collect_latest(struct reader *r, struct text symbol, enum kind kind, size_t first, size_t n_fresh, struct err *e)
{
	struct latest_row *rows = r->latest;
	sqlite3_stmt *st = db_stmt(&r->db, SQL_LATEST_OF_SYMBOL, e);
	bool failed = false;
	size_t n = 0;
	int rc;

	if (st == NULL)
		return -1;
	if (db_bind_text(st, ":symbol", symbol) != 0 || db_bind_int(st, ":kind", kind) != 0 ||
	    db_bind_int(st, ":n", LATEST_MAX) != 0)
		return db_fail(&r->db, "latest_of_symbol", e);
	while ((rc = db_step(&r->db, st, e)) == 1) {
		rows[n++] = (struct latest_row){ kept_text(r, db_column_text(st, 0), &failed),
			kept_text(r, db_column_text(st, 1), &failed), sqlite3_column_int64(st, 2) };
	}
	if (rc < 0)
		return -1;
	for (size_t i = first; i < first + n_fresh; i++) {
		const struct tally_row *t = r->tally_sorted[i];

		if (t->kind == kind && t->duplicate_of == 0)
			rows[n++] = (struct latest_row){ kept_text(r, t->name, &failed),
				kept_text(r, t->timeframe, &failed), t->seq };
	}
	if (failed) {
		err_set(e, ERR_MEMORY, "no memory for the newest of a symbol");
		return -1;
	}
	return (int64_t)n;
}

int
read_latest(struct reader *r, const struct snapshot *snap, struct text symbol, enum kind kind, read_row_fn row,
    void *arg, struct err *e)
{
	struct latest_row *rows;
	size_t first, n_fresh;
	int64_t n;

	if (tally_of_symbol(r, snap, symbol, &first, &n_fresh, e) != 0)
		return -1;
	if (r->latest_cap < LATEST_MAX + n_fresh) {
		/* The pool takes nothing back: twice the size, so that all of them together are a few times the largest. */
		r->latest_cap = LATEST_MAX + 2 * n_fresh;
		r->latest = pool_array(&r->pool, r->latest_cap, sizeof(*r->latest));
	}
	if (r->latest == NULL) {
		r->latest_cap = 0;
		err_set(e, ERR_MEMORY, "no memory for the newest of a symbol");
		return -1;
	}
	rows = r->latest;
	if ((n = collect_latest(r, symbol, kind, first, n_fresh, e)) < 0)
		return -1;
	qsort(rows, (size_t)n, sizeof(*rows), by_name);
	for (int64_t i = 0; i < n; i++) {
		if (i > 0 && text_eq(rows[i].name, rows[i - 1].name) &&
		    text_eq(rows[i].timeframe, rows[i - 1].timeframe))
			continue;
		/* One that retention took since the tallies were written is simply not there. */
		if (read_event(r, rows[i].seq, row, arg, e) < 0)
			return -1;
	}
	return 0;
}

/*
 * tallies - see tallies.h.  Called by tend.c, recover.c and retain.c.
 *
 * One hash table of cells under keys of bytes, written out in the order of the keys, which is that of the tables. Refused:
 * INSERT … SELECT … GROUP BY, which reads the rows once a facet and costs five times as much.
 */
#include "store/tallies.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pool.h"
#include "store/writer.h"

#define TALLY_ROWS 100000 /* at a time: bounds the memory */
#define TALLY_BYTES (256u << 20)
#define SEEN_BYTES (64u << 20) /* of what is counted as it is appended */
#define CELLS_AT_ONCE 1024
#define SPAN_MINUTE 60
#define SPAN_HOUR 3600

enum cell_type { CELL_SYMBOL, CELL_LATEST, CELL_ROLLUP };

struct cell {
	uint64_t hash;
	uint64_t begin; /* of `a`, see text_begin(): most comparisons need no more */
	struct cell *next; /* in its chain */
	struct cell *gathered; /* see add_hours() */
	enum cell_type type;
	int kind, facet, span;
	int64_t start_s;
	struct text a, b, c; /* symbol; symbol, name, timeframe; key */
	int64_t n[4]; /* patterns, indicators, alerts, held; or n */
	int64_t seq, received_us; /* newest that is no duplicate */
};

struct tally {
	struct pool pool;
	uint64_t seed; /* of the hashes: names come from outside */
	struct cell **chains;
	size_t n_chains, n;
	int64_t after; /* of what was seen: everything after this seq is counted; -1: something is not */
};

/* ---- the table ---- */

static bool
same(const struct cell *x, const struct cell *y)
{
	return x->hash == y->hash && x->type == y->type && x->kind == y->kind && x->facet == y->facet &&
	    x->span == y->span && x->start_s == y->start_s && text_eq(x->a, y->a) && text_eq(x->b, y->b) &&
	    text_eq(x->c, y->c);
}

static int
grow(struct tally *t)
{
	size_t n = t->n_chains == 0 ? 4096 : t->n_chains * 4;
	struct cell **chains = calloc(n, sizeof(struct cell *));

	if (chains == NULL)
		return -1;
	for (size_t i = 0; i < t->n_chains; i++)
		for (struct cell *x = t->chains[i], *next; x != NULL; x = next) {
			next = x->next;
			x->next = chains[x->hash % n];
			chains[x->hash % n] = x;
		}
	free(t->chains);
	t->chains = chains;
	t->n_chains = n;
	return 0;
}

/* The cell with the key of `key`, made if need be; NULL: no memory. `key` gets its hash. */
static struct cell *
cell(struct tally *t, struct cell *key)
{
	struct cell *x, **chain;
	char *text;

	key->hash = t->seed + (uint64_t)key->start_s * 1000003 +
	    (uint64_t)((int)key->type * 512 + key->kind * 64 + key->facet * 8) + (uint64_t)key->span;
	key->hash = text_hash(key->a, key->hash);
	if (key->type == CELL_LATEST)
		key->hash = text_hash(key->c, text_hash(key->b, key->hash));
	if (t->n >= t->n_chains && grow(t) != 0)
		return NULL;
	chain = &t->chains[key->hash % t->n_chains];
	for (x = *chain; x != NULL; x = x->next)
		if (same(x, key))
			return x;
	/* The cell and its texts in one piece. */
	x = pool_alloc(&t->pool, sizeof(*x) + key->a.n + key->b.n + key->c.n);
	if (x == NULL)
		return NULL;
	*x = *key;
	x->begin = text_begin(key->a);
	text = (char *)(x + 1);
	x->a.p = memcpy(text, key->a.p, key->a.n);
	x->b.p = memcpy(text + key->a.n, key->b.p, key->b.n);
	x->c.p = memcpy(text + key->a.n + key->b.n, key->c.p, key->c.n);
	x->next = *chain;
	*chain = x;
	t->n++;
	return x;
}

/* ---- counting ---- */

static const struct text nothing = TEXT_INIT("");

static int
count_rollup(struct tally *t, const struct event *ev, int facet, struct text key)
{
	int64_t s = ev->received_us / 1000000;
	struct cell minute = { .type = CELL_ROLLUP,
		.kind = (int)ev->kind,
		.facet = facet,
		.span = SPAN_MINUTE,
		.start_s = s - s % SPAN_MINUTE,
		.a = key.p == NULL ? nothing : key,
		.b = nothing,
		.c = nothing };
	struct cell *x = cell(t, &minute);

	if (x == NULL)
		return -1;
	x->n[0]++;
	return 0;
}

/* The hours, from the minutes: once a cell instead of once an event. */
static int
add_hours(struct tally *t)
{
	struct cell *minutes = NULL;

	/* Gathered first: the table may be made larger while it grows. */
	for (size_t i = 0; i < t->n_chains; i++)
		for (struct cell *x = t->chains[i]; x != NULL; x = x->next)
			if (x->type == CELL_ROLLUP) {
				x->gathered = minutes;
				minutes = x;
			}
	for (const struct cell *minute = minutes; minute != NULL; minute = minute->gathered) {
		struct cell hour = *minute, *x;

		hour.span = SPAN_HOUR;
		hour.start_s -= hour.start_s % SPAN_HOUR;
		memset(hour.n, 0, sizeof(hour.n));
		if ((x = cell(t, &hour)) == NULL)
			return -1;
		x->n[0] += minute->n[0];
	}
	return 0;
}

static int
count_rollups(struct tally *t, const struct event *ev)
{
	static const char tens[] = "0123456789";

	if ((KINDS_DEFAULT & KIND_BIT(ev->kind)) == 0)
		return 0;
	if (count_rollup(t, ev, FACET_ALL, nothing) != 0)
		return -1;
	/* Nobody asks for the others' (rollups.c), and nine events of ten are of one of them. */
	if (ev->kind != KIND_PATTERN)
		return 0;
	if ((ev->name.p != NULL && count_rollup(t, ev, FACET_NAME, ev->name) != 0) ||
	    (ev->timeframe.p != NULL && count_rollup(t, ev, FACET_TIMEFRAME, ev->timeframe) != 0) ||
	    (ev->symbol.p != NULL && count_rollup(t, ev, FACET_SYMBOL, ev->symbol) != 0))
		return -1;
	if (!isnan(ev->confidence)) {
		int ten = ev->confidence >= 90 ? 9 : ev->confidence > 0 ? (int)(ev->confidence / 10) : 0;

		return count_rollup(t, ev, FACET_CONFIDENCE, (struct text){ tens + ten, 1 });
	}
	return 0;
}

static int
count_event(struct tally *t, const struct event *ev)
{
	struct cell *x;

	if (ev->symbol.p != NULL) {
		struct cell symbol = { .type = CELL_SYMBOL, .a = ev->symbol, .b = nothing, .c = nothing };

		x = cell(t, &symbol);
		if (x == NULL)
			return -1;
		x->n[3]++;
		if (ev->duplicate_of == 0) {
			if (ev->kind <= KIND_ALERT)
				x->n[ev->kind]++;
			x->seq = ev->seq;
			x->received_us = ev->received_us;
		}
	}
	if (ev->duplicate_of != 0)
		return 0;
	if (ev->symbol.p != NULL && (ev->kind == KIND_PATTERN || ev->kind == KIND_INDICATOR) && ev->name.p != NULL) {
		struct cell latest = { .type = CELL_LATEST,
			.kind = (int)ev->kind,
			.a = ev->symbol,
			.b = ev->name,
			.c = ev->timeframe.p == NULL ? nothing : ev->timeframe };

		x = cell(t, &latest);
		if (x == NULL)
			return -1;
		x->seq = ev->seq;
	}
	return count_rollups(t, ev);
}

static int
scan(struct store *s, struct tally *t, int64_t to, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_TALLIES_SCAN, e);
	int rc;

	if (st == NULL || db_bind_int(st, ":after", s->now.tallied_to) != 0 || db_bind_int(st, ":to", to) != 0)
		return -1;
	while ((rc = db_step(&s->db, st, e)) == 1) {
		struct event ev = EVENT_INIT;
		int kind = sqlite3_column_int(st, 1);

		if (kind < 0 || kind >= KIND__MAX)
			continue;
		ev.seq = sqlite3_column_int64(st, 0);
		ev.kind = (enum kind)kind;
		ev.symbol = db_column_text(st, 2);
		ev.name = db_column_text(st, 3);
		ev.timeframe = db_column_text(st, 4);
		ev.confidence = db_column_real(st, 5);
		ev.received_us = sqlite3_column_int64(st, 6);
		ev.duplicate_of = sqlite3_column_int64(st, 7);
		if (count_event(t, &ev) != 0) {
			sqlite3_reset(st);
			err_set(e, ERR_MEMORY, "tallies: out of memory");
			return -1;
		}
	}
	if (rc == 0 && add_hours(t) != 0) {
		err_set(e, ERR_MEMORY, "tallies: out of memory");
		return -1;
	}
	return rc;
}

/* ---- writing ---- */

static int
by_key(const struct cell *x, const struct cell *y)
{
	int d;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	if (x->type == CELL_ROLLUP) {
		if (x->span != y->span)
			return x->span < y->span ? -1 : 1;
		if (x->start_s != y->start_s)
			return x->start_s < y->start_s ? -1 : 1;
		if (x->kind != y->kind)
			return x->kind < y->kind ? -1 : 1;
		if (x->facet != y->facet)
			return x->facet < y->facet ? -1 : 1;
	}
	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	if ((d = text_cmp(x->a, y->a)) != 0 || (d = x->kind - y->kind) != 0 || (d = text_cmp(x->b, y->b)) != 0)
		return d;
	return text_cmp(x->c, y->c);
}

/* A cell with what decides most comparisons beside it: fifty thousand cells lie all over the memory. */
struct ranked {
	uint64_t rank;
	struct cell *cell;
};

static uint64_t
rank_of(const struct cell *x)
{
	/* Of roll-ups, of which there are few, only that they come last. */
	return (uint64_t)x->type << 62 | (x->type == CELL_ROLLUP ? 0 : x->begin >> 2);
}

static int
by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return x->rank != y->rank ? (x->rank < y->rank ? -1 : 1) : by_key(x->cell, y->cell);
}

/* Cells of one type, in the order of their table; as given.h gives them to its statement. */
struct cells {
	const struct ranked *next, *end;
	const struct cell *at;
};

static int
next_cell(void *arg, struct err *e)
{
	struct cells *cells = arg;

	(void)e; /* it cannot fail */
	if (cells->next == cells->end)
		return 0;
	cells->at = cells->next++->cell;
	return 1;
}

/* The columns as in sql/write.sql: of new_symbols, … */
static void
symbol_column(void *arg, int column, sqlite3_context *out)
{
	const struct cell *x = ((const struct cells *)arg)->at;

	if (column == 0)
		given_text(out, x->a);
	else if (column <= 4)
		sqlite3_result_int64(out, x->n[column - 1]);
	else
		sqlite3_result_int64(out, column == 5 ? x->seq : x->received_us);
}

/* … new_latest, … */
static void
latest_column(void *arg, int column, sqlite3_context *out)
{
	const struct cell *x = ((const struct cells *)arg)->at;

	if (column == 1)
		sqlite3_result_int(out, x->kind);
	else if (column == 4)
		sqlite3_result_int64(out, x->seq);
	else
		given_text(out, column == 0 ? x->a : column == 2 ? x->b : x->c); /* none of them is NULL */
}

/* … and new_rollups. */
static void
rollup_column(void *arg, int column, sqlite3_context *out)
{
	const struct cell *x = ((const struct cells *)arg)->at;
	const int64_t numbers[] = { x->span, x->start_s, x->kind, x->facet, 0, x->n[0] };

	if (column == 4)
		given_text(out, x->a);
	else
		sqlite3_result_int64(out, numbers[column]);
}

static const struct {
	const char *name;
	enum sql declaration, statement;
	void (*column)(void *arg, int column, sqlite3_context *out);
} tables[] = {
	[CELL_SYMBOL] = { "new_symbols", SQL_NEW_SYMBOLS_TABLE, SQL_SYMBOLS_ADD, symbol_column },
	[CELL_LATEST] = { "new_latest", SQL_NEW_LATEST_TABLE, SQL_LATEST_PUT, latest_column },
	[CELL_ROLLUP] = { "new_rollups", SQL_NEW_ROLLUPS_TABLE, SQL_ROLLUPS_ADD, rollup_column },
};

int
tallies_register(sqlite3 *conn)
{
	int rc = SQLITE_OK;

	for (int type = 0; rc == SQLITE_OK && type <= CELL_ROLLUP; type++)
		rc = given_register(conn, tables[type].name, sql_texts[tables[type].declaration]);
	return rc;
}

/*
 * The first of these cells, of one type, are written at once, so many that SQLite, which keeps a copy of each page that a statement changes, needs a few MiB for it.
 * Returns where the others begin; NULL: failed.
 */
static const struct ranked *
put_piece(struct store *s, const struct ranked *from, const struct ranked *end, struct err *e)
{
	const enum cell_type type = from->cell->type;
	struct cells cells = { .next = from, .end = from };
	struct given given = { .next = next_cell, .column = tables[type].column, .arg = &cells };

	while (cells.end < end && cells.end - from < CELLS_AT_ONCE && cells.end->cell->type == type)
		cells.end++;
	return db_run_given(&s->db, tables[type].statement, &given, e) != 0 ? NULL : cells.end;
}

/* All t->n cells in the order of the tables; to be freed. NULL: no memory. */
static struct ranked *
sorted_cells(const struct tally *t)
{
	struct ranked *sorted = calloc(t->n + 1, sizeof(*sorted));
	size_t n = 0;

	if (sorted == NULL)
		return NULL;
	for (size_t i = 0; i < t->n_chains; i++)
		for (struct cell *x = t->chains[i]; x != NULL; x = x->next)
			sorted[n++] = (struct ranked){ rank_of(x), x };
	qsort(sorted, n, sizeof(*sorted), by_rank);
	return sorted;
}

static int
put_cells(struct store *s, const struct ranked *sorted, size_t n, struct err *e)
{
	const struct ranked *at = sorted, *end = sorted + n;

	while (at != NULL && at < end)
		at = put_piece(s, at, end, e);
	return at == NULL ? -1 : 0;
}

/* ---- what is seen as it is appended ---- */

void
tallies_see(struct store *s, const struct event *ev)
{
	if (s->seen != NULL && s->seen->after >= 0 && count_event(s->seen, ev) != 0)
		tallies_forget(s);
}

static void
empty(struct tally *t)
{
	pool_fini(&t->pool);
	free(t->chains);
	*t = (struct tally){ .seed = t->seed, .after = -1 };
	pool_init(&t->pool, SEEN_BYTES);
}

void
tallies_forget(struct store *s)
{
	if (s->seen != NULL)
		empty(s->seen);
}

void
tallies_free(struct store *s)
{
	tallies_forget(s);
	free(s->seen);
	s->seen = NULL;
}

/* All events are counted: from here on it is enough to see what comes. */
static void
begin_to_see(struct store *s)
{
	if (s->seen == NULL) {
		s->seen = calloc(1, sizeof(*s->seen));
		if (s->seen == NULL)
			return;
		s->seen->seed = s->seed;
		pool_init(&s->seen->pool, SEEN_BYTES);
	}
	empty(s->seen);
	s->seen->after = s->now.tallied_to;
}

/* ---- following ---- */

/* Writes what was seen. 1: that was not everything, or there is no memory for it, and nothing is written. */
static int
put_seen(struct store *s, struct err *e)
{
	struct ranked *sorted;
	int rc;

	if (s->seen == NULL || s->seen->after != s->now.tallied_to || add_hours(s->seen) != 0 ||
	    (sorted = sorted_cells(s->seen)) == NULL)
		return 1;
	rc = put_cells(s, sorted, s->seen->n, e);
	free(sorted);
	return rc;
}

/* Reads the rows, so many at a time as memory allows, and writes what they make. */
static int
put_rows(struct store *s, int64_t head, struct err *e)
{
	int64_t rows = TALLY_ROWS;

	while (s->now.tallied_to < head) {
		int64_t to = head - s->now.tallied_to > rows ? s->now.tallied_to + rows : head;
		struct tally t = { .seed = s->seed };
		struct ranked *sorted = NULL;
		struct err why = { .code = ERR_NONE };
		int rc;

		pool_init(&t.pool, TALLY_BYTES);
		rc = scan(s, &t, to, &why);
		if (rc == 0 && (sorted = sorted_cells(&t)) == NULL) {
			err_set(&why, ERR_MEMORY, "tallies: out of memory");
			rc = -1;
		}
		if (rc != 0 && why.code == ERR_MEMORY && rows > 1) {
			/* A flood of long names: fewer rows at a time, or retention, which waits for this, would never come. */
			rows /= 2;
			to = s->now.tallied_to;
			rc = 0;
		} else if (rc == 0) {
			rc = put_cells(s, sorted, t.n, &why);
		}
		free(sorted);
		free(t.chains);
		pool_fini(&t.pool);
		if (rc != 0) {
			if (e != NULL)
				*e = why;
			return -1;
		}
		s->now.tallied_to = to;
	}
	return 0;
}

int
tallies_follow(struct store *s, struct err *e)
{
	const int64_t head = s->now.next_seq - 1;
	int rc = 0;

	if (s->now.tallied_to < head) {
		rc = put_seen(s, e);
		if (rc == 1)
			rc = put_rows(s, head, e);
	}
	if (rc != 0)
		return -1;
	s->now.tallied_to = head;
	begin_to_see(s);
	return 0;
}

int
tallies_sweep(struct store *s, struct err *e)
{
	static const int64_t kept[][2] = { { SPAN_MINUTE, MINUTE_CELLS_S }, { SPAN_HOUR, HOUR_CELLS_S + SPAN_HOUR } };
	int64_t now_s = clock_real_us() / 1000000;

	for (size_t i = 0; i < 2; i++) {
		sqlite3_stmt *st = db_stmt(&s->db, SQL_ROLLUPS_TRIM, e);

		if (st == NULL || db_bind_int(st, ":span", kept[i][0]) != 0 ||
		    db_bind_int(st, ":before_s", now_s - kept[i][1]) != 0 || db_step(&s->db, st, e) != 0)
			return -1;
	}
	return 0;
}

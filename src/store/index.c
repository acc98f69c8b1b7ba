/*
 * index - see index.h.  Called by tend.c between batches.
 *
 * A run of events is sorted by symbol and each symbol's places (and after them each kind's) go behind those in its open bundle: one row written for each symbol that
 * occurs, however many events of it there are, in a small table. A bundle that is full moves to by_symbol. A table with a row for
 * each event took 20,000 inserts a run, all over 5,000 pages of 1,000,000 events, and as many deletes when they went.
 */
#include "store/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "store/bundle.h"
#include "store/lay.h"
#include "store/sweep.h"
#include "store/writer.h"

#define LAG_US 100000
/*
 * What readers look through is short unless a flood makes INDEX_LAG_MAX of it in this time. Then it is not short however often one follows, and a run costs by the symbols
 * that occur in it: so it waits for a whole one. Rows that say so, and for how long at most.
 */
#define FLOOD_ROWS 4096
#define FLOOD_US 500000
#define RUN_ROWS 65536 /* at a time: bounds the memory */
#define RUN_BYTES (32u << 20)

struct entry { /* an event of the run */
	uint64_t begin; /* of the symbol, see text_begin(): decides most comparisons */
	struct text symbol; /* in the pool */
	int64_t seq;
	enum kind kind;
};

struct row { /* any event of the run */
	int64_t seq;
	enum kind kind;
};

struct run {
	struct pool pool;
	struct entry *entries; /* those with a symbol, sorted; in the pool */
	size_t n;
	struct row *rows; /* all, ascending; in the pool */
	size_t n_rows;
	unsigned kinds; /* that are among them */
	int64_t to; /* everything up to this seq is in it */
	int64_t rows_made; /* by which the tables have grown */
};

static int
by_symbol(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int d;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	d = text_cmp(x->symbol, y->symbol);
	return d != 0 ? d : (x->seq > y->seq) - (x->seq < y->seq);
}

/* The next rows of the tail, sorted. */
static int
collect(struct store *s, struct run *run, int64_t to, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_INDEX_TAIL, e);
	int64_t most = to - s->now.indexed_to < RUN_ROWS ? to - s->now.indexed_to : RUN_ROWS;
	int64_t rows = 0, seq = 0;
	int rc = -1;

	run->entries = pool_array(&run->pool, (size_t)most, sizeof(*run->entries));
	run->rows = pool_array(&run->pool, (size_t)most, sizeof(*run->rows));
	if (run->entries == NULL || run->rows == NULL)
		goto no_memory;
	if (st == NULL || db_bind_int(st, ":after", s->now.indexed_to) != 0 || db_bind_int(st, ":to", to) != 0 ||
	    db_bind_int(st, ":n", most) != 0)
		return db_fail(&s->db, "index: bind", e);
	while (rows < most && (rc = db_step(&s->db, st, e)) == 1) {
		struct entry *x = &run->entries[run->n];
		int64_t kind = sqlite3_column_int64(st, 1);
		struct text symbol = db_column_text(st, 2);

		rows++;
		seq = sqlite3_column_int64(st, 0);
		/* What no writer made: one in the index that makes no sense would have it made anew for ever. */
		if (kind < 0 || kind >= KIND__MAX)
			continue;
		run->rows[run->n_rows++] = (struct row){ seq, (enum kind)kind };
		run->kinds |= KIND_BIT(kind);
		/* What is there was not removed: a bad row of the index had retention take what is newer. */
		if (seq <= s->now.kinds[kind].trimmed_to)
			s->now.kinds[kind].trimmed_to = seq - 1;
		if (symbol.p == NULL || symbol.n > SYMBOL_MAX || bundle_kind(symbol) >= 0)
			continue;
		*x = (struct entry){ .seq = seq, .kind = (enum kind)kind };
		x->symbol = pool_text(&run->pool, symbol);
		if (x->symbol.p == NULL)
			goto no_memory;
		x->begin = text_begin(x->symbol);
		run->n++;
	}
	if (rc < 0)
		return -1;
	sqlite3_reset(st);
	run->to = rows == RUN_ROWS ? seq : to;
	qsort(run->entries, run->n, sizeof(*run->entries), by_symbol);
	return 0;
no_memory:
	if (st != NULL)
		sqlite3_reset(st);
	err_set(e, ERR_MEMORY, "index: out of memory");
	return -1;
}

/* 1: the symbol has an open bundle; 0: *b is empty; -1. */
static int
load_open(struct store *s, struct text symbol, struct bundle *b, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_OPEN_SELECT, e);
	int rc;

	*b = (struct bundle){ .n = 0 };
	if (st == NULL || db_bind_text(st, ":symbol", symbol) != 0 || (rc = db_step(&s->db, st, e)) < 0)
		return -1;
	if (rc == 0)
		return 0;
	rc = bundle_load(b, db_column_blob(st, 1), sqlite3_column_int64(st, 0));
	sqlite3_reset(st);
	if (rc == 0)
		return 1;
	return index_bad(s, symbol, e);
}

int
index_put_full(struct store *s, struct text symbol, const struct bundle *b, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_PLACES_INSERT, e);

	if (st == NULL || db_bind_text(st, ":symbol", symbol) != 0 || db_bind_int(st, ":first", b->first) != 0 ||
	    db_bind_int(st, ":last", b->last) != 0 || db_bind_int(st, ":kinds", b->kinds) != 0 ||
	    db_bind_blob(st, ":places", (struct text){ (const char *)b->bytes, b->len }) != 0)
		return -1;
	return db_step(&s->db, st, e);
}

static int
put_open(struct store *s, struct text symbol, const struct bundle *b, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_OPEN_PUT, e);

	if (st == NULL || db_bind_text(st, ":symbol", symbol) != 0 || db_bind_int(st, ":first", b->first) != 0 ||
	    db_bind_blob(st, ":places", (struct text){ (const char *)b->bytes, b->len }) != 0)
		return -1;
	return db_step(&s->db, st, e);
}

/* Adds a place to the open bundle `b` of a symbol, which goes to by_symbol when it is full. */
static int
add_place(
    struct store *s, struct run *run, struct text symbol, struct bundle *b, int64_t seq, enum kind kind, struct err *e)
{
	/* They lie ahead of the log. */
	if (b->n > 0 && seq <= b->last)
		return index_bad(s, symbol, e);
	if (b->n == BUNDLE_PLACES) {
		if (index_put_full(s, symbol, b, e) != 0)
			return -1;
		run->rows_made++;
		*b = (struct bundle){ .n = 0 };
	}
	bundle_add(b, seq, kind);
	return 0;
}

/* All of one symbol: entries[from] and those behind it. Returns where the next symbol begins, or 0 when it failed. */
static size_t
add_symbol(struct store *s, struct run *run, size_t from, struct err *e)
{
	struct text symbol = run->entries[from].symbol;
	struct bundle b;
	int had = load_open(s, symbol, &b, e);
	size_t i = from;

	if (had < 0)
		return 0;
	run->rows_made += had == 0;
	for (; i < run->n && text_eq(run->entries[i].symbol, symbol); i++)
		if (add_place(s, run, symbol, &b, run->entries[i].seq, run->entries[i].kind, e) != 0)
			return 0;
	return put_open(s, symbol, &b, e) != 0 ? 0 : i;
}

/* All of one kind. */
static int
add_kind(struct store *s, struct run *run, enum kind kind, struct err *e)
{
	struct text name = bundle_kind_name(kind);
	struct bundle b;
	int had = load_open(s, name, &b, e);

	if (had < 0)
		return -1;
	run->rows_made += had == 0;
	for (size_t i = 0; i < run->n_rows; i++)
		if (run->rows[i].kind == kind && add_place(s, run, name, &b, run->rows[i].seq, kind, e) != 0)
			return -1;
	return put_open(s, name, &b, e);
}

/* Many symbols that occur once make many rows at a time; they are swept for over several runs. */
static int
sweep_owed(struct store *s, int64_t rows_made, struct err *e)
{
	int64_t rows;

	s->now.sweep_owed += rows_made * SWEEP_A_ROW;
	rows = s->now.sweep_owed < SWEEP_A_RUN ? s->now.sweep_owed : SWEEP_A_RUN;
	s->now.sweep_owed -= rows;
	return sweep_index(s, rows, e);
}

/* One run, up to `to` or as far as fits. */
static int
follow_once(struct store *s, int64_t to, struct err *e)
{
	struct run run = { .n = 0 };
	int rc;

	pool_init(&run.pool, RUN_BYTES);
	rc = collect(s, &run, to, e);
	for (size_t i = 0; rc == 0 && i < run.n;)
		rc = (i = add_symbol(s, &run, i, e)) == 0 ? -1 : 0;
	for (int kind = 0; rc == 0 && kind < KIND__MAX; kind++)
		if ((run.kinds & KIND_BIT(kind)) != 0)
			rc = add_kind(s, &run, (enum kind)kind, e);
	if (rc == 0)
		rc = sweep_owed(s, run.rows_made, e);
	if (rc == 0)
		s->now.indexed_to = run.to;
	pool_fini(&run.pool);
	return rc;
}

bool
index_due(int64_t lag, int64_t since_us, bool calm)
{
	if (lag <= 0 || calm || lag >= INDEX_LAG_MAX)
		return lag > 0;
	return since_us >= (lag < FLOOD_ROWS ? LAG_US : FLOOD_US);
}

int
index_follow(struct store *s, struct err *e)
{
	int64_t head = s->now.next_seq - 1;

	return s->now.indexed_to < head ? follow_once(s, head, e) : 0;
}

int
index_bad(struct store *s, struct text symbol, struct err *e)
{
	s->index_is_bad = true;
	err_set(e, ERR_STORE, "index: the places of %.*s make no sense", TEXT_ARG(symbol));
	return -1;
}

int
index_renew(struct store *s, struct err *e)
{
	struct err why = { .code = ERR_NONE };

	if (writer_begin(s, e) != 0)
		return -1;
	if (db_run(&s->db, SQL_OPEN_FORGET, &why) != 0 || db_run(&s->db, SQL_PLACES_FORGET, &why) != 0 ||
	    lay_forget(s, TEXT_NONE, &why) != 0) {
		if (e != NULL)
			*e = why;
		return writer_failed(s, &why);
	}
	s->now.indexed_to = s->now.sweep_owed = 0;
	if (writer_end(s, e) != 0)
		return -1;
	s->broom = (struct broom){ .in_open = false };
	s->round = (struct round){ .symbols = 0 };
	s->index_is_bad = false;
	log_event(LOG_LEVEL_ERROR, "index_renewed", log_str("file", s->path));
	return 0;
}

/*
 * index - see index.h.  Called by append.c with every event, by tend.c between batches.
 *
 * Of a run of events each symbol's places (and after them each kind's), in the order of the symbols, go behind those in its open bundle: one row written for each
 * symbol that occurs, however many events of it there are, in a small table. A bundle that is full moves to by_symbol. A table with a row for
 * each event took 20,000 inserts a run, all over 5,000 pages of 1,000,000 events, and as many deletes when they went.
 */
#include "store/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/bundle.h"
#include "store/lay.h"
#include "store/sweep.h"
#include "store/unindexed.h"
#include "store/writer.h"

#define LAG_US 100000
/*
 * What readers look through is short unless a flood makes INDEX_LAG_MAX of it in this time. Then it is not short however often one follows, and a run costs by the symbols
 * that occur in it: so it waits for a whole one. Rows that say so, and for how long at most.
 */
#define FLOOD_ROWS 4096
#define FLOOD_US 500000

struct run {
	const struct unindexed *events; /* borrowed */
	int64_t to; /* everything up to this seq is in it */
	int64_t rows_made; /* by which the tables have grown */
};

/* ---- what was appended since ---- */

struct noted {
	struct unindexed events;
	int64_t after; /* all that came after this seq; -1: not all */
};

void
index_note(struct store *s, const struct event *ev)
{
	struct noted *noted = s->noted;

	if (noted == NULL || noted->after < 0)
		return;
	if (unindexed_add(&noted->events, ev->seq, ev->kind, ev->symbol) != 0)
		index_forget(s);
}

void
index_forget(struct store *s)
{
	if (s->noted == NULL)
		return;
	s->noted->after = -1;
	unindexed_clear(&s->noted->events);
}

void
index_free(struct store *s)
{
	if (s->noted != NULL)
		unindexed_fini(&s->noted->events);
	free(s->noted);
	s->noted = NULL;
}

/* The index has all events: from here on it is enough to note what comes. */
static void
begin_to_note(struct store *s)
{
	if (s->noted == NULL) {
		s->noted = calloc(1, sizeof(*s->noted));
		if (s->noted == NULL)
			return;
		unindexed_init(&s->noted->events, s->seed);
	}
	unindexed_clear(&s->noted->events);
	s->noted->after = s->now.indexed_to;
}

/* ---- what was not noted ---- */

/* Reads the next rows of the tail into `u`. */
static int
collect(struct store *s, struct unindexed *u, int64_t head, int64_t *to, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_INDEX_TAIL, e);
	int64_t rows = 0, seq = 0;
	int rc = -1;

	if (st == NULL || db_bind_int(st, ":after", s->now.indexed_to) != 0 || db_bind_int(st, ":to", head) != 0 ||
	    db_bind_int(st, ":n", UNINDEXED_MAX) != 0)
		return db_fail(&s->db, "index: bind", e);
	while (rows < UNINDEXED_MAX && (rc = db_step(&s->db, st, e)) == 1) {
		int64_t kind = sqlite3_column_int64(st, 1);

		rows++;
		seq = sqlite3_column_int64(st, 0);
		/* What no writer made: one in the index that makes no sense would have it made anew for ever. */
		if (kind < 0 || kind >= KIND__MAX)
			continue;
		if (unindexed_add(u, seq, (enum kind)kind, db_column_text(st, 2)) != 0) {
			sqlite3_reset(st);
			err_set(e, ERR_MEMORY, "index: out of memory");
			return -1;
		}
	}
	if (rc < 0)
		return -1;
	sqlite3_reset(st);
	*to = rows == UNINDEXED_MAX ? seq : head;
	return 0;
}

/* ---- the bundles ---- */

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

/* All of one symbol. */
static int
add_symbol(struct store *s, struct run *run, const struct unplaced_symbol *x, struct err *e)
{
	struct text symbol = x->group.symbol;
	struct bundle b;
	int had = load_open(s, symbol, &b, e);

	if (had < 0)
		return -1;
	run->rows_made += had == 0;
	for (unsigned i = x->first, n = 0; n < x->n; n++, i = run->events->events[i].next)
		if (add_place(s, run, symbol, &b, run->events->events[i].seq, run->events->events[i].kind, e) != 0)
			return -1;
	return put_open(s, symbol, &b, e);
}

static int
add_symbols(struct store *s, struct run *run, struct err *e)
{
	struct group **sorted = groups_sorted(&run->events->symbols);
	int rc = 0;

	if (sorted == NULL) {
		err_set(e, ERR_MEMORY, "index: out of memory");
		return -1;
	}
	for (size_t i = 0; rc == 0 && i < run->events->symbols.n; i++) {
		const struct unplaced_symbol *x = (const struct unplaced_symbol *)sorted[i];

		rc = x->n == 0 ? 0 : add_symbol(s, run, x, e);
	}
	free(sorted);
	return rc;
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
	for (unsigned i = 0; i < run->events->n; i++) {
		const struct unplaced *x = &run->events->events[i];

		if (x->kind != kind)
			continue;
		/* What is there was not removed: a bad row of the index had retention take what is newer. */
		if (x->seq <= s->now.kinds[kind].trimmed_to)
			s->now.kinds[kind].trimmed_to = x->seq - 1;
		if (add_place(s, run, name, &b, x->seq, kind, e) != 0)
			return -1;
	}
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

static int
put_run(struct store *s, struct run *run, struct err *e)
{
	int rc = add_symbols(s, run, e);

	for (int kind = 0; rc == 0 && kind < KIND__MAX; kind++)
		if ((run->events->kinds & KIND_BIT(kind)) != 0)
			rc = add_kind(s, run, (enum kind)kind, e);
	if (rc == 0)
		rc = sweep_owed(s, run->rows_made, e);
	if (rc == 0)
		s->now.indexed_to = run->to;
	return rc;
}

/* Reads the log, up to `head` or as far as fits. */
static int
follow_log(struct store *s, int64_t head, struct err *e)
{
	struct unindexed u;
	struct run run = { .events = &u };
	int rc;

	unindexed_init(&u, s->seed);
	rc = collect(s, &u, head, &run.to, e);
	if (rc == 0)
		rc = put_run(s, &run, e);
	unindexed_fini(&u);
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
	int rc;

	if (s->now.indexed_to == head)
		return 0;
	if (s->noted != NULL && s->noted->after == s->now.indexed_to)
		rc = put_run(s, &(struct run){ .events = &s->noted->events, .to = head }, e);
	else
		rc = follow_log(s, head, e);
	if (rc == 0 && s->now.indexed_to == head)
		begin_to_note(s);
	return rc;
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

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
#include "store/opened.h"
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
		bundle_clear(b);
	}
	bundle_add(b, seq, kind);
	return 0;
}

/* All of one symbol. */
static int
add_symbol(struct store *s, struct run *run, const struct unplaced_symbol *x, struct bundle *b, struct err *e)
{
	const struct unplaced *events = run->events->events;

	for (unsigned i = x->first, n = 0; n < x->n; n++, i = events[i].next)
		if (add_place(s, run, x->group.symbol, b, events[i].seq, events[i].kind, e) != 0)
			return -1;
	return 0;
}

/* All of one kind. */
static int
add_kind(struct store *s, struct run *run, enum kind kind, struct bundle *b, struct err *e)
{
	for (unsigned i = 0; i < run->events->n; i++) {
		const struct unplaced *x = &run->events->events[i];

		if (x->kind != kind)
			continue;
		/* What is there was not removed: a bad row of the index had retention take what is newer. */
		if (x->seq <= s->now.kinds[kind].trimmed_to)
			s->now.kinds[kind].trimmed_to = x->seq - 1;
		if (add_place(s, run, bundle_kind_name(kind), b, x->seq, kind, e) != 0)
			return -1;
	}
	return 0;
}

/* The next symbols, at most OPENED_MAX, from sorted[*at] on, which moves on. */
static int
put_symbols(struct store *s, struct run *run, struct group *const *sorted, size_t *at, struct err *e)
{
	const struct unplaced_symbol *symbols[OPENED_MAX];
	struct opened rows[OPENED_MAX];
	int n = 0;

	for (; n < OPENED_MAX && *at < run->events->symbols.n; ++*at) {
		symbols[n] = (const struct unplaced_symbol *)sorted[*at];
		/* None of its events was added if it is called as a kind's places are. */
		if (symbols[n]->n > 0)
			rows[n++].name = sorted[*at]->symbol;
	}
	if (opened_load(s, rows, n, e) != 0)
		return -1;
	for (int i = 0; i < n; i++) {
		run->rows_made += !rows[i].had;
		if (add_symbol(s, run, symbols[i], &rows[i].b, e) != 0)
			return -1;
	}
	return opened_put(s, rows, n, e);
}

static int
put_all_symbols(struct store *s, struct run *run, struct err *e)
{
	struct group **sorted = groups_sorted(&run->events->symbols);
	int rc = 0;

	if (sorted == NULL) {
		err_set(e, ERR_MEMORY, "index: out of memory");
		return -1;
	}
	for (size_t at = 0; rc == 0 && at < run->events->symbols.n;)
		rc = put_symbols(s, run, sorted, &at, e);
	free(sorted);
	return rc;
}

static int
put_kinds(struct store *s, struct run *run, struct err *e)
{
	enum kind kinds[KIND__MAX];
	struct opened rows[KIND__MAX];
	int n = 0;

	for (int kind = 0; kind < KIND__MAX; kind++)
		if ((run->events->kinds & KIND_BIT(kind)) != 0) {
			kinds[n] = (enum kind)kind;
			rows[n++].name = bundle_kind_name((enum kind)kind);
		}
	if (opened_load(s, rows, n, e) != 0)
		return -1;
	for (int i = 0; i < n; i++) {
		run->rows_made += !rows[i].had;
		if (add_kind(s, run, kinds[i], &rows[i].b, e) != 0)
			return -1;
	}
	return opened_put(s, rows, n, e);
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

/* Clients were told that more is gone than is, and from here on are told less. */
static void
tell_trimmed_back(const struct store *s, const struct standing *before)
{
	for (int kind = 0; kind < KIND__MAX; kind++) {
		int64_t from = before->kinds[kind].trimmed_to, to = s->now.kinds[kind].trimmed_to;

		if (to < from)
			log_event(LOG_LEVEL_WARNING, "trimmed_back",
			    log_text("kind", bundle_kind_name((enum kind)kind)), log_int("from", from),
			    log_int("to", to));
	}
}

static int
put_run(struct store *s, struct run *run, struct err *e)
{
	const struct standing before = s->now;
	int rc = put_all_symbols(s, run, e);

	if (rc == 0)
		rc = put_kinds(s, run, e);
	if (rc == 0)
		rc = sweep_owed(s, run->rows_made, e);
	if (rc != 0)
		return -1;
	s->now.indexed_to = run->to;
	tell_trimmed_back(s, &before);
	return 0;
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

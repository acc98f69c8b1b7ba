/*
 * sweep - see sweep.h.  Called by index.c and, once a minute, by retain.c.
 *
 * Kinds of which little is kept lie in the same bundles as those of which much is: a bundle that has lost half of its places is written anew, and
 * is joined with the one before it if both fit into one.
 */
#include "store/sweep.h"

#include <string.h>

#include "store/bundle.h"
#include "store/index.h"
#include "store/lay.h"
#include "store/writer.h"

#define STEP_ROWS 128 /* read before any of them is written */

struct swept { /* a row as it is in its table */
	char symbol[SYMBOL_MAX];
	size_t symbol_n;
	int64_t first;
	unsigned n; /* places */
	struct bundle live; /* those of them that retention has not removed */
};

static struct text
symbol_of(const struct swept *row)
{
	return (struct text){ row->symbol, row->symbol_n };
}

/* Whether a kind's row has places of that kind only. */
static bool
is_of_kind(struct text symbol, const struct place *places, int n)
{
	int kind = bundle_kind(symbol);

	for (int i = 0; kind >= 0 && i < n; i++)
		if ((int)places[i].kind != kind)
			return false;
	return true;
}

/* Whether a row of by_symbol says of its places what they are: readers go by that. */
static bool
is_told_right(sqlite3_stmt *st, const struct place *places, int n)
{
	unsigned kinds = 0;

	for (int i = 0; i < n; i++)
		kinds |= KIND_BIT(places[i].kind);
	return sqlite3_column_int64(st, 3) == places[n - 1].seq && sqlite3_column_int64(st, 4) == (int64_t)kinds;
}

/* Reads a row; columns: symbol, first, places; of by_symbol last and kinds, too. */
static int
load(struct store *s, sqlite3_stmt *st, bool open, struct swept *row, struct err *e)
{
	struct place places[BUNDLE_PLACES];
	struct text symbol = db_column_text(st, 0);
	int n = bundle_unpack(db_column_blob(st, 2), sqlite3_column_int64(st, 1), places);

	if (n < 0 || symbol.p == NULL || symbol.n > SYMBOL_MAX || (!open && !is_told_right(st, places, n)) ||
	    !is_of_kind(symbol, places, n))
		return index_bad(s, symbol, e);
	*row = (struct swept){ .symbol_n = symbol.n, .first = sqlite3_column_int64(st, 1), .n = (unsigned)n };
	memcpy(row->symbol, symbol.p, symbol.n);
	for (int i = 0; i < n; i++)
		if (places[i].seq > s->now.kinds[places[i].kind].trimmed_to)
			bundle_add(&row->live, places[i].seq, places[i].kind);
	return 0;
}

/* The next rows behind the broom, which moves on; how many, or -1. */
static int
read_step(struct store *s, struct swept *rows, int64_t limit, struct err *e)
{
	struct broom *b = &s->broom;
	bool open = b->in_open;
	sqlite3_stmt *st = db_stmt(&s->db, open ? SQL_SWEEP_OPEN : SQL_SWEEP_PLACES, e);
	int n = 0, rc = -1;

	if (st == NULL || db_bind_text(st, ":symbol", (struct text){ b->symbol, b->symbol_n }) != 0 ||
	    (!open && db_bind_int(st, ":first", b->first) != 0) || db_bind_int(st, ":n", limit) != 0)
		return -1;
	while (n < limit && (rc = db_step(&s->db, st, e)) == 1) {
		if (load(s, st, open, &rows[n], e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
		n++;
	}
	if (rc < 0)
		return -1;
	sqlite3_reset(st);
	if (n < limit) { /* the end of the table: on to the other one */
		*b = (struct broom){ .in_open = !open };
	} else {
		*b = (struct broom){ .in_open = open, .symbol_n = rows[n - 1].symbol_n, .first = rows[n - 1].first };
		memcpy(b->symbol, rows[n - 1].symbol, b->symbol_n);
	}
	return n;
}

static int
remove_row(struct store *s, bool open, const struct swept *row, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, open ? SQL_OPEN_DELETE : SQL_PLACES_DELETE, e);

	if (st == NULL || db_bind_text(st, ":symbol", symbol_of(row)) != 0 ||
	    (!open && db_bind_int(st, ":first", row->first) != 0))
		return -1;
	return db_step(&s->db, st, e);
}

/* Moves what `row` has behind what `before` has, if it fits there and one of them has gaps. */
static bool
join(struct swept *before, const struct swept *row)
{
	struct place places[BUNDLE_PLACES];
	int n;

	if (before->live.n == 0 || row->live.n == 0 || before->live.n + row->live.n > BUNDLE_PLACES ||
	    !text_eq(symbol_of(before), symbol_of(row)) || row->live.first <= before->live.last)
		return false;
	n = bundle_unpack((struct text){ (const char *)row->live.bytes, row->live.len }, row->live.first, places);
	for (int i = 0; i < n; i++)
		bundle_add(&before->live, places[i].seq, places[i].kind);
	return true;
}

/* Writes what has become of the rows of by_symbol. */
static int
put_step(struct store *s, struct swept *rows, int n, struct err *e)
{
	for (int i = 0; i < n;) {
		struct swept *row = &rows[i];
		unsigned had = row->n;
		int next = i + 1;

		for (; next < n && join(row, &rows[next]); next++)
			had += rows[next].n;
		/* As it is, unless joined or half empty: what is written anew is a page in the WAL. */
		if (next > i + 1 || row->live.n * 2 <= had) {
			for (int k = i; k < next; k++)
				if (remove_row(s, false, &rows[k], e) != 0)
					return -1;
			if (row->live.n > 0 && index_put_full(s, symbol_of(row), &row->live, e) != 0)
				return -1;
		}
		i = next;
	}
	return 0;
}

int
sweep_check(struct store *s, struct err *e)
{
	struct broom stands = s->broom;
	struct swept step[STEP_ROWS];
	int n;

	s->broom = (struct broom){ .in_open = false };
	do
		n = read_step(s, step, STEP_ROWS, e);
	while (n == STEP_ROWS || (n >= 0 && s->broom.in_open));
	s->broom = stands;
	return n < 0 ? -1 : 0;
}

int
sweep_index(struct store *s, int64_t rows, struct err *e)
{
	struct swept step[STEP_ROWS];
	int turns = 0; /* of one table to the other: a small index is gone round once */

	while (rows > 0 && turns < 3) {
		bool open = s->broom.in_open;
		int n = read_step(s, step, rows < STEP_ROWS ? rows : STEP_ROWS, e);

		if (n < 0)
			return -1;
		turns += s->broom.in_open != open;
		if (!open && put_step(s, step, n, e) != 0)
			return -1;
		for (int i = 0; open && i < n; i++)
			if (step[i].live.n == 0 &&
			    (remove_row(s, true, &step[i], e) != 0 || lay_forget(s, symbol_of(&step[i]), e) != 0))
				return -1;
		rows -= n;
	}
	return 0;
}

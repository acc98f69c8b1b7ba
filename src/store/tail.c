/*
 * tail - read_tail(): the end of the log looked through once, for many lists that differ in their symbol only.  Walk 2, inside
 * step 6: from api/page.c; list.c takes a symbol's share of it.
 *
 * Two hundred lists, one a symbol, would each walk the same twenty thousand rows that the index does not cover yet.
 */
#include <string.h>

#include "store/list.h"

struct found { /* a row of the tail that one of the lists wants */
	int64_t seq;
	uint32_t symbol; /* its place in the filter */
};

static int
walk(struct list_tail *t, struct found *found, size_t *n, struct reader *r, const struct filter *filter, int64_t from,
    int64_t below, struct err *e)
{
	struct db *db = &r->db;
	sqlite3_stmt *st = db_stmt(db, SQL_TAIL_NEWEST, e);
	int64_t last = 0;
	int rows = 0, rc;

	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":from", from) != 0 || db_bind_int(st, ":below", below) != 0 ||
	    db_bind_int(st, ":n", READ_TAIL_MAX) != 0)
		return db_fail(db, "tail", e);
	while ((rc = db_step(db, st, e)) == 1 && rows < READ_TAIL_MAX) {
		int kind = sqlite3_column_int(st, 1);
		int at;

		rows++;
		last = sqlite3_column_int64(st, 0);
		if (kind < 0 || kind >= KIND__MAX || (filter->kinds & KIND_BIT(kind)) == 0 ||
		    (at = filter_symbol_at(filter, db_column_text(st, 2))) < 0)
			continue;
		found[(*n)++] = (struct found){ last, (uint32_t)at };
	}
	if (rows == READ_TAIL_MAX) {
		sqlite3_reset(st);
		t->cut = last;
	}
	return rc < 0 ? -1 : 0;
}

/* What is known by heart, behind what was found already. False: it is not after all. */
static bool
recall(struct found *found, size_t room, size_t *n, const struct reader *r, const struct snapshot *snap,
    const struct filter *filter, int64_t upto, int64_t *seqs)
{
	for (size_t i = 0; i < filter->symbols.n; i++) {
		int64_t more = recall_symbol(
		    r, snap->epoch, filter->symbols.items[i], filter->kinds, snap->indexed_to, upto, seqs, room - *n);

		/* More than there are: some are of others with the same hash. */
		if (more < 0 || (size_t)more > room - *n)
			return false;
		for (int64_t k = 0; k < more; k++)
			found[(*n)++] = (struct found){ seqs[k], (uint32_t)i };
	}
	return true;
}

/* The newest first: what memory does not reach to, then what it knows. `seqs` is to work in. */
static int
collect(struct list_tail *t, struct found *found, size_t room, size_t *n, struct reader *r, const struct snapshot *snap,
    const struct filter *filter, int64_t below, struct err *e)
{
	int64_t upto = below - 1;

	if (recall_reaches(r, snap->epoch, filter, snap->indexed_to, &upto)) {
		if (upto + 1 < below && walk(t, found, n, r, filter, upto + 1, below, e) != 0)
			return -1;
		if (recall(found, room, n, r, snap, filter, upto, t->seqs))
			return 0;
		*n = 0;
	}
	return walk(t, found, n, r, filter, snap->indexed_to + 1, below, e);
}

/* By symbol, each symbol's still newest first: a counting sort, which keeps the order of equals. */
static void
sort_by_symbol(struct list_tail *t, const struct found *found, size_t n, size_t n_symbols)
{
	for (size_t i = 0; i < n; i++)
		t->start[found[i].symbol + 1]++;
	for (size_t i = 0; i < n_symbols; i++)
		t->start[i + 1] += t->start[i];
	for (size_t i = 0; i < n; i++)
		t->seqs[t->start[found[i].symbol]++] = found[i].seq;
	/* Every start is where the next one was. */
	memmove(t->start + 1, t->start, n_symbols * sizeof(*t->start));
	t->start[0] = 0;
}

const struct list_tail *
read_tail(struct reader *r, const struct snapshot *snap, const struct filter *filter, int64_t below, struct err *e)
{
	int64_t rows = below - 1 - snap->indexed_to;
	size_t n_symbols = filter->symbols.n, room, n = 0;
	struct list_tail *t = pool_alloc(&r->pool, sizeof(*t));
	struct found *found;

	room = rows <= 0 ? 0 : rows > READ_TAIL_MAX ? READ_TAIL_MAX : (size_t)rows;
	if (t != NULL) {
		t->start = pool_array(&r->pool, n_symbols + 1, sizeof(*t->start));
		t->seqs = pool_array(&r->pool, room + 1, sizeof(*t->seqs));
	}
	found = pool_array(&r->pool, room + 1, sizeof(*found));
	if (t == NULL || t->start == NULL || t->seqs == NULL || found == NULL) {
		err_set(e, ERR_MEMORY, "no memory for the log's end");
		return NULL;
	}
	if (room > 0 && collect(t, found, room, &n, r, snap, filter, below, e) != 0)
		return NULL;
	sort_by_symbol(t, found, n, n_symbols);
	return t;
}

/* merge - see list.h. Walk 2, inside step 6: list.c asks for the next seq and fetches its row. */
#include <assert.h>
#include <stdlib.h>

#include "store/bundle.h"
#include "store/list.h"

#define PIECE_MIN 64 /* rows of the tail that a list without symbols walks at first, and at most at once */
#define PIECE_MAX 4096
#define PASS_MAX 256 /* bundles that one refill passes over */

static_assert(CURSOR_SEQS >= BUNDLE_PLACES, "a cursor takes a bundle at once");

static bool
goes_first(const struct merge *m, const struct cursor *a, const struct cursor *b)
{
	int64_t x = a->seqs[a->at], y = b->seqs[b->at];

	return m->newest_first ? x > y : x < y;
}

static void
sift_down(struct merge *m, size_t at)
{
	for (;;) {
		size_t first = at, left = 2 * at + 1, right = left + 1;
		struct cursor *swap;

		if (left < m->n_heap && goes_first(m, m->heap[left], m->heap[first]))
			first = left;
		if (right < m->n_heap && goes_first(m, m->heap[right], m->heap[first]))
			first = right;
		if (first == at)
			return;
		swap = m->heap[at];
		m->heap[at] = m->heap[first];
		m->heap[first] = swap;
		at = first;
	}
}

/* ---- a symbol, or a kind ---- */

/* The writer looks through its index when it hears of it: see index.h. Always -1. */
static int
bad_bundle(struct merge *m, const struct cursor *c, struct err *e)
{
	m->r->db.damaged = true;
	err_set(e, ERR_CORRUPT, "the places of %.*s make no sense", TEXT_ARG(c->symbol));
	return -1;
}

/* What a cursor wants of a bundle goes into its buffer, which is empty; the bundle is taken then. */
static int
take_bundle(struct merge *m, struct cursor *c, struct text packed, int64_t first, struct err *e)
{
	struct place places[BUNDLE_PLACES];
	int n = bundle_unpack(packed, first, places);

	if (n < 0)
		return bad_bundle(m, c, e);
	for (int i = 0; i < n; i++) {
		const struct place *p = &places[m->newest_first ? n - 1 - i : i];

		if (p->seq >= c->from && p->seq < c->below && p->seq > m->trimmed_to[p->kind] &&
		    (c->kinds & KIND_BIT(p->kind)) != 0)
			c->seqs[c->n++] = p->seq;
	}
	if (m->newest_first && first < c->below)
		c->below = first;
	else if (!m->newest_first && places[n - 1].seq >= c->from)
		c->from = places[n - 1].seq + 1;
	return 0;
}

/* The newest places, of which most lists are. Going forth, they come last, unless the list begins among them. */
static int
refill_open(struct merge *m, struct cursor *c, bool last, struct err *e)
{
	struct db *db = &m->r->db;
	sqlite3_stmt *st = db_stmt(db, SQL_PLACES_OPEN, e);
	int64_t first;
	int rc;

	if (st == NULL)
		return -1;
	if (db_bind_text(st, ":symbol", c->symbol) != 0)
		return db_fail(db, "list", e);
	if ((rc = db_step(db, st, e)) < 0)
		return -1;
	c->open_read = true;
	if (rc == 0) {
		/* Swept out, or nothing was ever indexed of it. What is full may be there all the same. */
		c->dry = last;
		return 0;
	}
	first = sqlite3_column_int64(st, 0);
	if (m->newest_first || last || first <= c->from) {
		rc = take_bundle(m, c, db_column_blob(st, 1), first, e);
		c->dry = !m->newest_first;
	} else {
		c->open_read = false;
		rc = 0;
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

/* The next row of by_symbol that has something; rows without count, and end it for now when they are many. */
static int
refill_full(struct merge *m, struct cursor *c, struct err *e)
{
	struct db *db = &m->r->db;
	sqlite3_stmt *st = db_stmt(db, m->newest_first ? SQL_PLACES_NEWEST : SQL_PLACES_OLDEST, e);
	int rows = 0, rc = 0;

	if (st == NULL)
		return -1;
	if (db_bind_text(st, ":symbol", c->symbol) != 0 ||
	    db_bind_int(st, m->newest_first ? ":below" : ":from", m->newest_first ? c->below : c->from) != 0 ||
	    db_bind_int(st, ":n", PASS_MAX) != 0)
		return db_fail(db, "list", e);
	while (c->n == 0 && (rc = db_step(db, st, e)) == 1) {
		int64_t first = sqlite3_column_int64(st, 0), last = sqlite3_column_int64(st, 1);

		rows++;
		if (first < 1 || last < first || last == INT64_MAX) {
			sqlite3_reset(st);
			return bad_bundle(m, c, e);
		}
		if (m->newest_first ? last < c->from : first >= c->below) {
			rc = 0;
			break;
		}
		if (((unsigned)sqlite3_column_int(st, 2) & c->kinds) != 0) {
			if (take_bundle(m, c, db_column_blob(st, 3), first, e) != 0) {
				sqlite3_reset(st);
				return -1;
			}
		} else if (m->newest_first) {
			c->below = first;
		} else if (last >= c->from) {
			/* Only ever forwards, whatever the row says: a cursor that goes back has no end. */
			c->from = last + 1;
		}
		m->passed += c->n == 0;
	}
	if (rc < 0)
		return -1;
	sqlite3_reset(st);
	if (c->n > 0)
		return 0;
	if (rows == PASS_MAX && rc == 0 && c->from < c->below) {
		/* A place that is not wanted: list.c looks at it, passes over it, and so knows how far it has come. */
		c->seqs[c->n++] = m->newest_first ? c->below : c->from - 1;
		return 0;
	}
	c->dry = m->newest_first || c->open_read;
	return c->dry ? 0 : refill_open(m, c, true, e);
}

/* Fetches the next seqs of a cursor whose buffer is used up. */
static int
refill(struct merge *m, struct cursor *c, struct err *e)
{
	c->at = 0;
	c->n = 0;
	/* Going forth it is only asked whether the list begins in it. */
	if (!c->open_read && (m->newest_first || c->fresh)) {
		c->fresh = false;
		if (refill_open(m, c, false, e) != 0)
			return -1;
		if (c->n > 0 || c->dry)
			return 0;
	}
	return refill_full(m, c, e);
}

static int
open_cursors(struct merge *m, struct err *e)
{
	m->cursors_open = true;
	if (m->index_to < m->from)
		return 0;
	for (size_t i = 0; i < m->n_cursors; i++) {
		if (m->cursors[i].from < m->from)
			m->cursors[i].from = m->from;
		m->cursors[i].below = m->index_to + 1;
		if (refill(m, &m->cursors[i], e) != 0)
			return -1;
		if (m->cursors[i].n > 0)
			m->heap[m->n_heap++] = &m->cursors[i];
	}
	for (size_t i = m->n_heap / 2; i-- > 0;)
		sift_down(m, i);
	return 0;
}

static int
next_of_cursors(struct merge *m, int64_t *seq, struct err *e)
{
	struct cursor *c;

	if (!m->cursors_open && open_cursors(m, e) != 0)
		return -1;
	if (m->n_heap == 0)
		return 0;
	c = m->heap[0];
	*seq = c->seqs[c->at++];
	if (c->at == c->n && !c->dry && refill(m, c, e) != 0)
		return -1;
	if (c->at == c->n)
		m->heap[0] = m->heap[--m->n_heap];
	sift_down(m, 0);
	return 1;
}

static int
make_room(struct reader *r, size_t n, struct err *e)
{
	size_t cap = r->seqs_cap == 0 ? 256 : r->seqs_cap;
	int64_t *more;

	if (n <= r->seqs_cap)
		return 0;
	while (cap < n)
		cap *= 2;
	if ((more = reallocarray(r->seqs, cap, sizeof(*more))) == NULL) {
		err_set(e, ERR_MEMORY, "no memory for the log's end");
		return -1;
	}
	r->seqs = more;
	r->seqs_cap = cap;
	return 0;
}

static bool
is_wanted(const struct filter *f, enum kind kind, struct text symbol)
{
	if (f->every_gap && kind == KIND_GAP)
		return true;
	return (f->kinds & KIND_BIT(kind)) != 0 && filter_has_symbol(f, symbol);
}

/* Walks up to `n` rows of from <= seq < below, and keeps what is of the wanted kinds and symbols. Whether that was all of them is in *last: 0, or the last's seq. */
static int
walk_tail(struct merge *m, int64_t from, int64_t below, int n, int64_t *last, struct err *e)
{
	struct db *db = &m->r->db;
	sqlite3_stmt *st = db_stmt(db, m->newest_first ? SQL_TAIL_NEWEST : SQL_TAIL_OLDEST, e);
	int64_t seq = 0;
	int rows = 0, rc;

	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":from", from) != 0 || db_bind_int(st, ":below", below) != 0 ||
	    db_bind_int(st, ":n", n) != 0)
		return db_fail(db, "tail", e);
	while ((rc = db_step(db, st, e)) == 1) {
		int64_t kind = sqlite3_column_int64(st, 1);

		rows++;
		seq = sqlite3_column_int64(st, 0);
		if (kind < 0 || kind >= KIND__MAX || !is_wanted(m->filter, (enum kind)kind, db_column_text(st, 2)))
			continue;
		if (make_room(m->r, m->tail_n + 1, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
		m->r->seqs[m->tail_n++] = seq;
	}
	*last = rows == n ? seq : 0;
	return rc;
}

/* The next piece of the tail, larger each time: nearly always the first has what a list wants. 1: it was walked; 0: there is none; -1. */
static int
next_piece(struct merge *m, struct err *e)
{
	int left = READ_TAIL_MAX - m->tail_rows, n = m->piece_rows < left ? m->piece_rows : left;
	int64_t last;

	if (n == 0 || m->tail_from >= m->tail_below)
		return 0;
	m->tail_at = m->tail_n = 0;
	if (walk_tail(m, m->tail_from, m->tail_below, n, &last, e) != 0)
		return -1;
	m->tail = m->r->seqs;
	m->tail_rows += n;
	m->piece_rows = last == 0 ? 0 : n * 2 > PIECE_MAX ? PIECE_MAX : n * 2;
	if (last != 0 && m->newest_first)
		m->tail_below = last;
	else if (last != 0)
		m->tail_from = last + 1;
	if (last != 0 && m->tail_rows == READ_TAIL_MAX)
		m->tail_cut = last;
	return 1;
}

/* 1: kept what memory knows of them; 0: it knows no more, and nothing is kept; -1. */
static int
recall_tail(struct merge *m, int64_t above, int64_t upto, struct err *e)
{
	struct reader *r = m->r;
	const struct text_set *symbols = &m->filter->symbols;

	for (size_t i = 0; i < symbols->n;) {
		int64_t n = recall_symbol(r, m->epoch, symbols->items[i], m->filter->kinds, above, upto,
		    r->seqs + m->tail_n, r->seqs_cap - m->tail_n);

		if (n < 0) {
			m->tail_n = 0;
			return 0;
		}
		if ((size_t)n <= r->seqs_cap - m->tail_n) {
			m->tail_n += (size_t)n;
			i++;
		} else if (make_room(r, m->tail_n + (size_t)n, e) != 0) {
			return -1;
		}
	}
	return 1;
}

static int
by_seq(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int
by_seq_downwards(const void *a, const void *b)
{
	return by_seq(b, a);
}

/* Symbol by symbol they came, and what memory did not reach to at last. Two symbols of one hash have both the places of both. */
static void
put_in_order(struct merge *m)
{
	int64_t *seqs = m->r->seqs;
	size_t n = 0;

	if (m->tail_n > 1)
		qsort(seqs, m->tail_n, sizeof(*seqs), m->newest_first ? by_seq_downwards : by_seq);
	for (size_t i = 0; i < m->tail_n; i++)
		if (n == 0 || seqs[i] != seqs[n - 1])
			seqs[n++] = seqs[i];
	m->tail_n = n;
}

/* Above this there is nothing of the kinds that a list without symbols has. */
static int64_t
newest_wanted(const struct merge *m)
{
	unsigned kinds = m->filter->kinds | (m->filter->every_gap ? KIND_BIT(KIND_GAP) : 0);
	int64_t newest = 0;

	for (int kind = 0; kind < KIND__MAX; kind++)
		if ((kinds & KIND_BIT(kind)) != 0 && m->newest[kind] > newest)
			newest = m->newest[kind];
	return newest;
}

/* The end of the log that the index does not cover: from memory, as far as that reaches, else from the log. */
static int
open_tail(struct merge *m, struct err *e)
{
	int64_t above = m->index_to >= m->from ? m->index_to : m->from - 1, upto = m->below - 1;
	int known;

	m->tail_open = true;
	if (above >= upto)
		return 0;
	if (m->filter->symbols.n == 0) {
		int64_t newest = newest_wanted(m);

		m->tail_from = above + 1;
		m->tail_below = newest < m->below ? newest + 1 : m->below;
		m->piece_rows = PIECE_MIN;
		return 0;
	}
	known = recall_reaches(m->r, m->epoch, m->filter, above, &upto);
	if (known && (known = recall_tail(m, above, upto, e)) < 0)
		return -1;
	if (!known)
		upto = above;
	if (upto + 1 < m->below && walk_tail(m, upto + 1, m->below, READ_TAIL_MAX, &m->tail_cut, e) != 0)
		return -1;
	if (known)
		put_in_order(m);
	m->tail = m->r->seqs;
	return 0;
}

void
merge_use_tail(struct merge *m, const struct list_tail *tail, size_t at)
{
	m->tail = tail->seqs + tail->start[at];
	m->tail_n = tail->start[at + 1] - tail->start[at];
	m->tail_cut = tail->cut;
	m->tail_open = true;
}

static int
next_of_tail(struct merge *m, int64_t *seq, struct err *e)
{
	if (!m->tail_open && open_tail(m, e) != 0)
		return -1;
	while (m->tail_at == m->tail_n) {
		int rc = next_piece(m, e);

		if (rc != 1)
			return rc;
	}
	*seq = m->tail[m->tail_at++];
	return 1;
}

int
merge_next(struct merge *m, int64_t *seq, struct err *e)
{
	int rc;

	/* The tail lies wholly above the index, so the two are not merged but follow one another. */
	if (m->newest_first) {
		rc = next_of_tail(m, seq, e);
		return rc != 0 || m->tail_cut != 0 ? rc : next_of_cursors(m, seq, e);
	}
	rc = next_of_cursors(m, seq, e);
	return rc != 0 ? rc : next_of_tail(m, seq, e);
}

static void
add_cursor(struct merge *m, unsigned kinds, struct text symbol, int64_t trimmed_to)
{
	struct cursor *c = &m->cursors[m->n_cursors++];

	/* By hand: a compound literal would fill the buffer with zeros, too. */
	c->symbol = symbol;
	c->kinds = kinds;
	c->fresh = true;
	/* Of a kind many bundles may be left whose events are gone; of a symbol, who knows which kinds it has. */
	c->from = trimmed_to < INT64_MAX ? trimmed_to + 1 : trimmed_to;
}

int
merge_init(struct merge *m, struct reader *r, const struct snapshot *snap, const struct filter *filter,
    bool newest_first, int64_t from, int64_t below, struct err *e)
{
	size_t most = filter->symbols.n + KIND__MAX;

	*m = (struct merge){ .r = r, .filter = filter, .newest_first = newest_first, .from = from, .below = below };
	m->trimmed_to = snap->trimmed_to;
	m->newest = snap->newest;
	m->epoch = snap->epoch;
	m->index_to = snap->indexed_to < below - 1 ? snap->indexed_to : below - 1;
	m->cursors = calloc(most, sizeof(*m->cursors));
	m->heap = calloc(most, sizeof(struct cursor *));
	if (m->cursors == NULL || m->heap == NULL) {
		err_set(e, ERR_MEMORY, "no memory for a list of %zu symbols", filter->symbols.n);
		merge_fini(m);
		return -1;
	}
	for (size_t i = 0; i < filter->symbols.n; i++)
		add_cursor(m, filter->kinds, filter->symbols.items[i], 0);
	for (int kind = 0; kind < KIND__MAX; kind++)
		if ((filter->every_gap && kind == KIND_GAP) ||
		    (filter->symbols.n == 0 && (filter->kinds & KIND_BIT(kind)) != 0))
			add_cursor(m, KIND_BIT(kind), bundle_kind_name((enum kind)kind), snap->trimmed_to[kind]);
	return 0;
}

void
merge_fini(struct merge *m)
{
	free(m->cursors);
	free(m->heap);
	m->cursors = NULL;
	m->heap = NULL;
}

/*
 * rollups - how many of what came in of late: read_summary().  Walk 2, inside step 6.
 *
 * The subscriber counts events into cells of a minute and of an hour (tallies.c); a summary adds up at most 120 of them and the
 * events after `tallied_to`. Windows of up to two hours are made of minutes, for as long as those are there; longer ones of hours.
 * Refused: hours for the most and minutes at the edges, which is more exact by half an hour in a day and needs a second reading of
 * every facet. Refused too: GROUP BY, which sorts all rows of a window in a temporary table.
 */
#include <math.h>
#include <stdlib.h>

#include "store/reader.h"
#include "store/tallies.h"

#define MINUTE_S 60
#define HOUR_S 3600
#define CHAINS 16384
#define KEYS_MAX 32768 /* different names, timeframes and symbols: more than any market has */
#define N_KINDS (KIND_ALERT + 1)

/* A value of a facet while it is counted. */
struct key {
	struct key *next; /* in its chain */
	enum facet facet;
	struct text text;
	int64_t n;
};

struct count {
	struct reader *r;
	struct summary *out;
	struct key **chains;
	size_t n_keys[FACET_SYMBOL + 1], n_all;
	int64_t rows_left;
};

static int
no_memory(struct err *e)
{
	err_set(e, ERR_MEMORY, "no memory for a summary");
	return -1;
}

/* ---- keys ---- */

static size_t
chain_of(enum facet facet, struct text t)
{
	uint64_t h = 0xcbf29ce484222325ULL + (uint64_t)facet;

	/* FNV-1a. Colliding names cost time; their number is bounded. */
	for (size_t i = 0; i < t.n; i++)
		h = (h ^ (unsigned char)t.p[i]) * 0x100000001b3ULL;
	return (size_t)((h ^ h >> 29) % CHAINS);
}

static int
count_key(struct count *c, enum facet facet, struct text t, int64_t n, struct err *e)
{
	struct key **chain, *k;

	if (facet == FACET_CONFIDENCE) {
		if (t.n == 1 && t.p[0] >= '0' && t.p[0] <= '9')
			c->out->tens[t.p[0] - '0'] += n;
		return 0;
	}
	chain = &c->chains[chain_of(facet, t)];
	for (k = *chain; k != NULL && (k->facet != facet || !text_eq(k->text, t)); k = k->next)
		;
	if (k == NULL) {
		if (c->n_all == KEYS_MAX) {
			c->out->truncated = true;
			return 0;
		}
		k = pool_alloc(&c->r->pool, sizeof(*k));
		if (k == NULL || (k->text = pool_text(&c->r->pool, t)).p == NULL)
			return no_memory(e);
		k->facet = facet;
		k->next = *chain;
		*chain = k;
		c->n_keys[facet]++;
		c->n_all++;
	}
	k->n += n;
	return 0;
}

static int
most_frequent(const void *a, const void *b)
{
	const struct summary_count *x = a, *y = b;

	return x->n < y->n ? 1 : x->n > y->n ? -1 : text_cmp(x->key, y->key);
}

/* The keys of one facet as an array. */
static int
give_keys(struct count *c, enum facet facet, struct summary_counts *out, struct err *e)
{
	struct summary_count *rows;
	size_t n = 0;

	*out = (struct summary_counts){ .n = c->n_keys[facet] };
	if (out->n == 0)
		return 0;
	if ((rows = pool_array(&c->r->pool, out->n, sizeof(*rows))) == NULL)
		return no_memory(e);
	for (size_t i = 0; i < CHAINS; i++)
		for (const struct key *k = c->chains[i]; k != NULL; k = k->next)
			if (k->facet == facet)
				rows[n++] = (struct summary_count){ k->text, k->n };
	qsort(rows, n, sizeof(*rows), most_frequent);
	out->rows = rows;
	return 0;
}

/* ---- cells ---- */

static int
bind_cell(sqlite3_stmt *st, const struct summary *s, int cell, enum kind kind)
{
	return db_bind_int(st, ":span", s->step_s) |
	    db_bind_int(st, ":start_s", s->from_s + (int64_t)cell * s->step_s) | db_bind_int(st, ":kind", kind);
}

static int
add_total(struct count *c, int cell, enum kind kind, struct err *e)
{
	struct summary *s = c->out;
	sqlite3_stmt *st = db_stmt(&c->r->db, SQL_ROLLUP_TOTAL, e);
	int64_t n;
	int rc;

	if (st == NULL)
		return -1;
	if (bind_cell(st, s, cell, kind) != 0)
		return db_fail(&c->r->db, "rollup_total", e);
	if ((rc = row_int(c->r, st, &n, e)) == 1)
		s->cells[kind][cell] += n;
	return rc < 0 ? -1 : 0;
}

static int
add_facets(struct count *c, int cell, enum kind kind, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&c->r->db, SQL_ROLLUP_FACETS, e);
	int rc;

	if (st == NULL)
		return -1;
	/* One more than there may be, to know whether there are more. */
	if (bind_cell(st, c->out, cell, kind) != 0 || db_bind_int(st, ":n", c->rows_left + 1) != 0)
		return db_fail(&c->r->db, "rollup_facets", e);
	while ((rc = db_step(&c->r->db, st, e)) == 1) {
		int facet = sqlite3_column_int(st, 0);

		if (c->rows_left == 0) {
			c->out->truncated = true;
			break;
		}
		c->rows_left--;
		if (facet < FACET_NAME || facet > FACET_SYMBOL)
			continue;
		if (count_key(c, (enum facet)facet, db_column_text(st, 1), sqlite3_column_int64(st, 2), e) != 0) {
			rc = -1;
			break;
		}
	}
	sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

/* ---- what is newer than the cells ---- */

static int
add_event(struct count *c, const struct tally_row *t, struct err *e)
{
	struct summary *s = c->out;
	int64_t at = t->received_us / 1000000 - s->from_s;

	if (t->duplicate_of != 0 || t->kind > KIND_ALERT || at < 0 || at >= s->window_s)
		return 0;
	s->cells[t->kind][at / s->step_s]++;
	if (t->kind != KIND_PATTERN)
		return 0;
	/* The same tens as in tallies.c. */
	if (!isnan(t->confidence))
		s->tens[t->confidence >= 90 ? 9 : t->confidence > 0 ? (int)(t->confidence / 10) : 0]++;
	if ((t->name.p != NULL && count_key(c, FACET_NAME, t->name, 1, e) != 0) ||
	    (t->timeframe.p != NULL && count_key(c, FACET_TIMEFRAME, t->timeframe, 1, e) != 0) ||
	    (t->symbol.p != NULL && count_key(c, FACET_SYMBOL, t->symbol, 1, e) != 0))
		return -1;
	return 0;
}

/* ---- all of it ---- */

static void
choose_cells(struct summary *s, int64_t window_s, int64_t now_us)
{
	int64_t now_s = now_us / 1000000;

	*s = (struct summary){ .step_s = window_s > MINUTE_CELLS_S ? HOUR_S : MINUTE_S };
	if (window_s < 1)
		window_s = 1;
	if (window_s > HOUR_CELLS_S)
		window_s = HOUR_CELLS_S;
	s->n_cells = (int)((window_s + s->step_s - 1) / s->step_s);
	s->window_s = (int64_t)s->n_cells * s->step_s;
	s->from_s = now_s - now_s % s->step_s + s->step_s - s->window_s;
}

int
read_summary(
    struct reader *r, const struct snapshot *snap, int64_t window_s, int64_t now_us, struct summary *out, struct err *e)
{
	struct count c = { .r = r, .out = out, .rows_left = SUMMARY_ROWS_MAX };

	choose_cells(out, window_s, now_us);
	if ((c.chains = pool_array(&r->pool, CHAINS, sizeof(struct key *))) == NULL)
		return no_memory(e);
	if (tally_load(r, snap, e) != 0)
		return -1;
	/* Seqs have holes, so this may say too much; only a subscriber that has fallen far behind makes it true. */
	if (snap->head - snap->tallied_to > READ_TAIL_MAX)
		out->truncated = true;
	for (size_t i = 0; i < r->n_tally; i++)
		if (add_event(&c, &r->tally[i], e) != 0)
			return -1;
	for (int cell = out->n_cells - 1; cell >= 0; cell--) {
		for (int kind = 0; kind < N_KINDS; kind++) {
			if (add_total(&c, cell, (enum kind)kind, e) != 0)
				return -1;
			out->totals[kind] += out->cells[kind][cell];
		}
		if (!(out->truncated && c.rows_left == 0) && add_facets(&c, cell, KIND_PATTERN, e) != 0)
			return -1;
	}
	if (give_keys(&c, FACET_NAME, &out->names, e) != 0 || give_keys(&c, FACET_TIMEFRAME, &out->timeframes, e) != 0)
		return -1;
	return give_keys(&c, FACET_SYMBOL, &out->symbols, e);
}

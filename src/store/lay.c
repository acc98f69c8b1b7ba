/*
 * lay - see lay.h.  Called by tend.c between batches, after the index; sweep.c tells which symbols are gone.
 *
 * What is not laid yet of a symbol waits until it fills a cluster, which is a page: so each event is read and written once. A round finds out what waits by the
 * places in the index and by the newest cluster: nothing is kept up for it in every commit, and nothing is lost when it stops anywhere.
 */
#include "store/lay.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/bundle.h"
#include "store/cluster.h"
#include "store/index.h"
#include "store/writer.h"

#define STEP_SYMBOLS 128
#define STEP_EVENTS 64
#define ROUND_EVERY_US 60000000
#define IDLE_US 1000000
#define WAIT_MIN 4 /* events of a symbol that wait for one another, at least and at most */
#define WAIT_MAX 32
#define PLACES_MAX (2 * BUNDLE_PLACES) /* what is looked at of a symbol: the open bundle and the one before it */

struct step { /* of a round: one transaction */
	struct store *s;
	int wait; /* a symbol is left alone until so many events have come */
	sqlite3_blob *
	    text; /* moved from row to row: what it is and how long is known before any of it is read; NULL: not open */
};

struct pile { /* what of a symbol is not laid yet, ascending */
	struct text symbol;
	int64_t seqs[PLACES_MAX];
	int n;
	int fresh; /* of them: not in the newest cluster, which is taken along when there is room in it */
};

/* Whether it is time for a round after one that began when the index was at `from`. */
static bool
is_due(const struct store *s, int64_t from)
{
	const struct round *r = &s->round;

	return s->now.indexed_to > from &&
	    (s->now.indexed_to - from > r->symbols / 2 || clock_mono_us() - r->ended_us >= ROUND_EVERY_US);
}

static bool
fill_due(const struct store *s)
{
	return clock_real_us() - s->now.last_received_us >= IDLE_US && is_due(s, s->round.filled_from);
}

bool
lay_due(const struct store *s)
{
	if (s->round.paused_us != 0 && clock_mono_us() < s->round.paused_us)
		return false;
	return s->round.going || is_due(s, s->round.from) || fill_due(s);
}

/* How many events fill a cluster, as events are. */
static int
wait_for(const struct store *s)
{
	int64_t events = 0, bytes = 0, n;

	for (int kind = 0; kind < KIND__MAX; kind++) {
		events += s->now.kinds[kind].events;
		bytes += s->now.kinds[kind].bytes;
	}
	n = events > 0 ? CLUSTER_BYTES / (bytes / events + 24) : WAIT_MIN;
	return n < WAIT_MIN ? WAIT_MIN : n > WAIT_MAX ? WAIT_MAX : (int)n;
}

/* Puts the places of a bundle that are above `above` before those that the pile has. */
static int
pile_up(struct store *s, struct pile *pile, struct text packed, int64_t first, int64_t above, struct err *e)
{
	struct place places[BUNDLE_PLACES];
	int n = bundle_unpack(packed, first, places), from = 0;

	if (n < 0 || (pile->n > 0 && places[n - 1].seq >= pile->seqs[0]))
		return index_bad(s, pile->symbol, e);
	while (from < n && places[from].seq <= above)
		from++;
	memmove(pile->seqs + (n - from), pile->seqs, (size_t)pile->n * sizeof(*pile->seqs));
	for (int i = from; i < n; i++)
		pile->seqs[i - from] = places[i].seq;
	pile->n += n - from;
	return 0;
}

/* The full bundle before the open one. */
static int
pile_up_full(struct store *s, struct pile *pile, int64_t below, int64_t above, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_LAY_FULL, e);
	int rc;

	if (st == NULL || db_bind_text(st, ":symbol", pile->symbol) != 0 || db_bind_int(st, ":below", below) != 0)
		return -1;
	if ((rc = db_step(&s->db, st, e)) != 1)
		return rc;
	rc = pile_up(s, pile, db_column_blob(st, 1), sqlite3_column_int64(st, 0), above, e);
	sqlite3_reset(st);
	return rc;
}

/* Whether the last statement failed since the table is not there or is another one: then there are no copies. */
static bool
is_missing(struct store *s)
{
	return (sqlite3_errcode(s->db.conn) & 0xff) == SQLITE_ERROR;
}

/* Whether there is room for more in a cluster of few bytes: places of long texts are short. */
static bool
is_open(struct text packed, int64_t first)
{
	struct clustered events[CLUSTER_EVENTS];

	return packed.p != NULL && cluster_unpack(packed, first, events) < CLUSTER_EVENTS;
}

/* Up to where a symbol's events are laid, and up to where they are to stay so: a cluster that is half empty is laid anew, with what has come. */
static int
newest_laid(struct store *s, struct text symbol, int64_t *last, int64_t *stays, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_LAY_NEWEST, e);
	int64_t first;
	int rc;

	*last = *stays = 0;
	if (st == NULL || db_bind_text(st, ":symbol", symbol) != 0 || db_bind_int(st, ":half", CLUSTER_BYTES / 2) != 0)
		return -1;
	if ((rc = db_step(&s->db, st, e)) != 1)
		return rc;
	first = sqlite3_column_int64(st, 0);
	*last = sqlite3_column_int64(st, 1);
	if (first < 1 || *last < first || *last > s->now.indexed_to) {
		/* No writer laid this: all of the symbol is laid anew, or it would stay so. */
		sqlite3_reset(st);
		*last = 0;
		return lay_forget(s, symbol, e);
	}
	*stays = is_open(db_column_blob(st, 2), first) ? first - 1 : *last;
	sqlite3_reset(st);
	return 0;
}

static int
write_cluster(struct store *s, struct text symbol, struct cluster *c, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_CLUSTER_PUT, e);

	if (st == NULL || db_bind_text(st, ":symbol", symbol) != 0 || db_bind_int(st, ":first", c->first) != 0 ||
	    db_bind_int(st, ":last", c->last) != 0 ||
	    db_bind_blob(st, ":events", (struct text){ (const char *)c->bytes, c->len }) != 0 ||
	    db_step(&s->db, st, e) != 0)
		return -1;
	c->n = 0;
	c->len = 0;
	return 0;
}

/* The text of an event whose row is there, unless it is too long to be copied: then it is empty, and stays where it is. */
static int
read_text(struct step *step, int64_t seq, char buf[CLUSTER_BODY_MAX], struct text *body, struct err *e)
{
	struct db *db = &step->s->db;
	int n, rc;

	*body = (struct text){ buf, 0 };
	rc = step->text == NULL ? sqlite3_blob_open(db->conn, "main", "events", "body", seq, 0, &step->text)
				: sqlite3_blob_reopen(step->text, seq);
	if (rc == SQLITE_OK && (n = sqlite3_blob_bytes(step->text)) <= CLUSTER_BODY_MAX) {
		rc = sqlite3_blob_read(step->text, buf, n, 0);
		body->n = (size_t)n;
	}
	return rc == SQLITE_OK ? 0 : db_fail(db, "lay: text", e);
}

/* Adds an event to the cluster, or to the next one when that is full: *written counts them. One that is gone, or another symbol's, is passed over. */
static int
lay_event(struct step *step, struct text symbol, int64_t seq, struct cluster *c, int *written, struct err *e)
{
	struct store *s = step->s;
	sqlite3_stmt *st = db_stmt(&s->db, SQL_LAY_EVENT, e);
	char buf[CLUSTER_BODY_MAX];
	struct clustered ev;
	int rc;

	if (st == NULL || db_bind_int(st, ":seq", seq) != 0 || db_bind_text(st, ":symbol", symbol) != 0)
		return -1;
	if ((rc = db_step(&s->db, st, e)) != 1)
		return rc;
	ev = (struct clustered){ .seq = seq,
		.kind = (enum kind)sqlite3_column_int(st, 0),
		.time_ms = sqlite3_column_int64(st, 1),
		.received_us = sqlite3_column_int64(st, 2),
		.gap_from_us = sqlite3_column_int64(st, 3),
		.duplicate_of = sqlite3_column_int64(st, 4) };
	sqlite3_reset(st);
	if ((unsigned)ev.kind >= KIND__MAX)
		return 0;
	if (read_text(step, seq, buf, &ev.body, e) != 0)
		return -1;
	if (cluster_add(c, &ev))
		return 0;
	*written += 1;
	rc = write_cluster(s, symbol, c, e);
	if (rc == 0)
		cluster_add(c, &ev);
	return rc;
}

static int
lay_pile(struct step *step, const struct pile *pile, struct err *e)
{
	struct store *s = step->s;
	struct cluster c;
	sqlite3_stmt *st;
	int written = 0;

	c.n = 0;
	c.len = 0;
	for (int i = 0; i < pile->n; i++)
		if (lay_event(step, pile->symbol, pile->seqs[i], &c, &written, e) != 0)
			return -1;
	/* What fills no cluster waits for more; but not if it would be read again in each round, because it is shorter than others. */
	if ((written == 0 || s->round.fills) && c.n > 0 && write_cluster(s, pile->symbol, &c, e) != 0)
		return -1;
	st = db_stmt(&s->db, SQL_CLUSTERS_TRIM, e);
	if (st == NULL || db_bind_text(st, ":symbol", pile->symbol) != 0 || db_bind_int(st, ":keep", LAY_CLUSTERS) != 0)
		return -1;
	return db_step(&s->db, st, e);
}

/* One symbol. How many events were laid, or -1. */
static int
lay_symbol(struct step *step, sqlite3_stmt *open, struct err *e)
{
	struct store *s = step->s;
	struct pile pile = { .symbol = db_column_text(open, 0) };
	int64_t first = sqlite3_column_int64(open, 1), laid, stays;

	if (pile.symbol.p == NULL || pile.symbol.n > SYMBOL_MAX)
		return index_bad(s, pile.symbol, e);
	if (bundle_kind(pile.symbol) >= 0)
		return 0;
	if (newest_laid(s, pile.symbol, &laid, &stays, e) != 0 ||
	    pile_up(s, &pile, db_column_blob(open, 2), first, stays, e) != 0 ||
	    (stays < first && pile_up_full(s, &pile, first, stays, e) != 0))
		return -1;
	for (int i = pile.n; i > 0 && pile.seqs[i - 1] > laid; i--)
		pile.fresh++;
	if (pile.fresh < step->wait)
		return 0;
	return lay_pile(step, &pile, e) != 0 ? -1 : pile.n;
}

static void
begin(struct store *s)
{
	struct round *r = &s->round;
	int64_t head = s->now.indexed_to;
	bool fills = fill_due(s);

	*r = (struct round){ .going = true,
		.fills = fills,
		.from = head,
		.filled_from = fills ? head : r->filled_from,
		.paused_us = r->paused_us };
}

/* Goes on behind a symbol; one that no writer made lay_symbol() tells. */
static void
move_on(struct round *r, struct text symbol)
{
	if (symbol.p == NULL || symbol.n > sizeof(r->symbol))
		return;
	memcpy(r->symbol, symbol.p, symbol.n);
	r->symbol_n = symbol.n;
	r->symbols++;
}

/* The next symbols. Whether all of them have been gone round is in *r. */
static int
lay_symbols(struct step *step, struct err *e)
{
	struct store *s = step->s;
	struct round *r = &s->round;
	int events = 0, rc = 1;
	const struct round stood = *r;
	sqlite3_stmt *open = db_stmt(&s->db, SQL_LAY_SYMBOLS, e);

	if (open == NULL || db_bind_text(open, ":symbol", (struct text){ stood.symbol, stood.symbol_n }) != 0)
		return -1;
	while (
	    events < STEP_EVENTS && r->symbols < stood.symbols + STEP_SYMBOLS && (rc = db_step(&s->db, open, e)) == 1) {
		int n;

		/* At once: one whose rows cannot be read is not to be met again and again, nor to keep those behind it waiting. */
		move_on(r, db_column_text(open, 0));
		n = lay_symbol(step, open, e);
		if (n < 0) {
			sqlite3_reset(open);
			return -1;
		}
		events += n;
	}
	sqlite3_reset(open);
	if (rc == 0) {
		r->going = false;
		r->ended_us = clock_mono_us();
	}
	return rc < 0 ? -1 : 0;
}

/* One that is bad is soon another one: nothing to wait for, and told when it is made. */
static void
pause_laying(struct store *s, const struct err *why)
{
	if (s->index_is_bad)
		return;
	if (s->round.paused_us == 0)
		log_err(LOG_LEVEL_ERROR, "lay_failed", why);
	s->round.paused_us = clock_mono_us() + ROUND_EVERY_US;
}

void
lay_step(struct store *s)
{
	struct step step = { .s = s };
	struct err why = { .code = ERR_NONE };
	struct round stood;
	bool laid;
	int rc = db_run(&s->db, SQL_BEGIN_WRITE, &why);

	if (!s->round.going)
		begin(s);
	stood = s->round;
	step.wait = s->round.fills ? WAIT_MIN : wait_for(s);
	if (rc == 0)
		rc = lay_symbols(&step, &why);
	sqlite3_blob_close(step.text);
	laid = rc == 0;
	/* Without writer_end(): where the log stands is as it was, and a step that laid nothing writes nothing. */
	if (rc == 0)
		rc = db_run(&s->db, SQL_COMMIT, &why);
	if (rc == 0) {
		s->round.paused_us = 0;
		return;
	}
	/* SQLite rolls back by itself after some failures. */
	if (sqlite3_get_autocommit(s->db.conn) == 0)
		db_run(&s->db, SQL_ROLLBACK, NULL);
	s->damaged = s->damaged || why.code == ERR_CORRUPT;
	/* What was laid is gone again, as is what a full disk ended: the same once more. */
	if (laid || why.code == ERR_FULL)
		s->round = stood;
	pause_laying(s, &why);
}

int
lay_forget(struct store *s, struct text symbol, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, symbol.p == NULL ? SQL_CLUSTERS_FORGET : SQL_CLUSTERS_FORGET_SYMBOL, e);

	if (st != NULL && symbol.p != NULL && db_bind_text(st, ":symbol", symbol) != 0)
		return -1;
	return (st != NULL && db_step(&s->db, st, e) == 0) || is_missing(s) ? 0 : -1;
}

int
lay_check(struct store *s, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_CLUSTERS_ALL, e);
	int rc = -1;

	while (st != NULL && (rc = db_step(&s->db, st, e)) == 1) {
		struct clustered events[CLUSTER_EVENTS];
		int n = cluster_unpack(db_column_blob(st, 3), sqlite3_column_int64(st, 1), events);

		if (n < 1 || sqlite3_column_int64(st, 2) != events[n - 1].seq) {
			rc = index_bad(s, db_column_text(st, 0), e);
			sqlite3_reset(st);
			return rc;
		}
	}
	return rc < 0 && is_missing(s) ? 0 : rc;
}

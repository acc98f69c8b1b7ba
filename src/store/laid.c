/* laid - see laid.h.  Walk 2, inside step 6: list.c asks for each seq in here before it has its row fetched. */
#include "store/laid.h"

#define CLUSTERS_MAX 64 /* the writer keeps fewer of a symbol: what a bad file has beyond is not gone through */

void
laid_init(struct laid *l, struct reader *r, const struct snapshot *snap, struct text symbol)
{
	/* By hand: a compound literal would fill the events with zeros, too. */
	l->r = r;
	l->trimmed_to = snap->trimmed_to;
	l->symbol = symbol;
	l->st = NULL;
	l->first = 0;
	l->n = l->clusters = 0;
	l->ended = symbol.p == NULL;
}

void
laid_fini(struct laid *l)
{
	if (l->st != NULL)
		sqlite3_reset(l->st);
	l->st = NULL;
	l->n = 0;
	l->ended = true;
}

static int
open_clusters(struct laid *l, int64_t seq, struct err *e)
{
	struct db *db = &l->r->db;

	if ((l->st = db_stmt(db, SQL_CLUSTERS_NEWEST, e)) == NULL)
		return -1;
	if (db_bind_text(l->st, ":symbol", l->symbol) != 0 || db_bind_int(l->st, ":seq", seq) != 0)
		return db_fail(db, "clusters", e);
	return 0;
}

/* A table that is not there, or cannot be read, is no reason to give no list: the rows are. Damage, and what passes, are told. 0, or -1. */
static int
give_up(struct laid *l, const struct err *why, struct err *e)
{
	laid_fini(l);
	if (why->code == ERR_STORE)
		return 0;
	if (e != NULL)
		*e = *why;
	return -1;
}

/* The next cluster. 1, 0 (there is none), -1. */
static int
next_cluster(struct laid *l, struct err *e)
{
	int rc = l->clusters++ == CLUSTERS_MAX ? 0 : db_step(&l->r->db, l->st, e);

	if (rc == 1) {
		l->first = sqlite3_column_int64(l->st, 0);
		l->n = cluster_unpack(db_column_blob(l->st, 1), l->first, l->events);
		if (l->n >= 0)
			return 1;
		l->r->db.damaged = true;
		rc = 0;
	}
	laid_fini(l);
	return rc;
}

int
laid_find(struct laid *l, int64_t seq, struct event *ev, struct text *body, struct err *e)
{
	const struct clustered *c;
	struct err why = { .code = ERR_NONE };
	int rc;

	if (l->ended)
		return 0;
	if (l->st == NULL && open_clusters(l, seq, &why) != 0)
		return give_up(l, &why, e);
	while (l->clusters == 0 || l->first > seq)
		if ((rc = next_cluster(l, &why)) != 1)
			return rc == 0 ? 0 : give_up(l, &why, e);
	while (l->n > 0 && l->events[l->n - 1].seq > seq)
		l->n--;
	if (l->n == 0)
		return 0;
	c = &l->events[l->n - 1];
	if (c->seq != seq || c->body.n == 0 || c->seq <= l->trimmed_to[c->kind])
		return 0;
	*ev = (struct event)EVENT_INIT;
	ev->seq = c->seq;
	ev->kind = c->kind;
	ev->symbol = l->symbol;
	ev->time_ms = c->time_ms;
	ev->received_us = c->received_us;
	ev->gap_from_us = c->gap_from_us;
	ev->duplicate_of = c->duplicate_of;
	*body = c->body;
	return 1;
}

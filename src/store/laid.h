/*
 * laid - the newest events of a symbol, from where they lie together (cluster.h). Private to store/: for list.c.
 *
 * Asked for seqs in descending order. What it has not is read from its row; so is everything once a cluster makes no sense, of which the writer hears
 * as of any damage (it then makes them anew).
 */
#ifndef STORE_LAID_H
#define STORE_LAID_H

#include "store/cluster.h"
#include "store/reader.h"

struct laid {
	struct reader *r;
	const int64_t *trimmed_to; /* the snapshot's, by kind */
	struct text symbol; /* borrowed; TEXT_NONE: it never has anything */
	sqlite3_stmt *st; /* open while there may be more clusters; NULL: not asked yet */
	int64_t first; /* of the cluster that is at hand */
	int n; /* events[0..n) are not above what was asked for last */
	int clusters; /* that were opened */
	bool ended;
	struct clustered events[CLUSTER_EVENTS]; /* borrowed from the statement */
};

/* Borrows all; opens nothing yet. */
void laid_init(struct laid *l, struct reader *r, const struct snapshot *snap, struct text symbol);

/* 1: *ev (as ROW_BRIEF has it) and *body set, both borrowed until the next call; 0: it is not in here; -1. */
int laid_find(struct laid *l, int64_t seq, struct event *ev, struct text *body, struct err *e);

void laid_fini(struct laid *l);

#endif

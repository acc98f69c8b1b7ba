/*
 * tallies - symbols, latest and rollups: what would cost a scan, kept up behind the log.
 *
 * Counted from the rows that were stored since (log.tallied_to), once a second, so that a killed process loses nothing and a
 * rolled back batch was never counted; readers add the rows after it. Each row is read once, its counts are gathered in memory, and every cell is written once.
 */
#ifndef STORE_TALLIES_H
#define STORE_TALLIES_H

#include "base/err.h"

struct store;

/* The column `facet` of rollups: what its cells are counted by. */
enum facet {
	FACET_ALL,
	FACET_NAME,
	FACET_TIMEFRAME,
	FACET_CONFIDENCE,
	FACET_SYMBOL,
};

/* For how long cells of a minute and of an hour are there. */
#define MINUTE_CELLS_S 7200
#define HOUR_CELLS_S 86400

/* Counts everything up to the newest event, inside the open transaction. */
int tallies_follow(struct store *s, struct err *e);

/* Removes roll-ups that are past their time, inside the open transaction. */
int tallies_sweep(struct store *s, struct err *e);

#endif

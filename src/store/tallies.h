/*
 * tallies - symbols, latest and rollups: what would cost a scan, kept up behind the log.
 *
 * Written once a second with the seq they cover (log.tallied_to), so that a killed process loses nothing; readers add the rows after it. Counts are gathered
 * in memory as events are appended, and every cell is written once. Whenever that is not the whole truth, after a start or a batch that was rolled back, the rows
 * after tallied_to are read instead: at 80,000 events a second that took 1.5 us an event, since they are more than the page cache holds.
 */
#ifndef STORE_TALLIES_H
#define STORE_TALLIES_H

#include <sqlite3.h>

#include "base/err.h"
#include "event/event.h"

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

int tallies_register(sqlite3 *conn); /* SQLite's result; the writer's connection needs it */

/* Counts an event that has just been appended to the open batch. Never fails: what cannot be kept is read later. */
void tallies_see(struct store *s, const struct event *ev);

void tallies_forget(struct store *s); /* something was rolled back: what was seen counts no longer */
void tallies_free(struct store *s);

/* Counts everything up to the newest event, inside the open transaction. */
int tallies_follow(struct store *s, struct err *e);

/* Removes roll-ups that are past their time, inside the open transaction. */
int tallies_sweep(struct store *s, struct err *e);

#endif

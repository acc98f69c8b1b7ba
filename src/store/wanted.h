/*
 * wanted - sequence numbers that C code gives, as a table that a statement can join: `wanted (seq)`, in the order in which they come.
 *
 * A list is fifty rows from anywhere in the log. Asked for one by one, each costs a statement's start and end, which is as much as finding
 * the row; joined with this table they are one statement. Refused: `seq IN (...)`, which sorts them and wants them all beforehand.
 * Known to the connections of readers only. It lives as long as the step that it is asked in: nothing is kept or written.
 */
#ifndef STORE_WANTED_H
#define STORE_WANTED_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct wanted {
	/* The next one. 1: *seq set; 0: there is no more; -1. May run other statements of the same connection. */
	int (*next)(void *arg, int64_t *seq, struct err *e);
	void *arg;
	bool failed; /* `next` has, and `why` says how: SQLite's own words for it are worth nothing */
	struct err why;
};

int wanted_register(sqlite3 *conn); /* SQLite's result */

/* Has `:wanted` of a statement stand for `w`, which is borrowed until the reset. -1: no memory. */
int wanted_bind(sqlite3_stmt *st, struct wanted *w);

#endif

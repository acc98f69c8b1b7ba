/*
 * opened - the open bundles of many symbols or kinds at once: rows of by_symbol_open, read and written.  For index.c, inside the open transaction.
 *
 * One statement reads and one writes them, from rows that are given (given.h): a statement for each took 14,000 instructions a symbol, of which the trees were the least.
 */
#ifndef STORE_OPENED_H
#define STORE_OPENED_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/err.h"
#include "store/bundle.h"

#define OPENED_MAX 128 /* at once: 90 KB */

struct store;

struct opened {
	struct text name; /* of the symbol, or the kind's (bundle.h); borrowed */
	bool had; /* there is a row of it */
	struct bundle b; /* what is in it; else empty */
};

int opened_register(sqlite3 *conn); /* SQLite's result; the writer's connection needs it */

/* Reads those that are named, at most OPENED_MAX. -1; if a row is no bundle, by index_bad(). */
int opened_load(struct store *s, struct opened *rows, int n, struct err *e);

/* Writes all of them; cheapest in the order of their names. None is empty. */
int opened_put(struct store *s, const struct opened *rows, int n, struct err *e);

#endif

/*
 * given - rows that C code gives, as a table that a statement can read: `wanted (seq)` of a list, `new_events` of a batch.
 *
 * Rows that are asked for or written one by one each cost a statement's start and end and a way through the tree, which is as much as the
 * row itself; read from such a table they are one statement. Refused: `seq IN (...)`, which sorts them and wants them all beforehand, and
 * `VALUES (...), (...)`, which is compiled for a number of rows.
 * A table is known to the connection that it is registered with. What is given lives as long as the step that asks for it: nothing is kept.
 * Its declaration, a statement of sql/, has `given HIDDEN` for its first column, through which the pointer comes; the others are counted from 0.
 */
#ifndef STORE_GIVEN_H
#define STORE_GIVEN_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/text.h"

struct given {
	/* Goes to the next row. 1: there is one; 0: there is no more; -1. May run other statements of the same connection. */
	int (*next)(void *arg, struct err *e);
	/* Gives a column of it by one of sqlite3_result_…() or given_text(), or nothing: NULL. */
	void (*column)(void *arg, int column, sqlite3_context *out);
	void *arg;
	bool ended; /* it has said that there is no more */
	bool failed; /* `next` has, and `why` says how: SQLite's own words for it are worth nothing */
	struct err why;
};

/* `declaration` is borrowed as long as the connection lives. SQLite's result. */
int given_register(sqlite3 *conn, const char *table, const char *declaration);

/* Has `:given` of a statement stand for `g`, which is borrowed until the reset. -1: no memory. */
int given_bind(sqlite3_stmt *st, struct given *g);

/* A text of a column, which has to stay until the next row; TEXT_NONE is NULL. */
void given_text(sqlite3_context *out, struct text t);

#endif

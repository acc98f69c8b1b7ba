/*
 * insert - a batch's rows, from the bytes that news.c made of them into the table of events.  Walk 1, inside step 4: from append.c.
 *
 * One statement for all of them: it begins and ends once, and its place at the end of the tree is found once.
 */
#ifndef STORE_INSERT_H
#define STORE_INSERT_H

#include "base/err.h"
#include "base/text.h"
#include "store/db.h"

int insert_register(sqlite3 *conn); /* SQLite's result; the writer's connection needs it */

/* All rows of `news` (news.h), inside the open transaction. 0, or -1: that has to be rolled back. */
int insert_rows(struct db *db, struct text news, struct err *e);

#endif

/*
 * sweep - takes out of the index by symbol and kind what retention has removed.
 *
 * Retention does not touch the index: the rows of what leaves the log together are all over it. A broom goes round it instead, in the order of its
 * pages, a few rows for each that is made: what is swept keeps pace with what comes. A bundle is written anew when half of it is gone, an open one
 * stays until all of it is: so up to about half of the index is places of events that are gone, and more only while rows are owed (struct standing).
 */
#ifndef STORE_SWEEP_H
#define STORE_SWEEP_H

#include <stdint.h>

#include "base/err.h"

#define SWEEP_A_RUN 8192 /* rows looked at in one transaction at most: what is more is owed */
#define SWEEP_A_ROW 4 /* rows looked at for each that index_follow() makes */
#define SWEEP_A_MINUTE 2000 /* the same when nothing comes */

struct store;

/* Looks at the next `rows` rows of the index, round and round, inside the open transaction. */
int sweep_index(struct store *s, int64_t rows, struct err *e);

/* Looks at every row without a change. -1: one is bad (index_bad()), or could not be read. */
int sweep_check(struct store *s, struct err *e);

#endif

/*
 * sweep - takes out of the index by symbol what retention has removed.
 *
 * Retention does not touch the index: the rows of what leaves the log together are all over it. A broom goes round it instead, in the order of its
 * pages, a few rows for each that is made: what is swept keeps pace with what comes, and places of events that are gone never make up more than
 * about a third.
 */
#ifndef STORE_SWEEP_H
#define STORE_SWEEP_H

#include <stdint.h>

#include "base/err.h"

#define SWEEP_A_ROW 4 /* rows looked at for each that index_follow() makes */
#define SWEEP_A_MINUTE 2000 /* the same when nothing comes */

struct store;

/* Looks at the next `rows` rows of the index, round and round, inside the open transaction. */
int sweep_index(struct store *s, int64_t rows, struct err *e);

#endif

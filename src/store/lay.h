/*
 * lay - lays the newest events of each symbol together, so that a list of them is read from a few pages (table `clusters`).
 *
 * Copies, made while it is calm, or in small pieces while no message waits, of what the index by symbol holds; so they may end anywhere behind it, and have gaps. Nothing relies on
 * them: what is not there is read from its row. The writer goes round the symbols; a round begins when half as many events have come as there are
 * symbols, or after a minute. It leaves what fills no cluster to the next; when nothing comes any more, one fills in that, too.
 */
#ifndef STORE_LAY_H
#define STORE_LAY_H

#include <stdbool.h>

#include "base/err.h"
#include "base/text.h"

#define LAY_CLUSTERS 9 /* of a symbol, the newest: about 100 events */

struct store;

/* Whether a piece should be done now, if it is calm. */
bool lay_due(const struct store *s);

/* The next piece of a round, inside the open transaction: at most some 64 events are copied and 128 symbols looked at. */
int lay_step(struct store *s, struct err *e);

/* A symbol of which nothing new is left, inside the open transaction; TEXT_NONE: all of them. */
int lay_forget(struct store *s, struct text symbol, struct err *e);

/* Looks at every cluster. -1: one makes no sense (index_bad(), upon which all are made anew), or could not be read. */
int lay_check(struct store *s, struct err *e);

#endif

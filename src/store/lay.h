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

/*
 * The next piece of a round, in a transaction of its own (none may be open): at most 128 symbols are looked at, and it ends with the one that makes 64 events of it: 63
 * and that one's 128 at most, of which texts longer than CLUSTER_BODY_MAX are not read. It fails alone: that is logged, once until a piece succeeds again, and nothing is laid for
 * a minute; only damage of the log (s->damaged) and an index that is bad (s->index_is_bad) are noted for others.
 */
void lay_step(struct store *s);

/* A symbol of which nothing new is left, inside the open transaction; TEXT_NONE: all of them. No table, or another one: there was nothing. */
int lay_forget(struct store *s, struct text symbol, struct err *e);

/* Looks at every cluster, if there are any. -1: one makes no sense (index_bad(), upon which all are made anew), or could not be read. */
int lay_check(struct store *s, struct err *e);

#endif

/*
 * index - the index by symbol and by kind, which follows the log in sorted runs (design: sql/schema.sql).
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "base/err.h"
#include "base/text.h"

struct bundle;
struct event;
struct store;

/*
 * Notes an event that has just been appended to the open batch, so that it needs not be read back when the index follows. Never fails: what cannot be kept is read.
 */
void index_note(struct store *s, const struct event *ev);

void index_forget(struct store *s); /* something was rolled back: what was noted counts no longer */
void index_free(struct store *s);

/*
 * Indexes what was noted since it last did, or, if that is not all, the next 65,536 rows of the tail, inside the open
 * transaction. The log row tells readers how far at its commit.
 */
int index_follow(struct store *s, struct err *e);

/* Whether it is time to, between batches: `lag` rows are not indexed, and it last followed `since_us` ago. */
bool index_due(int64_t lag, int64_t since_us, bool calm);

/*
 * A row that makes no sense is no end of the log, from whose events all of the index was made: it is noted, and the writer makes the index anew
 * when it next tends. Readers that meet one doubt the log, upon which the writer looks at all of them. Always -1; not ERR_CORRUPT.
 */
int index_bad(struct store *s, struct text symbol, struct err *e);

/* Empties the index, and with it the clusters (lay.h), in a transaction of its own; it follows from the oldest event on. No batch may be open. */
int index_renew(struct store *s, struct err *e);

/* A row of by_symbol. For sweep.c. */
int index_put_full(struct store *s, struct text symbol, const struct bundle *b, struct err *e);

#endif

/*
 * index - the index by symbol, which follows the log in sorted runs (design: sql/schema.sql).
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "base/err.h"

struct bundle;
struct store;
struct text;

/* Indexes the tail, inside the open transaction. The log row tells readers how far at its commit. */
int index_follow(struct store *s, struct err *e);

/* A row of by_symbol. For sweep.c. */
int index_put_full(struct store *s, struct text symbol, const struct bundle *b, struct err *e);

#endif

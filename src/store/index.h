/*
 * index - by_symbol, the index by symbol that follows the log in sorted runs (design: sql/schema.sql).
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "base/err.h"

struct store;

/* Indexes the tail, inside the open transaction. The log row tells readers how far at its commit. */
int index_follow(struct store *s, struct err *e);

#endif

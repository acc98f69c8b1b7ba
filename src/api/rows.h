/*
 * rows - the events of a list, one by one, in the form that was asked for. Private to api/.
 *
 * JSON: an array, or with `group` a map from symbol to array; NDJSON: an event a line; CSV: csv.h. `fields` keeps only the members it
 * names, in all of them. What is written stands between what the collection writes before and behind it.
 */
#ifndef API_ROWS_H
#define API_ROWS_H

#include "api/csv.h"
#include "base/pool.h"
#include "http/format.h"

/* A page that has grown to this many bytes ends with the event that did it: events may have 4 MiB each. */
#define ROWS_BYTES_MAX (16u << 20)

struct rows_held { /* one event that waits for its group */
	struct text symbol; /* empty: it has none */
	size_t from, to; /* in `held` */
};

struct rows {
	struct buf *out; /* borrowed */
	struct pool *pool; /* borrowed: what groups need */
	enum format format;
	bool group; /* JSON only */
	bool each; /* one symbol after the other, each begun by rows_symbol(); JSON is a map of them */
	struct text_set fields; /* borrowed; empty: all */
	size_t n;
	struct json json;
	struct csv csv;
	size_t symbols; /* begun */
	bool comma; /* JSON: there is something before the next event of the array */
	struct rows_held *groups; /* `limit` of them */
	size_t limit;
	struct buf held;
};

/* Fill in out, pool, format, group or each, fields and limit first; then begins: bracket or header line. End with rows_fini(). */
void rows_begin(struct rows *r, unsigned kinds);
void rows_symbol(struct rows *r, struct text symbol); /* with `each`: what follows is this symbol's */
int rows_add(void *arg, const struct event *ev,
    struct text body); /* a read_row_fn, stops when it is full; `arg` is a struct rows */
bool rows_full(const struct rows *r); /* no event more */
void rows_end(struct rows *r); /* the closing bracket */
void rows_fini(struct rows *r);

#endif

/*
 * csv - events as lines of a table (RFC 4180). Private to api/; docs/csv.md is the same for people.
 *
 * Columns are made from the table of kinds, so that the same question always has the same columns, whatever producers add: what has no
 * column of its own stands in the last one, `more`, as a JSON object. The parameter `fields` names columns instead, in its own order.
 */
#ifndef API_CSV_H
#define API_CSV_H

#include "event/filter.h"
#include "event/json.h"

#define CSV_COLUMNS_MAX 64

struct csv {
	struct text columns[CSV_COLUMNS_MAX]; /* borrowed */
	size_t n;
	bool more; /* the last column holds what the others do not */
	struct buf cell; /* owned: the text of one cell, and of the last one */
	struct buf rest;
};

/* The columns for these kinds, or those that `fields` names (borrowed; empty: none named). */
void csv_init(struct csv *c, unsigned kinds, const struct text_set *fields);
void csv_fini(struct csv *c);

void csv_header(struct csv *c, struct buf *out);
/* One event, scanned into `json`; want of memory shows in `out`. */
void csv_row(struct csv *c, struct buf *out, const struct json *json);

/* Whether the key at `token` is `name`, its escapes undone. */
bool csv_key_is(const struct json *json, uint32_t token, struct text name);

#endif

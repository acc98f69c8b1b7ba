/*
 * wrap - what stands around the `data` of a list: cursor, links, gaps, and the headers that say the same. Private to api/.
 */
#ifndef API_WRAP_H
#define API_WRAP_H

#include "api/api.h"
#include "api/query.h"

struct wrap { /* everything is borrowed */
	const struct exchange *x;
	const struct query *q;
	const char *epoch;
	int64_t cursor; /* what to give as `after` to go on */
	struct list_result result;
	struct text incomplete, gaps; /* JSON arrays; `incomplete` with per_symbol only */
	bool stale;
	const char *degraded; /* why the answer is less than was asked for; NULL: it is not */
};

/* The gaps that overlap what `result` says was looked at, as a JSON array. -1: they could not be read. */
int wrap_gaps(struct reader *r, const struct snapshot *snap, const struct query *q, const struct list_result *result,
    struct buf *out, struct err *e);

void wrap_headers(const struct wrap *v, struct reply *reply);
void wrap_open(struct buf *out); /* JSON only, both: what stands before `data` … */
void wrap_close(const struct wrap *v, struct buf *out); /* … and what behind it */

#endif

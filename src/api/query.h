/*
 * query - from checked parameters to a filter and a place in the log. Private to api/.
 */
#ifndef API_QUERY_H
#define API_QUERY_H

#include "http/route.h"
#include "store/read.h"

enum reset_reason { RESET_NONE, RESET_TRIMMED, RESET_EPOCH_CHANGED, RESET_UNKNOWN_CURSOR, RESET_TOO_FAR };
extern const char *const reset_names[];

struct query {
	struct filter filter;
	struct list_query list; /* its filter is the one above */
	int per_symbol; /* the newest so many of each of the filter's symbols; 0: one list */
	enum reset_reason reset;
	bool after, before; /* which was given */
	int64_t gaps_after; /* oldest first: gaps recorded up to here were told before */
	bool expired; /* `before` is of another log: 410 */
	struct text severities[SEVERITY__MAX]; /* what filter.severities points at */
	struct text symbol; /* what filter.symbols points at for {symbol} routes */
};

/* Fills *q, which stays where it is, but for the place. `route_kinds` 0: the parameter says. */
void query_filter(struct query *q, const struct exchange *x, unsigned route_kinds);

/*
 * Whether one can go on after `id`, which need not be well-formed, in this log: RESET_NONE and its *seq, or why not. `kinds_wanted`: what must not have been
 * trimmed since.
 */
enum reset_reason query_judge(struct text id, const struct snapshot *snap, unsigned kinds_wanted, int64_t *seq);

/* Finds the place in the log that `after` and `before` ask for; of `snap` only epoch, head and (for `after`) trimmed_to count. */
void query_place(struct query *q, const struct exchange *x, const struct snapshot *snap);

#endif

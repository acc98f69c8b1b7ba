/*
 * recall - the log's end from the memory of who follows it.  Walk 2, inside step 6: from merge.c and tail.c, on to live/positions.c through what read.h
 * has a reader be told.
 *
 * While 10,000 events a second come in, the end that the index does not cover yet has up to 1,000 rows, which lie in the WAL: to look through them took a list
 * ten times as long as all the rest of it.
 */
#include "store/list.h"

#define BEHIND_MAX 4096 /* rows: whose memory lags more is no help */

bool
recall_reaches(const struct reader *r, const char *epoch, const struct filter *filter, int64_t above, int64_t *upto)
{
	int64_t known = *upto;

	/* Gaps have no symbol, and are not remembered. */
	if (r->recall == NULL || filter->symbols.n == 0 || filter->every_gap)
		return false;
	if (r->recall(r->recall_arg, epoch, filter->symbols.items[0], 0, above, &known, NULL, 0) != 0 ||
	    known <= above || *upto - known > BEHIND_MAX)
		return false;
	*upto = known;
	return true;
}

int64_t
recall_symbol(const struct reader *r, const char *epoch, struct text symbol, unsigned kinds, int64_t above,
    int64_t upto, int64_t *seqs, size_t max)
{
	int64_t known = upto, n;

	n = r->recall(r->recall_arg, epoch, symbol, kinds, above, &known, seqs, max);
	return known < upto ? -1 : n;
}

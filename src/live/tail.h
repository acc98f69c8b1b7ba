/*
 * tail - which rows the end of the log has, where the index by symbol has not come yet. For source.c only.
 *
 * Under load the index lags behind by up to 20,000 rows. Many clients who go on there, each with a symbol of its own, would each walk all of
 * them: so what picks a row is read once for all, on pages of fixed place, and the last few pages are kept.
 */
#ifndef LIVE_TAIL_H
#define LIVE_TAIL_H

#include "store/read.h"

#define TAIL_PAGE 512 /* seqs */
#define TAIL_PAGES 64 /* more than the index ever lags */

struct tail_key {
	int64_t seq;
	bool duplicate;
	uint8_t kind, n;
	char symbol[SYMBOL_MAX];
};

struct tail_page {
	int64_t from, to; /* the rows above `from` up to `to`, in order */
	unsigned n;
	struct tail_key keys[TAIL_PAGE];
};

struct tail {
	struct tail_page *pages[TAIL_PAGES]; /* owned; NULL: not used yet */
};

void tail_fini(struct tail *t); /* also forgets: it can be used again */

/*
 * The page that the row after `seq` would stand on, in the snapshot that is open. It reaches to its end or to `head`, whichever comes first.
 * *fresh: it had to be read. NULL: it cannot be.
 */
const struct tail_page *tail_at(
    struct tail *t, struct reader *r, int64_t seq, int64_t head, bool *fresh, struct err *e);

#endif

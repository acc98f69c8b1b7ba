/*
 * page - the `data` of a list: one list, or the newest of each of several symbols. Private to api/.
 */
#ifndef API_PAGE_H
#define API_PAGE_H

#include "api/query.h"

struct page {
	struct list_result result; /* of several symbols: together; the position is the oldest of theirs */
	struct buf incomplete; /* with per_symbol, JSON: the symbols of which there may be more than was found; owned */
};

/*
 * Reads the page that `q` asks for, its place found, and adds it to `out` in the form of `x`. -1: it could not be read. End *page with
 * page_fini(), also then; zeroed, it may be ended without having been read.
 */
int page_read(struct reader *r, const struct exchange *x, const struct query *q, const struct snapshot *snap,
    struct buf *out, struct page *page, struct err *e);
void page_fini(struct page *page);

#endif

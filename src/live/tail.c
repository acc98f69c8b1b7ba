/* tail - see tail.h.  Walk 3, inside step 6: from source.c, by store/keys.c. */
#include "live/tail.h"

#include <stdlib.h>
#include <string.h>

void
tail_fini(struct tail *t)
{
	for (size_t i = 0; i < TAIL_PAGES; i++) {
		free(t->pages[i]);
		t->pages[i] = NULL;
	}
}

/* A read_key_fn. */
static int
add_key(void *arg, const struct row_key *key)
{
	struct tail_page *page = arg;
	struct tail_key *to = &page->keys[page->n];

	/* read_keys() knows no end but a number of rows. */
	if (key->seq > page->to || page->n == TAIL_PAGE)
		return 1;
	*to = (struct tail_key){ .seq = key->seq, .duplicate = key->duplicate_of != 0, .kind = (uint8_t)key->kind };
	if (key->symbol.n > 0 && key->symbol.n <= SYMBOL_MAX) {
		memcpy(to->symbol, key->symbol.p, key->symbol.n);
		to->n = (uint8_t)key->symbol.n;
	}
	page->n++;
	return 0;
}

const struct tail_page *
tail_at(struct tail *t, struct reader *r, int64_t seq, int64_t head, bool *fresh, struct err *e)
{
	int64_t from = seq / TAIL_PAGE * TAIL_PAGE, to = from + TAIL_PAGE < head ? from + TAIL_PAGE : head;
	struct tail_page **at = &t->pages[(uint64_t)(seq / TAIL_PAGE) % TAIL_PAGES], *page = *at;

	*fresh = false;
	/* The one at the very end grows. */
	if (page != NULL && page->from == from && page->to >= to)
		return page;
	if (page == NULL && (page = *at = malloc(sizeof(*page))) == NULL) {
		err_set(e, ERR_MEMORY, "no memory for a page of the log's end");
		return NULL;
	}
	*fresh = true;
	page->from = from;
	page->to = to;
	page->n = 0;
	if (read_keys(r, from, TAIL_PAGE, add_key, page, e) >= 0)
		return page;
	/* Holds no page now. */
	page->from = -1;
	return NULL;
}

/* page - see page.h.  Walk 2, inside step 5: from collection.c, on to store/list.c and rows.c. */
#include "api/page.h"

#include "api/rows.h"

/* One symbol that could not be looked at to the end: fewer were found than asked for, and there may be more. */
static void
add_incomplete(struct page *page, struct text symbol)
{
	if (page->incomplete.len > 1)
		buf_add_char(&page->incomplete, ',');
	buf_add_json(&page->incomplete, symbol);
}

static void
add_result(struct page *page, const struct list_result *one, bool first)
{
	struct list_result *all = &page->result;

	all->delivered += one->delivered;
	all->examined += one->examined;
	all->has_more = all->has_more || one->has_more;
	if (first || one->position < all->position)
		all->position = one->position;
}

/*
 * Symbol by symbol. All together may look at no more rows than one list may; what a symbol leaves of its share the later ones
 * have.
 */
static int
read_each(struct reader *r, const struct query *q, const struct snapshot *snap, struct rows *rows, struct page *page,
    struct err *e)
{
	struct text_set symbols = q->filter.symbols;
	struct filter filter = q->filter;
	struct list_query list = q->list;
	struct list_result one;

	buf_add_char(&page->incomplete, '[');
	list.filter = &filter;
	list.limit = q->per_symbol;
	list.tail = read_tail(r, snap, &q->filter, list.bound, e);
	if (list.tail == NULL)
		return -1;
	for (size_t i = 0; i < symbols.n; i++) {
		int64_t left = READ_EXAMINE_MAX - page->result.examined;

		if (rows_full(rows)) {
			rows_symbol(rows, symbols.items[i]);
			add_incomplete(page, symbols.items[i]);
			page->result.has_more = true;
			continue;
		}
		filter.symbols = (struct text_set){ &symbols.items[i], 1 };
		list.tail_symbol = i;
		list.examine = left / (int64_t)(symbols.n - i);
		rows_symbol(rows, symbols.items[i]);
		if (read_list(r, snap, &list, rows_add, rows, &one, e) != 0)
			return -1;
		add_result(page, &one, i == 0);
		if (one.has_more && one.delivered < q->per_symbol)
			add_incomplete(page, symbols.items[i]);
	}
	buf_add_char(&page->incomplete, ']');
	return 0;
}

int
page_read(struct reader *r, const struct exchange *x, const struct query *q, const struct snapshot *snap,
    struct buf *out, struct page *page, struct err *e)
{
	const struct param_value *fields = &x->params.v[Q_FIELDS];
	struct rows rows = { .out = out,
		.pool = x->faults.pool,
		.format = x->format,
		.group = x->params.v[Q_GROUP].given && q->per_symbol == 0,
		.each = q->per_symbol > 0,
		.fields = { fields->items, fields->n_items },
		.limit = (size_t)q->list.limit };
	int rc;

	*page = (struct page){ 0 };
	rows_begin(&rows, q->filter.kinds);
	if (rows.each)
		rc = read_each(r, q, snap, &rows, page, e);
	else
		rc = read_list(r, snap, &q->list, rows_add, &rows, &page->result, e);
	if (rc == 0)
		rows_end(&rows);
	rows_fini(&rows);
	if (page->incomplete.failed)
		out->failed = true;
	return rc;
}

void
page_fini(struct page *page)
{
	buf_fini(&page->incomplete);
}

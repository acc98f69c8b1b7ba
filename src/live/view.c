/*
 * view - see view.h.  Walk 3, step 4: from api/stream.c and api/wait.c, which make the keys, to hub.c.
 *
 * The key is the terms' key behind its length, then the view's own: the symbols behind their number, and the ask. The own part lies behind the
 * view in the same allocation, and the symbols point into it.
 */
#include "live/view.h"

#include <stdlib.h>
#include <string.h>

void
view_key(struct buf *out, const struct filter *filter, const struct view_form *form)
{
	size_t at = out->len;
	uint32_t n = 0;

	buf_add(out, &n, sizeof(n));
	terms_key(out, filter, form);
	if (!out->failed) {
		n = (uint32_t)(out->len - at - sizeof(n));
		memcpy(out->p + at, &n, sizeof(n));
	}
	n = (uint32_t)filter->symbols.n;
	buf_add(out, &n, sizeof(n));
	for (size_t i = 0; i < filter->symbols.n; i++)
		parse_put_text(out, filter->symbols.items[i]);
	parse_put_text(out, form->ask);
}

static struct text
own_key(const struct view *v)
{
	return (struct text){ (const char *)(v->links + v->n_links) + v->symbols.n * sizeof(struct text), v->n_own };
}

/* The symbols, which lie between the links and the own key; what comes behind is the ask. */
static int
take_own(struct view *v, struct text *items)
{
	struct parse in = { own_key(v).p, v->n_own, false };
	uint32_t n;

	parse_take(&in, &n, sizeof(n));
	for (uint32_t i = 0; i < n; i++)
		items[i] = parse_text(&in);
	parse_text(&in);
	return in.failed || in.left > 0 ? -1 : 0;
}

struct view *
view_new(struct terms_table *t, struct text key)
{
	struct parse in = { key.p, key.n, false };
	struct text terms = parse_text(&in), own = { in.p, in.left };
	uint32_t n_symbols, n_links;
	struct view *v;

	parse_take(&in, &n_symbols, sizeof(n_symbols));
	/* Every symbol takes its length's four bytes of the key at least. */
	if (in.failed || n_symbols > own.n / 4)
		return NULL;
	n_links = n_symbols == 0 ? 1 : n_symbols;
	v = calloc(1, sizeof(*v) + n_links * sizeof(*v->links) + n_symbols * sizeof(struct text) + own.n);
	if (v == NULL)
		return NULL;
	v->n_links = n_links;
	v->n_own = (uint32_t)own.n;
	v->symbols = (struct text_set){ (struct text *)(void *)(v->links + n_links), n_symbols };
	memcpy((char *)(v->links + n_links) + n_symbols * sizeof(struct text), own.p, own.n);
	if (take_own(v, (struct text *)(void *)(v->links + n_links)) != 0 ||
	    (v->terms = terms_join(t, terms)) == NULL) {
		free(v);
		return NULL;
	}
	return v;
}

void
view_free(struct terms_table *t, struct view *v)
{
	terms_leave(t, v->terms);
	free(v);
}

bool
view_has_key(const struct view *v, struct text key)
{
	struct parse in = { key.p, key.n, false };

	return text_eq(parse_text(&in), v->terms->key) && text_eq((struct text){ in.p, in.left }, own_key(v));
}

struct text
view_ask(const struct view *v)
{
	struct parse in = { own_key(v).p, v->n_own, false };
	uint32_t n;

	parse_take(&in, &n, sizeof(n));
	while (n-- > 0)
		parse_text(&in);
	return parse_text(&in);
}

bool
view_has_symbol(const struct view *v, struct text symbol)
{
	return v->symbols.n == 0 || text_set_at(&v->symbols, symbol) >= 0;
}

bool
view_matches(const struct view *v, const struct event *ev)
{
	const struct filter *f = &v->terms->filter;

	return filter_matches(f, ev) && ((ev->kind == KIND_GAP && f->every_gap) || view_has_symbol(v, ev->symbol));
}

void
view_filter(const struct view *v, struct filter *out)
{
	*out = v->terms->filter;
	out->symbols = v->symbols;
}

/* rows - see rows.h.  Walk 2, inside step 5: from collection.c, which has them read. */
#include "api/rows.h"

#include <stdlib.h>

#define EVENT_DEPTH 64

void
rows_begin(struct rows *r, unsigned kinds_wanted)
{
	buf_init(&r->held, r->out->max);
	if (r->format == FORMAT_CSV) {
		csv_init(&r->csv, kinds_wanted, &r->fields);
		csv_header(&r->csv, r->out);
	} else if (r->format == FORMAT_JSON && r->group) {
		r->groups = pool_array(r->pool, r->limit, sizeof(*r->groups));
		if (r->groups == NULL)
			r->out->failed = true;
	} else if (r->format == FORMAT_JSON) {
		buf_add_char(r->out, r->each ? '{' : '[');
	}
}

void
rows_symbol(struct rows *r, struct text symbol)
{
	if (r->format != FORMAT_JSON)
		return;
	buf_add_str(r->out, r->symbols++ > 0 ? "]," : "");
	buf_add_json(r->out, symbol);
	buf_add_str(r->out, ":[");
	r->comma = false;
}

/* The members that `fields` names, in the order of the event. */
static void
add_chosen(struct rows *r, struct buf *out)
{
	const struct json *json = &r->json;
	bool first = true;

	buf_add_char(out, '{');
	for (uint32_t key = 1; key < json->n; key = json->tokens[key + 1].next) {
		size_t i = 0;

		while (i < r->fields.n && !csv_key_is(json, key, r->fields.items[i]))
			i++;
		if (i == r->fields.n)
			continue;
		if (!first)
			buf_add_char(out, ',');
		first = false;
		buf_add_text(out, json_raw(json, key));
		buf_add_char(out, ':');
		buf_add_text(out, json_raw(json, key + 1));
	}
	buf_add_char(out, '}');
}

static void
add_event(struct rows *r, struct buf *out, struct text body)
{
	if (r->fields.n > 0)
		add_chosen(r, out);
	else
		buf_add_text(out, body);
}

/* Events come in the log's order, groups need theirs together: kept until the end. */
static void
hold(struct rows *r, const struct event *ev, struct text body)
{
	struct rows_held *h = &r->groups[r->n];

	h->symbol = ev->symbol.n > 0 ? pool_text(r->pool, ev->symbol) : TEXT("");
	h->from = r->held.len;
	add_event(r, &r->held, body);
	h->to = r->held.len;
	if (h->symbol.p == NULL || r->held.failed)
		r->out->failed = true;
}

bool
rows_full(const struct rows *r)
{
	return r->out->failed || r->out->len + r->held.len >= ROWS_BYTES_MAX;
}

int
rows_add(void *arg, const struct event *ev, struct text body)
{
	struct rows *r = arg;
	struct buf *out = r->out;

	if ((r->fields.n > 0 || r->format == FORMAT_CSV) &&
	    (json_scan(&r->json, body, EVENT_DEPTH) != JSON_OK || r->json.tokens[0].type != TOKEN_OBJECT))
		out->failed = true; /* memory is out, or the database damaged: no answer is better than half of one */
	if (out->failed || (r->groups != NULL && r->n >= r->limit))
		return 1;
	if (r->groups != NULL) {
		hold(r, ev, body);
	} else if (r->format == FORMAT_CSV) {
		csv_row(&r->csv, out, &r->json);
	} else {
		if (r->format == FORMAT_JSON && r->comma)
			buf_add_char(out, ',');
		r->comma = true;
		add_event(r, out, body);
		if (r->format == FORMAT_NDJSON)
			buf_add_char(out, '\n');
	}
	r->n++;
	return rows_full(r);
}

static int
by_symbol(const void *a, const void *b)
{
	const struct rows_held *x = a, *y = b;
	int d = text_cmp(x->symbol, y->symbol);

	/* qsort() may swap equals; their places in `held` tell who came first. */
	return d != 0 ? d : (x->from > y->from) - (x->from < y->from);
}

static void
add_groups(struct rows *r)
{
	struct text held = buf_text(&r->held);
	struct buf *out = r->out;

	if (r->n > 0)
		qsort(r->groups, r->n, sizeof(*r->groups), by_symbol);
	buf_add_char(out, '{');
	for (size_t i = 0; i < r->n; i++) {
		const struct rows_held *h = &r->groups[i];

		if (i > 0 && text_eq(h->symbol, r->groups[i - 1].symbol)) {
			buf_add_char(out, ',');
		} else {
			buf_add_str(out, i > 0 ? "]," : "");
			buf_add_json(out, h->symbol);
			buf_add_str(out, ":[");
		}
		buf_add_text(out, text_cut(held, h->from, h->to));
	}
	buf_add_str(out, r->n > 0 ? "]}" : "}");
}

void
rows_end(struct rows *r)
{
	if (r->groups != NULL)
		add_groups(r);
	else if (r->format == FORMAT_JSON)
		buf_add_str(r->out, !r->each ? "]" : r->symbols > 0 ? "]}" : "}");
}

void
rows_fini(struct rows *r)
{
	json_fini(&r->json);
	csv_fini(&r->csv);
	buf_fini(&r->held);
}

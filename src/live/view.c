/*
 * view - see view.h.  Walk 3, step 4: from api/stream.c and api/poll.c, which make the keys, to hub.c.
 *
 * The key is the filter written out flat: numbers, then each set of texts. Reading it back gives texts that point into the key itself, so
 * that a view is one allocation of a few hundred bytes.
 */
#include "live/view.h"

#include <stdlib.h>
#include <string.h>

#define SETS 9

struct fixed { /* zeroed before it is filled: padding is part of the key */
	double min_confidence, max_confidence, min_value, max_value;
	int64_t since_us, until_us;
	unsigned kinds;
	uint8_t min_severity, show_duplicates, times_of_event, every_gap, waiter, ndjson, batch, conflate;
	uint32_t n_items; /* of all sets together */
};

static void
sets_of(struct filter *f, struct text_set *sets[SETS])
{
	sets[0] = &f->symbols;
	sets[1] = &f->names[KIND_PATTERN];
	sets[2] = &f->names[KIND_INDICATOR];
	sets[3] = &f->names[KIND_ALERT];
	sets[4] = &f->timeframes;
	sets[5] = &f->severities;
	sets[6] = &f->components;
	sets[7] = &f->sources;
	sets[8] = &f->channels;
}

static void
add_text(struct buf *out, struct text t)
{
	uint32_t n = (uint32_t)t.n;

	buf_add(out, &n, sizeof(n));
	buf_add_text(out, t);
}

void
view_key(struct buf *out, const struct filter *filter, const struct view_form *form)
{
	struct filter f = *filter;
	struct text_set *sets[SETS];
	struct fixed fixed;

	memset(&fixed, 0, sizeof(fixed));
	fixed.min_confidence = f.min_confidence;
	fixed.max_confidence = f.max_confidence;
	fixed.min_value = f.min_value;
	fixed.max_value = f.max_value;
	fixed.since_us = f.since_us;
	fixed.until_us = f.until_us;
	fixed.kinds = f.kinds;
	fixed.min_severity = (uint8_t)f.min_severity;
	fixed.show_duplicates = f.show_duplicates;
	fixed.times_of_event = f.times_of_event;
	fixed.every_gap = f.every_gap;
	fixed.waiter = form->waiter;
	fixed.ndjson = form->ndjson;
	fixed.batch = form->batch;
	fixed.conflate = form->conflate;
	sets_of(&f, sets);
	for (size_t i = 0; i < SETS; i++)
		fixed.n_items += (uint32_t)sets[i]->n;
	buf_add(out, &fixed, sizeof(fixed));
	add_text(out, form->ask);
	for (size_t i = 0; i < SETS; i++) {
		uint32_t n = (uint32_t)sets[i]->n;

		buf_add(out, &n, sizeof(n));
		for (size_t k = 0; k < sets[i]->n; k++)
			add_text(out, sets[i]->items[k]);
	}
}

struct parse {
	const char *p;
	size_t left;
	bool failed;
};

static void
take(struct parse *in, void *to, size_t n)
{
	if (in->failed || n > in->left) {
		in->failed = true;
		memset(to, 0, n);
		return;
	}
	memcpy(to, in->p, n);
	in->p += n;
	in->left -= n;
}

static struct text
take_text(struct parse *in)
{
	struct text t;
	uint32_t n;

	take(in, &n, sizeof(n));
	if (in->failed || n > in->left) {
		in->failed = true;
		return TEXT("");
	}
	t = (struct text){ in->p, n };
	in->p += n;
	in->left -= n;
	return t;
}

static void
take_fixed(struct view *v, const struct fixed *fixed)
{
	v->filter = (struct filter)FILTER_INIT;
	v->filter.kinds = fixed->kinds;
	v->filter.min_confidence = fixed->min_confidence;
	v->filter.max_confidence = fixed->max_confidence;
	v->filter.min_value = fixed->min_value;
	v->filter.max_value = fixed->max_value;
	v->filter.since_us = fixed->since_us;
	v->filter.until_us = fixed->until_us;
	v->filter.min_severity = (enum severity)fixed->min_severity;
	v->filter.show_duplicates = fixed->show_duplicates != 0;
	v->filter.times_of_event = fixed->times_of_event != 0;
	v->filter.every_gap = fixed->every_gap != 0;
	v->form = (struct view_form){ .waiter = fixed->waiter != 0,
		.ndjson = fixed->ndjson != 0,
		.batch = fixed->batch != 0,
		.conflate = fixed->conflate != 0 };
}

static void
take_sets(struct view *v, struct text *items, uint32_t n_items, struct parse *in)
{
	struct text_set *sets[SETS];

	sets_of(&v->filter, sets);
	for (size_t i = 0; i < SETS; i++) {
		uint32_t n;

		take(in, &n, sizeof(n));
		if (n > n_items) {
			in->failed = true;
			return;
		}
		*sets[i] = (struct text_set){ items, n };
		n_items -= n;
		while (n-- > 0)
			*items++ = take_text(in);
	}
}

struct view *
view_new(struct text key)
{
	struct parse in = { key.p, key.n, false };
	struct fixed fixed;
	uint32_t n_symbols = 0;
	size_t size;
	struct view *v;
	struct text *items;

	take(&in, &fixed, sizeof(fixed));
	take_text(&in);
	take(&in, &n_symbols, sizeof(n_symbols));
	/* Every item takes its length's four bytes of the key at least. */
	if (in.failed || fixed.n_items > key.n / 4 || n_symbols > fixed.n_items)
		return NULL;
	size = sizeof(*v) + fixed.n_items * sizeof(*items) + n_symbols * sizeof(struct topic_link);
	if ((v = calloc(1, size + key.n)) == NULL)
		return NULL;
	items = (struct text *)(void *)(v + 1);
	v->links = (struct topic_link *)(void *)(items + fixed.n_items);
	v->n_links = n_symbols;
	v->key = (struct text){ (char *)v + size, key.n };
	memcpy((char *)v + size, key.p, key.n);
	in = (struct parse){ v->key.p, v->key.n, false };
	take(&in, &fixed, sizeof(fixed));
	take_fixed(v, &fixed);
	v->form.ask = take_text(&in);
	take_sets(v, items, fixed.n_items, &in);
	if (in.failed) {
		free(v);
		return NULL;
	}
	return v;
}

void
view_free(struct view *v)
{
	free(v);
}

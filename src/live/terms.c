/*
 * terms - see terms.h.  Walk 3, step 4: beside view.c.
 *
 * The key is the filter written out flat: numbers, then each set of texts. Reading it back gives texts that point into the key itself, so
 * that terms are one allocation.
 */
#include "live/terms.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_MIN 64
#define SETS 8

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
	sets[0] = &f->names[KIND_PATTERN];
	sets[1] = &f->names[KIND_INDICATOR];
	sets[2] = &f->names[KIND_ALERT];
	sets[3] = &f->timeframes;
	sets[4] = &f->severities;
	sets[5] = &f->components;
	sets[6] = &f->sources;
	sets[7] = &f->channels;
}

/* ---- keys ---- */

void
parse_put_text(struct buf *out, struct text t)
{
	uint32_t n = (uint32_t)t.n;

	buf_add(out, &n, sizeof(n));
	buf_add_text(out, t);
}

void
parse_take(struct parse *in, void *to, size_t n)
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

struct text
parse_text(struct parse *in)
{
	struct text t;
	uint32_t n;

	parse_take(in, &n, sizeof(n));
	if (in->failed || n > in->left) {
		in->failed = true;
		return TEXT("");
	}
	t = (struct text){ in->p, n };
	in->p += n;
	in->left -= n;
	return t;
}

void
terms_key(struct buf *out, const struct filter *filter, const struct view_form *form)
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
	for (size_t i = 0; i < SETS; i++) {
		uint32_t n = (uint32_t)sets[i]->n;

		buf_add(out, &n, sizeof(n));
		for (size_t k = 0; k < sets[i]->n; k++)
			parse_put_text(out, sets[i]->items[k]);
	}
}

static void
take_fixed(struct terms *t, const struct fixed *fixed)
{
	t->filter = (struct filter)FILTER_INIT;
	t->filter.kinds = fixed->kinds;
	t->filter.min_confidence = fixed->min_confidence;
	t->filter.max_confidence = fixed->max_confidence;
	t->filter.min_value = fixed->min_value;
	t->filter.max_value = fixed->max_value;
	t->filter.since_us = fixed->since_us;
	t->filter.until_us = fixed->until_us;
	t->filter.min_severity = (enum severity)fixed->min_severity;
	t->filter.show_duplicates = fixed->show_duplicates != 0;
	t->filter.times_of_event = fixed->times_of_event != 0;
	t->filter.every_gap = fixed->every_gap != 0;
	t->form = (struct view_form){ .waiter = fixed->waiter != 0,
		.ndjson = fixed->ndjson != 0,
		.batch = fixed->batch != 0,
		.conflate = fixed->conflate != 0,
		.ask = TEXT("") };
}

static void
take_sets(struct terms *t, struct text *items, uint32_t n_items, struct parse *in)
{
	struct text_set *sets[SETS];

	sets_of(&t->filter, sets);
	for (size_t i = 0; i < SETS; i++) {
		uint32_t n;

		parse_take(in, &n, sizeof(n));
		if (n > n_items) {
			in->failed = true;
			return;
		}
		*sets[i] = (struct text_set){ items, n };
		n_items -= n;
		while (n-- > 0)
			*items++ = parse_text(in);
	}
}

static struct terms *
read_key(struct text key)
{
	struct parse in = { key.p, key.n, false };
	struct fixed fixed;
	struct terms *t;
	struct text *items;
	char *copy;

	parse_take(&in, &fixed, sizeof(fixed));
	/* Every item takes its length's four bytes of the key at least. */
	if (in.failed || fixed.n_items > key.n / 4)
		return NULL;
	if ((t = calloc(1, sizeof(*t) + fixed.n_items * sizeof(*items) + key.n)) == NULL)
		return NULL;
	items = (struct text *)(void *)(t + 1);
	copy = (char *)(items + fixed.n_items);
	memcpy(copy, key.p, key.n);
	t->key = (struct text){ copy, key.n };
	take_fixed(t, &fixed);
	in = (struct parse){ copy + sizeof(fixed), key.n - sizeof(fixed), false };
	take_sets(t, items, fixed.n_items, &in);
	if (in.failed || in.left > 0) {
		free(t);
		return NULL;
	}
	return t;
}

/* ---- the table ---- */

int
terms_init(struct terms_table *t, uint64_t seed, struct err *e)
{
	*t = (struct terms_table){ .size = TABLE_MIN, .seed = seed };
	t->chains = calloc(t->size, sizeof(struct terms *));
	if (t->chains != NULL)
		return 0;
	err_set(e, ERR_MEMORY, "no memory for terms");
	return -1;
}

void
terms_fini(struct terms_table *t)
{
	free(t->chains);
	*t = (struct terms_table){ .chains = NULL };
}

static struct terms **
chain_of(const struct terms_table *t, uint64_t hash)
{
	return &t->chains[hash & (t->size - 1)];
}

/* No memory, no growing: longer chains are no error. */
static void
grow(struct terms_table *t)
{
	struct terms **old = t->chains, **table = calloc(t->size * 2, sizeof(struct terms *));
	size_t n = t->size;

	if (table == NULL)
		return;
	t->chains = table;
	t->size = n * 2;
	for (size_t i = 0; i < n; i++) {
		for (struct terms *at = old[i], *next; at != NULL; at = next) {
			struct terms **to = chain_of(t, at->hash);

			next = at->next;
			at->next = *to;
			*to = at;
		}
	}
	free(old);
}

struct terms *
terms_join(struct terms_table *t, struct text key)
{
	uint64_t hash = text_hash(key, t->seed);
	struct terms *at = *chain_of(t, hash), **chain;

	while (at != NULL && !(at->hash == hash && text_eq(at->key, key)))
		at = at->next;
	if (at == NULL) {
		if ((at = read_key(key)) == NULL)
			return NULL;
		if (t->n == t->size)
			grow(t);
		at->hash = hash;
		chain = chain_of(t, hash);
		at->next = *chain;
		*chain = at;
		t->n++;
	}
	at->n_users++;
	return at;
}

void
terms_leave(struct terms_table *t, struct terms *terms)
{
	struct terms **at = chain_of(t, terms->hash);

	if (--terms->n_users > 0)
		return;
	while (*at != terms)
		at = &(*at)->next;
	*at = terms->next;
	t->n--;
	free(terms);
}

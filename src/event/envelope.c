/*
 * envelope - see envelope.h. Called by decode.c for every element, before fact.c looks at the members.
 */
#include "event/envelope.h"

bool
envelope_complete(const struct words *w, enum kind kind, const struct members *m)
{
	const struct kind_info *info = &kinds[kind];
	const struct kind_words *k = &w->kinds[kind];

	if (info->symbol_required && (m->present & w->any_symbol) == 0)
		return false;
	if (k->one_of != 0 && (m->present & k->one_of) == 0)
		return false;
	for (size_t i = 0; i < info->n_members; i++) {
		if (info->members[i].need == NEED_THIS && (m->present & k->any[i]) == 0)
			return false;
	}
	return true;
}

/* The object that the envelope's name points to, or 0. */
static uint32_t
inside(const struct members *m, const struct json *j, unsigned word)
{
	uint32_t value = m->value[word];

	return (m->seen & WORD_BIT(word)) != 0 && j->tokens[value].type == TOKEN_OBJECT ? value : 0;
}

static void
found(struct envelope *e, const struct members *fact, const struct members *a, const struct members *b,
    const struct members *outside)
{
	size_t n = 0;

	e->fact = fact;
	if (a != NULL)
		e->around[n++] = a;
	if (b != NULL)
		e->around[n++] = b;
	e->around[n++] = outside;
	while (n < ENVELOPE_DEPTH)
		e->around[n++] = NULL;
}

void
envelope_open(struct envelope *e, const struct words *w, const struct json *j, enum kind kind, uint32_t object,
    const struct members *outside)
{
	const struct members *first = NULL;

	members_scan(&e->level1, w, j, object);
	found(e, &e->level1, NULL, NULL, outside);
	e->complete = envelope_complete(w, kind, &e->level1);
	if (e->complete)
		return;
	for (size_t i = 0; i < ENVELOPES; i++) {
		uint32_t at = inside(&e->level1, j, w->envelopes[i]);

		e->level2[i].seen = 0;
		if (at == 0)
			continue;
		members_scan(&e->level2[i], w, j, at);
		if (first == NULL)
			first = &e->level2[i];
		if (envelope_complete(w, kind, &e->level2[i])) {
			found(e, &e->level2[i], &e->level1, NULL, outside);
			e->complete = true;
			return;
		}
	}
	for (size_t i = 0; i < ENVELOPES * ENVELOPES; i++) {
		const struct members *outer = &e->level2[i / ENVELOPES];
		uint32_t at = inside(outer, j, w->envelopes[i % ENVELOPES]);

		if (at == 0)
			continue;
		members_scan(&e->level3, w, j, at);
		if (envelope_complete(w, kind, &e->level3)) {
			found(e, &e->level3, outer, &e->level1, outside);
			e->complete = true;
			return;
		}
	}
	if (first != NULL)
		found(e, first, &e->level1, NULL, outside);
}

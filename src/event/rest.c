/*
 * rest - see rest.h. Called by fact.c when all of our own members are rendered.
 */
#include "event/rest.h"

/* What becomes of a producer's member. */
enum fate {
	FATE_PASS,
	FATE_EXTRA, /* its name is ours: it goes into the object `extra` */
	FATE_GONE,
};

static enum fate
fate_of(const struct fact *f, const struct members *m, enum kind kind, unsigned word)
{
	uint64_t bit, ours = f->words->kinds[kind].reserved;

	if (word == WORD_NONE)
		return FATE_PASS;
	bit = WORD_BIT(word);
	if (((f->taken | f->words->discriminators) & bit) != 0)
		return FATE_GONE;
	if ((ours & bit) == 0)
		return FATE_PASS;
	/* Our own member, sent as null, was no more than missing; what stands in for it stands there. */
	if ((word == f->words->kinds[kind].time || word == f->words->symbol[0]) && (m->present & bit) == 0)
		return FATE_GONE;
	for (size_t i = 0; i < kinds[kind].n_members; i++) {
		if (f->words->kinds[kind].aliases[i][0] == word && (m->present & bit) == 0)
			return FATE_GONE;
	}
	return FATE_EXTRA;
}

static void
add_member(struct fact *f, uint32_t key)
{
	buf_add_text(&f->out, json_raw(f->json, key));
	buf_add_char(&f->out, ':');
	f->notes[NOTE_NULL_NUMBER] += json_compact(&f->out, f->json, key + 1);
}

/* What passes through, in the producer's order. */
static void
add_rest(struct fact *f, const struct members *m, enum kind kind, bool extra_too)
{
	uint32_t end = f->json->tokens[m->object].next;

	for (uint32_t key = m->object + 1; key < end && !f->out.failed; key = f->json->tokens[key + 1].next) {
		unsigned word = words_of_key(f->words, f->json, key);
		enum fate fate = fate_of(f, m, kind, word);

		/* A producer's own `extra` stays where it is, unless we need the name. */
		if (fate == FATE_PASS && word == f->words->extra && extra_too)
			fate = FATE_EXTRA;
		/* One of ours that was NaN has become a null, or what stands in for it: that counts too. */
		if (fate == FATE_GONE && f->json->tokens[key + 1].type == TOKEN_NAN)
			f->notes[NOTE_NULL_NUMBER]++;
		if (fate != FATE_PASS)
			continue;
		buf_add_char(&f->out, ',');
		add_member(f, key);
	}
}

static void
add_extra(struct fact *f, const struct members *m, enum kind kind)
{
	uint32_t end = f->json->tokens[m->object].next;
	char separator = '{';

	buf_add_str(&f->out, ",\"extra\":");
	for (uint32_t key = m->object + 1; key < end && !f->out.failed; key = f->json->tokens[key + 1].next) {
		unsigned word = words_of_key(f->words, f->json, key);

		if (word != f->words->extra && fate_of(f, m, kind, word) != FATE_EXTRA)
			continue;
		buf_add_char(&f->out, separator);
		add_member(f, key);
		separator = ',';
	}
	buf_add_char(&f->out, '}');
}

/* True when `m` has a member that would go under `extra`. */
static bool
needs_extra(const struct fact *f, const struct members *m, enum kind kind)
{
	uint64_t left = m->seen & f->words->kinds[kind].reserved;

	for (unsigned word = 0; left != 0; word++, left >>= 1) {
		if ((left & 1) != 0 && fate_of(f, m, kind, word) == FATE_EXTRA)
			return true;
	}
	return false;
}

void
rest_render(struct fact *f, const struct members *m, enum kind kind)
{
	bool extra = needs_extra(f, m, kind);

	add_rest(f, m, kind, extra);
	if (extra)
		add_extra(f, m, kind);
}

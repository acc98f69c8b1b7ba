/*
 * words - see words.h.
 */
#include "event/words.h"

#include <string.h>

#define KEY_RAW_MAX 192 /* no escaped spelling of a name is longer: 32 letters at six bytes */

static unsigned
hash(struct text name)
{
	const unsigned char *p = (const unsigned char *)name.p;

	if (name.n == 0)
		return 0;
	return (unsigned)(name.n * 31u + p[0] * 7u + p[name.n / 2] * 61u + p[name.n - 1] * 13u) % WORD_SLOTS;
}

unsigned
words_find(const struct words *w, struct text name)
{
	unsigned at = hash(name);

	for (; w->slots[at] != 0; at = (at + 1) % WORD_SLOTS) {
		unsigned word = w->slots[at] - 1u;

		if (text_eq(w->names[word], name))
			return word;
	}
	return WORD_NONE;
}

/* The word of a name, made when it is new; WORD_NONE when there is no room. */
static uint8_t
add(struct words *w, const char *name)
{
	struct text t = text_of(name);
	unsigned at = hash(t), word = words_find(w, t);

	if (word != WORD_NONE)
		return (uint8_t)word;
	if (w->n == WORDS_MAX) {
		w->n++; /* words_init() sees it */
		return 0;
	}
	if (w->n > WORDS_MAX)
		return 0;
	while (w->slots[at] != 0)
		at = (at + 1) % WORD_SLOTS;
	w->names[w->n++] = t;
	w->slots[at] = (uint8_t)w->n;
	return (uint8_t)(w->n - 1);
}

static uint64_t
add_all(struct words *w, const char *const *names, size_t n, uint8_t *out)
{
	uint64_t set = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t word = add(w, names[i]);

		if (out != NULL)
			out[i] = word;
		set |= WORD_BIT(word);
	}
	return set;
}

static void
add_kind(struct words *w, const struct kind_info *info, struct kind_words *k)
{
	k->reserved = add_all(w, kind_common, KIND_COMMON, NULL);
	k->time = info->time_member == NULL ? WORD_NONE : add(w, info->time_member);
	if (k->time != WORD_NONE)
		k->reserved |= WORD_BIT(k->time);
	k->batch = info->batch_member == NULL ? WORD_NONE : add(w, info->batch_member);
	if (info->symbol_required)
		k->required |= w->any_symbol;
	for (size_t m = 0; m < info->n_members; m++) {
		const struct member *member = &info->members[m];
		size_t n = 0;

		while (n < KIND_ALIASES && member->aliases[n] != NULL)
			n++;
		k->n_aliases[m] = n;
		k->any[m] = add_all(w, member->aliases, n, k->aliases[m]);
		k->reserved |= WORD_BIT(k->aliases[m][0]);
		if (member->need != NEED_NOT)
			k->required |= k->any[m];
		if (member->need == NEED_ONE)
			k->one_of |= k->any[m];
		if (member->type == MEMBER_NAME)
			w->only_text |= k->any[m];
	}
}

int
words_init(struct words *w)
{
	uint64_t envelopes;

	memset(w, 0, sizeof(*w));
	w->any_symbol = add_all(w, symbol_aliases, SYMBOL_ALIASES, w->symbol);
	w->any_time = add_all(w, time_aliases, TIME_ALIASES, w->times);
	add_all(w, stopped_aliases, TIME_ALIASES, w->stopped);
	envelopes = add_all(w, envelope_names, ENVELOPES, w->envelopes);
	w->discriminators = add_all(w, discriminators, DISCRIMINATORS, NULL);
	w->type = add(w, "type");
	w->test = add(w, "test");
	w->instance = add(w, "instance");
	w->component = add(w, "component");
	w->extra = add(w, "extra");
	for (int k = 0; k < KIND__MAX; k++)
		add_kind(w, &kinds[k], &w->kinds[k]);
	w->only_text &= envelopes;
	return w->n > WORDS_MAX ? -1 : 0;
}

unsigned
words_of_key(const struct words *w, const struct json *j, uint32_t key)
{
	struct text name = json_inner(j, key);
	char plain[KEY_RAW_MAX];

	if (j->tokens[key].flags & JSON_ESCAPED) {
		if (name.n > sizeof(plain))
			return WORD_NONE;
		name = (struct text){ plain, json_unescape(name, plain) };
	}
	return words_find(w, name);
}

void
members_scan(struct members *m, const struct words *w, const struct json *j, uint32_t object)
{
	const struct json_token *t = j->tokens;
	uint64_t empty = 0, other = 0;

	m->object = object;
	m->seen = 0;
	for (uint32_t key = object + 1; key < t[object].next; key = t[key + 1].next) {
		unsigned word = words_of_key(w, j, key), type = t[key + 1].type;

		if (word == WORD_NONE)
			continue;
		m->seen |= WORD_BIT(word);
		m->value[word] = key + 1;
		empty = type <= TOKEN_NAN ? empty | WORD_BIT(word) : empty & ~WORD_BIT(word);
		other = type != TOKEN_STRING ? other | WORD_BIT(word) : other & ~WORD_BIT(word);
	}
	m->present = m->seen & ~empty & ~(w->only_text & other);
}

/*
 * words - the member names that decoding knows, as small numbers, so that one pass over an object finds all of them.
 *
 * Made once from the tables in kinds.c. A hostile object with 100,000 members costs one look-up each, not one search per name.
 */
#ifndef EVENT_WORDS_H
#define EVENT_WORDS_H

#include <stdbool.h>

#include "event/json.h"
#include "event/kinds.h"

#define WORDS_MAX 64 /* so that a set of words is a uint64_t */
#define WORD_NONE WORDS_MAX
#define WORD_BIT(word) ((uint64_t)1 << (word))
#define WORD_SLOTS 256

/* A kind's row, its names as words. */
struct kind_words {
	uint8_t aliases[KIND_MEMBERS][KIND_ALIASES];
	size_t n_aliases[KIND_MEMBERS];
	uint64_t any[KIND_MEMBERS]; /* the aliases as a set */
	uint64_t one_of; /* the aliases of all members of which one is enough; 0: none is so */
	uint64_t required; /* every name of every required member, the symbol's too */
	uint64_t reserved; /* names that we write ourselves */
	uint8_t time; /* the time member's name; WORD_NONE for gaps */
	uint8_t batch; /* WORD_NONE: no batches */
};

struct words {
	struct text names[WORDS_MAX];
	size_t n;
	uint8_t slots[WORD_SLOTS]; /* word + 1, by hash; 0 is free */
	struct kind_words kinds[KIND__MAX];
	uint8_t symbol[SYMBOL_ALIASES];
	uint64_t any_symbol;
	uint8_t times[TIME_ALIASES], stopped[TIME_ALIASES];
	uint64_t any_time;
	uint8_t envelopes[ENVELOPES];
	uint64_t discriminators;
	uint64_t only_text; /* names that are also envelopes: they name something only when they are strings */
	uint8_t type, test, instance, component, extra;
};

/* The members of one object that are words. Of a name that occurs twice, the last. */
struct members {
	uint32_t object;
	uint64_t seen; /* is a member, of whatever type */
	uint64_t present; /* and not null, and a string where it must be one */
	uint32_t value[WORDS_MAX]; /* its token, where seen */
};

int words_init(struct words *w); /* -1: the tables hold more names than fit (a unit test sees to it that they do not) */
unsigned words_find(const struct words *w, struct text name); /* or WORD_NONE */
unsigned words_of_key(const struct words *w, const struct json *j, uint32_t key);

void members_scan(struct members *m, const struct words *w, const struct json *j, uint32_t object);

#endif

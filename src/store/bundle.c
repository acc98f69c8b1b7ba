/* bundle - see bundle.h.  Walk 1 through index.c, walk 2 through merge.c. */
#include "store/bundle.h"

#include <assert.h>
#include <string.h>

#include "store/varint.h"

#define KIND_BITS 3

static_assert(KIND__MAX <= 1 << KIND_BITS, "a kind has three bits in a place");

struct text
bundle_kind_name(enum kind kind)
{
	static const struct text names[KIND__MAX] = {
		[KIND_PATTERN] = TEXT_INIT("kind 0"),
		[KIND_INDICATOR] = TEXT_INIT("kind 1"),
		[KIND_ALERT] = TEXT_INIT("kind 2"),
		[KIND_HEALTH] = TEXT_INIT("kind 3"),
		[KIND_SESSION] = TEXT_INIT("kind 4"),
		[KIND_ERROR] = TEXT_INIT("kind 5"),
		[KIND_GAP] = TEXT_INIT("kind 6"),
	};

	return names[kind];
}

int
bundle_kind(struct text symbol)
{
	for (int kind = 0; kind < KIND__MAX; kind++)
		if (text_eq(symbol, bundle_kind_name((enum kind)kind)))
			return kind;
	return -1;
}

void
bundle_clear(struct bundle *b)
{
	/* Not the bytes, of which there are many and few are used. */
	b->first = b->last = 0;
	b->n = b->kinds = 0;
	b->len = 0;
}

void
bundle_add(struct bundle *b, int64_t seq, enum kind kind)
{
	uint64_t v;

	if (b->n == 0)
		b->first = b->last = seq;
	v = (uint64_t)(seq - b->last) << KIND_BITS | (unsigned)kind;
	b->len = (size_t)(varint_put(b->bytes + b->len, v) - b->bytes);
	b->last = seq;
	b->kinds |= KIND_BIT(kind);
	b->n++;
}

int
bundle_unpack(struct text packed, int64_t first, struct place out[BUNDLE_PLACES])
{
	const unsigned char *p = (const unsigned char *)packed.p, *end = p + packed.n;
	int64_t seq = first;
	int n = 0;

	if (packed.n == 0 || first < 1 || first == INT64_MAX)
		return -1;
	while (p < end) {
		uint64_t v;

		if (n == BUNDLE_PLACES || (p = varint_take(p, end, &v)) == NULL)
			return -1;
		/* The first is told as no step at all, every other is a step ahead. */
		if ((v >> KIND_BITS == 0) != (n == 0) || v >> KIND_BITS > (uint64_t)(INT64_MAX - 1 - seq) ||
		    (v & ((1 << KIND_BITS) - 1)) >= KIND__MAX)
			return -1;
		seq += (int64_t)(v >> KIND_BITS);
		out[n++] = (struct place){ seq, (enum kind)(v & ((1 << KIND_BITS) - 1)) };
	}
	return n;
}

int
bundle_load(struct bundle *b, struct text packed, int64_t first)
{
	struct place places[BUNDLE_PLACES];
	int n = bundle_unpack(packed, first, places);

	bundle_clear(b);
	if (n < 0 || packed.n > sizeof(b->bytes))
		return -1;
	/* As it is: a number may be written longer than by us, but not longer than there is room for. */
	memcpy(b->bytes, packed.p, packed.n);
	b->len = packed.n;
	b->first = first;
	b->n = (unsigned)n;
	for (int i = 0; i < n; i++) {
		b->kinds |= KIND_BIT(places[i].kind);
		b->last = places[i].seq;
	}
	return 0;
}

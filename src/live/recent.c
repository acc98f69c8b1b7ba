/* recent - see recent.h.  Walk 3, inside step 3: from positions.c; asked through it by store/recall.c. */
#include "live/recent.h"

#include <stdlib.h>
#include <string.h>

#define CHAIN_BITS 13
#define CHAINS (1u << CHAIN_BITS)

void
recent_fini(struct recent *r)
{
	free(r->places);
	free(r->chains);
	*r = (struct recent){ .end = 1 };
}

void
recent_start(struct recent *r, int64_t from)
{
	/* Not before somebody follows the log: an idle worker has no use for it. Pages are touched as they fill. */
	if (r->places == NULL) {
		r->places = calloc(RECENT_PLACES, sizeof(*r->places));
		r->chains = calloc(CHAINS, sizeof(*r->chains));
		if (r->places == NULL || r->chains == NULL)
			recent_fini(r);
	} else {
		memset(r->chains, 0, CHAINS * sizeof(*r->chains));
	}
	r->end = 1;
	r->from = from;
	r->newest = 0;
}

static uint64_t
oldest(const struct recent *r)
{
	return r->end > RECENT_PLACES ? r->end - RECENT_PLACES : 1;
}

static struct recent_place *
at(const struct recent *r, uint64_t ordinal)
{
	return &r->places[ordinal & (RECENT_PLACES - 1)];
}

void
recent_row(struct recent *r, int64_t seq, enum kind kind, uint64_t hash)
{
	uint64_t *chain;
	struct recent_place *place;

	if (r->places == NULL || seq <= r->newest)
		return;
	chain = &r->chains[hash & (CHAINS - 1)];
	place = at(r, r->end);
	if (r->end > RECENT_PLACES)
		r->from = place->seq;
	*place = (struct recent_place){ seq, *chain, (uint32_t)(hash >> CHAIN_BITS), (uint8_t)kind };
	*chain = r->end++;
	r->newest = seq;
}

bool
recent_covers(const struct recent *r, int64_t above)
{
	return r->places != NULL && above >= r->from;
}

size_t
recent_find(
    const struct recent *r, uint64_t hash, unsigned kinds, int64_t above, int64_t upto, int64_t *seqs, size_t max)
{
	uint32_t mark = (uint32_t)(hash >> CHAIN_BITS);
	size_t n = 0;

	if (r->places == NULL || kinds == 0)
		return 0;
	for (uint64_t i = r->chains[hash & (CHAINS - 1)]; i >= oldest(r); i = at(r, i)->before) {
		const struct recent_place *place = at(r, i);

		if (place->seq <= above)
			break;
		if (place->mark != mark || place->seq > upto || (kinds & KIND_BIT(place->kind)) == 0)
			continue;
		if (n < max)
			seqs[n] = place->seq;
		n++;
	}
	return n;
}

/*
 * ring - see ring.h.  Walk 3, step 5: from hub.c, which adds what somebody wants; read by source.c.
 *
 * One block of bytes, filled round and round: an entry is the struct, its texts and its frame, in one piece, so an entry that does not fit before
 * the end starts at the beginning again. Its pages are touched only as it fills.
 */
#include "live/ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define UNIT 8

int
ring_init(struct ring *r, size_t size, struct err *e)
{
	*r = (struct ring){ .first = 1, .end = 1, .size = size / UNIT * UNIT, .n_places = 1024 };
	/* An entry has about 700 bytes: as many places as entries of half of that. */
	while (r->n_places < size / 350)
		r->n_places *= 2;
	r->bytes = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	r->places = calloc(r->n_places, sizeof(*r->places));
	if (r->bytes != MAP_FAILED && r->places != NULL)
		return 0;
	err_set(e, ERR_MEMORY, "no memory for a ring of %zu bytes", size);
	ring_fini(r);
	return -1;
}

void
ring_fini(struct ring *r)
{
	if (r->bytes != NULL && r->bytes != MAP_FAILED)
		munmap(r->bytes, r->size);
	free(r->places);
	*r = (struct ring){ .first = 1, .end = 1 };
}

void
ring_clear(struct ring *r, int64_t from)
{
	/* Ordinals go on: who kept one finds that it is no longer held. */
	r->first = r->end;
	r->head = 0;
	r->from = from;
}

struct ring_entry *
ring_at(const struct ring *r, uint64_t ordinal)
{
	return (struct ring_entry *)(void *)(r->bytes + (size_t)r->places[ordinal & (r->n_places - 1)] * UNIT);
}

static void
drop_first(struct ring *r)
{
	r->from = ring_at(r, r->first)->ev.seq;
	r->first++;
}

/* Whether the first entry lies in the stretch that is about to be written. */
static bool
in_the_way(const struct ring *r, size_t from, size_t to)
{
	size_t at = (size_t)((const char *)ring_at(r, r->first) - r->bytes);

	return at < to && at + ring_at(r, r->first)->size > from;
}

/* Makes `size` bytes free from head on. They lie behind everything held, so what is in the way is the oldest. */
static void
make_room(struct ring *r, size_t size)
{
	if (r->head + size > r->size) {
		/* What is held between here and the end is older than what the beginning holds. */
		while (r->first < r->end && in_the_way(r, r->head, r->size))
			drop_first(r);
		r->head = 0;
	}
	while (r->first < r->end && in_the_way(r, r->head, r->head + size))
		drop_first(r);
	if (r->end - r->first == r->n_places)
		drop_first(r);
}

static struct text
put(char **at, struct text t)
{
	struct text copy = { *at, t.n };

	if (t.p == NULL)
		return TEXT_NONE;
	memcpy(*at, t.p, t.n);
	*at += t.n;
	return copy;
}

struct ring_entry *
ring_add(struct ring *r, const struct event *ev, struct text frame, size_t body_at)
{
	size_t size = sizeof(struct ring_entry) + ev->symbol.n + ev->name.n + ev->timeframe.n + ev->channel.n +
	    ev->component.n + ev->source.n + frame.n;
	struct ring_entry *entry;
	char *at;

	size = (size + UNIT - 1) / UNIT * UNIT;
	if (size > r->size) {
		ring_clear(r, ev->seq);
		return NULL;
	}
	make_room(r, size);
	entry = (struct ring_entry *)(void *)(r->bytes + r->head);
	*entry = (struct ring_entry){ .ev = *ev, .size = (uint32_t)size, .body_at = (uint32_t)body_at };
	at = (char *)(entry + 1);
	entry->ev.symbol = put(&at, ev->symbol);
	entry->ev.name = put(&at, ev->name);
	entry->ev.timeframe = put(&at, ev->timeframe);
	entry->ev.channel = put(&at, ev->channel);
	entry->ev.component = put(&at, ev->component);
	entry->ev.source = put(&at, ev->source);
	entry->ev.lead = entry->ev.rest = TEXT_NONE;
	entry->frame = put(&at, frame);
	r->places[r->end & (r->n_places - 1)] = (uint32_t)(r->head / UNIT);
	r->head += size;
	r->end++;
	return entry;
}

uint64_t
ring_after(const struct ring *r, int64_t seq)
{
	uint64_t low = r->first, high = r->end;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (ring_at(r, middle)->ev.seq <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

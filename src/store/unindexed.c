/* unindexed - see unindexed.h.  Called by index.c. */
#include "store/unindexed.h"

#include <stdlib.h>

#include "store/bundle.h"

#define SYMBOLS_BYTES (8u << 20) /* UNINDEXED_MAX symbols of SYMBOL_MAX bytes take less */
#define ROOM_MIN 4096

void
unindexed_init(struct unindexed *u, uint64_t seed)
{
	*u = (struct unindexed){ .n = 0 };
	groups_init(&u->symbols, sizeof(struct unplaced_symbol), SYMBOLS_BYTES, seed);
}

void
unindexed_fini(struct unindexed *u)
{
	groups_fini(&u->symbols);
	free(u->events);
	*u = (struct unindexed){ .n = 0 };
}

void
unindexed_clear(struct unindexed *u)
{
	uint64_t seed = u->symbols.seed;

	groups_fini(&u->symbols);
	groups_init(&u->symbols, sizeof(struct unplaced_symbol), SYMBOLS_BYTES, seed);
	u->n = u->kinds = 0;
}

static int
make_room(struct unindexed *u)
{
	unsigned room = u->room == 0 ? ROOM_MIN : u->room * 4;
	struct unplaced *events;

	if (u->n < u->room)
		return 0;
	if (u->n == UNINDEXED_MAX || (events = realloc(u->events, room * sizeof(*events))) == NULL)
		return -1;
	u->events = events;
	u->room = room;
	return 0;
}

/* The events of a symbol; NULL: no memory. *is_one: it is a symbol, and none that would be taken for a kind (bundle.h). */
static struct unplaced_symbol *
symbol_of(struct unindexed *u, struct text symbol, bool *is_one)
{
	struct unplaced_symbol *x;

	*is_one = symbol.p != NULL && symbol.n <= SYMBOL_MAX;
	if (!*is_one)
		return NULL;
	if ((x = groups_at(&u->symbols, symbol)) != NULL && x->n == 0)
		*is_one = bundle_kind(symbol) < 0; /* asked once a symbol, not once an event */
	return x;
}

int
unindexed_add(struct unindexed *u, int64_t seq, enum kind kind, struct text symbol)
{
	bool is_one;
	struct unplaced_symbol *x;

	if (make_room(u) != 0)
		return -1;
	x = symbol_of(u, symbol, &is_one);
	if (is_one && x == NULL)
		return -1;
	if (is_one) {
		if (x->n == 0)
			x->first = u->n;
		else
			u->events[x->last].next = u->n;
		x->last = u->n;
		x->n++;
	}
	u->events[u->n++] = (struct unplaced){ .seq = seq, .kind = kind };
	u->kinds |= KIND_BIT(kind);
	return 0;
}

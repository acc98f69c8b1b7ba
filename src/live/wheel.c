/* wheel - see wheel.h. */
#include "live/wheel.h"

#include <stddef.h>

void
wheel_init(struct wheel *w, int64_t now_us)
{
	*w = (struct wheel){ .tick = now_us / WHEEL_TICK_US };
}

/* Rounded up: nobody is called before the time. */
static int64_t
tick_of(const struct wheel *w, int64_t due_us)
{
	int64_t tick = due_us / WHEEL_TICK_US + 1;

	if (tick < w->tick)
		return w->tick;
	return tick - w->tick > WHEEL_SLOTS - 2 ? w->tick + WHEEL_SLOTS - 2 : tick;
}

void
wheel_clear(struct wheel *w, struct timer *t)
{
	if (t->at == NULL)
		return;
	*t->at = t->next;
	if (t->next != NULL)
		t->next->at = t->at;
	if (w->slots[t->slot] == NULL)
		w->used[t->slot / 64] &= ~(UINT64_C(1) << t->slot % 64);
	t->at = NULL;
	t->next = NULL;
}

void
wheel_set(struct wheel *w, struct timer *t, int64_t due_us)
{
	unsigned slot = (unsigned)(tick_of(w, due_us) % WHEEL_SLOTS);

	wheel_clear(w, t);
	t->due_us = due_us;
	t->slot = (uint16_t)slot;
	t->at = &w->slots[slot];
	t->next = w->slots[slot];
	if (t->next != NULL)
		t->next->at = &t->next;
	w->slots[slot] = t;
	w->used[slot / 64] |= UINT64_C(1) << slot % 64;
}

struct timer *
wheel_take(struct wheel *w, int64_t now_us)
{
	int64_t now = now_us / WHEEL_TICK_US;

	while (w->tick <= now) {
		struct timer *t = w->slots[w->tick % WHEEL_SLOTS];

		if (t == NULL) {
			w->tick++;
			continue;
		}
		wheel_clear(w, t);
		if (t->due_us <= now_us)
			return t;
		/* It lay further ahead than one round: on into a later list. Not this one again, which would never end. */
		w->tick++;
		wheel_set(w, t, t->due_us);
		w->tick--;
	}
	return NULL;
}

int64_t
wheel_due_us(const struct wheel *w)
{
	unsigned start = (unsigned)(w->tick % WHEEL_SLOTS);

	/* 64 words, and the first one again for its lower bits. */
	for (unsigned i = 0; i <= WHEEL_SLOTS / 64; i++) {
		unsigned word = (start / 64 + i) % (WHEEL_SLOTS / 64);
		uint64_t bits = w->used[word];

		if (i == 0)
			bits &= ~UINT64_C(0) << start % 64;
		if (bits != 0) {
			unsigned slot = word * 64 + (unsigned)__builtin_ctzll(bits);

			return (w->tick + (slot + WHEEL_SLOTS - start) % WHEEL_SLOTS) * WHEEL_TICK_US;
		}
	}
	return INT64_MAX;
}

/*
 * wheel - when something is due, for very many at once.
 *
 * A ring of lists, one a tick of 16 ms; what lies further ahead than one round is put into the last list and looked at again then.
 * Setting, moving and taking out cost the same however many there are, and a tick costs what is due in it.
 */
#ifndef LIVE_WHEEL_H
#define LIVE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_TICK_US 16384
#define WHEEL_SLOTS 4096 /* a round is 67 s */

struct timer { /* embedded in whoever waits; zeroed: not set */
	struct timer *next, **at; /* at: what points to it; NULL: not set */
	int64_t due_us;
	uint16_t slot;
};

struct wheel {
	struct timer *slots[WHEEL_SLOTS];
	uint64_t used[WHEEL_SLOTS / 64]; /* which slots have somebody */
	int64_t tick; /* everything before it has been looked at */
};

void wheel_init(struct wheel *w, int64_t now_us);
void wheel_set(struct wheel *w, struct timer *t, int64_t due_us); /* sets or moves */
void wheel_clear(struct wheel *w, struct timer *t);

/* One that is due, taken out; NULL: no more. */
struct timer *wheel_take(struct wheel *w, int64_t now_us);

/* When to call wheel_take() at the earliest; INT64_MAX: nobody waits. */
int64_t wheel_due_us(const struct wheel *w);

#endif

/*
 * envelope - which object of a message is the fact. Producers wrap the same facts in different envelopes, or in none.
 */
#ifndef EVENT_ENVELOPE_H
#define EVENT_ENVELOPE_H

#include "event/words.h"

#define ENVELOPE_DEPTH 3

/* Where the fact was found. Large: it lives in the decoder, not on the stack. */
struct envelope {
	struct members level1, level2[ENVELOPES], level3;
	const struct members *fact; /* one of the above */
	const struct members *around[ENVELOPE_DEPTH]; /* what it lies in, the innermost first; NULL behind the last */
	bool complete; /* it has all that the kind requires; else it is only the best guess, to be refused */
};

/* True when `m` has every required member of the kind, under any of their names. */
bool envelope_complete(const struct words *w, enum kind kind, const struct members *m);

/*
 * Finds the fact in `object`: the outermost object that is complete, else the first that an envelope's name points to, else
 * `object` itself. `outside` (NULL: nothing) is what `object` itself lies in: the message around a batch.
 */
void envelope_open(struct envelope *e, const struct words *w, const struct json *j, enum kind kind, uint32_t object,
    const struct members *outside);

#endif

/*
 * fact - one fact, found by envelope.c, as an event: its members checked, its text rendered. Walk 1, step 3b.
 */
#ifndef EVENT_FACT_H
#define EVENT_FACT_H

#include "event/decode.h"
#include "event/envelope.h"
#include "event/when.h"

/* What is the same for every element of a message, and where the element's text is made. Owned by the decoder. */
struct fact {
	const struct words *words;
	const struct json *json;
	const struct source_channel *from;
	int64_t received_us;
	enum confidence_scale scale;
	struct text instance; /* absent: no echo is ours */

	struct buf out; /* lead and rest */
	struct buf time; /* the time member's value, before its place in `out` comes */
	struct when_text last_time;
	char *scratch; /* strings without their escapes, and what is folded; borrowed by the event */
	size_t scratch_used, scratch_size;
	uint64_t taken; /* words that need not pass through: they became ours */
	unsigned notes[NOTE__MAX];
	enum reject_reason reason; /* after fact_render() failed */
	const char *detail; /* static; NULL: none */
};

#define FACT_SCRATCH_SIZE (2 * EVENT_MAX_BYTES + 4096)

/* Fills *ev, whose slices live until the next call. -1: refused, see f->reason and f->detail. */
int fact_render(struct fact *f, const struct envelope *e, struct event *ev);

#endif

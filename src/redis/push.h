/*
 * push - a message as Redis pushes it to a subscriber, taken straight from the bytes that were read.
 *
 * Nearly all that a subscriber is sent looks like this, and hiredis makes five pieces of memory of each. Only the plain form is known here, whole and short; whatever
 * else there is, wrong or merely rare, goes the way through guard.c and hiredis. Every byte is hostile. No memory, no descriptors, any thread.
 */
#ifndef REDIS_PUSH_H
#define REDIS_PUSH_H

#include <stddef.h>

#include "base/text.h"

#define PUSH_MAX ((size_t)65536) /* bytes of one that is taken here */

struct push {
	struct text pattern; /* TEXT_NONE: it came by the channel's own name */
	struct text channel, payload; /* slices of what was read */
};

/*
 * The message with which `in` begins (RESP2: *3 message, *4 pmessage). How many bytes it takes; 0: it is not whole yet, and will not be more than PUSH_MAX; -1: it
 * is something else.
 */
ptrdiff_t push_take(struct text in, struct push *out);

#endif

/*
 * pace - how long the receive thread lets messages gather before it reads on.  Walk 1, step 1: receive.c asks after every read.
 *
 * At 10,000 messages a second a thread that is woken for each spends half a core on being woken. As network drivers do, it waits a
 * millisecond when they come densely, and never when they are sparse (who publishes 1,000 a second sees no difference), come in a burst that is soon
 * over, or flood in: there a read brings much by itself, and Redis cuts off a reader that lags by 32 MB.
 *
 * What comes during a pause is read, and its time of receipt taken, when the pause ends: up to PACE_PAUSE_US later than it could have been.
 */
#ifndef FEED_PACE_H
#define FEED_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Between two messages, in the mean of a stretch without a silence in it: from 5,000 to 40,000 a second. */
#define PACE_STRETCH_US 10000
#define PACE_DENSE_NS 200000
#define PACE_FLOOD_NS 25000
#define PACE_PAUSE_US 1000
#define PACE_MUCH_BYTES 16384 /* of one read: it is a flood whatever the mean says */

struct pace {
	int64_t last_us; /* monotonic: when messages last came; 0: never */
	int64_t from_us, messages; /* the stretch that is being counted: what came after from_us */
	bool dense; /* by the one before */
};

#define PACE_INIT \
	{ \
		.dense = false \
	}

/* After a read that brought so much: microseconds to wait before the next, mostly 0. */
int64_t pace_after(struct pace *p, int64_t mono_us, int64_t messages, int64_t bytes);

#endif

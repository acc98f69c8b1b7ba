/*
 * queue - the bounded queue between the receive thread and the store thread.  Walk 1, step 2: from feed/subscription.c, on to event/decode.c.
 *
 * An arena of message bytes, not of reply objects: one producer, one consumer. The producer never waits: what does not fit is
 * counted and dropped (the newest goes), and the count is handed to the consumer as an overflow. The consumer looks at what waits, and gives it back only
 * after the commit: until then a failed batch has what it borrowed. The consumer may be one thread or another, one at a time. Memory that a burst touched goes back to the system when the queue is empty.
 */
#ifndef FEED_QUEUE_H
#define FEED_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum item_type {
	ITEM_MESSAGE,
	ITEM_DISCONNECTED, /* the subscription was interrupted: from_us..to_us, every channel or one (`channel` not empty) */
	ITEM_OVERFLOW, /* `dropped` messages between from_us and to_us found no room */
};

struct item {
	enum item_type type;
	int row; /* which row of the subscription (ITEM_MESSAGE) */
	bool own_channel; /* of a message: it came on the row's own, and `channel` is empty */
	struct text channel; /* the concrete channel, which may have an empty name; of a break see above */
	struct text payload;
	int64_t received_us;
	int64_t from_us, to_us, dropped;
};

struct queue;

struct queue *queue_new(size_t limit_bytes, struct err *e);
void queue_free(struct queue *q);

/* Producer. False: no room, counted as dropped (an ITEM_OVERFLOW follows as soon as there is room). Copies. */
bool queue_put(struct queue *q, const struct item *item);
void queue_end(struct queue *q); /* nothing more will come: the consumer drains and sees the end */

/* Consumer. Waits up to timeout_ms (-1: for ever) until something waits or the end. 1: something does, 0: time-out, -1: ended and empty. */
int queue_wait(struct queue *q, int timeout_ms);

/* Looks at the next item not yet looked at; its slices live until queue_release(). False: none waits now. */
bool queue_next(struct queue *q, struct item *item);
void queue_release(struct queue *q); /* gives back all that was looked at */

/* How far was looked: to give that much back later, whatever was looked at since. In the order in which they were made, each once; none is good after queue_release(), nor when nothing was looked at since the one before. */
struct queue_mark {
	size_t at, bytes; /* bytes and items since the queue was made */
	int64_t items;
};
void queue_mark(const struct queue *q, struct queue_mark *out);
void queue_release_to(struct queue *q, const struct queue_mark *mark);

int64_t queue_waiting(struct queue *q); /* items that wait and were not looked at */

struct queue_stats {
	size_t bytes, limit;
	int64_t items, dropped;
};
void queue_stats(struct queue *q, struct queue_stats *out); /* any thread */

#endif

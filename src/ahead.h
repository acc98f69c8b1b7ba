/*
 * ahead - the messages of one commit; while many wait, a thread decodes those of the next.  Walk 1, between feed/queue.c and store/append.c.
 *
 * ingest.c takes a batch, appends it, commits and releases it. When few messages wait, a batch holds them as they came and the store thread decodes each as
 * it appends it: nobody is woken, and nothing waits for anything. When many do, the ahead thread meanwhile takes the next batch from the queue and decodes it:
 * decoding is a sixth of what an event costs. One batch ahead, no more: it is done long before the store thread is.
 *
 * A batch is kept until it is released, so one that could not be committed is appended again as it is. It borrows from the queue's arena. All functions between
 * ahead_start() and ahead_free() are for the store thread; the ahead thread looks into the queue only between being asked for a batch and having it, when the store
 * thread does not. Memory for two batches is kept: 3 MB each at ingest.batch_max = 2000, touched only as far as they were ever filled.
 */
#ifndef AHEAD_H
#define AHEAD_H

#include "base/err.h"
#include "event/decode.h"
#include "feed/queue.h"
#include "feed/subscription.h"

struct ahead_opts {
	struct queue *queue; /* borrowed */
	const struct subscription_row *rows; /* borrowed: what items' `row` means */
	enum confidence_scale scale;
	const char *instance; /* marks our own errors; borrowed until ahead_start() returns */
	int batch_max; /* messages a batch */
};

/* What decode_next() gave, its texts kept with the batch. */
struct element {
	bool refused;
	union {
		struct event event;
		struct reject reject;
	};
	unsigned notes[NOTE__MAX]; /* of an event, see decode_notes() */
};

struct message {
	struct item item;
	const struct element *elements;
	int n_elements; /* 0: it is not decoded, be it a break, a batch for which nobody was asked, or too much for its memory */
};

struct batch {
	const struct message *messages;
	int n;
};

struct ahead;

/* Starts the thread. NULL: no memory, or no thread. */
struct ahead *ahead_start(const struct ahead_opts *opts, struct err *e);
void ahead_free(struct ahead *a); /* ends the thread; or NULL */

/* As queue_wait(); a batch that is not released yet or was asked for is something that waits, too. */
int ahead_wait(struct ahead *a, int timeout_ms);

/* Whether so many messages wait that it does not pay to wait for more. */
bool ahead_crowded(struct ahead *a);

/* The batch that is not released yet, or the next; NULL: nothing waits. Lives until ahead_release(). */
const struct batch *ahead_take(struct ahead *a);

/* The batch that ahead_take() gave is committed: its messages go from the queue. */
void ahead_release(struct ahead *a);

/* Where the message comes from, for the decoder. Borrows from both. */
struct source_channel ahead_source(const struct subscription_row *rows, const struct item *item);

#endif

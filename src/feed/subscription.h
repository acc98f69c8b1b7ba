/*
 * subscription - keeps subscribed to Redis, for ever.  Walk 1, step 1: from Redis, on to feed/queue.c.
 *
 * The receive thread. It connects, authenticates, sends one SUBSCRIBE or PSUBSCRIBE a channel and counts each as done only when it
 * is acknowledged; it drains the socket into the queue and does nothing else. PING every interval; a connection is given up when a PING stays unanswered for the
 * read time-out while the socket was empty. After every break it puts a gap into the queue, in order. Silence is normal.
 */
#ifndef FEED_SUBSCRIPTION_H
#define FEED_SUBSCRIPTION_H

#include "base/err.h"
#include "event/event.h"
#include "feed/queue.h"
#include "redis/redis.h"

struct subscription_row {
	char channel[200]; /* a name, or a pattern */
	bool pattern; /* it has one of * ? [ \: PSUBSCRIBE */
	enum kind kind;
	const char *session_state; /* "started", "stopped" or NULL */
};

struct subscription_opts {
	struct redis_target target;
	int64_t connect_timeout_ms, read_timeout_ms, ping_interval_ms, backoff_min_ms, backoff_max_ms;
	const struct subscription_row *rows; /* borrowed */
	size_t n_rows;
	struct queue *queue; /* borrowed */
	void (*changed)(void *arg); /* something in the stats worth telling at once; from the receive thread */
	void *arg;
};

struct subscription;
struct subscription *subscription_start(const struct subscription_opts *opts, struct err *e);
void subscription_stop(
    struct subscription *s); /* stops and joins the thread, ends the queue; stats can still be asked for */
void subscription_free(struct subscription *s); /* of a stopped one, or NULL */

struct subscription_stats {
	bool connected; /* and authenticated */
	bool listening; /* and no break is open: what was published since the last message or item would have come */
	int64_t since_us, last_message_us, reconnects;
	double ping_ms; /* negative: none yet */
	char error[256];
};
void subscription_stats(struct subscription *s, struct subscription_stats *out);
/* Of one row: acknowledged now, why not, messages, last message. Any thread. */
void subscription_row_stats(struct subscription *s, size_t row, bool *acknowledged, char error[200], int64_t *messages,
    int64_t *last_message_us);

/* Overlapping names and patterns would deliver a message twice: -1 names both. */
int subscription_check(const struct subscription_row *rows, size_t n_rows, struct err *e);

#endif

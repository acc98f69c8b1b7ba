/*
 * receive - the inside of a subscription, shared by its parts: subscription.c, receive.c, asked.c, replies.c and breaks.c. Nobody else
 * includes this.
 *
 * Everything but the stats belongs to the receive thread alone.
 */
#ifndef FEED_RECEIVE_H
#define FEED_RECEIVE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/text.h"
#include "feed/pace.h"
#include "feed/subscription.h"

#define ASKED_PING (-1)
#define ASKED_NOTHING INT32_MIN
#define LINES_PER_MINUTE 60

struct push;
struct redisReply;

struct row {
	/* Under the lock. */
	bool acknowledged;
	char error[200];
	/* The receive thread's. */
	char logged[200]; /* the error last logged: not again until it changes */
	int64_t lost_from_us; /* missing since then, to be told when it is back; 0: no */
	int64_t retry_us; /* monotonic; 0: nothing to retry */
	atomic_int_least64_t messages, last_message_us;
};

struct subscription {
	struct subscription_opts opts;
	pthread_t thread;
	int stop_fd;
	atomic_bool stopping;

	pthread_mutex_t lock; /* `stats`, and what the rows say of it */
	struct subscription_stats stats;
	struct row *rows;
	atomic_int_least64_t last_message_us;

	/* From here on the receive thread's alone. */
	struct redis_conn *conn;
	struct redis_backoff backoff;
	char url[600];
	char logged[sizeof(((struct err *)NULL)->text)]; /* the cause last logged */
	struct log_limit limit, slow;
	size_t *by_name; /* rows by (pattern, channel) */

	int *asked; /* a ring of n_rows + 1: row numbers, ASKED_PING */
	size_t asked_first, asked_n;
	size_t rows_asked; /* of them */
	bool ping_asked, settled;
	bool denied; /* Redis does not let us in */
	int64_t asked_us; /* since when something is asked for */
	int64_t life_us, whole_us; /* the last byte, the last whole reply */
	struct pace pace;
	int64_t next_ping_us, ping_sent_us, opened_us; /* monotonic */
	int64_t ping_sent_real_us;

	int64_t start_us, good_us, break_from_us;
	bool first; /* no break was told or begun yet: still the first attempt */
	bool ever;
};

/* subscription.c: what others see. They tell `changed` when it is news. */
void subscription_set_connected(struct subscription *s, bool connected, const char *error);
void subscription_set_row(struct subscription *s, size_t row, bool acknowledged, const char *error);
int subscription_cmp_row(bool a_pattern, struct text a, bool b_pattern, struct text b); /* the order of `by_name` */

/* receive.c: connects and stays; returns when the connection is gone, with the cause, or the thread is to stop. */
void receive_until_broken(struct subscription *s, struct err *e);

/* asked.c: the line of questions. The head of it, a row number, ASKED_PING or ASKED_NOTHING; settled: all rows have their answer. */
int asked_row(struct subscription *s, size_t row, int64_t mono_us, struct err *e);
int asked_ping(struct subscription *s, int64_t mono_us, struct err *e);
int asked_peek(const struct subscription *s);
void asked_pop(struct subscription *s);
void asked_settle(struct subscription *s, int64_t now_us);

/* replies.c: a message; and one whole reply of any kind. -1: not what Redis says to a subscriber. */
void replies_push(struct subscription *s, const struct push *push, int64_t now_us);
int replies_take(struct subscription *s, const struct redisReply *r, int64_t now_us, struct err *e);

/* breaks.c: a gap of one channel (NULL: all), and the break of the connection. */
void breaks_put(struct subscription *s, const char *channel, int row, int64_t from_us, int64_t to_us);
void breaks_close(
    struct subscription *s, int64_t now_us); /* every channel is back, or a message is about to be queued */
void breaks_open(struct subscription *s);
void breaks_end(struct subscription *s); /* nobody listens from now on: tells what is still open */

#endif

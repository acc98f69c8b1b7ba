/*
 * receive - one connection to Redis, from opening to its end.  Walk 1, step 1: from feed/subscription.c, on to feed/replies.c.
 */
#include "feed/receive.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <poll.h>
#include <time.h>

#include "base/clock.h"
#include "redis/push.h"

#define CLIENT_NAME "tickgate-subscriber"

/* When messages are dense: the next read takes what comes in this time. */
static void
gather(int64_t us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };

	if (us > 0)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* Reads once and hands everything whole to replies_take(). */
static int
receive(struct subscription *s, struct err *e)
{
	int64_t n = redis_read(s->conn, e), replies = 0, now_us;
	struct push push;
	redisReply *r;
	int rc = 0;

	/* What came before the end still counts: a closed connection may leave replies in the reader. */
	if (n > 0)
		s->life_us = clock_mono_us();
	now_us = clock_real_us();
	for (;;) {
		struct err why = { .code = ERR_NONE };

		if (redis_next(s->conn, &push, &r, &why) != 0) {
			*e = n < 0 ? *e : why;
			return -1;
		}
		if (r == NULL && push.payload.p == NULL)
			break;
		if (replies++ == 0)
			s->whole_us = clock_mono_us();
		if (r == NULL) {
			replies_push(s, &push, now_us);
			continue;
		}
		rc = replies_take(s, r, now_us, &why);
		freeReplyObject(r);
		if (rc != 0) {
			*e = why;
			return -1;
		}
	}
	if (n >= 0 && !atomic_load(&s->stopping))
		gather(pace_after(&s->pace, s->life_us, replies, n));
	return n < 0 ? -1 : 0;
}

/* Until something must be done though nothing comes, at most a minute. */
static int
next_timer_ms(const struct subscription *s, int64_t mono_us)
{
	int64_t at = mono_us + 60000000;
	int64_t waited_from = s->asked_us > s->life_us ? s->asked_us : s->life_us;

	if (s->asked_n > 0 && waited_from + s->opts.read_timeout_ms * 1000 < at)
		at = waited_from + s->opts.read_timeout_ms * 1000;
	if (!s->ping_asked && s->next_ping_us < at)
		at = s->next_ping_us;
	for (size_t i = 0; i < s->opts.n_rows; i++)
		if (s->rows[i].retry_us != 0 && s->rows[i].retry_us < at)
			at = s->rows[i].retry_us;
	return at <= mono_us ? 0 : (int)((at - mono_us + 999) / 1000);
}

/* The socket was found empty: is an answer overdue? */
static int
check_silence(const struct subscription *s, struct err *e)
{
	int64_t waited_from = s->asked_us > s->life_us ? s->asked_us : s->life_us;

	if (s->asked_n == 0 || clock_mono_us() - waited_from < s->opts.read_timeout_ms * 1000)
		return 0;
	err_set(e, ERR_REDIS, "no answer to %s for %" PRId64 " ms", asked_peek(s) == ASKED_PING ? "PING" : "SUBSCRIBE",
	    s->opts.read_timeout_ms);
	return -1;
}

/* Bytes come, but for long no whole reply: one that drips in without end is no better than silence. */
static int
check_drip(const struct subscription *s, struct err *e)
{
	int64_t waited_from = s->asked_us > s->whole_us ? s->asked_us : s->whole_us;
	int64_t limit_ms = 2 * s->opts.ping_interval_ms + s->opts.read_timeout_ms;

	if (s->asked_n == 0 || clock_mono_us() - waited_from < limit_ms * 1000)
		return 0;
	err_set(e, ERR_REDIS, "no whole reply for %" PRId64 " ms", limit_ms);
	return -1;
}

static int
run_timers(struct subscription *s, struct err *e)
{
	int64_t mono_us = clock_mono_us();

	if (!s->ping_asked && mono_us >= s->next_ping_us && asked_ping(s, mono_us, e) != 0)
		return -1;
	for (size_t i = 0; i < s->opts.n_rows; i++)
		if (s->rows[i].retry_us != 0 && s->rows[i].retry_us <= mono_us && asked_row(s, i, mono_us, e) != 0)
			return -1;
	return 0;
}

/* One turn of the connection: 0, or -1 when it is done for. */
static int
turn(struct subscription *s, struct err *e)
{
	struct pollfd fds[2] = { { .fd = redis_fd(s->conn), .events = POLLIN },
		{ .fd = s->stop_fd, .events = POLLIN } };

	if (redis_unsent(s->conn))
		fds[0].events |= POLLOUT;
	if (poll(fds, 2, next_timer_ms(s, clock_mono_us())) < 0 && errno != EINTR) {
		err_sys(e, "poll");
		return -1;
	}
	if (atomic_load(&s->stopping))
		return 0;
	if ((fds[0].revents & POLLOUT) != 0 && redis_flush(s->conn, e) != 0)
		return -1;
	if ((fds[0].revents & ~POLLOUT) != 0) {
		if (receive(s, e) != 0 || check_drip(s, e) != 0)
			return -1;
	} else if (check_silence(s, e) != 0) {
		return -1;
	}
	return run_timers(s, e);
}

static int
begin(struct subscription *s, struct err *e)
{
	int64_t mono_us = clock_mono_us();

	s->asked_first = s->asked_n = s->rows_asked = 0;
	s->ping_asked = s->settled = false;
	s->pace = (struct pace)PACE_INIT;
	s->life_us = s->whole_us = s->opened_us = mono_us;
	s->next_ping_us = mono_us + s->opts.ping_interval_ms * 1000;
	s->good_us = clock_real_us();
	pthread_mutex_lock(&s->lock);
	s->stats.reconnects += s->ever;
	pthread_mutex_unlock(&s->lock);
	s->ever = true;
	subscription_set_connected(s, true, "");
	for (size_t i = 0; i < s->opts.n_rows; i++)
		if (asked_row(s, i, mono_us, e) != 0)
			return -1;
	asked_settle(s, s->good_us); /* no rows: nothing to wait for */
	return 0;
}

/* Connects and stays; returns when the connection is gone or the thread is to stop. */
void
receive_until_broken(struct subscription *s, struct err *e)
{
	int rc;

	s->conn = redis_open(&s->opts.target, CLIENT_NAME, s->opts.connect_timeout_ms, s->opts.read_timeout_ms,
	    s->stop_fd, &s->denied, e);
	if (s->conn == NULL) {
		if (!atomic_load(&s->stopping))
			s->first = false;
		return;
	}
	rc = begin(s, e);
	while (rc == 0 && !atomic_load(&s->stopping))
		rc = turn(s, e);
	redis_close(s->conn);
	s->conn = NULL;
	/* To be stopped is no break: the log knows until when we were here. */
	if (rc == 0)
		return;
	/* In this order: whoever reads that nobody is connected must not read that a channel is subscribed. */
	breaks_open(s);
	subscription_set_connected(s, false, e->text);
}

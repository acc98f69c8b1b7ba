/*
 * replies - what Redis says: answers, and messages on their way to the queue.  Walk 1, step 1: from feed/receive.c, on to feed/queue.c.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "feed/receive.h"
#include "redis/push.h"

#define SLOW_PING_US 10000

#define CHANNEL_MAX 512 /* a concrete channel's name is cut to this */

static int
unexpected(struct err *e, const char *what)
{
	err_set(e, ERR_REDIS, "protocol error: %s", what);
	return -1;
}

static void
on_pong(struct subscription *s)
{
	int64_t took_us = clock_mono_us() - s->ping_sent_us;

	asked_pop(s);
	if (s->ping_sent_real_us > s->good_us)
		s->good_us = s->ping_sent_real_us;
	pthread_mutex_lock(&s->lock);
	s->stats.ping_ms = (double)took_us / 1000;
	pthread_mutex_unlock(&s->lock);
	log_slow(&s->slow, "slow_redis", took_us, SLOW_PING_US, log_str("command", "PING"));
}

/* A channel was refused: the others go on. Tried again at the slow end of the back-off, said once. */
static void
on_row_refused(struct subscription *s, size_t row, const char *why)
{
	struct row *r = &s->rows[row];

	subscription_set_row(s, row, false, why);
	r->retry_us = clock_mono_us() + s->opts.backoff_max_ms * 1000;
	if (s->break_from_us == 0 && r->lost_from_us == 0)
		r->lost_from_us = s->good_us;
	if (strcmp(r->logged, r->error) == 0)
		return;
	memcpy(r->logged, r->error, sizeof(r->logged));
	log_event(
	    LOG_LEVEL_WARNING, "channel_refused", log_str("channel", s->opts.rows[row].channel), log_str("error", why));
}

static int
on_error(struct subscription *s, const char *why, int64_t now_us, struct err *e)
{
	int what = asked_peek(s);

	if (what == ASKED_NOTHING || redis_denied(why)) {
		s->denied = redis_denied(why);
		err_set(e, ERR_REDIS, "Redis said: %.200s", why);
		return -1;
	}
	if (what == ASKED_PING) {
		/* A user without +ping gets an answer too, and that is all it is for. */
		on_pong(s);
		return 0;
	}
	asked_pop(s);
	on_row_refused(s, (size_t)what, why);
	asked_settle(s, now_us);
	return 0;
}

static int
on_acknowledged(struct subscription *s, bool pattern, struct text channel, int64_t now_us, struct err *e)
{
	int what = asked_peek(s);
	const struct subscription_row *r;
	struct row *row;

	if (what < 0)
		return unexpected(e, "a subscription that nobody asked for");
	r = &s->opts.rows[what];
	row = &s->rows[what];
	if (r->pattern != pattern || !text_eq(text_of(r->channel), channel))
		return unexpected(e, "a subscription other than the one asked for");
	asked_pop(s);
	subscription_set_row(s, (size_t)what, true, "");
	if (row->lost_from_us != 0)
		breaks_put(s, r->channel, what, row->lost_from_us, now_us);
	row->lost_from_us = 0;
	if (row->logged[0] != '\0' || s->settled)
		log_event(LOG_LEVEL_NOTICE, "channel_subscribed", log_str("channel", r->channel));
	row->logged[0] = '\0';
	asked_settle(s, now_us);
	return 0;
}

/* The row, or -1. */
static int
find_row(const struct subscription *s, bool pattern, struct text name)
{
	size_t lo = 0, hi = s->opts.n_rows;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct subscription_row *r = &s->opts.rows[s->by_name[mid]];
		int c = subscription_cmp_row(pattern, name, r->pattern, text_of(r->channel));

		if (c == 0)
			return (int)s->by_name[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return -1;
}

/* Redis took a channel away. */
static void
on_unsubscribed(struct subscription *s, bool pattern, struct text channel)
{
	int row = find_row(s, pattern, channel);

	if (row < 0 || !s->rows[row].acknowledged)
		return;
	on_row_refused(s, (size_t)row, "unsubscribed by the server");
	s->rows[row].retry_us = clock_mono_us() + s->opts.backoff_min_ms * 1000;
}

static void
on_message(struct subscription *s, int row, struct text channel, struct text payload, int64_t now_us)
{
	struct item item = { .type = ITEM_MESSAGE, .row = row, .payload = payload, .received_us = now_us };

	if (row < 0)
		return; /* not a channel of ours */
	item.own_channel = !s->opts.rows[row].pattern;
	if (!item.own_channel)
		item.channel = text_cut(channel, 0, channel.n < CHANNEL_MAX ? channel.n : CHANNEL_MAX);
	if (s->break_from_us != 0)
		breaks_close(s, now_us);
	queue_put(s->opts.queue, &item);
	if (now_us > s->good_us)
		s->good_us = now_us;
	atomic_fetch_add_explicit(&s->rows[row].messages, 1, memory_order_relaxed);
	atomic_store_explicit(&s->rows[row].last_message_us, now_us, memory_order_relaxed);
	atomic_store_explicit(&s->last_message_us, now_us, memory_order_relaxed);
}

void
replies_push(struct subscription *s, const struct push *push, int64_t now_us)
{
	bool pattern = push->pattern.p != NULL;

	on_message(
	    s, find_row(s, pattern, pattern ? push->pattern : push->channel), push->channel, push->payload, now_us);
}

static struct text
element(const redisReply *r, size_t i)
{
	const redisReply *x = r->element[i];

	return x->type == REDIS_REPLY_STRING ? (struct text){ x->str, (size_t)x->len } : TEXT_NONE;
}

static int
on_push(struct subscription *s, const redisReply *r, int64_t now_us, struct err *e)
{
	struct text what = r->elements > 0 ? element(r, 0) : TEXT_NONE;
	struct text a = r->elements > 1 ? element(r, 1) : TEXT_NONE;

	if (text_eq(what, TEXT("message")) && r->elements == 3 && a.p != NULL && element(r, 2).p != NULL) {
		replies_push(s, &(struct push){ TEXT_NONE, a, element(r, 2) }, now_us);
		return 0;
	}
	if (text_eq(what, TEXT("pmessage")) && r->elements == 4 && a.p != NULL && element(r, 2).p != NULL &&
	    element(r, 3).p != NULL) {
		replies_push(s, &(struct push){ a, element(r, 2), element(r, 3) }, now_us);
		return 0;
	}
	if (r->elements == 3 && r->element[2]->type == REDIS_REPLY_INTEGER) {
		bool pattern = text_starts(what, TEXT("p"));
		struct text verb = text_cut(what, pattern, what.n);

		if (text_eq(verb, TEXT("subscribe")))
			return on_acknowledged(s, pattern, a, now_us, e);
		if (text_eq(verb, TEXT("unsubscribe"))) {
			on_unsubscribed(s, pattern, a);
			return 0;
		}
	}
	if (text_eq(what, TEXT("pong")) && r->elements == 2 && asked_peek(s) == ASKED_PING) {
		on_pong(s);
		return 0;
	}
	return unexpected(e, "an array of no known shape");
}

int
replies_take(struct subscription *s, const redisReply *r, int64_t now_us, struct err *e)
{
	switch (r->type) {
	case REDIS_REPLY_ARRAY:
		return on_push(s, r, now_us, e);
	case REDIS_REPLY_ERROR:
		return on_error(s, r->str, now_us, e);
	case REDIS_REPLY_STATUS: /* the answer to PING while nothing is subscribed */
		if (strcmp(r->str, "PONG") == 0 && asked_peek(s) == ASKED_PING) {
			on_pong(s);
			return 0;
		}
		return unexpected(e, "a status that nobody asked for");
	default:
		return unexpected(e, "a reply of no known shape");
	}
}

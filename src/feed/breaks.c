/*
 * breaks - what a break of the connection loses, as gaps in the queue.  Walk 1, step 1: below feed/subscription.c.
 *
 * `good_us` is an instant up to which nothing was lost: when the last answered PING was sent, or a message came in. A break is open from
 * there (`break_from_us`) until the subscriptions are answered on the next connection, or a message comes, if that is
 * earlier: then the gap is put before it, and channels that are still missing begin one of their own (`lost_from_us`).
 */
#include "feed/receive.h"

#include "base/clock.h"

#define FIRST_CONNECT_US 1000000 /* the store's gap for the time not running reaches this far */

void
breaks_put(struct subscription *s, const char *channel, int row, int64_t from_us, int64_t to_us)
{
	struct item item = { .type = ITEM_DISCONNECTED,
		.row = row,
		.channel = channel == NULL ? (struct text){ "", 0 } : text_of(channel),
		.received_us = to_us,
		.from_us = from_us,
		.to_us = to_us };

	/* No room: the queue makes it part of its overflow. */
	queue_put(s->opts.queue, &item);
}

/* Between breaks, a log that hears nothing may take it that nothing was said. */
static void
set_listening(struct subscription *s, bool listening)
{
	pthread_mutex_lock(&s->lock);
	s->stats.listening = listening;
	pthread_mutex_unlock(&s->lock);
}

/* Every channel is back, or a message is about to be queued. */
void
breaks_close(struct subscription *s, int64_t now_us)
{
	if (s->break_from_us != 0 && !(s->first && now_us - s->start_us < FIRST_CONNECT_US))
		breaks_put(s, NULL, -1, s->break_from_us, now_us);
	s->break_from_us = 0;
	s->first = false;
	set_listening(s, true);
	for (size_t i = 0; i < s->opts.n_rows; i++)
		if (!s->rows[i].acknowledged && s->rows[i].lost_from_us == 0)
			s->rows[i].lost_from_us = now_us;
}

void
breaks_open(struct subscription *s)
{
	if (s->break_from_us == 0)
		s->break_from_us = s->good_us;
	s->first = false;
	set_listening(s, false);
	for (size_t i = 0; i < s->opts.n_rows; i++)
		if (s->rows[i].acknowledged)
			subscription_set_row(s, i, false, "");
}

void
breaks_end(struct subscription *s)
{
	int64_t now_us = clock_real_us(), to_us = s->break_from_us != 0 ? s->break_from_us : now_us;

	/* A break of all goes on where those of the channels end; closing it begins new ones, of no length. */
	for (size_t i = 0; i < s->opts.n_rows; i++)
		if (s->rows[i].lost_from_us != 0 && s->rows[i].lost_from_us < to_us)
			breaks_put(s, s->opts.rows[i].channel, (int)i, s->rows[i].lost_from_us, to_us);
	s->first = false; /* however short: no gap of the store reaches up to here */
	if (s->break_from_us != 0)
		breaks_close(s, now_us);
	set_listening(s, false);
}

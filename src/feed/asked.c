/*
 * asked - what was asked of Redis and is not answered yet.  Walk 1, step 1: below feed/receive.c.
 *
 * Redis answers commands in their order, so what was asked stands in a line and each answer belongs to its head; messages come
 * in between at any time.
 */
#include "feed/receive.h"

#include <inttypes.h>

#include "base/clock.h"

static void
asked_push(struct subscription *s, int what, int64_t mono_us)
{
	if (s->asked_n == 0)
		s->asked_us = mono_us;
	s->asked[(s->asked_first + s->asked_n++) % (s->opts.n_rows + 1)] = what;
	if (what == ASKED_PING)
		s->ping_asked = true;
	else
		s->rows_asked++;
}

/* The head of the line, or ASKED_NOTHING. */
int
asked_peek(const struct subscription *s)
{
	return s->asked_n == 0 ? ASKED_NOTHING : s->asked[s->asked_first];
}

void
asked_pop(struct subscription *s)
{
	if (s->asked[s->asked_first] == ASKED_PING)
		s->ping_asked = false;
	else
		s->rows_asked--;
	s->asked_first = (s->asked_first + 1) % (s->opts.n_rows + 1);
	s->asked_n--;
}

int
asked_row(struct subscription *s, size_t row, int64_t mono_us, struct err *e)
{
	const struct subscription_row *r = &s->opts.rows[row];

	s->rows[row].retry_us = 0;
	asked_push(s, (int)row, mono_us);
	return redis_send(s->conn, 2, (const char *const[]){ r->pattern ? "PSUBSCRIBE" : "SUBSCRIBE", r->channel }, e);
}

int
asked_ping(struct subscription *s, int64_t mono_us, struct err *e)
{
	asked_push(s, ASKED_PING, mono_us);
	s->ping_sent_us = mono_us;
	s->ping_sent_real_us = clock_real_us();
	s->next_ping_us = mono_us + s->opts.ping_interval_ms * 1000;
	return redis_send(s->conn, 1, (const char *const[]){ "PING" }, e);
}

/* Everything that was asked for has its answer. */
void
asked_settle(struct subscription *s, int64_t now_us)
{
	size_t n = 0;

	if (s->settled || s->rows_asked > 0)
		return;
	s->settled = true;
	breaks_close(s, now_us);
	redis_backoff_reset(&s->backoff);
	s->logged[0] = '\0';
	for (size_t i = 0; i < s->opts.n_rows; i++)
		n += s->rows[i].acknowledged;
	if (log_allowed(&s->limit, LINES_PER_MINUTE, "redis_subscribed"))
		log_event(LOG_LEVEL_NOTICE, "redis_subscribed", log_str("url", s->url), log_int("channels", (int64_t)n),
		    log_int("of", (int64_t)s->opts.n_rows));
}

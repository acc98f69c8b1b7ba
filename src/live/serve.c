/*
 * serve - see serve.h.  Walk 3, step 5: from live.c. What is said besides events is in say.c.
 *
 * How clients come in and leave, and in which list each is, is in crowd.c.
 */
#include "live/serve.h"

#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "live/crowd.h"
#include "live/say.h"

#define LAG_PIECES 3 /* at a time, for one: 48 KiB, which lighttpd reads, and hands on, in one go */
#define LAND_US 1000 /* between two looks whether it has */
#define BEHIND_US 1000 /* for clients that are behind, between two looks at the log */
#define RETRY_US 250000 /* the log cannot be read: try again */
#define STOP_US 4000000 /* at a stop: for clients that are still to take their last bytes */

int
serve_init(
    struct serve *s, const struct live_opts *opts, struct hub *hub, struct reader *reader, int epoll, struct err *e)
{
	*s = (struct serve){ .opts = opts, .hub = hub, .epoll = epoll, .land_us = INT64_MAX };
	wheel_init(&s->wheel, clock_mono_us());
	return source_init(&s->source, hub, reader, opts->framed, e);
}

/* ---- live clients ---- */

/* Out of the live ones, with what it has. */
static void
fall_behind(struct serve *s, struct client *c, int64_t pos)
{
	if (c->waiter && c->state == CLIENT_LIVE && s->hub->gap <= c->after)
		c->after = pos;
	c->pos = pos;
	crowd_move(s, c, CLIENT_BEHIND);
}

static void
pause_until(struct serve *s, struct client *c, int64_t us)
{
	c->due_us = us;
	crowd_move(s, c, CLIENT_PAUSED);
	crowd_call_at(s, c, us);
}

static void
turn_waiters(struct serve *s, struct view *v, int64_t now_us)
{
	for (struct client *c = v->live.first, *next; c != NULL; c = next) {
		next = c->next;
		fall_behind(s, c, s->hub->from);
		c->woken = true;
		if (c->pause_ms > 0) {
			int64_t due_us = now_us + c->pause_ms * INT64_C(1000);

			pause_until(s, c, due_us < c->end_us ? due_us : c->end_us);
		}
	}
}

/* A batch is a least time between two servings, so what comes after a silence goes at once. */
static void
turn_batches(struct serve *s, struct view *v, int64_t now_us)
{
	for (struct client *c = v->paused.first, *next; c != NULL && v->urgent; c = next) {
		next = c->next;
		crowd_move(s, c, CLIENT_BEHIND);
	}
	for (struct client *c = v->live.first, *next; c != NULL; c = next) {
		int64_t due_us = c->served_us + c->pause_ms * INT64_C(1000);

		next = c->next;
		fall_behind(s, c, s->hub->from);
		if (!v->urgent && due_us > now_us)
			pause_until(s, c, due_us);
	}
}

static void
send_live(struct serve *s, struct view *v, struct blob *b, int64_t now_us)
{
	for (struct client *c = v->live.first, *next; c != NULL; c = next) {
		enum client_sent sent = client_send(c, b);

		next = c->next;
		if (sent == SENT)
			c->served_us = now_us;
		else
			c->pos = sent == SENT_PART ? b->to : b->from;
		if (sent != SENT)
			crowd_settle(s, c, sent, now_us);
	}
}

static void
note_latency(const struct serve *s)
{
	if (s->opts->on_served != NULL && s->committed_us > 0)
		s->opts->on_served(s->opts->arg, clock_mono_us() - s->committed_us);
}

static void
turn_streams(struct serve *s, struct view *v, int64_t now_us)
{
	int64_t from = s->hub->from;
	uint32_t at = v->hits;
	struct blob *b;

	while (!v->lost && (b = source_hits(&s->source, v, &at, from)) != NULL) {
		if (from == s->hub->from && v->live.first != NULL)
			note_latency(s);
		send_live(s, v, b, now_us);
		from = b->to;
		blob_unref(b);
		if (at == 0)
			return;
	}
	/* Not to be had from the hits: by the ring or the log, one by one. */
	while (v->live.first != NULL)
		fall_behind(s, v->live.first, from);
}

void
serve_turn(struct serve *s, int64_t now_us)
{
	struct view *v;

	while ((v = hub_next_dirty(s->hub)) != NULL) {
		/* Its last client may leave on the way. */
		v->n_clients++;
		if (v->terms->form.waiter)
			turn_waiters(s, v, now_us);
		else if (v->terms->form.batch)
			turn_batches(s, v, now_us);
		else
			turn_streams(s, v, now_us);
		hub_leave(s->hub, v);
	}
	hub_turn_done(s->hub);
}

/* ---- those behind ---- */

static void
go_live(struct serve *s, struct client *c, int64_t now_us)
{
	crowd_move(s, c, CLIENT_LIVE);
	if (!c->waiter && c->told_stale != s->stale)
		say_stale(s, c, now_us);
}

static void
next_failed(struct serve *s, struct client *c, int64_t trimmed, const struct err *why, int64_t now_us)
{
	if (why->code != ERR_MISSING || trimmed <= c->pos)
		pause_until(s, c, now_us + RETRY_US);
	else if (c->waiter)
		c->woken = true; /* the answer says `reset` */
	else
		say_dropped(s, c, trimmed, now_us);
}

/* A waiter is not sent anything yet: what it waits for has come if there is an event in it. */
static void
check_waiter(struct serve *s, struct client *c, const struct blob *b)
{
	if (b->events > 0) {
		c->woken = true;
		return;
	}
	c->pos = b->to;
	if (s->hub->gap <= c->after)
		c->after = b->to;
}

/* One piece. True: it is still in line. *flies: what goes out is to be counted as under way; cleared once it was, for a turn counts once. */
static bool
serve_next(struct serve *s, struct client *c, bool *flies, int64_t now_us)
{
	bool settled = true;
	enum client_sent sent;
	int64_t trimmed;
	struct err e;
	struct blob *b = source_next(&s->source, c->view, c->pos, &trimmed, &e);

	if (b == NULL) {
		next_failed(s, c, trimmed, &e, now_us);
		return false;
	}
	if (c->waiter) {
		check_waiter(s, c, b);
	} else {
		int64_t served_us = c->served_us;

		sent = client_send(c, b);
		if (sent == SENT || sent == SENT_PART)
			c->pos = b->to;
		/* Where nothing matched nothing lies before the web server, however far it looked. */
		if (*flies && b->len > 0 && (sent == SENT || sent == SENT_PART)) {
			flight_add(&s->flight, c, now_us);
			*flies = false;
		}
		settled = crowd_settle(s, c, sent, now_us);
		/* Nothing matched: only a step, no sign of life. */
		if (settled && b->len == 0)
			c->served_us = served_us;
	}
	blob_unref(b);
	return settled;
}

/*
 * Having caught up one does not wait for those who have not. Waiters never do: they are sent nothing but their answer, and that in time.
 */
static enum client_state
line_of(const struct serve *s, const struct client *c)
{
	return c->waiter || c->pos >= s->hub->to ? CLIENT_BEHIND : CLIENT_LAGGING;
}

/* A turn of one who lacks something: a piece; some for those who have had that and need more. */
static void
serve_pieces(struct serve *s, struct client *c, int64_t now_us)
{
	bool flies = c->state == CLIENT_LAGGING;
	int n = flies ? LAG_PIECES : 1;

	do {
		if (!serve_next(s, c, &flies, now_us))
			return;
	} while (--n > 0 && c->pos < s->hub->to && s->source.rows < SOURCE_ROWS);
	crowd_move(s, c, line_of(s, c));
}

/* One step of one client. */
static void
serve_one(struct serve *s, struct client *c, int64_t now_us)
{
	/* Behind the others, wherever it goes then. */
	crowd_move(s, c, c->state);
	if (c->rest != NULL && !crowd_settle(s, c, client_flush(c), now_us))
		return;
	/* A bye would have the client go on in the new log as if it had been told; it is not ours to tell while we follow none. */
	if (c->reset && !c->waiter && s->hub->epoch[0] != '\0')
		say_reset(s, c, now_us);
	else if (s->stopping)
		say_bye(s, c, "shutting_down", now_us);
	else if (c->woken)
		say_answer(s, c, now_us);
	else if (c->pos < s->hub->to)
		serve_pieces(s, c, now_us);
	else if (c->pos == s->hub->to)
		go_live(s, c, now_us);
	else
		/* Ahead of us: the log was not readable when it came. */
		pause_until(s, c, now_us + RETRY_US);
}

static struct client *
next_in_line(const struct serve *s)
{
	if (s->behind.first != NULL)
		return s->behind.first;
	return flight_is_full(&s->flight) ? NULL : s->lagging.first;
}

bool
serve_behind(struct serve *s, int64_t now_us)
{
	bool looked = false;
	struct client *c;

	s->source.rows = 0;
	flight_land(&s->flight, now_us);
	for (;;) {
		/* What was sent a moment ago may be read by now; who is told to wait does so for LAND_US. */
		if ((c = next_in_line(s)) == NULL && s->lagging.first != NULL && !looked) {
			looked = true;
			flight_land(&s->flight, now_us);
			c = next_in_line(s);
		}
		if (c == NULL)
			break;
		serve_one(s, c, now_us);
		if (s->source.rows >= SOURCE_ROWS || clock_mono_us() - now_us >= BEHIND_US)
			break;
	}
	s->land_us = s->lagging.first != NULL && flight_is_full(&s->flight) ? now_us + LAND_US : INT64_MAX;
	return next_in_line(s) != NULL;
}

/* ---- what happens to one client ---- */

void
serve_event(struct serve *s, struct client *c, uint32_t events, int64_t now_us)
{
	if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
		crowd_gone(s, c);
		return;
	}
	if ((events & (EPOLLIN | EPOLLRDHUP)) != 0 && client_hangs_up(c)) {
		/* The client is gone, the web server is there and waits for the end that belongs to it. */
		say_farewell(s, c);
		return;
	}
	if ((events & EPOLLOUT) == 0)
		return;
	crowd_watch_out(s, c, false);
	if (c->state == CLIENT_BLOCKED) {
		crowd_move(s, c, line_of(s, c));
	} else if (c->state == CLIENT_ENDING) {
		enum client_sent sent = client_flush(c);

		if (sent == SENT || sent == SENT_GONE)
			crowd_gone(s, c);
		else
			crowd_block(s, c, now_us, sent);
	}
}

/* What is next for it, at the latest. */
static int64_t
next_call_us(const struct client *c)
{
	int64_t beat_us = c->served_us + c->heartbeat_ms * INT64_C(1000);

	switch ((enum client_state)c->state) {
	case CLIENT_BLOCKED:
	case CLIENT_ENDING:
		return c->blocked_us + PROGRESS_US;
	case CLIENT_PAUSED:
		return c->due_us;
	case CLIENT_LIVE:
	case CLIENT_BEHIND:
	case CLIENT_LAGGING:
		break;
	}
	return c->waiter || c->end_us < beat_us ? c->end_us : beat_us;
}

static void
call(struct serve *s, struct client *c, int64_t now_us)
{
	if (next_call_us(c) > now_us) {
		crowd_call_at(s, c, next_call_us(c));
		return;
	}
	switch ((enum client_state)c->state) {
	case CLIENT_BLOCKED:
	case CLIENT_ENDING:
		crowd_gone(s, c);
		return;
	case CLIENT_PAUSED:
		crowd_move(s, c, CLIENT_BEHIND);
		break;
	case CLIENT_LIVE:
	case CLIENT_BEHIND:
	case CLIENT_LAGGING:
		if (c->waiter) {
			if (c->state == CLIENT_LIVE)
				fall_behind(s, c, s->hub->to);
			c->woken = true;
		} else if (c->end_us <= now_us && c->rest == NULL && !c->reset) {
			say_bye(s, c, "max_age", now_us);
			return;
		} else if (!say_heartbeat(s, c, now_us)) {
			return;
		}
		break;
	}
	crowd_call_at(s, c, next_call_us(c) > now_us ? next_call_us(c) : now_us + RETRY_US);
}

void
serve_timers(struct serve *s, int64_t now_us)
{
	struct timer *t;

	while ((t = wheel_take(&s->wheel, now_us)) != NULL)
		call(s, (struct client *)(void *)t, now_us);
	if (s->stopping && now_us >= s->stop_us)
		while (s->all != NULL)
			crowd_gone(s, s->all);
}

int64_t
serve_due_us(const struct serve *s)
{
	int64_t due_us = wheel_due_us(&s->wheel);

	if (s->land_us < due_us)
		due_us = s->land_us;
	return s->stopping && s->n > 0 && s->stop_us < due_us ? s->stop_us : due_us;
}

/* ---- what happens to all ---- */

void
serve_start(struct serve *s, const struct snapshot *snap, int64_t oldest)
{
	bool same = strcmp(s->hub->epoch, snap->epoch) == 0 && snap->head >= s->hub->to;

	s->oldest = oldest;
	if (!same) {
		say_forget(s);
		source_forget(&s->source);
	}
	for (struct client *c = s->all; c != NULL; c = c->all_next) {
		if (c->state == CLIENT_LIVE)
			fall_behind(s, c, s->hub->to);
		if (same || c->state == CLIENT_ENDING)
			continue;
		if (c->state == CLIENT_PAUSED)
			crowd_move(s, c, CLIENT_BEHIND);
		c->pos = snap->head;
		c->after = -1;
		c->reset = true;
		c->woken = c->waiter;
	}
}

bool
serve_stale(struct serve *s, bool stale, int64_t now_us)
{
	if (s->stale != stale) {
		s->stale = stale;
		s->walk = s->all;
	}
	for (int i = 0; i < 512 && s->walk != NULL; i++) {
		struct client *c = s->walk;

		s->walk = c->all_next;
		/* The others are told when they have caught up. */
		if (c->state == CLIENT_LIVE && !c->waiter && c->told_stale != stale)
			say_stale(s, c, now_us);
	}
	return s->walk != NULL;
}

void
serve_stop(struct serve *s, int64_t now_us)
{
	if (s->stopping)
		return;
	s->stopping = true;
	s->stop_us = now_us + STOP_US;
	for (struct client *c = s->all; c != NULL; c = c->all_next) {
		if (c->state == CLIENT_LIVE)
			fall_behind(s, c, s->hub->to);
		else if (c->state == CLIENT_PAUSED)
			crowd_move(s, c, CLIENT_BEHIND);
	}
}

void
serve_fini(struct serve *s)
{
	while (s->all != NULL)
		crowd_gone(s, s->all);
	say_forget(s);
	buf_fini(&s->text);
	buf_fini(&s->records);
	source_fini(&s->source);
}

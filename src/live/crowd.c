/*
 * crowd - see crowd.h.  Walk 3, beside step 5: from live.c, which lets requests join.
 */
#include "live/crowd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "live/record.h"

/* ---- states ---- */

static struct clients *
list_of(struct serve *s, const struct client *c)
{
	switch ((enum client_state)c->state) {
	case CLIENT_LIVE:
		return &c->view->live;
	case CLIENT_PAUSED:
		return &c->view->paused;
	case CLIENT_BEHIND:
		return &s->behind;
	case CLIENT_LAGGING:
		return &s->lagging;
	case CLIENT_BLOCKED:
		return &s->blocked;
	case CLIENT_ENDING:
		break;
	}
	return &s->ending;
}

void
crowd_move(struct serve *s, struct client *c, enum client_state state)
{
	clients_remove(list_of(s, c), c);
	c->state = (uint8_t)state;
	clients_add(list_of(s, c), c);
}

/* An earlier call is harmless, since it looks what is really due; so a timer is only ever moved forwards. */
void
crowd_call_at(struct serve *s, struct client *c, int64_t us)
{
	if (c->timer.at == NULL || us < c->timer.due_us)
		wheel_set(&s->wheel, &c->timer, us);
}

/* As a CGI program we write to a pipe, a file, or a socket that tells nothing but its breaking. */
static uint32_t
events_of(const struct client *c)
{
	return c->framed ? EPOLLIN | EPOLLRDHUP : 0;
}

void
crowd_watch_out(struct serve *s, struct client *c, bool out)
{
	struct epoll_event ev = { .events = events_of(c) | (out ? (uint32_t)EPOLLOUT : 0), .data = { .ptr = c } };

	if (c->watched_out != out && !c->unwatched)
		epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &ev);
	c->watched_out = out;
}

void
crowd_gone(struct serve *s, struct client *c)
{
	clients_remove(list_of(s, c), c);
	wheel_clear(&s->wheel, &c->timer);
	flight_forget(&s->flight, c);
	if (s->walk == c)
		s->walk = c->all_next;
	if (c->all_prev != NULL)
		c->all_prev->all_next = c->all_next;
	else
		s->all = c->all_next;
	if (c->all_next != NULL)
		c->all_next->all_prev = c->all_prev;
	s->n--;
	/* The only descriptor of this connection: closing takes it out of the epoll. */
	close(c->fd);
	blob_unref(c->rest);
	hub_leave(s->hub, c->view);
	s->opts->on_gone(s->opts->arg, c->waiter, c->address);
	free(c);
}

void
crowd_block(struct serve *s, struct client *c, int64_t now_us, enum client_sent sent)
{
	/* Something was taken, so the patience begins anew. */
	if (c->blocked_us == 0 || sent == SENT_PART)
		c->blocked_us = now_us;
	if (c->state != CLIENT_ENDING)
		crowd_move(s, c, CLIENT_BLOCKED);
	crowd_watch_out(s, c, true);
	crowd_call_at(s, c, c->blocked_us + PROGRESS_US);
}

/* After an attempt to send, with `pos` what the client has if all or a part went. False: it is gone or blocked. */
bool
crowd_settle(struct serve *s, struct client *c, enum client_sent sent, int64_t now_us)
{
	switch (sent) {
	case SENT:
		c->served_us = now_us;
		c->blocked_us = 0;
		return true;
	case SENT_PART:
	case SENT_NOTHING:
		crowd_block(s, c, now_us, sent);
		return false;
	case SENT_GONE:
		break;
	}
	crowd_gone(s, c);
	return false;
}

void
crowd_end(struct serve *s, struct client *c, enum client_sent sent, int64_t now_us)
{
	if (sent == SENT || sent == SENT_GONE) {
		crowd_gone(s, c);
		return;
	}
	/* Nothing was taken: it is said again when something can be. */
	if (sent == SENT_PART)
		crowd_move(s, c, CLIENT_ENDING);
	crowd_block(s, c, now_us, sent);
}

/* ---- joining ---- */

static int
watch(struct serve *s, struct client *c)
{
	struct epoll_event ev = { .events = events_of(c), .data = { .ptr = c } };

	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &ev) == 0)
		return 0;
	/* As a CGI program our output may be a file. */
	c->unwatched = errno == EPERM;
	return c->unwatched ? 0 : -1;
}

static struct client *
client_of(struct serve *s, struct live_request *req, int64_t now_us)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->view = hub_join(s->hub, buf_text(&req->key))) == NULL) {
		free(c);
		return NULL;
	}
	c->fd = req->fd;
	c->request_id = (uint16_t)req->request_id;
	c->framed = s->opts->framed;
	c->waiter = req->waiter;
	c->after = req->after;
	c->pos = c->waiter ? req->checked : req->after;
	c->served_us = now_us;
	c->end_us = now_us + req->lasts_ms * 1000;
	c->heartbeat_ms = req->heartbeat_ms;
	c->pause_ms = req->pause_ms;
	c->told_stale = req->told_stale;
	c->address = req->address;
	c->reset = strcmp(req->epoch, s->hub->epoch) != 0;
	c->woken = c->waiter && c->reset;
	if (c->reset) {
		c->pos = s->hub->to;
		c->after = -1;
	}
	return c;
}

static void
add_to_all(struct serve *s, struct client *c)
{
	c->all_next = s->all;
	if (s->all != NULL)
		s->all->all_prev = c;
	s->all = c;
	s->n++;
}

void
serve_join(struct serve *s, struct live_request *req, int64_t now_us)
{
	struct client *c = req->fd < 0 ? NULL : client_of(s, req, now_us);
	struct blob *first = NULL;

	if (c != NULL && watch(s, c) != 0) {
		hub_leave(s->hub, c->view);
		free(c);
		c = NULL;
	}
	if (c == NULL) {
		live_request_free(req);
		return;
	}
	/* It is ours now: neither closed nor told gone with the request. */
	req->fd = -1;
	req->live = NULL;
	c->state = CLIENT_BEHIND;
	clients_add(&s->behind, c);
	add_to_all(s, c);
	crowd_call_at(s, c, c->waiter ? c->end_us : now_us + c->heartbeat_ms * INT64_C(1000));
	if (req->first.len > 0) {
		buf_clear(&s->records);
		record_stdout(&s->records, buf_text(&req->first), s->opts->framed);
		first = s->records.failed ? NULL : blob_new(buf_text(&s->records), c->pos, c->pos, 0);
		if (first == NULL)
			crowd_gone(s, c);
		else
			crowd_settle(s, c, client_send(c, first), now_us);
		blob_unref(first);
	}
	live_request_free(req);
}

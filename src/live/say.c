/* say - see say.h.  Walk 3, beside step 5. */
#include "live/say.h"

#include "live/crowd.h"
#include "live/frame.h"
#include "live/record.h"

enum control { HEARTBEAT, STALE, FRESH };
static const char *const control_names[SERVE_CONTROLS] = { "heartbeat", "stale", "fresh" };

/* Where the client is: while it is live, wherever the log is. */
static int64_t
position_of(const struct serve *s, const struct client *c)
{
	return c->state == CLIENT_LIVE ? s->hub->to : c->pos;
}

static void
keep(struct serve_kept *kept, struct blob *b, uint64_t view, int64_t at, int64_t to)
{
	blob_unref(kept->blob);
	*kept = (struct serve_kept){ .blob = b == NULL ? NULL : blob_ref(b), .view = view, .at = at, .to = to };
}

void
say_forget(struct serve *s)
{
	for (int i = 0; i < SERVE_CONTROLS; i++)
		for (int k = 0; k < 2; k++)
			keep(&s->controls[i][k], NULL, 0, 0, 0);
	for (int i = 0; i < SERVE_ANSWERS; i++)
		keep(&s->answers[i], NULL, 0, 0, 0);
}

/* s->text as records; `last`: nothing follows. */
static struct blob *
blob_of_text(struct serve *s, int64_t position, bool last)
{
	buf_shrink(&s->records, 65536);
	record_stdout(&s->records, buf_text(&s->text), s->opts->framed);
	if (last)
		record_finish(&s->records, s->opts->framed);
	return s->text.failed || s->records.failed ? NULL : blob_new(buf_text(&s->records), position, position, 0);
}

/* An own reference; NULL: no memory. */
static struct blob *
control_blob(struct serve *s, const struct client *c, enum control which)
{
	struct serve_kept *kept = &s->controls[which][c->view->terms->form.ndjson];
	int64_t position = position_of(s, c);
	struct blob *b;

	if (kept->blob != NULL && kept->at == position)
		return blob_ref(kept->blob);
	buf_clear(&s->text);
	frame_control(&s->text, c->view->terms->form.ndjson, control_names[which], s->hub->epoch, position);
	b = blob_of_text(s, position, false);
	keep(kept, b, 0, position, position);
	return b;
}

/* Sends what a client gets between two events, at its present position. */
static bool
send_between(struct serve *s, struct client *c, struct blob *b, int64_t now_us)
{
	bool settled;

	if (b == NULL) {
		crowd_gone(s, c);
		return false;
	}
	/* While live it has everything; should it block, this is where it stands. */
	c->pos = b->to;
	settled = crowd_settle(s, c, client_send(c, b), now_us);
	blob_unref(b);
	return settled;
}

bool
say_heartbeat(struct serve *s, struct client *c, int64_t now_us)
{
	/* Something of it is still under way, which is beat enough; or it is yet to be told that it is in another log. */
	if (c->rest != NULL || c->reset)
		return true;
	return send_between(s, c, control_blob(s, c, HEARTBEAT), now_us);
}

void
say_stale(struct serve *s, struct client *c, int64_t now_us)
{
	struct blob *b = control_blob(s, c, s->stale ? STALE : FRESH);
	bool stale = s->stale, told = c->told_stale;

	c->told_stale = stale;
	if (b == NULL) {
		c->told_stale = told;
		return;
	}
	c->pos = b->to;
	switch (client_send(c, b)) {
	case SENT:
		crowd_settle(s, c, SENT, now_us);
		break;
	case SENT_PART:
		crowd_settle(s, c, SENT_PART, now_us);
		break;
	case SENT_NOTHING:
		/* Not told: again when it has caught up. */
		c->told_stale = told;
		crowd_settle(s, c, SENT_NOTHING, now_us);
		break;
	case SENT_GONE:
		crowd_gone(s, c);
		break;
	}
	blob_unref(b);
}

void
say_reset(struct serve *s, struct client *c, int64_t now_us)
{
	struct frame_hello hello = { .epoch = s->hub->epoch,
		.cursor = s->hub->to,
		.oldest = s->oldest,
		.newest = s->hub->to,
		.heartbeat_ms = c->heartbeat_ms,
		.stale = s->stale,
		.reset = "epoch_changed",
		.retry_ms = frame_retry_ms() };
	enum client_sent sent;
	struct blob *b;

	buf_clear(&s->text);
	frame_hello(&s->text, c->view->terms->form.ndjson, &hello);
	if ((b = blob_of_text(s, s->hub->to, false)) == NULL) {
		crowd_gone(s, c);
		return;
	}
	sent = client_send(c, b);
	if (sent == SENT || sent == SENT_PART) {
		c->reset = false;
		c->told_stale = s->stale;
		c->pos = s->hub->to;
	}
	crowd_settle(s, c, sent, now_us);
	blob_unref(b);
}

void
say_dropped(struct serve *s, struct client *c, int64_t to, int64_t now_us)
{
	enum client_sent sent;
	struct blob *b;

	buf_clear(&s->text);
	frame_dropped(&s->text, c->view->terms->form.ndjson, s->hub->epoch, c->pos, to);
	if ((b = blob_of_text(s, to, false)) == NULL) {
		crowd_gone(s, c);
		return;
	}
	sent = client_send(c, b);
	if (sent == SENT || sent == SENT_PART)
		c->pos = to;
	crowd_settle(s, c, sent, now_us);
	blob_unref(b);
}

void
say_bye(struct serve *s, struct client *c, const char *reason, int64_t now_us)
{
	struct blob *b;

	if (c->waiter) {
		say_answer(s, c, now_us);
		return;
	}
	buf_clear(&s->text);
	frame_end(&s->text, c->view->terms->form.ndjson, "bye", reason, s->hub->epoch[0] == '\0' ? NULL : s->hub->epoch,
	    position_of(s, c), frame_retry_ms());
	b = blob_of_text(s, position_of(s, c), true);
	if (b == NULL)
		crowd_gone(s, c);
	else
		crowd_end(s, c, client_send(c, b), now_us);
	blob_unref(b);
}

void
say_farewell(struct serve *s, struct client *c)
{
	struct blob *b = NULL;

	buf_clear(&s->text);
	if (c->rest == NULL && (b = blob_of_text(s, 0, true)) != NULL)
		client_send(c, b);
	blob_unref(b);
	crowd_gone(s, c);
}

/* An own reference. */
static struct blob *
answer_blob(struct serve *s, const struct client *c)
{
	struct serve_kept *kept;
	struct blob *b;

	for (unsigned i = 0; i < SERVE_ANSWERS; i++) {
		kept = &s->answers[i];
		if (kept->blob != NULL && kept->view == c->view->number && kept->at == c->after &&
		    kept->checked == c->pos && kept->to == s->hub->to)
			return blob_ref(kept->blob);
	}
	buf_shrink(&s->text, 65536);
	s->opts->render(s->opts->arg, view_ask(c->view), s->hub->epoch, c->after, c->pos, &s->text);
	b = blob_of_text(s, c->after, true);
	kept = &s->answers[s->next_answer++ % SERVE_ANSWERS];
	keep(kept, b, c->view->number, c->after, s->hub->to);
	kept->checked = c->pos;
	return b;
}

void
say_answer(struct serve *s, struct client *c, int64_t now_us)
{
	struct blob *b;

	/* So that many share one answer: from where it has been checked, unless a gap lies before that, which is to be told. */
	if (c->after >= s->hub->gap && c->after < c->pos)
		c->after = c->pos;
	b = answer_blob(s, c);
	if (b == NULL) {
		crowd_gone(s, c);
		return;
	}
	crowd_end(s, c, client_send(c, b), now_us);
	blob_unref(b);
}

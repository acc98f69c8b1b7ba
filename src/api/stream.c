/*
 * stream - /v1/stream: events as they come.  Walk 3 begins here: from http/params.c, on to live/live.c, which takes the connection.
 *
 * Here it is decided what the client gets and where in the log it begins, and its first bytes are made; from then on it is a place in the log
 * that moves. A browser's EventSource never comes back from an answer other than 200, so what is only refused for a moment is told by a 200
 * that ends at once.
 */
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/query.h"
#include "live/frame.h"

struct stream {
	struct api *a;
	struct exchange *x;
	struct query q;
	struct snapshot snap;
	bool ndjson;
	int64_t oldest; /* seq */
	int64_t from; /* it has everything up to here */
	enum reset_reason reset;
	int64_t heartbeat_ms;
};

/* ---- what is wanted ---- */

static bool
names_type(struct text accept, const char *type)
{
	struct text item, name;

	while (text_split(&accept, ',', &item))
		if (text_split(&item, ';', &name) && text_eq_nocase(text_trim(name), text_of(type)))
			return true;
	return false;
}

/* Whoever says nothing gets Server-Sent Events. */
static void
choose_form(struct stream *s)
{
	const struct param_value *format = &s->x->params.v[Q_FORMAT];

	if (format->given && format->n != FORMAT_NDJSON)
		fault_add(&s->x->faults, FAULT_INVALID_PARAMETER, TEXT("format"),
		    "a stream has ndjson; without it, Server-Sent Events");
	s->ndjson = format->given ||
	    (names_type(s->x->request->accept, "application/x-ndjson") &&
		!names_type(s->x->request->accept, "text/event-stream"));
}

static void
check(struct stream *s)
{
	const struct param_value *v = s->x->params.v;
	int64_t symbols_max = conf_int(s->a->conf, SETTING_LIVE_MAX_SYMBOLS);

	choose_form(s);
	if (v[Q_CONFLATE].n == 1 && !v[Q_BATCH].given)
		fault_add(
		    &s->x->faults, FAULT_CONFLICTING_PARAMETERS, TEXT("conflate"), "is for batches: give batch too");
	if (v[Q_AFTER].given && v[Q_REPLAY].given)
		fault_add(&s->x->faults, FAULT_CONFLICTING_PARAMETERS, TEXT("replay"), "cannot be given with after");
	if ((int64_t)s->q.filter.symbols.n > symbols_max)
		fault_add(&s->x->faults, FAULT_INVALID_PARAMETER, TEXT("symbols"), "a stream may name %lld at most",
		    (long long)symbols_max);
}

/* ---- where it begins ---- */

/* The id that the client goes on from. TEXT_NONE: it has none. */
static struct text
last_id(const struct exchange *x)
{
	const struct param_value *v = x->params.v;

	if (x->request->last_event_id.n > 0)
		return x->request->last_event_id;
	if (v[Q_LAST_EVENT_ID].text.n > 0)
		return v[Q_LAST_EVENT_ID].text;
	return v[Q_LAST_EVENT_ID_CAMEL].text.n > 0 ? v[Q_LAST_EVENT_ID_CAMEL].text : TEXT_NONE;
}

static unsigned
kinds_of(const struct stream *s)
{
	return s->q.filter.kinds | KIND_BIT(KIND_GAP);
}

struct last_row {
	int64_t seq; /* 0: there was none */
	int left; /* so many more are wanted */
};

static int
note_row(void *arg, const struct event *ev, struct text body)
{
	struct last_row *row = arg;

	(void)body;
	row->seq = ev->seq;
	/* Nobody asks whether there are more: the list does not have to look. */
	return --row->left <= 0;
}

/*
 * The last `n` that match. What lies before the first of them is none of the client's, however far back that is. Of few that match it is what one list
 * finds in the rows that a request may look at: read_list_through() would walk a whole log whose index was made anew, for each of thousands of streams
 * that come at once.
 */
static int
begin_replay(struct stream *s, int n, struct err *e)
{
	struct list_query list = {
		.filter = &s->q.filter, .order = LIST_NEWEST_FIRST, .bound = s->snap.head + 1, .limit = n
	};
	struct last_row row = { .left = n };
	struct list_result result;

	if (read_list(s->a->reader, &s->snap, &list, note_row, &row, &result, e) != 0)
		return -1;
	s->from = row.seq > 0 ? row.seq - 1 : s->snap.head;
	return 0;
}

/* The first event that was received then or later. */
static int
begin_at_time(struct stream *s, int64_t us, struct err *e)
{
	struct filter all = FILTER_INIT;
	struct list_query list = { .filter = &all, .order = LIST_OLDEST_FIRST, .limit = 1 };
	struct last_row row = { .left = 1 };
	struct list_result result;

	all.show_duplicates = true;
	all.since_us = us;
	if (read_list(s->a->reader, &s->snap, &list, note_row, &row, &result, e) != 0)
		return -1;
	s->from = row.seq > 0 ? row.seq - 1 : s->snap.head;
	return 0;
}

static void
begin_after(struct stream *s, struct text id)
{
	s->reset = query_judge(id, &s->snap, kinds_of(s), &s->from);
	if (s->reset == RESET_TRIMMED)
		s->from = 0;
	else if (s->reset != RESET_NONE)
		s->from = s->snap.head;
}

static int
find_beginning(struct stream *s, struct err *e)
{
	const struct param_value *v = s->x->params.v;
	struct text id = last_id(s->x);
	int64_t trimmed = read_trimmed(&s->snap, kinds_of(s));

	if (read_oldest_seq(s->a->reader, &s->oldest, e) != 0)
		return -1;
	s->from = s->snap.head;
	if (id.p != NULL)
		begin_after(s, id);
	else if (v[Q_AFTER].given && v[Q_AFTER].timed && begin_at_time(s, v[Q_AFTER].n, e) != 0)
		return -1;
	else if (v[Q_AFTER].given && !v[Q_AFTER].timed && text_eq(v[Q_AFTER].text, TEXT("oldest")))
		s->from = 0;
	else if (v[Q_AFTER].given && !v[Q_AFTER].timed && !text_eq(v[Q_AFTER].text, TEXT("now")))
		begin_after(s, v[Q_AFTER].text);
	else if (v[Q_REPLAY].given)
		return begin_replay(s, (int)v[Q_REPLAY].n, e);
	if (s->from < trimmed)
		s->from = trimmed;
	if (s->snap.head - s->from > conf_int(s->a->conf, SETTING_LIVE_MAX_REPLAY)) {
		s->reset = RESET_TOO_FAR;
		s->from = s->snap.head;
	}
	return 0;
}

/* ---- answers that are no stream ---- */

static void
begin_reply(bool ndjson, struct reply *reply)
{
	reply->content_type = ndjson ? "application/x-ndjson" : "text/event-stream";
	reply->open_ended = true;
	reply->vary |= VARY_ACCEPT;
	reply_header(reply, "Cache-Control", TEXT("no-cache, no-transform"));
	reply_header(reply, "X-Accel-Buffering", TEXT("no"));
}

void
stream_refuse(const struct request *request, struct reply *reply, enum problem problem, int factor)
{
	if (!names_type(request->accept, "text/event-stream")) {
		if (reply->problem != (int)problem)
			reply_problem(reply, problem, NULL, NULL);
		return;
	}
	reply_clear(reply);
	begin_reply(false, reply);
	reply->open_ended = false;
	reply->problem = (int)problem;
	frame_end(&reply->body, false, "overload", problems[problem].code, NULL, 0, frame_retry_ms() * factor);
}

static void
answer_dry(struct stream *s, struct reply *reply)
{
	struct buf *out = &reply->body;

	api_json(reply, "no-store");
	buf_printf(out, "{\"data\":{\"format\":\"%s\",\"epoch\":\"%s\",\"cursor\":\"", s->ndjson ? "ndjson" : "sse",
	    s->snap.epoch);
	body_id(out, s->snap.epoch, s->from);
	buf_printf(out, "\",\"behind\":%lld,\"heartbeat_ms\":%lld,\"reset\":", (long long)(s->snap.head - s->from),
	    (long long)s->heartbeat_ms);
	json_str(out, reset_names[s->reset]);
	buf_add_str(out, "}}");
}

/* ---- the stream ---- */

/* A fifth more or less, so that those who came together do not all come back together. */
static int64_t
age_ms(const struct api *a)
{
	int64_t age = conf_int(a->conf, SETTING_LIVE_MAX_AGE), fifth = age / 5;

	return age - fifth + (frame_retry_ms() - 2000) * (2 * fifth) / 3000;
}

/* A reply_take_fn: the connection is ours to give. Head and first event leave in one record: Apache sends no head before it has body. */
static void
take(void *arg, int fd, unsigned request_id, struct text head)
{
	struct live_request *req = arg;
	struct buf hello = req->first;

	if (fd < 0) {
		live_request_free(req);
		return;
	}
	buf_init(&req->first, 0);
	buf_add_text(&req->first, head);
	buf_add_text(&req->first, buf_text(&hello));
	buf_fini(&hello);
	req->fd = fd;
	req->request_id = request_id;
	live_join(req);
}

static void
fill_request(struct stream *s, struct live_request *req)
{
	const struct param_value *v = s->x->params.v;
	struct view_form form = {
		.ndjson = s->ndjson, .batch = v[Q_BATCH].given, .conflate = v[Q_CONFLATE].n == 1, .ask = TEXT("")
	};
	struct frame_hello hello = { .epoch = s->snap.epoch,
		.cursor = s->from,
		.oldest = s->oldest,
		.newest = s->snap.head,
		.heartbeat_ms = s->heartbeat_ms,
		.stale = api_stale(s->a, s->x->now_us),
		.reset = reset_names[s->reset],
		.retry_ms = frame_retry_ms() };

	s->q.filter.every_gap = true;
	view_key(&req->key, &s->q.filter, &form);
	memcpy(req->epoch, s->snap.epoch, sizeof(req->epoch));
	req->after = s->from;
	req->lasts_ms = age_ms(s->a);
	req->heartbeat_ms = (uint32_t)s->heartbeat_ms;
	req->pause_ms = (uint16_t)v[Q_BATCH].n;
	req->told_stale = hello.stale;
	frame_hello(&req->first, s->ndjson, &hello);
}

static void
answer(struct stream *s, struct reply *reply)
{
	struct live_request *req;
	enum problem problem;
	uint64_t address;

	begin_reply(s->ndjson, reply);
	if (s->x->request->method == METHOD_HEAD)
		return;
	if (!place_take(s->a, s->x->request, false, &address, &problem)) {
		stream_refuse(s->x->request, reply, problem, STREAM_COME_BACK_LATER);
		return;
	}
	req = live_request_new(s->a->shared.live, false, address);
	if (req == NULL) {
		api_gone(&s->a->shared, false, address);
		reply_problem(reply, PROBLEM_INTERNAL_ERROR, "memory is short", NULL);
		return;
	}
	fill_request(s, req);
	reply->take = take;
	reply->take_arg = req;
}

void
stream_get(void *app, struct exchange *x, struct reply *reply)
{
	struct stream s = { .a = app, .x = x };
	const struct param_value *v = x->params.v;
	struct err e;
	int rc;

	query_filter(&s.q, x, 0);
	s.heartbeat_ms = v[Q_HEARTBEAT].given ? v[Q_HEARTBEAT].n * 1000 : conf_int(s.a->conf, SETTING_LIVE_HEARTBEAT);
	check(&s);
	if (x->faults.n > 0) {
		reply_faults(reply, &x->faults);
		return;
	}
	if (s.a->shared.live == NULL) {
		stream_refuse(x->request, reply, PROBLEM_SHUTTING_DOWN, 1);
		return;
	}
	api_lengthy(s.a);
	rc = read_begin(s.a->reader, &s.snap, &e);
	if (rc == 0) {
		rc = find_beginning(&s, &e);
		read_end(s.a->reader);
	}
	if (rc != 0) {
		/* Logs why; then in the form that the client understands. */
		api_read_failed(s.a, reply, &e);
		stream_refuse(
		    x->request, reply, e.code == ERR_MISSING ? PROBLEM_STARTING : PROBLEM_STORAGE_UNAVAILABLE, 1);
	} else if (v[Q_DRY].n == 1) {
		answer_dry(&s, reply);
	} else {
		answer(&s, reply);
	}
}

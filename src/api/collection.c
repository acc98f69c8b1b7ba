/*
 * collection - /v1/patterns and its sisters: a list of events in its envelope.  Walk 2, step 5: from http/params.c, on to store/read.c.
 *
 * An answer is read in one snapshot, so that `cursor` and the rows belong together: who goes on with after=<cursor> misses
 * nothing and gets nothing twice.
 */
#include "api/handlers.h"
#include "api/page.h"
#include "api/query.h"

#define LINK_HEADER_MAX 2048
#define GAPS_MAX 100 /* in one answer; the newest of them */

struct collection {
	struct api *a;
	struct exchange *x;
	struct query q;
	struct snapshot snap;
	struct page page;
	int64_t cursor;
};

/* The stretch of time that the answer covers, for the gaps in it. */
static int
gaps_of(struct collection *c, struct gaps_query *gaps, struct err *e)
{
	const struct list_query *list = &c->q.list;
	int64_t edge_us = 0;

	*gaps =
	    (struct gaps_query){ .from_us = c->q.filter.since_us, .to_us = c->q.filter.until_us, .limit = GAPS_MAX };
	/* A log in the order of arrival says nothing about where events' own times lie: every gap may matter. */
	if (c->q.filter.times_of_event) {
		gaps->from_us = INT64_MIN;
		gaps->to_us = INT64_MAX;
	}
	if (c->page.result.has_more && read_time(c->a->reader, c->page.result.position, &edge_us, e) != 0)
		return -1;
	if (list->order == LIST_OLDEST_FIRST) {
		/* What was recorded up to `after` was in the answer before. */
		gaps->after = list->bound;
		if (c->page.result.has_more && edge_us < gaps->to_us)
			gaps->to_us = edge_us;
		return 0;
	}
	if (c->page.result.has_more && edge_us > gaps->from_us)
		gaps->from_us = edge_us;
	if (c->q.before) {
		if (read_time(c->a->reader, list->bound, &edge_us, e) != 0)
			return -1;
		if (edge_us < gaps->to_us)
			gaps->to_us = edge_us;
	}
	return 0;
}

static void
add_link(struct collection *c, struct buf *out, enum link link_kind, enum param q, int64_t seq)
{
	struct buf id, link;

	buf_init(&id, ID_MAX);
	buf_init(&link, 0);
	body_id(&id, c->snap.epoch, seq);
	link_add(&link, c->x, link_kind, q, buf_text(&id));
	if (id.failed || link.failed)
		out->failed = true;
	buf_add_json(out, buf_text(&link));
	buf_fini(&id);
	buf_fini(&link);
}

/* A long one is left out: servers refuse answers whose head is large, and `next` in the body says the same. */
static void
add_link_header(struct collection *c, struct reply *reply, enum param q)
{
	struct buf id, value;

	buf_init(&id, ID_MAX);
	buf_init(&value, 0);
	body_id(&id, c->snap.epoch, c->page.result.position);
	buf_add_char(&value, '<');
	link_add(&value, c->x, LINK_NEXT, q, buf_text(&id));
	buf_add_str(&value, ">; rel=\"next\"");
	if (value.len <= LINK_HEADER_MAX)
		reply_header(reply, "Link", buf_text(&value));
	buf_fini(&id);
	buf_fini(&value);
}

static void
add_reset(struct buf *out, enum reset_reason reset)
{
	buf_add_str(out, ",\"reset\":");
	if (reset == RESET_NONE)
		buf_add_str(out, "null");
	else
		/* How many were lost cannot be told: what was trimmed may not have matched, and seqs have holes. */
		buf_printf(out, "{\"reason\":\"%s\",\"lost\":null}", reset_names[reset]);
}

/* What follows the rows. */
static int
add_envelope(struct collection *c, struct buf *out, struct err *e)
{
	enum param forth = c->q.list.order == LIST_OLDEST_FIRST ? Q_AFTER : Q_BEFORE;
	struct json_array gaps = { .out = out };
	struct gaps_query stretch;

	buf_printf(out, ",\"count\":%d,\"has_more\":", c->page.result.delivered);
	json_bool(out, c->page.result.has_more);
	if (c->q.per_symbol > 0) {
		buf_add_str(out, ",\"incomplete\":");
		buf_add_text(out, buf_text(&c->page.incomplete));
	}
	buf_add_str(out, ",\"cursor\":\"");
	body_id(out, c->snap.epoch, c->cursor);
	buf_add_str(out, "\",\"next\":");
	if (c->page.result.has_more && c->q.per_symbol == 0)
		add_link(c, out, LINK_NEXT, forth, c->page.result.position);
	else
		buf_add_str(out, "null");
	buf_add_str(out, ",\"follow\":");
	add_link(c, out, LINK_FOLLOW, Q_AFTER, c->cursor);
	add_reset(out, c->q.reset);
	buf_add_str(out, ",\"gaps\":[");
	if (gaps_of(c, &stretch, e) != 0 || read_gaps(c->a->reader, &c->snap, &stretch, json_add_row, &gaps, e) != 0)
		return -1;
	buf_add_str(out, "],\"stale\":");
	json_bool(out, api_stale(c->a, c->x->now_us));
	buf_add_str(out, ",\"as_of\":");
	json_seconds(out, c->x->now_us);
	buf_add_char(out, '}');
	return 0;
}

/* What an envelope says, as far as a list of lines has a place for it. */
static void
add_headers(struct collection *c, struct reply *reply)
{
	if (c->page.result.has_more && c->q.per_symbol == 0)
		add_link_header(c, reply, c->q.list.order == LIST_OLDEST_FIRST ? Q_AFTER : Q_BEFORE);
	api_cursor_header(reply, c->snap.epoch, c->cursor);
	if (c->x->format == FORMAT_JSON)
		return;
	reply_header(reply, "Tickgate-Has-More", c->page.result.has_more ? TEXT("true") : TEXT("false"));
	if (c->q.reset != RESET_NONE)
		reply_header(reply, "Tickgate-Reset", text_of(reset_names[c->q.reset]));
}

static int
answer(struct collection *c, struct reply *reply, struct err *e)
{
	bool envelope = c->x->format == FORMAT_JSON;

	api_json(reply, c->q.after ? "no-store" : "no-cache");
	reply->content_type = formats[c->x->format].content_type;
	if (envelope)
		buf_add_str(&reply->body, "{\"data\":");
	if (page_read(c->a->reader, c->x, &c->q, &c->snap, &reply->body, &c->page, e) != 0)
		return -1;
	c->cursor = c->snap.head;
	if (c->q.after)
		c->cursor = c->page.result.position;
	else if (c->q.before)
		/* One that lies above the head was cut to it. */
		c->cursor = c->q.list.bound <= c->snap.head ? c->q.list.bound : c->snap.head;
	add_headers(c, reply);
	return envelope ? add_envelope(c, &reply->body, e) : 0;
}

/* What the table of parameters cannot know. */
static void
check(const struct query *q, struct exchange *x)
{
	if (x->params.v[Q_GROUP].given && x->format != FORMAT_JSON)
		fault_add(&x->faults, FAULT_CONFLICTING_PARAMETERS, TEXT("group"), "is for JSON only");
	if (q->per_symbol > 0 && q->filter.symbols.n == 0)
		fault_add(&x->faults, FAULT_CONFLICTING_PARAMETERS, TEXT("per_symbol"),
		    "needs symbols: of each of them it gives the newest");
}

void
collection_get(void *app, struct exchange *x, struct reply *reply)
{
	struct collection c = { .a = app, .x = x };
	struct err e;

	query_filter(&c.q, x, (unsigned)x->route->arg);
	check(&c.q, x);
	if (x->faults.n > 0) {
		reply_faults(reply, &x->faults);
		return;
	}
	if (api_begin(c.a, &c.snap, reply) != 0)
		return;
	query_place(&c.q, x, &c.snap);
	if (c.q.expired)
		reply_problem(reply, PROBLEM_CURSOR_EXPIRED,
		    "`before` is an id of another log, whose history is gone: start again without it", NULL);
	else if (c.q.reset != RESET_NONE && x->params.v[Q_ON_GAP].n == 1)
		reply_problem(reply, PROBLEM_CURSOR_EXPIRED,
		    "the id is older than what is kept, or is of no place in this log: start again without it", NULL);
	else if (answer(&c, reply, &e) != 0)
		api_read_failed(c.a, reply, &e);
	page_fini(&c.page);
	read_end(c.a->reader);
}

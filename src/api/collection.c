/*
 * collection - /v1/patterns and its sisters: a list of events in its envelope.  Walk 2, step 5: from http/params.c, on to store/read.c.
 *
 * An answer is read in one snapshot, so that `cursor` and the rows belong together: who goes on with after=<cursor> misses
 * nothing and gets nothing twice. A list that one polls goes a shorter way where it can: while nothing that it could show was
 * committed, memory alone says "not modified", or gives the rows that were rendered before (tag.h, cache.h).
 */
#include <string.h>

#include "api/cache.h"
#include "api/handlers.h"
#include "api/page.h"
#include "api/tag.h"
#include "api/wait.h"
#include "api/wrap.h"
#include "http/etag.h"

struct collection {
	struct api *a;
	struct exchange *x;
	struct query q;
	struct wrap around;
	struct snapshot snap;
	bool tagged; /* the answer has a tag: `question` and `at` are set */
	struct buf question;
	struct position at;
	unsigned *missing; /* of what memory does not know */
	int64_t wait_ms; /* how long it may wait for news; 0: not at all */
};

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

/* Once the place and what was read are known. */
static void
set_cursor(struct collection *c)
{
	const struct query *q = &c->q;

	c->around.epoch = c->snap.epoch;
	c->around.cursor = c->snap.head;
	if (q->after)
		c->around.cursor = c->around.result.position;
	else if (q->before)
		/* One that lies above the head was cut to it. */
		c->around.cursor = q->list.bound <= c->snap.head ? q->list.bound : c->snap.head;
}

static void
count(const struct collection *c, enum count what)
{
	if (c->a->shared.own != NULL)
		counters_count(c->a->shared.own, what, 1);
}

/* 304 carries what a cache would update its copy with. True: answered. */
static bool
answer_unchanged(struct collection *c, struct reply *reply)
{
	char out[TAG_MAX];
	struct text tag = { out, 0 };

	api_json(reply, c->q.after ? "no-store" : "no-cache");
	if (!c->tagged)
		return false;
	tag.n = tag_make(out, buf_text(&c->question), &c->at, c->around.stale);
	reply_header(reply, "ETag", tag);
	if (!etag_matches(c->x->request->if_none_match, text_cut(tag, 3, tag.n - 1)))
		return false;
	reply->status = 304;
	count(c, COUNT_UNCHANGED);
	set_cursor(c);
	api_cursor_header(reply, c->around.epoch, c->around.cursor);
	return true;
}

/* Head and what stands around the rows, which are in the body already. */
static void
finish(struct collection *c, struct reply *reply)
{
	set_cursor(c);
	reply->content_type = formats[c->x->format].content_type;
	wrap_headers(&c->around, reply);
	if (c->x->format == FORMAT_JSON)
		wrap_close(&c->around, &reply->body);
}

static void
open_answer(const struct collection *c, struct reply *reply)
{
	if (c->x->format == FORMAT_JSON)
		wrap_open(&reply->body);
}

static void
answer_cached(struct collection *c, const struct cached *shown, struct reply *reply)
{
	count(c, COUNT_CACHED);
	open_answer(c, reply);
	buf_add_text(&reply->body, shown->data);
	c->around.result = shown->result;
	c->around.gaps = shown->gaps;
	c->around.incomplete = shown->incomplete;
	finish(c, reply);
}

/* For who asks the same. */
static void
keep(struct collection *c, struct text data)
{
	const struct cached shown = { data, c->around.gaps, c->around.incomplete, c->around.result };

	if (c->tagged && c->a->cache != NULL)
		cache_keep(c->a->cache, buf_text(&c->question), &c->at, c->snap.head, &shown);
}

/* True: parked, and answered when something has come. */
static bool
answer_later(struct collection *c, const struct list_result *result, struct reply *reply)
{
	if (c->wait_ms == 0 || result->delivered > 0 || result->has_more || c->q.reset != RESET_NONE)
		return false;
	switch (wait_park(c->a, c->x, &c->q, &c->snap, result->position, c->wait_ms, reply)) {
	case 1:
		return true;
	case 0:
		/* Answered as though its time were over already. */
		c->around.degraded = "no_wait";
		reply_header(reply, "Retry-After", TEXT("2"));
		break;
	default:
		break;
	}
	return false;
}

static int
answer_from_log(struct collection *c, struct reply *reply, struct err *e)
{
	struct reader *r = c->a->reader;
	struct buf gaps, *body = &reply->body;
	struct page page = { 0 };
	size_t from;
	int rc = -1;

	count(c, COUNT_READ);
	buf_init(&gaps, body->max);
	open_answer(c, reply);
	from = body->len;
	if (page_read(r, c->x, &c->q, &c->snap, body, &page, e) != 0 ||
	    (c->x->format == FORMAT_JSON && wrap_gaps(r, &c->snap, &c->q, &page.result, &gaps, e) != 0))
		goto out;
	rc = 0;
	if (answer_later(c, &page.result, reply))
		goto out;
	c->around.result = page.result;
	c->around.gaps = buf_text(&gaps);
	c->around.incomplete = buf_text(&page.incomplete);
	if (gaps.failed)
		body->failed = true;
	else if (!body->failed)
		keep(c, text_cut(buf_text(body), from, body->len));
	finish(c, reply);
out:
	buf_fini(&gaps);
	page_fini(&page);
	return rc;
}

/* True: answered, without the database. */
static bool
answer_from_memory(struct collection *c, struct reply *reply)
{
	const struct cached *shown;

	if (tag_ask(c->a, &c->q, c->x->faults.pool, &c->missing, &c->at) == 0)
		return false;
	memcpy(c->snap.epoch, c->at.epoch, sizeof(c->snap.epoch));
	c->snap.head = c->at.head;
	query_place(&c->q, c->x, &c->snap);
	c->tagged = c->q.reset == RESET_NONE && !c->q.expired;
	if (!c->tagged)
		return false;
	if (answer_unchanged(c, reply))
		return true;
	if (c->a->cache != NULL && (shown = cache_find(c->a->cache, buf_text(&c->question), &c->at)) != NULL) {
		answer_cached(c, shown, reply);
		cache_release(c->a->cache, shown);
		return true;
	}
	reply_clear(reply);
	return false;
}

/* In an open snapshot. */
static int
answer(struct collection *c, bool wants_tag, struct reply *reply, struct err *e)
{
	query_place(&c->q, c->x, &c->snap);
	if (c->q.expired) {
		reply_problem(reply, PROBLEM_CURSOR_EXPIRED,
		    "`before` is an id of another log, whose history is gone: start again without it", NULL);
		return 0;
	}
	if (c->q.reset != RESET_NONE && c->x->params.v[Q_ON_GAP].n == 1) {
		reply_problem(reply, PROBLEM_CURSOR_EXPIRED,
		    "the id is older than what is kept, or is of no place in this log: start again without it", NULL);
		return 0;
	}
	/* An id from above the head means something else once the log has got there. */
	wants_tag = wants_tag && c->q.reset == RESET_NONE;
	/* What memory said stands: it was said before the snapshot began. But not of another log. */
	if (wants_tag && (!c->tagged || strcmp(c->at.epoch, c->snap.epoch) != 0) &&
	    tag_read(c->a, &c->q, &c->snap, c->missing, &c->at, e) != 0)
		return -1;
	c->tagged = wants_tag;
	if (answer_unchanged(c, reply))
		return 0;
	return answer_from_log(c, reply, e);
}

void
collection_get(void *app, struct exchange *x, struct reply *reply)
{
	struct collection c = { .a = app, .x = x };
	bool wants_tag;
	struct err e;

	query_filter(&c.q, x, (unsigned)x->route->arg);
	check(&c.q, x);
	c.wait_ms = wait_wanted_ms(c.a, x, &c.q);
	if (x->faults.n > 0) {
		reply_faults(reply, &x->faults);
		return;
	}
	c.around = (struct wrap){ .x = x, .q = &c.q, .stale = api_stale(c.a, x->now_us) };
	buf_init(&c.question, 0);
	if ((wants_tag = tag_wanted(&c.q, x)))
		tag_question(&c.question, &c.q, x);
	wants_tag = wants_tag && !c.question.failed;
	if ((!wants_tag || !answer_from_memory(&c, reply)) && api_begin(c.a, &c.snap, reply) == 0) {
		if (answer(&c, wants_tag, reply, &e) != 0)
			api_read_failed(c.a, reply, &e);
		read_end(c.a->reader);
	}
	buf_fini(&c.question);
}

/*
 * wait - see wait.h.  Walk 3 begins here for a long-poll: from collection.c, on to live/live.c, and back by api_render().
 */
#include "api/wait.h"

#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "live/frame.h"

#define POLL_WAIT_S 25 /* of /v1/poll, which says nothing about it */

/* RFC 7240: "wait=25" among preferences. What cannot be understood is no preference. -1: there is none. */
static int64_t
preferred_wait(struct text prefer)
{
	struct text item, name;
	int64_t n;

	while (text_split(&prefer, ',', &item)) {
		item = text_trim(item);
		if (!text_split(&item, '=', &name) || !text_eq_nocase(text_trim(name), TEXT("wait")) || item.p == NULL)
			continue;
		item = text_trim(item);
		if (text_int64(item, &n) == 0 && n >= 0)
			return n < params[Q_WAIT].max ? n : params[Q_WAIT].max;
	}
	return -1;
}

int64_t
wait_wanted_ms(const struct api *a, struct exchange *x, const struct query *q)
{
	const struct param_value *wait = &x->params.v[Q_WAIT];
	int64_t seconds = wait->given ? wait->n : preferred_wait(x->request->prefer);

	if (x->request->resume != NULL)
		return 0;
	if (wait->given && !q->after)
		fault_add(
		    &x->faults, FAULT_CONFLICTING_PARAMETERS, TEXT("wait"), "needs after: for what comes after it");
	if (x->params.v[Q_LINGER].given && seconds <= 0)
		fault_add(&x->faults, FAULT_CONFLICTING_PARAMETERS, TEXT("linger"), "needs wait");
	if (seconds <= 0 || !q->after || a->shared.live == NULL || x->request->method != METHOD_GET)
		return 0;
	return seconds * 1000;
}

/* A little less than asked for, by up to a twentieth, so that those who came together do not come back together. */
static int64_t
jittered(int64_t wait_ms)
{
	return wait_ms - (frame_retry_ms() - 2000) * (wait_ms / 20) / 3000;
}

/* A reply_take_fn. */
static void
take(void *arg, int fd, unsigned request_id, struct text head)
{
	struct live_request *req = arg;

	/* The head belongs to an answer that is yet to be made. */
	(void)head;
	if (fd < 0) {
		live_request_free(req);
		return;
	}
	req->fd = fd;
	req->request_id = request_id;
	live_join(req);
}

/* What wakes it. Times of receipt play no part: what is still to come is later than any of them, and `until` is for the answer to judge. */
static void
make_key(struct live_request *req, const struct exchange *x, const struct query *q)
{
	struct filter filter = q->filter;
	struct buf ask;

	buf_init(&ask, 0);
	request_pack(&ask, x->request);
	if (!filter.times_of_event)
		filter.since_us = INT64_MIN;
	view_key(&req->key, &filter, &(struct view_form){ .waiter = true, .ask = buf_text(&ask) });
	req->key.failed |= ask.failed;
	buf_fini(&ask);
}

int
wait_park(struct api *a, const struct exchange *x, const struct query *q, const struct snapshot *snap, int64_t examined,
    int64_t wait_ms, struct reply *reply)
{
	struct live_request *req;
	enum problem ignored;
	uint64_t address;

	if (!place_take(a, x->request, true, &address, &ignored))
		return 0;
	req = live_request_new(a->shared.live, true, address);
	if (req == NULL) {
		api_gone(&a->shared, true, address);
		return -1;
	}
	make_key(req, x, q);
	if (req->key.failed) {
		live_request_free(req);
		return -1;
	}
	memcpy(req->epoch, snap->epoch, sizeof(req->epoch));
	req->checked = examined;
	/* A gap does not end a wait, but the answer tells it. */
	req->after = snap->newest[KIND_GAP] > q->list.bound ? q->list.bound : examined;
	req->lasts_ms = jittered(wait_ms);
	req->pause_ms = (uint16_t)x->params.v[Q_LINGER].n;
	reply_clear(reply);
	reply->take = take;
	reply->take_arg = req;
	return 1;
}

void
api_render(struct api *a, struct text ask, const char *epoch, int64_t after, int64_t checked, struct buf *out)
{
	const struct resume resume = { epoch, after, checked };
	struct request request;
	struct reply reply;

	if (request_unpack(&request, ask) != 0) {
		out->failed = true;
		return;
	}
	request.resume = &resume;
	reply_init(&reply);
	api_handle(a, &request, &reply);
	reply_write_head(&reply, out);
	if (reply_has_body(&reply, METHOD_GET))
		buf_add_text(out, buf_text(&reply.body));
	reply_fini(&reply);
	request_fini(&request);
}

/* What a poll leaves unsaid: from now on, for 25 seconds. */
void
poll_get(void *app, struct exchange *x, struct reply *reply)
{
	struct param_value *v = x->params.v;

	if (!v[Q_AFTER].given && !v[Q_BEFORE].given)
		v[Q_AFTER] = (struct param_value){ .given = true, .text = TEXT("now") };
	if (!v[Q_WAIT].given && preferred_wait(x->request->prefer) < 0 && v[Q_AFTER].given)
		v[Q_WAIT] = (struct param_value){ .given = true, .text = TEXT("25"), .n = POLL_WAIT_S };
	collection_get(app, x, reply);
}

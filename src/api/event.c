/* event - /v1/events/{id}: one event, which never changes. */
#include "api/handlers.h"
#include "http/param_values.h"

/* No row has this seq: it was taken by retention, or never given out. */
static void
not_there(const struct snapshot *snap, int64_t seq, struct reply *reply)
{
	reply_clear(reply);
	/* Its kind is not known any more, so one kind's trimming is enough to believe it. */
	if (seq >= 1 && seq <= read_trimmed(snap, KINDS_ALL))
		reply_problem(reply, PROBLEM_EVENT_EXPIRED, "the event is older than what is kept", NULL);
	else
		reply_problem(reply, PROBLEM_EVENT_NOT_FOUND, "there is no event with this id", NULL);
}

static void
give_event(struct api *a, const struct snapshot *snap, int64_t seq, struct reply *reply)
{
	struct json_array one = { .out = &reply->body };
	struct err e;
	int rc;

	api_json(reply,
	    access_reads_open(a->access) ? "public, max-age=31536000, immutable"
					 : "private, max-age=31536000, immutable");
	buf_add_str(&reply->body, "{\"data\":");
	rc = read_event(a->reader, seq, json_add_row, &one, &e);
	buf_add_char(&reply->body, '}');
	if (rc < 0)
		api_read_failed(a, reply, &e);
	else if (rc == 0)
		not_there(snap, seq, reply);
}

void
event_get(void *app, struct exchange *x, struct reply *reply)
{
	struct api *a = app;
	struct snapshot snap;
	struct text epoch;
	int64_t seq = 0;

	if (!param_id_ok(x->id, &epoch)) {
		reply_problem(
		    reply, PROBLEM_INVALID_CURSOR, "this is not an event's id: give one as it was received", NULL);
		return;
	}
	if (api_begin(a, &snap, reply) != 0)
		return;
	if (body_parse_id(x->id, snap.epoch, &seq) == 0)
		give_event(a, &snap, seq, reply);
	else if (text_eq(epoch, text_of(snap.epoch)))
		reply_problem(reply, PROBLEM_EVENT_NOT_FOUND, "there is no event with this id", NULL);
	else
		reply_problem(reply, PROBLEM_EVENT_EXPIRED, "the id is of another log, whose history is gone", NULL);
	read_end(a->reader);
}

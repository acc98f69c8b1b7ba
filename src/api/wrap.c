/* wrap - see wrap.h.  Walk 2, inside step 5: from collection.c, on to http/reply.c. */
#include "api/wrap.h"

#include "api/handlers.h"

#define LINK_HEADER_MAX 2048
#define GAPS_MAX 100 /* in one answer; the newest of them */

/* The stretch of time that the answer covers, for the gaps in it. */
static int
gaps_of(
    struct reader *r, const struct query *q, const struct list_result *result, struct gaps_query *gaps, struct err *e)
{
	const struct list_query *list = &q->list;
	int64_t edge_us = 0;

	*gaps = (struct gaps_query){ .from_us = q->filter.since_us, .to_us = q->filter.until_us, .limit = GAPS_MAX };
	/* A log in the order of arrival says nothing about where events' own times lie: every gap may matter. */
	if (q->filter.times_of_event) {
		gaps->from_us = INT64_MIN;
		gaps->to_us = INT64_MAX;
	}
	if (result->has_more && read_time(r, result->position, &edge_us, e) != 0)
		return -1;
	if (list->order == LIST_OLDEST_FIRST) {
		/* What was recorded up to `after` was in the answer before. */
		gaps->after = q->gaps_after;
		if (result->has_more && edge_us < gaps->to_us)
			gaps->to_us = edge_us;
		return 0;
	}
	if (result->has_more && edge_us > gaps->from_us)
		gaps->from_us = edge_us;
	if (q->before) {
		if (read_time(r, list->bound, &edge_us, e) != 0)
			return -1;
		if (edge_us < gaps->to_us)
			gaps->to_us = edge_us;
	}
	return 0;
}

/*
 * Whether the newest gap there is lies before all of it, as it mostly does: then nothing is to be read. One that ended in the very microsecond in which
 * a page ends is told with the page before.
 */
static bool
no_gaps(const struct snapshot *snap, const struct query *q, const struct list_result *result)
{
	int64_t newest = snap->newest[KIND_GAP];

	if (newest == 0)
		return true;
	if (q->list.order == LIST_OLDEST_FIRST)
		return newest <= q->gaps_after;
	return result->has_more && !q->filter.times_of_event && newest < result->position;
}

int
wrap_gaps(struct reader *r, const struct snapshot *snap, const struct query *q, const struct list_result *result,
    struct buf *out, struct err *e)
{
	struct json_array gaps = { .out = out };
	struct gaps_query stretch;

	buf_add_char(out, '[');
	if (no_gaps(snap, q, result)) {
		buf_add_char(out, ']');
		return 0;
	}
	if (gaps_of(r, q, result, &stretch, e) != 0 || read_gaps(r, snap, &stretch, json_add_row, &gaps, e) != 0)
		return -1;
	buf_add_char(out, ']');
	return 0;
}

static enum param
forth(const struct wrap *v)
{
	return v->q->list.order == LIST_OLDEST_FIRST ? Q_AFTER : Q_BEFORE;
}

/* Each symbol's newest have no common place to go on from. */
static bool
has_next(const struct wrap *v)
{
	return v->result.has_more && v->q->per_symbol == 0;
}

static void
add_link(const struct wrap *v, struct buf *out, enum link kind, enum param q, int64_t seq)
{
	struct buf id, link;

	buf_init(&id, ID_MAX);
	buf_init(&link, 0);
	body_id(&id, v->epoch, seq);
	link_add(&link, v->x, kind, q, buf_text(&id));
	if (id.failed || link.failed)
		out->failed = true;
	buf_add_json(out, buf_text(&link));
	buf_fini(&id);
	buf_fini(&link);
}

/* A long one is left out: servers refuse answers whose head is large, and `next` in the body says the same. */
static void
add_link_header(const struct wrap *v, struct reply *reply)
{
	struct buf id, value;

	buf_init(&id, ID_MAX);
	buf_init(&value, 0);
	body_id(&id, v->epoch, v->result.position);
	buf_add_char(&value, '<');
	link_add(&value, v->x, LINK_NEXT, forth(v), buf_text(&id));
	buf_add_str(&value, ">; rel=\"next\"");
	if (value.len <= LINK_HEADER_MAX)
		reply_header(reply, "Link", buf_text(&value));
	buf_fini(&id);
	buf_fini(&value);
}

void
wrap_headers(const struct wrap *v, struct reply *reply)
{
	if (has_next(v))
		add_link_header(v, reply);
	api_cursor_header(reply, v->epoch, v->cursor);
	if (v->x->format == FORMAT_JSON)
		return;
	/* What an envelope says, as far as a list of lines has a place for it. */
	reply_header(reply, "Tickgate-Has-More", v->result.has_more ? TEXT("true") : TEXT("false"));
	if (v->q->reset != RESET_NONE)
		reply_header(reply, "Tickgate-Reset", text_of(reset_names[v->q->reset]));
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

void
wrap_open(struct buf *out)
{
	buf_add_str(out, "{\"data\":");
}

void
wrap_close(const struct wrap *v, struct buf *out)
{
	buf_printf(out, ",\"count\":%d,\"has_more\":", v->result.delivered);
	json_bool(out, v->result.has_more);
	if (v->q->per_symbol > 0) {
		buf_add_str(out, ",\"incomplete\":");
		buf_add_text(out, v->incomplete);
	}
	buf_add_str(out, ",\"cursor\":\"");
	body_id(out, v->epoch, v->cursor);
	buf_add_str(out, "\",\"next\":");
	if (has_next(v))
		add_link(v, out, LINK_NEXT, forth(v), v->result.position);
	else
		buf_add_str(out, "null");
	buf_add_str(out, ",\"follow\":");
	add_link(v, out, LINK_FOLLOW, Q_AFTER, v->cursor);
	add_reset(out, v->q->reset);
	buf_add_str(out, ",\"gaps\":");
	buf_add_text(out, v->gaps);
	buf_add_str(out, ",\"stale\":");
	json_bool(out, v->stale);
	if (v->degraded != NULL)
		buf_printf(out, ",\"degraded\":\"%s\"", v->degraded);
	buf_add_str(out, ",\"as_of\":");
	json_seconds(out, v->x->now_us);
	buf_add_char(out, '}');
}

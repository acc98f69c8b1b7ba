/*
 * body - see body.h. Puts together what decode.c rendered and what the log gives: id and duplicate_of. Also the one
 * event that no producer sends, the gap.
 */
#include "event/body.h"

#include <string.h>

#include "base/clock.h"
#include "event/kinds.h"
#include "event/when.h"

/* clang-format off */
const char *const gap_reason_names[GAP__MAX] = {
	[GAP_REDIS_DISCONNECTED] = "redis_disconnected",
	[GAP_SUBSCRIBER_DOWN]    = "subscriber_down",
	[GAP_OVERFLOW]           = "overflow",
	[GAP_CRASH]              = "crash",
};
/* clang-format on */

void
body_id(struct buf *out, const char *epoch, int64_t seq)
{
	buf_add_str(out, epoch);
	buf_add_char(out, '-');
	buf_add_int(out, seq);
}

static bool
is_id_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
}

int
body_parse_id(struct text id, const char *epoch, int64_t *seq)
{
	struct text ours = text_of(epoch), number;

	if (id.n == 0 || id.n > ID_MAX)
		return -1;
	for (size_t i = 0; i < id.n; i++) {
		if (!is_id_char(id.p[i]))
			return -1;
	}
	if (!text_starts(id, ours) || id.n < ours.n + 2 || id.p[ours.n] != '-')
		return 1;
	/* Only what body_id() writes is ours: "-5", "007" and "+7" are some other form. 0 stands before the first event. */
	number = text_cut(id, ours.n + 1, id.n);
	if (number.p[0] == '-' || (number.p[0] == '0' && number.n > 1) || text_int64(number, seq) != 0)
		return 1;
	return 0;
}

void
body_render(struct buf *out, const struct event *ev, const char *epoch)
{
	buf_add(out, "{\"id\":\"", 7);
	body_id(out, epoch, ev->seq);
	buf_add_char(out, '"');
	buf_add_text(out, ev->lead);
	if (ev->kind != KIND_GAP && ev->duplicate_of == 0) {
		buf_add_text(out, TEXT(",\"duplicate_of\":null"));
	} else if (ev->kind != KIND_GAP) {
		buf_add_text(out, TEXT(",\"duplicate_of\":\""));
		body_id(out, epoch, ev->duplicate_of);
		buf_add_char(out, '"');
	}
	buf_add_text(out, ev->rest);
	buf_add_char(out, '}');
}

void
body_gap(struct event *ev, struct buf *text, const struct gap *gap)
{
	char time[CLOCK_RFC3339_SIZE];

	*ev = (struct event)EVENT_INIT;
	ev->kind = KIND_GAP;
	ev->received_us = gap->to_us;
	ev->time_ms = when_floor_ms(gap->to_us);
	ev->time_source = TIME_RECEIVED;
	ev->gap_from_us = gap->from_us;
	buf_clear(text);
	buf_add_str(text, ",\"kind\":\"gap\",\"symbol\":null,\"reason\":\"");
	buf_add_str(text, gap_reason_names[gap->reason]);
	buf_add_str(text, "\",\"from\":");
	when_add_seconds(text, gap->from_us);
	buf_add_str(text, ",\"to\":");
	when_add_seconds(text, gap->to_us);
	buf_add_str(text, ",\"channels\":[");
	for (size_t i = 0; i < gap->n_channels; i++) {
		if (i > 0)
			buf_add_char(text, ',');
		buf_add_json(text, gap->channels[i]);
	}
	buf_add_str(text, "],\"dropped\":");
	if (gap->dropped < 0)
		buf_add_str(text, "null");
	else
		buf_add_int(text, gap->dropped);
	clock_rfc3339(ev->time_ms, time);
	buf_add_str(text, ",\"time\":\"");
	buf_add_str(text, time);
	buf_add_str(text, "\",\"time_source\":\"received\",\"received_at\":");
	when_add_seconds(text, gap->to_us);
	ev->lead = buf_text(text);
	ev->rest = TEXT("");
}

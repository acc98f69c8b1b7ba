/*
 * decode - a message from Redis: the first line is its channel, all else the payload.  What event/decode.h and event/body.h promise.
 */
#include <string.h>

#include "event/body.h"
#include "event/decode.h"
#include "event/json.h"
#include "event/kinds.h"
#include "fuzz.h"

#define NOW_US (INT64_C(1795417300) * 1000000)
#define EPOCH "fuzzfuzz"

static struct source_channel
source_of(struct text channel)
{
	static const struct {
		struct text word;
		enum kind kind;
		const char *session_state;
	} rows[] = {
		{ TEXT_INIT("tickstock:patterns"), KIND_PATTERN, NULL },
		{ TEXT_INIT("tickstock:indicators"), KIND_INDICATOR, NULL },
		{ TEXT_INIT("tickstock:alerts"), KIND_ALERT, NULL },
		{ TEXT_INIT("tickstock:health"), KIND_HEALTH, NULL },
		{ TEXT_INIT("tickstock:streaming:session_started"), KIND_SESSION, "started" },
		{ TEXT_INIT("tickstock:streaming:session_stopped"), KIND_SESSION, "stopped" },
		{ TEXT_INIT("tickstock:errors"), KIND_ERROR, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (text_starts(channel, rows[i].word))
			return (struct source_channel){ channel, rows[i].kind, rows[i].session_state };
	return (struct source_channel){ channel, KIND_PATTERN, NULL };
}

/* One line of JSON whose outermost is an object: it goes out as a line of NDJSON and of SSE as it stands. */
static void
check_text(struct text body)
{
	struct json j = { .n = 0 };

	PROMISE(text_utf8_valid(body));
	for (size_t i = 0; i < body.n; i++)
		PROMISE((unsigned char)body.p[i] >= 0x20);
	PROMISE(json_scan(&j, body, 64) == JSON_OK);
	PROMISE(j.tokens[0].type == TOKEN_OBJECT);
	for (uint32_t i = 0; i < j.n; i++)
		PROMISE(j.tokens[i].type != TOKEN_NAN);
	json_fini(&j);
}

static void
check_event(const struct event *ev, const struct source_channel *from)
{
	struct buf body = { .max = 0 };

	PROMISE(ev->kind == from->kind);
	PROMISE(ev->received_us == NOW_US);
	PROMISE((unsigned)ev->time_source < TIME__MAX && (unsigned)ev->severity < SEVERITY__MAX);
	PROMISE(ev->symbol.p == NULL || (ev->symbol.n > 0 && ev->symbol.n <= SYMBOL_MAX));
	PROMISE(ev->symbol.p != NULL || !kinds[ev->kind].symbol_required);
	PROMISE(isnan(ev->confidence) || (ev->confidence >= 0 && ev->confidence <= 100));
	PROMISE(isnan(ev->value) || isfinite(ev->value));
	body_render(&body, ev, EPOCH);
	PROMISE(!body.failed);
	check_text(buf_text(&body));
	buf_fini(&body);
}

static void
check_reject(const struct reject *rej)
{
	PROMISE((unsigned)rej->reason < REJECT__MAX);
	PROMISE(text_utf8_valid(rej->detail));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text payload = { (const char *)data, size }, channel = TEXT("");
	enum confidence_scale scale = size % 3 == 0 ? SCALE_AUTO : size % 3 == 1 ? SCALE_PERCENT : SCALE_FRACTION;
	struct decoder *d = decoder_new(scale, "instance-of-the-fuzzer", NULL);
	struct source_channel from;
	enum decode_result result;
	struct reject rej;
	size_t n = 0;

	PROMISE(d != NULL);
	if (size > 0)
		text_split(&payload, '\n', &channel);
	if (payload.p == NULL)
		payload = TEXT("");
	/* A channel is printable: it was subscribed to by that name, or matched a pattern and was checked (feed/receive.c). */
	if (!text_printable(channel, 1, 200))
		channel = TEXT("tickstock:patterns:streaming");
	from = source_of(channel);
	decode_message(d, &from, payload, NOW_US);
	for (;;) {
		struct event ev = EVENT_INIT;

		result = decode_next(d, &ev, &rej);
		if (result == DECODE_END)
			break;
		PROMISE(++n <= size + 1);
		if (result == DECODE_EVENT) {
			ev.seq = (int64_t)n;
			check_event(&ev, &from);
		} else {
			check_reject(&rej);
		}
	}
	PROMISE(n > 0);
	decoder_free(d);
	return 0;
}

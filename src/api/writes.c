/*
 * writes - POST /v1/ticks and POST /v1/errors: what may be told to TickStock.  From api/elements.c, on to publish/batch.c.
 *
 * All elements are checked before anything leaves, and all leave together. Numbers keep the client's text.
 */
#include <stdlib.h>

#include "api/elements.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/log.h"
#include "event/when.h"
#include "http/param_values.h"
#include "publish/batch.h"

#define ERRORS_MAX 100
#define SLOW_REDIS_US 10000
#define LINES_A_MINUTE 6
#define AHEAD_MAX_US \
	(3600 * INT64_C(1000000)) /* a tick of a later time than this is a mistake: see messages' validation */
#define MESSAGE_CHARS_MAX 4096
#define COMPONENT_CHARS_MAX 128
#define TEXT_BYTES_MAX (6 * MESSAGE_CHARS_MAX)

static const char *const severities[] = { "debug", "info", "warning", "error", "critical" };

/* The messages as they are put together: `out` may move while it grows, so where each ends is kept as a number. */
struct outgoing {
	struct buf out;
	size_t *ends; /* owned */
	size_t n, max;
	int64_t now_us;
};

static void
end_message(struct outgoing *o)
{
	buf_add_char(&o->out, '}');
	if (o->n < o->max)
		o->ends[o->n++] = o->out.len;
}

/* ---- ticks ---- */

static const char *const tick_members[] = { "symbol", "price", "volume", "timestamp" };
#define TICK_MEMBERS (sizeof(tick_members) / sizeof(tick_members[0]))

/* 0 when it is missing or no string; told. */
static uint32_t
string_member(struct elements *els, uint32_t object, const char *name)
{
	size_t faults = els->n_faults;
	uint32_t value = element_member(els, object, name);

	if (value == 0 && els->n_faults == faults)
		elements_fault(els, ELEMENT_MISSING_FIELD, name, "is required");
	if (value == 0 || els->json.tokens[value].type == TOKEN_STRING)
		return value;
	elements_fault(els, ELEMENT_INVALID_TYPE, name, "is no string");
	return 0;
}

static void
add_symbol(struct outgoing *o, struct elements *els, uint32_t object)
{
	uint32_t value = string_member(els, object, "symbol");
	char plain[6 * SYMBOL_MAX];
	struct text raw;
	size_t n;

	if (value == 0)
		return;
	raw = json_inner(&els->json, value);
	n = raw.n <= sizeof(plain) ? json_unescape(raw, plain) : 0;
	if (!param_symbol_ok((struct text){ plain, n })) {
		elements_fault(
		    els, ELEMENT_OUT_OF_RANGE, "symbol", "has 1 to 32 characters of A-Z a-z 0-9 . _ : ^ = / -");
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (plain[i] >= 'a' && plain[i] <= 'z')
			plain[i] = (char)(plain[i] - 'a' + 'A');
	buf_add_str(&o->out, "{\"symbol\":");
	buf_add_json(&o->out, (struct text){ plain, n });
}

static void
add_number(struct outgoing *o, struct elements *els, uint32_t object, const char *name, bool zero_is_fine)
{
	size_t faults = els->n_faults;
	uint32_t value = element_member(els, object, name);
	struct text raw;
	double real;

	if (value == 0) {
		if (els->n_faults == faults)
			elements_fault(els, ELEMENT_MISSING_FIELD, name, "is required");
		return;
	}
	raw = json_raw(&els->json, value);
	if (els->json.tokens[value].type != TOKEN_NUMBER)
		elements_fault(els, ELEMENT_INVALID_TYPE, name, "is no number");
	else if (text_real(raw, &real) != 0 || real < 0 || (real == 0 && !zero_is_fine))
		elements_fault(els, ELEMENT_OUT_OF_RANGE, name,
		    zero_is_fine ? "is a finite number, 0 or more" : "is a finite number above 0");
	buf_printf(&o->out, ",\"%s\":", name);
	buf_add_text(&o->out, raw);
}

/* Epoch seconds or milliseconds, or RFC 3339 with its zone; published as epoch seconds, as the contract has it. */
static int
tick_time(struct outgoing *o, const struct elements *els, uint32_t value, int64_t *us)
{
	bool naive = false;

	if (els->json.tokens[value].type == TOKEN_NUMBER)
		return when_of_number(json_raw(&els->json, value), us, &o->out);
	if (els->json.tokens[value].type != TOKEN_STRING ||
	    when_of_text(json_inner(&els->json, value), us, &naive, &o->out) != 0)
		return -1;
	return naive ? -1 : 0;
}

static void
add_time(struct outgoing *o, struct elements *els, uint32_t object)
{
	size_t faults = els->n_faults;
	uint32_t value = element_member(els, object, "timestamp");
	int64_t us = 0;

	if (value == 0) {
		if (els->n_faults == faults)
			elements_fault(els, ELEMENT_MISSING_FIELD, "timestamp", "is required");
		return;
	}
	buf_add_str(&o->out, ",\"timestamp\":");
	if (tick_time(o, els, value, &us) != 0)
		elements_fault(els, ELEMENT_INVALID_TYPE, "timestamp",
		    "is epoch seconds or milliseconds, or RFC 3339 with a zone");
	else if (us > o->now_us + AHEAD_MAX_US)
		elements_fault(els, ELEMENT_OUT_OF_RANGE, "timestamp", "is more than an hour ahead");
}

static bool
is_tick_member(const struct elements *els, uint32_t key)
{
	for (size_t i = 0; i < TICK_MEMBERS; i++)
		if (element_key_is(els, key, tick_members[i]))
			return true;
	return false;
}

static void
take_tick(void *arg, struct elements *els, uint32_t object)
{
	struct outgoing *o = arg;
	const struct json_token *tokens = els->json.tokens;

	add_symbol(o, els, object);
	add_number(o, els, object, "price", false);
	add_number(o, els, object, "volume", true);
	add_time(o, els, object);
	/* What else it has is forwarded as it is. */
	for (uint32_t key = object + 1; key < tokens[object].next; key = tokens[key + 1].next) {
		if (is_tick_member(els, key))
			continue;
		buf_add_char(&o->out, ',');
		buf_add_text(&o->out, json_raw(&els->json, key));
		buf_add_char(&o->out, ':');
		json_compact(&o->out, &els->json, key + 1);
	}
	end_message(o);
}

/* ---- errors ---- */

/* Of 1..max characters; its text without escapes in *out, which has room for `size` bytes. */
static bool
string_fits(const struct elements *els, uint32_t value, size_t max, char *out, size_t size, struct text *plain)
{
	struct text raw = json_inner(&els->json, value), rest;
	size_t chars = 0;

	if (raw.n > size || (els->json.tokens[value].flags & JSON_HAS_NUL) != 0)
		return false;
	*plain = rest = (struct text){ out, json_unescape(raw, out) };
	for (; rest.n > 0; chars++) {
		size_t n = text_utf8_next(rest, NULL);

		if (n == 0)
			return false;
		rest = text_cut(rest, n, rest.n);
	}
	return chars >= 1 && chars <= max;
}

static void
add_severity(struct outgoing *o, struct elements *els, uint32_t object)
{
	uint32_t value = string_member(els, object, "severity");

	if (value == 0)
		return;
	for (size_t i = 0; i < sizeof(severities) / sizeof(severities[0]); i++)
		if (text_eq_nocase(json_inner(&els->json, value), text_of(severities[i]))) {
			buf_printf(&o->out, "{\"severity\":\"%s\"", severities[i]);
			return;
		}
	elements_fault(els, ELEMENT_OUT_OF_RANGE, "severity", "is debug, info, warning, error or critical");
}

/* A message may have several lines: its control characters stay escaped. */
static void
add_message(struct outgoing *o, struct elements *els, uint32_t object)
{
	uint32_t value = string_member(els, object, "message");
	char plain[TEXT_BYTES_MAX];
	struct text t;

	if (value == 0)
		return;
	if (!string_fits(els, value, MESSAGE_CHARS_MAX, plain, sizeof(plain), &t))
		elements_fault(els, ELEMENT_OUT_OF_RANGE, "message", "has 1 to 4096 characters, none of them NUL");
	buf_add_str(&o->out, ",\"message\":");
	buf_add_text(&o->out, json_raw(&els->json, value));
}

static void
add_component(struct outgoing *o, struct elements *els, uint32_t object)
{
	uint32_t value = string_member(els, object, "component");
	char plain[6 * COMPONENT_CHARS_MAX];
	struct text t;

	if (value == 0)
		return;
	if (!string_fits(els, value, COMPONENT_CHARS_MAX, plain, sizeof(plain), &t) ||
	    !text_printable(t, 1, COMPONENT_CHARS_MAX))
		elements_fault(els, ELEMENT_OUT_OF_RANGE, "component", "has 1 to 128 printable characters");
	else if (text_eq_nocase(t, TEXT("tickgate")))
		elements_fault(els, ELEMENT_OUT_OF_RANGE, "component", "tickgate is what this service calls itself");
	buf_add_str(&o->out, ",\"component\":");
	buf_add_text(&o->out, json_raw(&els->json, value));
}

static void
add_context(struct outgoing *o, struct elements *els, uint32_t object)
{
	uint32_t value = element_member(els, object, "context");

	if (value == 0)
		return;
	if (els->json.tokens[value].type != TOKEN_OBJECT)
		elements_fault(els, ELEMENT_INVALID_TYPE, "context", "is no object");
	buf_add_str(&o->out, ",\"context\":");
	json_compact(&o->out, &els->json, value);
}

static void
check_no_others(struct elements *els, uint32_t object)
{
	static const char *const known[] = { "severity", "message", "component", "context" };
	const struct json_token *tokens = els->json.tokens;

	for (uint32_t key = object + 1; key < tokens[object].next; key = tokens[key + 1].next) {
		bool found = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			found = found || element_key_is(els, key, known[i]);
		if (!found) {
			elements_fault(els, ELEMENT_UNKNOWN_FIELD, NULL,
			    "an error has severity, message, component and, if wanted, context; the rest is set here");
			return;
		}
	}
}

static void
take_error(void *arg, struct elements *els, uint32_t object)
{
	struct outgoing *o = arg;

	add_severity(o, els, object);
	add_message(o, els, object);
	add_component(o, els, object);
	buf_add_str(&o->out, ",\"timestamp\":");
	when_add_seconds(&o->out, o->now_us);
	buf_add_str(&o->out, ",\"source\":\"tickgate\"");
	add_context(o, els, object);
	check_no_others(els, object);
	end_message(o);
}

/* ---- both ---- */

static void
answer(struct api *a, enum batch_result result, size_t n, int64_t receivers, const struct err *e, struct reply *reply)
{
	switch (result) {
	case BATCH_PUBLISHED:
		api_json(reply, "no-store");
		reply->status = 202;
		buf_printf(&reply->body, "{\"accepted\":%zu,\"receivers\":%lld}", n, (long long)receivers);
		break;
	case BATCH_NOT_PUBLISHED:
		if (log_allowed(&a->unpublished, LINES_A_MINUTE, "publish_failed"))
			log_err(LOG_LEVEL_WARNING, "publish_failed", e);
		reply_problem(reply, PROBLEM_REDIS_UNAVAILABLE,
		    "nothing was published: Redis cannot be reached, or refused it", NULL);
		break;
	case BATCH_UNKNOWN:
		if (log_allowed(&a->unpublished, LINES_A_MINUTE, "publish_outcome_unknown"))
			log_err(LOG_LEVEL_WARNING, "publish_outcome_unknown", e);
		reply_problem(reply, PROBLEM_UNKNOWN_OUTCOME, NULL, NULL);
		break;
	}
}

static void
note(struct api *a, enum batch_result result, size_t n, enum setting channel, int64_t took_us)
{
	enum count count = channel == SETTING_PUBLISH_TICKS_CHANNEL ? COUNT_TICKS : COUNT_ERRORS;

	log_slow(&a->slow, "slow_redis", took_us, SLOW_REDIS_US, log_int("messages", (int64_t)n));
	if (a->shared.own == NULL)
		return;
	counters_latency(a->shared.own, LATENCY_PUBLISH, took_us);
	if (result == BATCH_PUBLISHED)
		counters_count(a->shared.own, count, (int64_t)n);
}

static int
send(struct api *a, const struct outgoing *o, enum setting channel, struct reply *reply)
{
	struct text *messages = calloc(o->n, sizeof(*messages));
	enum batch_result result;
	int64_t receivers = 0, begin_us;
	struct err e = { 0 };

	if (messages == NULL)
		return -1;
	for (size_t i = 0, from = 0; i < o->n; from = o->ends[i++])
		messages[i] = (struct text){ o->out.p + from, o->ends[i] - from };
	begin_us = clock_mono_us();
	api_lengthy(a);
	result = batch_publish(a->shared.publish, conf_str(a->conf, channel), messages, o->n, &receivers, &e);
	note(a, result, o->n, channel, clock_mono_us() - begin_us);
	answer(a, result, o->n, receivers, &e, reply);
	free(messages);
	return 0;
}

static void
write_all(struct api *a, struct exchange *x, size_t max, element_fn take, enum setting channel, struct reply *reply)
{
	struct outgoing o = { .max = max, .now_us = x->now_us };
	struct elements els;

	buf_init(&o.out, (size_t)REQUEST_BODY_MAX * 4);
	o.ends = calloc(max, sizeof(*o.ends));
	if (o.ends == NULL) {
		reply_problem(reply, PROBLEM_INTERNAL_ERROR, "memory is short", NULL);
		return;
	}
	if (elements_read(&els, x->request, max, take, &o, reply) == 0 &&
	    (o.out.failed || send(a, &o, channel, reply) != 0))
		reply_problem(reply, PROBLEM_INTERNAL_ERROR, "memory is short", NULL);
	elements_fini(&els);
	buf_fini(&o.out);
	free(o.ends);
}

void
ticks_post(void *app, struct exchange *x, struct reply *reply)
{
	write_all(app, x, BATCH_MAX, take_tick, SETTING_PUBLISH_TICKS_CHANNEL, reply);
}

void
errors_post(void *app, struct exchange *x, struct reply *reply)
{
	write_all(app, x, ERRORS_MAX, take_error, SETTING_PUBLISH_ERRORS_CHANNEL, reply);
}

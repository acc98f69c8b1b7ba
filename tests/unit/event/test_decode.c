/*
 * What a folder cannot say well: bounds on size, linear cost, bytes that are no UTF-8, samples, and what can be filtered on.
 */
#include "feed.h"

#include "base/clock.h"

#define PATTERNS "tickstock:patterns:streaming"
#define FACT "\"pattern_name\":\"Bull_Flag\",\"symbol\":\"aapl\",\"confidence\":0.855,\"detected_at\":1795417000.5"

static void
expect_prefix(struct decoder *d, const char *channel, struct text message, const char *want)
{
	struct buf out = { .max = 0 };
	int64_t seq = 0;

	assert_int_equal(feed_message(d, channel, message, &seq, &out), 1);
	if (strncmp(buf_cstr(&out), want, strlen(want)) != 0)
		fail_msg("want %s, got %.200s", want, buf_cstr(&out));
	buf_fini(&out);
}

static void
test_filter_members(void **state)
{
	struct decoder *d = decoder_new(SCALE_AUTO, NULL, NULL);
	struct source_channel from = feed_source(PATTERNS);
	struct event ev;
	struct reject rej;

	(void)state;
	decode_message(d, &from, TEXT("{" FACT ",\"timeframe\":\"1\\u0068\"}"), FEED_NOW_US);
	assert_int_equal(decode_next(d, &ev, &rej), DECODE_EVENT);
	assert_true(text_eq(ev.symbol, TEXT("AAPL")));
	assert_true(text_eq(ev.name, TEXT("bullflag")));
	assert_true(text_eq(ev.timeframe, TEXT("1h")));
	assert_true(text_eq(ev.channel, TEXT(PATTERNS)));
	assert_true(ev.confidence == 85.5 && isnan(ev.value));
	assert_int_equal(ev.time_ms, INT64_C(1795417000500));
	assert_int_equal(ev.time_source, TIME_EVENT);
	assert_int_equal(ev.seq, 0);
	assert_int_equal(decode_next(d, &ev, &rej), DECODE_END);
	assert_int_equal(decode_next(d, &ev, &rej), DECODE_END);

	from = feed_source("tickstock:errors");
	decode_message(
	    d, &from, TEXT("{\"severity\":\"ERROR\",\"message\":\"m\",\"component\":\"a\\tb\"}"), FEED_NOW_US);
	assert_int_equal(decode_next(d, &ev, &rej), DECODE_EVENT);
	assert_int_equal(ev.severity, SEVERITY_ERROR);
	assert_true(text_eq(ev.component, TEXT("a\tb")));
	assert_true(text_eq(ev.source, TEXT("tickstock")));
	assert_null(ev.symbol.p);

	from = feed_source("tickstock:indicators:streaming");
	decode_message(d, &from, TEXT("{\"indicator\":\"S M-A\",\"symbol\":\"x\",\"value\":-1.5}"), FEED_NOW_US);
	assert_int_equal(decode_next(d, &ev, &rej), DECODE_EVENT);
	assert_true(ev.value == -1.5 && isnan(ev.confidence));
	assert_true(text_eq(ev.name, TEXT("sma")));
	decoder_free(d);
}

static void
test_utf8_and_samples(void **state)
{
	struct decoder *d = decoder_new(SCALE_AUTO, NULL, NULL);
	struct source_channel from = feed_source(PATTERNS);
	struct event ev;
	struct reject rej;

	(void)state;
	expect_prefix(d, PATTERNS, TEXT("{\"x\":\"\xff\"}"), "reject invalid_utf8");
	expect_prefix(d, PATTERNS, TEXT("{\"x\":\"\xed\xa0\x80\"}"), "reject invalid_utf8");
	expect_prefix(d, PATTERNS, TEXT("{\"x\":\"\xc0\xaf\"}"), "reject invalid_utf8");
	expect_prefix(d, PATTERNS, TEXT("{\"x\":\"a\0b\"}"), "reject invalid_json");
	expect_prefix(d, PATTERNS, TEXT("{" FACT "}"), "{\"id\"");
	decode_message(d, &from, TEXT("{\"patterns\":[{" FACT "}, {\"symbol\" :\"A\"}]}"), FEED_NOW_US);
	assert_int_equal(decode_next(d, &ev, &rej), DECODE_EVENT);
	assert_int_equal(decode_next(d, &ev, &rej), DECODE_REJECT);
	assert_true(text_eq(rej.sample, TEXT("{\"symbol\" :\"A\"}")));
	assert_int_equal(decode_next(d, &ev, &rej), DECODE_END);
	decoder_free(d);
}

/* `{FACT,"m":"xxx…"}` with n bytes of x, and room for white space behind it. */
static struct buf
fat_message(size_t n, size_t spaces)
{
	struct buf b = { .max = 0 };

	buf_add_str(&b, "{" FACT ",\"m\":\"");
	for (size_t i = 0; i < n; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "\"}");
	for (size_t i = 0; i < spaces; i++)
		buf_add_char(&b, ' ');
	return b;
}

static void
test_sizes(void **state)
{
	struct decoder *d = decoder_new(SCALE_AUTO, NULL, NULL);
	struct buf b = fat_message(64000, 0);

	(void)state;
	expect_prefix(d, PATTERNS, buf_text(&b), "{\"id\"");
	buf_fini(&b);
	b = fat_message(EVENT_MAX_BYTES, 0);
	expect_prefix(d, PATTERNS, buf_text(&b), "reject too_large");
	buf_fini(&b);
	b = fat_message(1, MESSAGE_MAX_BYTES - sizeof("{" FACT ",\"m\":\"x\"}") + 1);
	assert_int_equal(b.len, MESSAGE_MAX_BYTES);
	expect_prefix(d, PATTERNS, buf_text(&b), "{\"id\"");
	buf_add_char(&b, ' ');
	expect_prefix(d, PATTERNS, buf_text(&b), "reject too_large");
	buf_fini(&b);
	decoder_free(d);
}

/* The largest event there can be has a body of at most EVENT_MAX_BYTES, with the longest ids. */
static void
test_body_bound(void **state)
{
	struct decoder *d = decoder_new(SCALE_AUTO, NULL, NULL);
	struct source_channel from = feed_source(PATTERNS);
	size_t largest = 0;

	(void)state;
	for (size_t n = EVENT_MAX_BYTES - 600; n < EVENT_MAX_BYTES; n++) {
		struct buf b = fat_message(n, 0), body = { .max = 0 };
		struct event ev;
		struct reject rej;

		decode_message(d, &from, buf_text(&b), FEED_NOW_US);
		if (decode_next(d, &ev, &rej) == DECODE_EVENT) {
			ev.seq = ev.duplicate_of = INT64_MAX;
			body_render(&body, &ev, FEED_EPOCH);
			largest = body.len;
		}
		buf_fini(&b);
		buf_fini(&body);
	}
	assert_in_range(largest, EVENT_MAX_BYTES - 64, EVENT_MAX_BYTES);
	decoder_free(d);
}

/* Hostile shapes of some megabytes: each must be done in far less time than anything quadratic would take (minutes). */
#ifdef __SANITIZE_THREAD__
#define LINEAR_US 30000000
#else
#define LINEAR_US 3000000
#endif

static void
test_linear(void **state)
{
	struct decoder *d = decoder_new(SCALE_AUTO, NULL, NULL);
	struct buf many = { .max = 0 }, batch = { .max = 0 }, out = { .max = 0 };
	int64_t seq = 0, from = clock_mono_us();

	(void)state;
	buf_add_str(&many, "{" FACT);
	buf_add_str(&batch, "{");
	for (int i = 0; i < 100000; i++)
		buf_printf(&many, ",\"symbol\":\"A%d\",\"i\\u0064\":%d", i % 10, i);
	for (int i = 0; i < 60000; i++)
		buf_printf(&batch, "\"timestamp\":1,\"m%d\":0,", i);
	buf_add_str(&batch, "\"patterns\":[");
	for (int i = 0; i < 60000; i++)
		buf_add_str(&batch, i == 0 ? "{\"data\":{}}" : ",{\"data\":{}}");
	buf_add_str(&batch, "]}");
	buf_add_char(&many, '}');
	expect_prefix(d, PATTERNS, buf_text(&many), "reject too_large");
	assert_int_equal(feed_message(d, PATTERNS, buf_text(&batch), &seq, &out), 60000);
	assert_true(clock_mono_us() - from < LINEAR_US);
	buf_fini(&many);
	buf_fini(&batch);
	buf_fini(&out);
	decoder_free(d);
}

/* Two decoders and one reused give the same: nothing of a message is left behind for the next. */
static void
test_nothing_left(void **state)
{
	static const char *const messages[] = { "{\"symbol\":\"A\",\"patterns\":[1,2]}", "{\"data\":{" FACT "}}", "{",
		"{" FACT ",\"id\":1}",
		"{\"timestamp\":1795416000,\"patterns\":[{\"pattern\":\"x\",\"symbol\":\"y\",\"confidence\":5},3]}",
		"[]" };
	const size_t n = sizeof(messages) / sizeof(*messages);
	struct decoder *reused = decoder_new(SCALE_AUTO, NULL, NULL);

	(void)state;
	for (size_t i = 0; i < n * n; i++) {
		struct buf out = { .max = 0 };
		int64_t seq = 0;
		char *alone = feed_once(SCALE_AUTO, NULL, PATTERNS, messages[i % n]);

		feed_message(reused, PATTERNS, text_of(messages[i / n]), &seq, &out);
		buf_clear(&out);
		seq = 0;
		feed_message(reused, PATTERNS, text_of(messages[i % n]), &seq, &out);
		out.len--;
		assert_string_equal(buf_cstr(&out), alone);
		free(alone);
		buf_fini(&out);
	}
	decoder_free(reused);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter_members),
		cmocka_unit_test(test_utf8_and_samples),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_body_bound),
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_nothing_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_news - rows as bytes and back, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "store/news.h"

static const struct event full = { .kind = KIND_INDICATOR,
	.seq = INT64_C(1) << 40,
	.received_us = 1700000000000001,
	.time_ms = 1700000000000,
	.time_source = TIME_ENVELOPE,
	.gap_from_us = 3,
	.duplicate_of = 7,
	.symbol = TEXT_INIT("AAPL"),
	.name = TEXT_INIT("rsi"),
	.timeframe = TEXT_INIT(""),
	.channel = TEXT_INIT("c"),
	.component = TEXT_INIT("k"),
	.source = TEXT_INIT("s"),
	.confidence = 1.5,
	.value = -2.25,
	.severity = SEVERITY_CRITICAL };

static void
assert_same(struct text a, struct text b)
{
	assert_true(text_eq(a, b));
	/* Absent is not empty. */
	assert_int_equal(a.p == NULL, b.p == NULL);
}

static void
test_there_and_back(void **state)
{
	struct event none = EVENT_INIT, ev;
	struct buf news = { .len = 0 };
	struct text rest, body;

	(void)state;
	none.kind = KIND_GAP;
	none.seq = 1;
	news_add(&news, &full, TEXT("{1}"));
	news_add(&news, &none, TEXT(""));
	assert_false(news.failed);
	rest = buf_text(&news);
	assert_int_equal(news_next(&rest, &ev, &body), 1);
	assert_true(text_eq(body, TEXT("{1}")));
	assert_int_equal(ev.kind, full.kind);
	assert_int_equal(ev.seq, full.seq);
	assert_int_equal(ev.received_us, full.received_us);
	assert_int_equal(ev.time_ms, full.time_ms);
	assert_int_equal(ev.time_source, full.time_source);
	assert_int_equal(ev.gap_from_us, full.gap_from_us);
	assert_int_equal(ev.duplicate_of, full.duplicate_of);
	assert_int_equal(ev.severity, full.severity);
	assert_true(ev.confidence == full.confidence && ev.value == full.value);
	assert_same(ev.symbol, full.symbol);
	assert_same(ev.name, full.name);
	assert_same(ev.timeframe, full.timeframe);
	assert_same(ev.channel, full.channel);
	assert_same(ev.component, full.component);
	assert_same(ev.source, full.source);
	assert_int_equal(news_next(&rest, &ev, &body), 1);
	assert_int_equal(body.n, 0);
	assert_true(isnan(ev.confidence) && isnan(ev.value));
	assert_same(ev.symbol, TEXT_NONE);
	assert_same(ev.channel, TEXT_NONE);
	assert_int_equal(news_next(&rest, &ev, &body), 0);
	buf_fini(&news);
}

static void
test_cut_anywhere(void **state)
{
	struct buf news = { .len = 0 };
	struct text rest, body;
	struct event ev;

	(void)state;
	news_add(&news, &full, TEXT("{1}"));
	for (size_t n = 1; n < news.len; n++) {
		rest = (struct text){ news.p, n };
		assert_int_equal(news_next(&rest, &ev, &body), -1);
	}
	buf_fini(&news);
}

/* What tables are indexed by, and what has a place of fixed size. */
static void
test_out_of_bounds(void **state)
{
	struct event bad[] = { full, full, full, full, full };
	struct buf news = { .len = 0 };
	struct text rest, body;
	struct event ev;

	(void)state;
	bad[0].kind = KIND__MAX;
	bad[1].time_source = TIME__MAX;
	bad[2].severity = SEVERITY__MAX;
	bad[3].seq = 0;
	bad[4].symbol = TEXT("123456789012345678901234567890123");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		buf_clear(&news);
		news_add(&news, &bad[i], TEXT("{}"));
		rest = buf_text(&news);
		assert_int_equal(news_next(&rest, &ev, &body), -1);
	}
	buf_fini(&news);
}

static void
test_too_large(void **state)
{
	static char large[NEWS_BYTES_MAX + 1];
	struct event long_name = full;
	struct buf news;

	(void)state;
	buf_init(&news, NEWS_BYTES_MAX);
	news_add(&news, &full, (struct text){ large, sizeof(large) });
	assert_true(news.failed);
	buf_clear(&news);
	long_name.name = (struct text){ large, UINT16_MAX };
	news_add(&news, &long_name, TEXT("{}"));
	assert_true(news.failed);
	buf_clear(&news);
	while (!news.failed)
		news_add(&news, &full, TEXT("{}"));
	assert_true(news.len <= NEWS_BYTES_MAX);
	buf_fini(&news);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_out_of_bounds),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

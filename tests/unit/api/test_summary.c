/* /v1/snapshot and /v1/summary through api_handle(), with fabricated requests, over a log made by SQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <inttypes.h>
#include <jansson.h>

#include "api_fixture.h"
#include "base/clock.h"

static int64_t
number_at(json_t *answer, const char *key)
{
	assert_true(json_is_integer(json_object_get(answer, key)));
	return json_integer_value(json_object_get(answer, key));
}

static void
snapshot_is_every_asked_symbol(void **state)
{
	struct fixture *f = *state;
	json_t *one, *data, *a;

	one = json_deep_copy(json_object_get(ask(f, 200, "/v1/symbols/S7", ""), "data"));
	a = ask(f, 200, "/v1/snapshot", "symbols=s7,NONE,S31");
	data = json_object_get(a, "data");
	assert_int_equal(json_object_size(data), 3);
	assert_true(json_equal(json_object_get(data, "S7"), one));
	assert_true(json_array_size(json_object_get(one, "patterns")) > 0);
	assert_true(json_is_null(json_object_get(data, "NONE")));
	assert_string_equal(text_at(json_object_get(data, "S31"), "symbol"), "S31");
	assert_string_equal(text_at(a, "cursor"), MADE_EPOCH "-1000");
	assert_true(json_is_true(json_object_get(a, "stale")));
	assert_true(has_header(f, "Cache-Control: no-cache\r\n"));
	assert_true(has_header(f, "Tickgate-Cursor: " MADE_EPOCH "-1000\r\n"));
	a = ask(f, 200, "/v1/snapshot", "symbol=S7");
	assert_true(json_equal(json_object_get(json_object_get(a, "data"), "S7"), one));
	json_decref(one);
}

static void
snapshot_wants_symbols_and_not_too_many(void **state)
{
	struct fixture *f = *state;
	json_t *a = ask(f, 400, "/v1/snapshot", "");
	struct buf query = { .max = 0 };

	assert_string_equal(text_at(a, "code"), "invalid_parameter");
	assert_string_equal(text_at(json_array_get(json_object_get(a, "errors"), 0), "parameter"), "symbols");
	ask(f, 400, "/v1/snapshot", "symbols=");
	ask(f, 400, "/v1/snapshot", "symbols=A&symbol=B");
	ask(f, 400, "/v1/snapshot", "symbols=A&limit=5");
	buf_add_str(&query, "symbols=S0");
	for (int i = 1; i < 200; i++)
		buf_printf(&query, ",S%d", i);
	a = ask(f, 200, "/v1/snapshot", buf_cstr(&query));
	assert_int_equal(json_object_size(json_object_get(a, "data")), 200);
	assert_true(json_is_null(json_object_get(json_object_get(a, "data"), "S40")));
	assert_false(json_is_null(json_object_get(json_object_get(a, "data"), "S39")));
	buf_add_str(&query, ",S200");
	ask(f, 400, "/v1/snapshot", buf_cstr(&query));
	buf_fini(&query);
}

static void
snapshot_is_never_half_a_one(void **state)
{
	struct fixture *f = *state;
	json_t *a;

	/* Forty symbols with a thousand newest patterns each: more than one answer holds. */
	made_log_sql(&f->log,
	    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 39999) "
	    "INSERT INTO latest SELECT 'S' || (i / 1000), 0, 'x' || (i %% 1000), '1h', 3 FROM n");
	a = ask(f, 400, "/v1/snapshot",
	    "symbols=S0,S1,S2,S3,S4,S5,S6,S7,S8,S9,S10,S11,S12,S13,S14,S15,S16,S17,S18,S19,S20,S21");
	assert_string_equal(text_at(json_array_get(json_object_get(a, "errors"), 0), "parameter"), "symbols");
	ask(f, 200, "/v1/snapshot", "symbols=S1,S2");
}

/* Three minutes ago and five hours ago, and what is not tallied. */
static void
fill_rollups(struct fixture *f, int64_t now_s)
{
	made_log_sql(&f->log,
	    "WITH c(span, s) AS (VALUES (60, %lld), (3600, %lld)), r(kind, facet, key, n) AS (VALUES (0, 0, '', 9), "
	    "(0, 1, 'doji', 5), (0, 1, 'a\"b', 4), (0, 2, '1min', 9), (0, 3, '0', 1), (0, 3, '7', 2), (0, 3, '8', 3), "
	    "(0, 3, '9', 3), (0, 4, 'AAPL', 7), (0, 4, 'MSFT', 2), (1, 0, '', 50), (1, 1, 'rsi', 50), (2, 0, '', 4)) "
	    "INSERT INTO rollups SELECT span, s / span * span, kind, facet, key, n FROM c, r WHERE true",
	    (long long)now_s - 180, (long long)now_s - 5 * 3600);
	made_log_sql(&f->log,
	    "UPDATE events SET received_us = %lld, kind = 0, name = 'doji', timeframe = '1day', symbol = 'TSLA', "
	    "confidence = 100 WHERE seq = 999",
	    (long long)now_s * 1000000);
}

static void
summary_has_the_whole_shape(void **state)
{
	struct fixture *f = *state;
	int64_t now_s = clock_real_us() / 1000000;
	json_t *a, *d, *p, *series;

	fill_rollups(f, now_s);
	a = ask(f, 200, "/v1/summary", "");
	assert_string_equal(text_at(a, "cursor"), MADE_EPOCH "-1000");
	assert_true(has_header(f, "Tickgate-Cursor: " MADE_EPOCH "-1000\r\n"));
	assert_true(has_header(f, "Cache-Control: no-cache\r\n"));
	assert_true(json_is_true(json_object_get(a, "stale")));
	d = json_object_get(a, "data");
	p = json_object_get(d, "patterns");
	assert_int_equal(number_at(d, "window_seconds"), 3600);
	assert_int_equal(number_at(p, "total"), 10);
	assert_int_equal(number_at(json_object_get(p, "by_name"), "doji"), 6);
	assert_int_equal(number_at(json_object_get(p, "by_name"), "a\"b"), 4);
	assert_int_equal(number_at(json_object_get(p, "by_timeframe"), "1min"), 9);
	assert_int_equal(number_at(json_object_get(p, "by_timeframe"), "1day"), 1);
	assert_int_equal(json_object_size(json_object_get(p, "by_confidence")), 5);
	assert_int_equal(number_at(json_object_get(p, "by_confidence"), "0-20"), 1);
	assert_int_equal(number_at(json_object_get(p, "by_confidence"), "20-40"), 0);
	assert_int_equal(number_at(json_object_get(p, "by_confidence"), "60-80"), 2);
	assert_int_equal(number_at(json_object_get(p, "by_confidence"), "80-100"), 7);
	assert_int_equal(number_at(json_object_get(d, "indicators"), "total"), 50);
	assert_int_equal(number_at(json_object_get(d, "alerts"), "total"), 4);
	assert_int_equal(json_array_size(json_object_get(d, "top_symbols")), 3);
	assert_string_equal(text_at(json_array_get(json_object_get(d, "top_symbols"), 0), "symbol"), "AAPL");
	assert_int_equal(number_at(json_array_get(json_object_get(d, "top_symbols"), 0), "patterns"), 7);
	assert_true(json_is_false(json_object_get(d, "truncated")));
	series = json_object_get(d, "series");
	assert_int_equal(number_at(series, "step_seconds"), 60);
	assert_int_equal(json_array_size(json_object_get(series, "minute")), 60);
	assert_int_equal(json_array_size(json_object_get(series, "patterns")), 60);
	assert_int_equal(json_array_size(json_object_get(series, "indicators")), 60);
	assert_int_equal(json_array_size(json_object_get(series, "alerts")), 60);
}

static void
summary_goes_as_far_back_as_asked(void **state)
{
	struct fixture *f = *state;
	json_t *d;

	fill_rollups(f, clock_real_us() / 1000000);
	d = json_object_get(ask(f, 200, "/v1/summary", "window=24h"), "data");
	assert_int_equal(number_at(d, "window_seconds"), 86400);
	/* The minute's cell does not count twice: hours have their own. */
	assert_int_equal(number_at(json_object_get(d, "patterns"), "total"), 10);
	assert_int_equal(json_array_size(json_object_get(json_object_get(d, "series"), "minute")), 24);
	assert_int_equal(number_at(json_object_get(d, "series"), "step_seconds"), 3600);
	d = json_object_get(ask(f, 200, "/v1/summary", "window=3h"), "data");
	assert_int_equal(number_at(json_object_get(d, "patterns"), "total"), 1);
	d = json_object_get(ask(f, 200, "/v1/summary", "window=90s"), "data");
	assert_int_equal(number_at(d, "window_seconds"), 120);
	assert_int_equal(number_at(json_object_get(d, "indicators"), "total"), 0);
	assert_int_equal(
	    number_at(json_object_get(ask(f, 200, "/v1/summary", "window=1d"), "data"), "window_seconds"), 86400);
	assert_string_equal(text_at(ask(f, 400, "/v1/summary", "window=25h"), "code"), "invalid_time");
	assert_string_equal(text_at(ask(f, 400, "/v1/summary", "window=0s"), "code"), "invalid_time");
	ask(f, 400, "/v1/summary", "window=");
	ask(f, 400, "/v1/summary", "window=3600");
	ask(f, 400, "/v1/summary", "symbols=A");
}

static void
without_a_log_it_is_starting(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unlink(f->log.path), 0);
	assert_string_equal(text_at(ask(f, 503, "/v1/summary", ""), "code"), "starting");
	assert_string_equal(text_at(ask(f, 503, "/v1/snapshot", "symbols=A"), "code"), "starting");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(snapshot_is_every_asked_symbol, set_up, tear_down),
		cmocka_unit_test_setup_teardown(snapshot_wants_symbols_and_not_too_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(snapshot_is_never_half_a_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(summary_has_the_whole_shape, set_up, tear_down),
		cmocka_unit_test_setup_teardown(summary_goes_as_far_back_as_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_log_it_is_starting, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

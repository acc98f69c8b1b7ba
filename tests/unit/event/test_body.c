/*
 * Ids, whole bodies, gaps.
 */
#include "feed.h"

static void
test_ids(void **state)
{
	/* clang-format off */
	static const struct { const char *id; int want; int64_t seq; } cases[] = {
		{ "testtest-1",                    0, 1 },
		{ "testtest-0",                    0, 0 },
		{ "testtest-9223372036854775807",  0, INT64_MAX },
		{ "testtest-9223372036854775808",  1, 0 },
		{ "otherone-1",                    1, 0 },
		{ "testtest-01",                   1, 0 },
		{ "testtest--1",                   1, 0 },
		{ "testtest-",                     1, 0 },
		{ "testtest",                      1, 0 },
		{ "testtest-1a",                   1, 0 },
		{ "5",                             1, 0 },
		{ "",                             -1, 0 },
		{ "a_b",                          -1, 0 },
		{ "testtest-1 ",                  -1, 0 },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",  1, 0 },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -1, 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t seq = -7;
		int rc = body_parse_id(text_of(cases[i].id), FEED_EPOCH, &seq);

		if (rc != cases[i].want || (rc == 0 && seq != cases[i].seq))
			fail_msg("%s: %d", cases[i].id, rc);
	}
}

static void
test_render(void **state)
{
	struct event ev = EVENT_INIT;
	struct buf out = { .max = 0 };

	(void)state;
	ev.kind = KIND_PATTERN;
	ev.seq = 12;
	ev.lead = TEXT(",\"kind\":\"pattern\"");
	ev.rest = TEXT(",\"x\":1");
	body_render(&out, &ev, FEED_EPOCH);
	assert_string_equal(
	    buf_cstr(&out), "{\"id\":\"testtest-12\",\"kind\":\"pattern\",\"duplicate_of\":null,\"x\":1}");
	ev.duplicate_of = 11;
	ev.rest = TEXT_NONE;
	buf_clear(&out);
	body_render(&out, &ev, FEED_EPOCH);
	assert_string_equal(
	    buf_cstr(&out), "{\"id\":\"testtest-12\",\"kind\":\"pattern\",\"duplicate_of\":\"testtest-11\"}");
	buf_fini(&out);
}

static void
test_gaps(void **state)
{
	struct text channels[] = { TEXT("a:b"), TEXT("c\"d") };
	struct gap gap = {
		.from_us = INT64_C(1795417206100000), .to_us = INT64_C(1795417226456789), .channels = channels
	};
	struct buf text = { .max = 0 }, out = { .max = 0 };
	struct event ev;

	(void)state;
	gap.n_channels = 2;
	gap.dropped = -1;
	body_gap(&ev, &text, &gap);
	ev.seq = 3;
	body_render(&out, &ev, FEED_EPOCH);
	assert_string_equal(buf_cstr(&out),
	    "{\"id\":\"testtest-3\",\"kind\":\"gap\",\"symbol\":null,\"reason\":\"redis_disconnected\",\"from\":"
	    "1795417206.1,"
	    "\"to\":1795417226.456,\"channels\":[\"a:b\",\"c\\\"d\"],\"dropped\":null,\"time\":\"2026-11-23T07:00:26."
	    "456Z\","
	    "\"time_source\":\"received\",\"received_at\":1795417226.456}");
	assert_int_equal(ev.gap_from_us, gap.from_us);
	assert_int_equal(ev.received_us, gap.to_us);
	assert_int_equal(ev.time_ms, gap.to_us / 1000);
	gap = (struct gap){ .reason = GAP_OVERFLOW, .from_us = 0, .to_us = 1000000, .dropped = 42 };
	body_gap(&ev, &text, &gap);
	buf_clear(&out);
	body_render(&out, &ev, FEED_EPOCH);
	assert_non_null(
	    strstr(buf_cstr(&out), "\"reason\":\"overflow\",\"from\":0,\"to\":1,\"channels\":[],\"dropped\":42,"));
	for (int i = 0; i < GAP__MAX; i++)
		assert_non_null(gap_reason_names[i]);
	buf_fini(&text);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

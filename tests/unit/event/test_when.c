/*
 * Numbers and texts as instants, exactly; and the quick clock against the slow one.
 */
#include "feed.h"

#include "event/when.h"

static void
test_numbers(void **state)
{
	/* clang-format off */
	static const struct { const char *number, *want; int64_t us; } cases[] = { /* want NULL: unusable */
		{ "1795417206.702866",       "1795417206.702866",   INT64_C(1795417206702866) },
		{ "1795417206.7028661234",   "1795417206.7028661234", INT64_C(1795417206702866) },
		{ "1795417206702",           "1795417206.702",      INT64_C(1795417206702000) },
		{ "1795417206702.5",         "1795417206.7025",     INT64_C(1795417206702500) },
		{ "99999999999.999",         "99999999999.999",     INT64_C(99999999999999000) },
		{ "100000000000",            "100000000",           INT64_C(100000000000000) },
		{ "1e11",                    "100000000",           INT64_C(100000000000000) },
		{ "-100000000001",           "-100000000.001",      INT64_C(-100000000001000) },
		{ "-0.0000001",              "-0.0000001",          -1 },
		{ "-0",                      "-0",                  0 },
		{ "253402300799999",         "253402300799.999",    INT64_C(253402300799999000) },
		{ "253402300800000",         NULL,                  0 },
		{ "1e300",                   NULL,                  0 },
		{ "1e99999999999999999999",  NULL,                  0 },
		{ "-1e15",                   NULL,                  0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf out = { .max = 0 };
		int64_t us = 0;
		int rc = when_of_number(text_of(cases[i].number), &us, &out);

		if (rc != (cases[i].want == NULL ? -1 : 0) || us != cases[i].us ||
		    strcmp(buf_cstr(&out), cases[i].want == NULL ? "" : cases[i].want) != 0)
			fail_msg("%s: %d %s %lld", cases[i].number, rc, buf_cstr(&out), (long long)us);
		buf_fini(&out);
	}
}

static void
test_decimals(void **state)
{
	/* clang-format off */
	static const struct { const char *number, *plain; int to_1, to_100; } cases[] = {
		{ "1",        "1",           0, -1 }, { "1.0",  "1",      0, -1 }, { "0.1e1", "1",   0, -1 },
		{ "0.99",     "0.99",       -1, -1 }, { "1.01", "1.01",   1, -1 }, { "100",   "100", 1,  0 },
		{ "100.5",    "100.5",       1,  1 }, { "99.9", "99.9",   1, -1 }, { "-5",    "-5", -1, -1 },
		{ "0",        "0",          -1, -1 }, { "1e30", "1e30",   1,  1 }, { "1.5e-9", "1.5e-9", -1, -1 },
		{ "0.000012", "0.000012",   -1, -1 }, { "1200", "1200",   1,  1 }, { "10",    "10",  1, -1 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf out = { .max = 0 };
		struct decimal d;

		assert_int_equal(decimal_parse(text_of(cases[i].number), &d), 0);
		decimal_render(&out, &d);
		assert_string_equal(buf_cstr(&out), cases[i].plain);
		assert_int_equal(decimal_compare(&d, 1), cases[i].to_1);
		assert_int_equal(decimal_compare(&d, 100), cases[i].to_100);
		buf_fini(&out);
	}
}

static void
test_clock(void **state)
{
	struct when_text last = { .made = false };
	int64_t ms = -3 * INT64_C(86400000);

	(void)state;
	for (int i = 0; i < 20000; i++, ms += 61 * 1013) {
		char want[CLOCK_RFC3339_SIZE];

		clock_rfc3339(ms, want);
		if (!text_eq(when_rfc3339(&last, ms), text_of(want)))
			fail_msg("%lld: %s", (long long)ms, want);
	}
}

static void
test_seconds(void **state)
{
	/* clang-format off */
	static const struct { int64_t us; const char *want; } cases[] = {
		{ 0, "0" }, { 1500000, "1.5" }, { 1001999, "1.001" }, { 999, "0" }, { -1500000, "-1.5" }, { 10010000, "10.01" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf out = { .max = 0 };

		when_add_seconds(&out, cases[i].us);
		assert_string_equal(buf_cstr(&out), cases[i].want);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

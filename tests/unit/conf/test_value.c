/* value.c: every row of the table at both ends of its range and just behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conf/value.h"

/* `n` as one would write it: of texts, a text of that length. */
static void
write_value(const struct setting_info *info, int64_t n, struct buf *out)
{
	buf_clear(out);
	switch (info->type) {
	case TYPE_TEXT:
	case TYPE_LIST:
		for (int64_t i = 0; i < n; i++)
			buf_add_char(out, 'x');
		break;
	case TYPE_DURATION:
		buf_printf(out, "%" PRId64 "ms", n);
		break;
	case TYPE_SIZE:
		buf_printf(out, "%" PRId64 "B", n);
		break;
	case TYPE_MODE:
		buf_printf(out, "%04" PRIo64, (uint64_t)n);
		break;
	case TYPE_CHOICE:
		buf_add_str(out, info->choices[n]);
		break;
	case TYPE_BOOL:
	case TYPE_NUMBER:
		buf_printf(out, "%" PRId64, n);
		break;
	}
}

static int
parse(const struct setting_info *info, int64_t n, int64_t *out)
{
	struct buf b = { 0 };
	int rc;

	write_value(info, n, &b);
	rc = value_parse(info, buf_text(&b), out, NULL);
	buf_fini(&b);
	return rc;
}

static void
test_both_ends(void **state)
{
	(void)state;
	for (int s = 0; s < SETTING__MAX; s++) {
		const struct setting_info *info = &settings[s];
		int64_t n = -1;

		assert_int_equal(parse(info, info->min, &n), 0);
		assert_int_equal(n, info->min);
		assert_int_equal(parse(info, info->max, &n), 0);
		assert_int_equal(n, info->max);
		if (info->type == TYPE_CHOICE) {
			assert_null(info->choices[info->max + 1]);
			continue;
		}
		if (info->min > 0 && parse(info, info->min - 1, &n) == 0)
			fail_msg("%s.%s takes less than its least", info->section, info->key);
		if (info->max < INT64_MAX && parse(info, info->max + 1, &n) == 0)
			fail_msg("%s.%s takes more than its most", info->section, info->key);
	}
}

static const struct {
	enum setting setting;
	const char *text;
	int64_t want; /* -1: refused */
} values[] = {
	/* clang-format off */
	{ SETTING_RETENTION_EVENTS,      "9223372036854775807", INT64_MAX },
	{ SETTING_RETENTION_EVENTS,      "9223372036854775808", -1 },
	{ SETTING_RETENTION_EVENTS,      "-1",                  -1 },
	{ SETTING_RETENTION_EVENTS,      "1e3",                 -1 },
	{ SETTING_RETENTION_EVENTS,      "",                    -1 },
	{ SETTING_RETENTION_EVENTS,      "5 ",                  -1 },
	{ SETTING_RETENTION_AGE,         "0",                   0 },
	{ SETTING_RETENTION_AGE,         "7d",                  7 * INT64_C(86400000) },
	{ SETTING_RETENTION_AGE,         "90 s",                90000 },
	{ SETTING_RETENTION_AGE,         "15M",                 15 * 60000 },
	{ SETTING_RETENTION_AGE,         "90",                  -1 },
	{ SETTING_RETENTION_AGE,         "1.5h",                -1 },
	{ SETTING_RETENTION_AGE,         "h",                   -1 },
	{ SETTING_RETENTION_AGE,         "1h30m",               -1 },
	{ SETTING_RETENTION_AGE,         "-1s",                 -1 },
	{ SETTING_RETENTION_AGE,         "9223372036854775807d", -1 },
	{ SETTING_RETENTION_BYTES,       "65536",               65536 },
	{ SETTING_RETENTION_BYTES,       "64KiB",               65536 },
	{ SETTING_RETENTION_BYTES,       "64k",                 65536 },
	{ SETTING_RETENTION_BYTES,       "1GiB",                1 << 30 },
	{ SETTING_RETENTION_BYTES,       "9223372036854775807KiB", -1 },
	{ SETTING_RETENTION_BYTES,       "1GB",                 -1 },
	{ SETTING_GATEWAY_SOCKET_MODE,   "660",                 0660 },
	{ SETTING_GATEWAY_SOCKET_MODE,   "00777",               0777 },
	{ SETTING_GATEWAY_SOCKET_MODE,   "01777",               -1 },
	{ SETTING_GATEWAY_SOCKET_MODE,   "rw",                  -1 },
	{ SETTING_HEALTH_READY_REQUIRES_REDIS, "YES",           1 },
	{ SETTING_HEALTH_READY_REQUIRES_REDIS, "on",            1 },
	{ SETTING_HEALTH_READY_REQUIRES_REDIS, "false",         0 },
	{ SETTING_HEALTH_READY_REQUIRES_REDIS, "2",             -1 },
	{ SETTING_HEALTH_READY_REQUIRES_REDIS, "",              -1 },
	{ SETTING_DECODE_CONFIDENCE_SCALE, "Fraction",          2 },
	{ SETTING_DECODE_CONFIDENCE_SCALE, "fract",             -1 },
	{ SETTING_REDIS_URL,             "redis://h\n",         -1 },
	{ SETTING_REDIS_URL,             "redis://h\xff",       -1 },
	/* clang-format on */
};

static void
test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		int64_t n = -1;
		int rc = value_parse(&settings[values[i].setting], text_of(values[i].text), &n, NULL);

		if (rc != (values[i].want < 0 ? -1 : 0) || (rc == 0 && n != values[i].want))
			fail_msg("\"%s\": %d, %" PRId64, values[i].text, rc, n);
	}
}

static void
test_shown(void **state)
{
	static const struct {
		enum setting setting;
		const char *given, *want;
	} rows[] = {
		{ SETTING_REDIS_PASSWORD, "hunter2", "(hidden)" },
		{ SETTING_REDIS_PASSWORD, "", "" },
		{ SETTING_REDIS_URL, "redis://h:1/2", "redis://h:1/2" },
		{ SETTING_REDIS_URL, "redis://u:hunter2@h:1/2", "redis://u:***@h:1/2" },
		{ SETTING_REDIS_URL, "redis://:hunt@er2@h", "redis://:***@h" },
		{ SETTING_REDIS_URL, "unix:///x?password=hunter2", "unix:///x?***" },
		{ SETTING_REDIS_URL, "hunter2", "***" },
		{ SETTING_LOG_LEVEL, "info", "info" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf b = { 0 };

		value_print(&settings[rows[i].setting], rows[i].given, &b);
		assert_string_equal(buf_cstr(&b), rows[i].want);
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

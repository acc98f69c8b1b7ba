/* format: suffixes and Accept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/format.h"
#include "http/params.h"

static void
test_accept(void **state)
{
	/* clang-format off */
	static const struct { const char *accept; int want; } rows[] = {
		{ NULL, FORMAT_JSON }, { "", FORMAT_JSON }, { " ", FORMAT_JSON }, { "*/*", FORMAT_JSON },
		{ "application/json", FORMAT_JSON }, { "application/x-ndjson", FORMAT_NDJSON }, { "text/csv", FORMAT_CSV },
		{ "Text/CSV", FORMAT_CSV }, { "text/*", FORMAT_CSV }, { "application/*", FORMAT_JSON },
		{ "text/csv;header=present", FORMAT_CSV }, { "text/csv, */*", FORMAT_CSV }, { "text/csv;q=0.5,*/*;q=0.1", FORMAT_CSV },
		{ "text/csv;q=0.5, application/json", FORMAT_JSON }, { "application/json;q=0.2,application/x-ndjson;q=0.3", FORMAT_NDJSON },
		{ "application/json;q=0, */*", FORMAT_NDJSON }, { "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", FORMAT_JSON },
		{ "text/html", -1 }, { "application/json;q=0", -1 }, { "*/*;q=0", -1 }, { "text/csvx", -1 }, { "json", -1 }, { ",,;", -1 },
		{ "text/csv ; q = 0.9 , application/json ; Q=0.8", FORMAT_CSV }, { "text/csv;q=x", FORMAT_CSV },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum format got;
		int rc = format_of_accept(text_of(rows[i].accept), &got);

		if ((rc == 0 ? (int)got : -1) != rows[i].want)
			fail_msg("%s: %d", rows[i].accept, rc == 0 ? (int)got : -1);
	}
}

static void
test_suffix(void **state)
{
	struct text stem;
	enum format got;

	(void)state;
	assert_true(format_of_suffix(TEXT("/v1/patterns.csv"), &stem, &got));
	assert_true(text_eq(stem, TEXT("/v1/patterns")));
	assert_int_equal(got, FORMAT_CSV);
	assert_true(format_of_suffix(TEXT("/x.ndjson"), &stem, &got));
	assert_int_equal(got, FORMAT_NDJSON);
	assert_true(format_of_suffix(TEXT("/x.csv.json"), &stem, &got));
	assert_true(text_eq(stem, TEXT("/x.csv")));
	assert_false(format_of_suffix(TEXT("/x.CSV"), &stem, &got));
	assert_false(format_of_suffix(TEXT(".csv"), &stem, &got));
	assert_false(format_of_suffix(TEXT("/v1/csv"), &stem, &got));
}

static void
test_table_is_that_of_the_parameter(void **state)
{
	(void)state;
	for (int f = 0; f < FORMAT__MAX; f++) {
		assert_string_equal(params[Q_FORMAT].words[f], formats[f].name);
		assert_string_equal(formats[f].suffix + 1, formats[f].name);
		assert_true(formats[f].limit_max <= params[Q_LIMIT].max);
	}
	assert_null(params[Q_FORMAT].words[FORMAT__MAX]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_suffix),
		cmocka_unit_test(test_table_is_that_of_the_parameter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

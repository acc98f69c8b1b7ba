/* pretty: what is indented is the same JSON, and looks as documented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/pretty.h"

static void
test_looks(void **state)
{
	/* clang-format off */
	static const struct { const char *in, *want; } rows[] = {
		{ "{}", "{}\n" },
		{ "[]", "[]\n" },
		{ "1.0", "1.0\n" },
		{ "{\"a\":[1,2.50,{}],\"b\":{\"c\":null}}",
		    "{\n  \"a\": [\n    1,\n    2.50,\n    {}\n  ],\n  \"b\": {\n    \"c\": null\n  }\n}\n" },
		{ "{\"k:,\\\"{\":\"[\\\\\"}", "{\n  \"k:,\\\"{\": \"[\\\\\"\n}\n" },
		{ "{\"a\":1}\n", "{\n  \"a\": 1\n}\n" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = { 0 };

		pretty_json(&out, text_of(rows[i].in));
		assert_string_equal(buf_cstr(&out), rows[i].want);
		buf_fini(&out);
	}
}

static void
test_is_bounded(void **state)
{
	char deep[4096];
	struct buf out;

	(void)state;
	memset(deep, '[', sizeof(deep));
	buf_init(&out, 10000);
	pretty_json(&out, (struct text){ deep, sizeof(deep) });
	assert_true(out.failed);
	assert_true(out.len <= 10000);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

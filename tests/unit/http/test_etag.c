/* etag: If-None-Match in all its forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/etag.h"

static void
test_matches(void **state)
{
	/* clang-format off */
	static const struct { const char *header; bool want; } rows[] = {
		{ NULL, false }, { "", false }, { "*", true }, { " * ", true },
		{ "W/\"a.1\"", true }, { "\"a.1\"", true }, { "W/\"a.1-gzip\"", true }, { "\"a.1-br\"", true }, { "W/\"a.1-deflate\"", true },
		{ "W/\"a.1-zstd\"", true }, { "W/\"a.1-gzip-gzip\"", false }, { "W/\"a.1-x\"", false }, { "W/\"a.12\"", false }, { "W/\"a.\"", false },
		{ "W/\"x\", W/\"a.1\"", true }, { "\"x\",\"a.1\"", true }, { "\"x,y\" , \"a.1\"", true }, { "\"x\", \"y\"", false },
		{ "a.1", false }, { "\"a.1", false }, { "W/a.1", false }, { "\"", false }, { "\"\"", false }, { "\"x\" \"a.1\"", true },
		{ "\"x\", *", false },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (etag_matches(text_of(rows[i].header), TEXT("a.1")) != rows[i].want)
			fail_msg("%s", rows[i].header);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which patterns and names meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "feed/glob.h"
#include "feed/subscription.h"

struct glob_case {
	const char *a, *b;
	bool overlap;
};

/* clang-format off */
static const struct glob_case cases[] = {
	{ "a",            "a",             true },
	{ "a",            "b",             false },
	{ "a",            "ab",            false },
	{ "t:*",          "t:patterns",    true },
	{ "t:*",          "t:",            true },
	{ "t:*",          "u:x",           false },
	{ "*",            "t:*",           true },
	{ "t:*:a",        "t:b:*",         true },
	{ "t:*a",         "t:*b",          false },
	{ "a*b*c",        "axxbyyc",       true },
	{ "a*b*c",        "axxcyyb",       false },
	{ "?",            "a",             true },
	{ "?",            "ab",            false },
	{ "h[ae]llo",     "hello",         true },
	{ "h[ae]llo",     "hillo",         false },
	{ "h[^e]llo",     "hello",         false },
	{ "h[^e]llo",     "hallo",         true },
	{ "h[a-d]llo",    "h[d-f]llo",     true },
	{ "h[a-c]llo",    "h[d-f]llo",     false },
	{ "h[c-a]llo",    "hbllo",         true },
	{ "h\\*",         "h\\?",          false },
	{ "h\\*",         "h?",            true },
	{ "h[",           "ha",            false },
	{ "**",           "",              true },
};
/* clang-format on */

static bool
is_pattern(const char *s)
{
	return strpbrk(s, "*?[\\") != NULL;
}

static void
test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct glob_case *c = &cases[i];

		if (glob_overlap(c->a, is_pattern(c->a), c->b, is_pattern(c->b)) != c->overlap ||
		    glob_overlap(c->b, is_pattern(c->b), c->a, is_pattern(c->a)) != c->overlap)
			fail_msg("%s and %s", c->a, c->b);
	}
	/* Names are not patterns: their stars are stars. */
	assert_false(glob_overlap("a*", false, "ab", false));
	assert_true(glob_overlap("a*", false, "a?", true));
}

static void
test_the_error_names_both(void **state)
{
	const struct subscription_row rows[] = { { .channel = "t:x" }, { .channel = "u" },
		{ .channel = "t:*", .pattern = true } };
	struct err e;

	(void)state;
	assert_int_equal(subscription_check(rows, 2, &e), 0);
	assert_int_equal(subscription_check(rows, 3, &e), -1);
	assert_non_null(strstr(e.text, "\"t:x\""));
	assert_non_null(strstr(e.text, "\"t:*\""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_the_error_names_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

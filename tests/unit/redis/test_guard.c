/* The guard: same bytes out as in for what is right, however it is cut; an end for what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "redis/guard.h"

static int
collect(void *arg, const char *p, size_t n)
{
	buf_add(arg, p, n);
	return 0;
}

/* Feeds `in` in pieces of `step`. */
static int
pass(const char *in, size_t n, size_t step, struct buf *out)
{
	struct guard g = { .state = GUARD_START };
	struct err e;

	buf_clear(out);
	for (size_t i = 0; i < n; i += step)
		if (guard_feed(&g, in + i, n - i < step ? n - i : step, collect, out, &e) != 0)
			return -1;
	return 0;
}

static void
test_right_replies_pass_unchanged(void **state)
{
	static const char in[] = "+OK\r\n-ERR no\r\n:5\r\n$-1\r\n*-1\r\n*0\r\n"
				 "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\na\r\nb\r\n"
				 "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n";
	struct buf out = { 0 };

	(void)state;
	for (size_t step = 1; step <= sizeof(in); step++) {
		assert_int_equal(pass(in, sizeof(in) - 1, step, &out), 0);
		assert_int_equal(out.len, sizeof(in) - 1);
		assert_memory_equal(out.p, in, out.len);
	}
	buf_fini(&out);
}

static void
test_as_many_elements_as_were_allowed(void **state)
{
	static const char nine[] = "*9\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n", ten[] = "*10\r\n";
	struct guard g = { .state = GUARD_START, .elements_max = 9 };
	struct buf out = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(guard_feed(&g, nine, sizeof(nine) - 1, collect, &out, &e), 0);
	assert_int_equal(out.len, sizeof(nine) - 1);
	assert_int_equal(guard_feed(&g, ten, sizeof(ten) - 1, collect, &out, &e), -1);
	buf_fini(&out);
}

static void
test_wrong_ones_are_refused(void **state)
{
	/* clang-format off */
	static const char *const wrong[] = {
		"HTTP/1.1 200 OK\r\n", "\r\n", "%1\r\n", "$\r\n", "$x\r\n", "$-2\r\n", "$536870913\r\n", "$99999999999999999999\r\n",
		"*9\r\n", "*1000000000\r\n", "*-5\r\n", "*2\r\n*1\r\n", "+OK\n", "$3\n", "$3\r\nabcd\r\n", "$1\r\na\rx",
		"*1234567890123456789012345\r\n", "$ 1\r\n", "$+1\r\n",
	};
	/* clang-format on */
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (pass(wrong[i], strlen(wrong[i]), 1, &out) != -1 ||
		    pass(wrong[i], strlen(wrong[i]), 1000, &out) != -1)
			fail_msg("accepted: %s", wrong[i]);
	}
	buf_fini(&out);
}

static void
test_an_endless_line_ends(void **state)
{
	char *line = malloc(GUARD_LINE_MAX + 10);
	struct buf out = { 0 };

	(void)state;
	memset(line, '-', GUARD_LINE_MAX + 10);
	assert_int_equal(pass(line, GUARD_LINE_MAX, 1000, &out), 0);
	assert_int_equal(pass(line, GUARD_LINE_MAX + 10, 1000, &out), -1);
	free(line);
	buf_fini(&out);
}

static void
test_a_huge_string_is_cut(void **state)
{
	size_t n = (size_t)GUARD_BULK_MAX + 100000;
	struct buf in = { 0 }, out = { 0 }, want = { 0 };
	char *body = malloc(n);

	(void)state;
	memset(body, 'x', n);
	buf_printf(&in, "+A\r\n$%zu\r\n", n);
	buf_add(&in, body, n);
	buf_add_str(&in, "\r\n+B\r\n");
	buf_printf(&want, "+A\r\n$%zu\r\n", (size_t)GUARD_BULK_MAX + 1);
	buf_add(&want, body, (size_t)GUARD_BULK_MAX + 1);
	buf_add_str(&want, "\r\n+B\r\n");
	for (size_t step = 1000; step < in.len * 2; step *= 7) {
		assert_int_equal(pass(in.p, in.len, step, &out), 0);
		assert_int_equal(out.len, want.len);
		assert_memory_equal(out.p, want.p, want.len);
	}
	free(body);
	buf_fini(&in);
	buf_fini(&out);
	buf_fini(&want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_replies_pass_unchanged),
		cmocka_unit_test(test_as_many_elements_as_were_allowed),
		cmocka_unit_test(test_wrong_ones_are_refused),
		cmocka_unit_test(test_an_endless_line_ends),
		cmocka_unit_test(test_a_huge_string_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

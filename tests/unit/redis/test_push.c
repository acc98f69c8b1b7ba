/* Messages taken straight from what was read: whole ones, their beginnings, and whatever is no message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "redis/push.h"

#define MESSAGE "*3\r\n$7\r\nmessage\r\n$4\r\nchan\r\n$7\r\n{\"a\":1}\r\n"
#define PMESSAGE "*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$4\r\nchan\r\n$2\r\n\r\n\r\n"

/* In memory of exactly that size, so that reading on is seen. */
static ptrdiff_t
take(const char *p, size_t n, struct push *out, char **copy)
{
	*copy = malloc(n > 0 ? n : 1);
	assert_non_null(*copy);
	memcpy(*copy, p, n);
	return push_take((struct text){ *copy, n }, out);
}

static void
test_a_message_is_taken(void **state)
{
	const char in[] = MESSAGE PMESSAGE;
	struct push push;
	char *copy;
	ptrdiff_t n = take(in, sizeof(in) - 1, &push, &copy);

	(void)state;
	assert_int_equal(n, sizeof(MESSAGE) - 1);
	assert_null(push.pattern.p);
	assert_true(text_eq(push.channel, TEXT("chan")));
	assert_true(text_eq(push.payload, TEXT("{\"a\":1}")));
	free(copy);
}

static void
test_a_message_by_pattern_is_taken(void **state)
{
	struct push push;
	char *copy;
	ptrdiff_t n = take(PMESSAGE, sizeof(PMESSAGE) - 1, &push, &copy);

	(void)state;
	assert_int_equal(n, sizeof(PMESSAGE) - 1);
	assert_true(text_eq(push.pattern, TEXT("c*")));
	assert_true(text_eq(push.channel, TEXT("chan")));
	assert_true(text_eq(push.payload, TEXT("\r\n"))); /* counted, not looked for */
	free(copy);
}

static void
test_every_beginning_waits(void **state)
{
	static const char *const whole[] = { MESSAGE, PMESSAGE, "*3\r\n$7\r\nmessage\r\n$0\r\n\r\n$0\r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		for (size_t n = 0; n < strlen(whole[i]); n++) {
			struct push push;
			char *copy;

			if (take(whole[i], n, &push, &copy) != 0)
				fail_msg("%zu bytes of %s", n, whole[i]);
			free(copy);
		}
	}
}

static void
test_what_else_there_is_is_left(void **state)
{
	static const char *const others[] = {
		"+PONG\r\n",
		"-NOPERM this user\r\n",
		":1\r\n",
		"$7\r\nmessage\r\n",
		"*2\r\n$4\r\npong\r\n$0\r\n\r\n",
		"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
		"*3\r\n$8\r\npmessage\r\n$1\r\nc\r\n$1\r\nx\r\n",
		"*4\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n$1\r\ny\r\n",
		"*3\r\n$7\r\nMessage\r\n$1\r\nc\r\n$1\r\nx\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*0\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\rx",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\nx\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$\r\n\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$ 1\r\nx\r\n",
		"*3\r\n$7\r\nmessage\r\n$01\r\nc\r\n$1\r\nx\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$65536\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$65503\r\n",
		"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$99999999999999999999\r\n",
		"*03\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n",
		"*-1\r\n",
		"*0\r\n",
		"*2\r\n",
		"\r\n",
		"\x01",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct push push;
		char *copy;

		if (take(others[i], strlen(others[i]), &push, &copy) != -1)
			fail_msg("%s", others[i]);
		free(copy);
	}
}

/* A message with `n` bytes of payload; how many bytes it takes. */
static size_t
make(struct buf *in, size_t n)
{
	buf_clear(in);
	buf_printf(in, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$%zu\r\n", n);
	for (size_t i = 0; i < n; i++)
		buf_add_char(in, 'x');
	buf_add_str(in, "\r\n");
	return in->len;
}

static void
test_up_to_the_longest(void **state)
{
	struct buf in = { .max = 0 };
	size_t around = make(&in, 10000) - 10000;
	struct push push;

	(void)state;
	assert_int_equal(make(&in, PUSH_MAX - around), PUSH_MAX);
	assert_int_equal(push_take(buf_text(&in), &push), PUSH_MAX);
	assert_int_equal(push.payload.n, PUSH_MAX - around);
	/* One that will never fit is not waited for. */
	make(&in, PUSH_MAX - around + 1);
	assert_int_equal(push_take(text_cut(buf_text(&in), 0, around), &push), -1);
	buf_fini(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_message_is_taken),
		cmocka_unit_test(test_a_message_by_pattern_is_taken),
		cmocka_unit_test(test_every_beginning_waits),
		cmocka_unit_test(test_what_else_there_is_is_left),
		cmocka_unit_test(test_up_to_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

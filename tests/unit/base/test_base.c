/* text, clock, buf and pool at their edges. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/thread.h"

static void
integers_at_their_limits(void **state)
{
	int64_t n;

	(void)state;
	assert_int_equal(text_int64(TEXT("9223372036854775807"), &n), 0);
	assert_true(n == INT64_MAX);
	assert_int_equal(text_int64(TEXT("-9223372036854775808"), &n), 0);
	assert_true(n == INT64_MIN);
	assert_int_equal(text_int64(TEXT("9223372036854775808"), &n), -1);
	assert_int_equal(text_int64(TEXT("-"), &n), -1);
	assert_int_equal(text_int64(TEXT(""), &n), -1);
	assert_int_equal(text_int64(TEXT("+1"), &n), -1);
}

static void
utf8_is_strict(void **state)
{
	(void)state;
	assert_true(text_utf8_valid(TEXT("\xf4\x8f\xbf\xbf")));
	assert_false(text_utf8_valid(TEXT("\xc0\x80")));
	assert_false(text_utf8_valid(TEXT("\xe0\x80\x80")));
	assert_false(text_utf8_valid(TEXT("\xf0\x80\x80\x80")));
	assert_false(text_utf8_valid(TEXT("\xed\xa0\x80")));
	assert_false(text_utf8_valid(TEXT("\xf4\x90\x80\x80")));
	assert_false(text_utf8_valid(TEXT("12345678\xe2\x82")));
}

static void
leap_days(void **state)
{
	struct clock_iso iso;

	(void)state;
	assert_int_equal(clock_parse_iso(TEXT("2000-02-29"), &iso), 0);
	assert_int_equal(iso.seconds, 951782400);
	assert_int_equal(clock_parse_iso(TEXT("1900-02-29"), &iso), -1);
	assert_int_equal(clock_parse_iso(TEXT("2023-02-29"), &iso), -1);
}

static void
bounds_hold(void **state)
{
	struct buf b = { .max = 8 };
	struct pool p;

	(void)state;
	buf_add_str(&b, "123456789");
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	buf_clear(&b);
	/* The bound is that of the bytes held, not of the memory taken; a NUL behind them is not counted. */
	buf_add_str(&b, "1234");
	buf_printf(&b, "%d", 5678);
	assert_false(b.failed);
	assert_string_equal(buf_cstr(&b), "12345678");
	buf_add_char(&b, '9');
	assert_true(b.failed);
	assert_int_equal(b.len, 8);
	buf_fini(&b);
	pool_init(&p, 16384);
	assert_null(pool_alloc(&p, 16385));
	assert_null(pool_array(&p, SIZE_MAX, 2));
	assert_non_null(pool_alloc(&p, 16384));
	assert_null(pool_alloc(&p, 1));
	pool_fini(&p);
}

static void *
own_mask(void *mask)
{
	pthread_sigmask(SIG_SETMASK, NULL, mask);
	return NULL;
}

static void
threads_are_only_signalled_by_their_own_faults(void **state)
{
	sigset_t before, after, mask;
	struct err e;
	pthread_t id;

	(void)state;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(thread_start(&id, own_mask, &mask, "a thread", &e), 0);
	assert_int_equal(pthread_join(id, NULL), 0);
	for (int sig = 1; sig < 32; sig++) {
		bool fault = sig == SIGBUS || sig == SIGSEGV || sig == SIGFPE || sig == SIGILL || sig == SIGTRAP ||
		    sig == SIGSYS;

		assert_int_equal(sigismember(&mask, sig), !fault && sig != SIGKILL && sig != SIGSTOP);
	}
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int sig = 1; sig < 32; sig++)
		assert_int_equal(sigismember(&after, sig), sigismember(&before, sig));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_at_their_limits),
		cmocka_unit_test(utf8_is_strict),
		cmocka_unit_test(leap_days),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(threads_are_only_signalled_by_their_own_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The token buckets: what is let through, whom it concerns, and that the clock may go round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "http/limits.h"

#define SECOND INT64_C(1000000)

static struct address
address(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(text_of(text), &a), 0);
	return a;
}

static int
make(void **state)
{
	*state = calloc(1, sizeof(struct limits));
	return *state == NULL ? -1 : limits_init(*state, NULL);
}

static int
drop(void **state)
{
	free(*state);
	return 0;
}

static int
allowed(struct limits *l, const struct address *a, int n, int64_t now_us)
{
	int passed = 0;

	for (int i = 0; i < n; i++)
		passed += limits_take(l, a, 10, 5, now_us) == 0;
	return passed;
}

static void
test_a_burst_and_then_the_rate(void **state)
{
	struct address a = address("192.0.2.1");
	int64_t now = 7 * SECOND;

	assert_int_equal(allowed(*state, &a, 20, now), 5);
	assert_int_equal(limits_take(*state, &a, 10, 5, now), SECOND / 10);
	assert_int_equal(limits_take(*state, &a, 10, 5, now + SECOND / 10 - 1), 1);
	assert_int_equal(limits_take(*state, &a, 10, 5, now + SECOND / 10), 0);
	/* What is refused costs nothing: after a second there are ten again, but never more than a burst at once. */
	assert_int_equal(allowed(*state, &a, 20, now + SECOND), 5);
	assert_int_equal(allowed(*state, &a, 20, now + 3600 * SECOND), 5);
}

static void
test_over_ten_seconds(void **state)
{
	struct address a = address("2001:db8::1");
	int passed = 0;

	for (int64_t ms = 0; ms < 10000; ms++)
		passed += limits_take(*state, &a, 10, 5, ms * 1000) == 0;
	assert_in_range(passed, 104, 105);
}

static void
test_whose_bucket_it_is(void **state)
{
	struct address a = address("192.0.2.1"), b = address("192.0.2.2"), mapped = address("::ffff:192.0.2.1");
	struct address c = address("2001:db8:0:1::1"), same = address("2001:db8:0:1:ffff::9"),
		       d = address("2001:db8:0:2::1");

	assert_int_equal(allowed(*state, &a, 9, SECOND), 5);
	assert_int_equal(allowed(*state, &mapped, 9, SECOND), 0);
	assert_int_equal(allowed(*state, &b, 9, SECOND), 5);
	assert_int_equal(allowed(*state, &c, 9, SECOND), 5);
	assert_int_equal(allowed(*state, &same, 9, SECOND), 0);
	assert_int_equal(allowed(*state, &d, 9, SECOND), 5);
	assert_int_equal(allowed(*state, NULL, 9, SECOND), 5);
	assert_int_equal(allowed(*state, NULL, 9, SECOND), 0);
}

/* The time is kept in 40 bits. */
static void
test_the_clock_goes_round(void **state)
{
	struct address a = address("192.0.2.1");
	int64_t round = INT64_C(1) << 40;

	assert_int_equal(allowed(*state, &a, 9, round - SECOND / 5), 5);
	assert_int_equal(allowed(*state, &a, 9, round + SECOND / 10), 3);
	assert_int_equal(allowed(*state, &a, 9, round + SECOND / 10), 0);
	/* A client that comes back after days, whose old time seems to lie ahead. */
	assert_int_equal(allowed(*state, &a, 9, round + round / 2 + 5 * SECOND), 5);
	assert_int_equal(allowed(*state, &a, 9, 3 * round - SECOND), 5);
}

/* A hundred thousand addresses in a table of 32,768: nobody is refused for somebody else. */
static void
test_more_addresses_than_places(void **state)
{
	char text[32];

	for (int i = 0; i < 100000; i++) {
		struct address a;

		snprintf(text, sizeof(text), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		a = address(text);
		assert_int_equal(limits_take(*state, &a, 10, 5, SECOND + i), 0);
	}
}

struct racer {
	struct limits *limits;
	int passed;
};

static void *
race(void *arg)
{
	struct racer *r = arg;
	struct address a;

	if (address_parse(TEXT("192.0.2.1"), &a) != 0)
		return NULL;
	for (int i = 0; i < 20000; i++)
		r->passed += limits_take(r->limits, &a, 1, 10000, SECOND) == 0;
	return NULL;
}

static void
test_threads_together_get_no_more(void **state)
{
	struct racer racers[4];
	pthread_t threads[4];
	int passed = 0;

	for (int i = 0; i < 4; i++) {
		racers[i] = (struct racer){ *state, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		passed += racers[i].passed;
	}
	assert_int_equal(passed, 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_burst_and_then_the_rate, make, drop),
		cmocka_unit_test_setup_teardown(test_over_ten_seconds, make, drop),
		cmocka_unit_test_setup_teardown(test_whose_bucket_it_is, make, drop),
		cmocka_unit_test_setup_teardown(test_the_clock_goes_round, make, drop),
		cmocka_unit_test_setup_teardown(test_more_addresses_than_places, make, drop),
		cmocka_unit_test_setup_teardown(test_threads_together_get_no_more, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

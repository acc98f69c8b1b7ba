/* test_wheel - timers against a plain list of when each is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "live/wheel.h"

#define N 500
#define START_US INT64_C(5000000123)

static struct wheel w;
static struct timer timers[N];
static int64_t due[N]; /* 0: not set */
static uint64_t seed;

static uint64_t
next_random(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return seed >> 33;
}

static int64_t
earliest(void)
{
	int64_t least = INT64_MAX;

	for (int i = 0; i < N; i++)
		if (due[i] != 0 && due[i] < least)
			least = due[i];
	return least;
}

/* Everybody is called after the time and within a tick of it, if one asks at the times that the wheel says. */
static void
run_to(int64_t to_us)
{
	int64_t now_us;

	while ((now_us = wheel_due_us(&w)) <= to_us) {
		struct timer *t;

		/* It may be early, for who lies more than a round ahead, never late. */
		assert_true(earliest() == INT64_MAX || now_us <= earliest() + WHEEL_TICK_US);
		while ((t = wheel_take(&w, now_us)) != NULL) {
			int64_t *at = &due[t - timers];

			assert_true(*at != 0 && *at <= now_us && now_us <= *at + WHEEL_TICK_US);
			*at = 0;
		}
	}
	assert_null(wheel_take(&w, to_us));
	assert_true(earliest() > to_us - WHEEL_TICK_US);
}

static void
test_random(void **state)
{
	int64_t now_us = START_US;

	(void)state;
	wheel_init(&w, now_us);
	for (seed = 1; seed < 40; seed++) {
		uint64_t kept = seed;

		for (int k = 0; k < 300; k++) {
			size_t i = next_random() % N;

			if (next_random() % 4 == 0) {
				wheel_clear(&w, &timers[i]);
				due[i] = 0;
				continue;
			}
			/* From at once to three rounds ahead. */
			due[i] = now_us + 1 + (int64_t)(next_random() % (next_random() % 2 ? 200000000 : 300000));
			wheel_set(&w, &timers[i], due[i]);
		}
		now_us += (int64_t)(next_random() % 30000000);
		run_to(now_us);
		seed = kept;
	}
	run_to(now_us + 400000000);
	assert_int_equal(earliest(), INT64_MAX);
	assert_int_equal(wheel_due_us(&w), INT64_MAX);
}

static void
test_overdue_and_late_looks(void **state)
{
	struct timer a = { 0 }, b = { 0 };

	(void)state;
	wheel_init(&w, START_US);
	wheel_set(&w, &a, START_US - 1000000);
	wheel_set(&w, &b, START_US + 100000000);
	assert_ptr_equal(wheel_take(&w, START_US + WHEEL_TICK_US), &a);
	assert_null(wheel_take(&w, START_US + WHEEL_TICK_US));
	/* Nobody looked for several rounds. */
	assert_ptr_equal(wheel_take(&w, START_US + 400000000), &b);
	assert_null(wheel_take(&w, START_US + 400000000));
	wheel_clear(&w, &a);
	assert_null(a.at);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_overdue_and_late_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

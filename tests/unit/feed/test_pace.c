/* test_pace - messages gather when they are dense, and only then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feed/pace.h"

/* Reads `n` times, every `step_us` plus the pauses, as many messages as came meanwhile; how often it was paused. */
static int
run(struct pace *p, int64_t *now_us, int n, int64_t gap_us, int64_t size)
{
	int paused = 0;
	int64_t wait_us = 0, messages;

	for (int i = 0; i < n; i++) {
		messages = 1 + wait_us / gap_us;
		*now_us += messages * gap_us;
		wait_us = pace_after(p, *now_us, messages, messages * size);
		assert_true(wait_us == 0 || wait_us == PACE_PAUSE_US);
		paused += wait_us != 0;
	}
	return paused;
}

static void
test_sparse(void **state)
{
	static const int64_t gaps[] = { 201, 300, 1000, 100000, 100000000 };
	struct pace p = PACE_INIT;
	int64_t now_us = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++)
		assert_int_equal(run(&p, &now_us, 1000, gaps[i], 300), 0);
}

static void
test_dense(void **state)
{
	struct pace p = PACE_INIT;
	int64_t now_us = 1;

	(void)state;
	run(&p, &now_us, 200, 100, 300);
	assert_int_equal(run(&p, &now_us, 1000, 100, 300), 1000);
	/* A silence ends it, and so do sparse messages. */
	now_us += 5000000;
	assert_int_equal(pace_after(&p, now_us, 1, 300), 0);
	run(&p, &now_us, 200, 100, 300);
	assert_int_equal(run(&p, &now_us, 10, 100, 300), 10);
	run(&p, &now_us, 50, 1000, 300);
	assert_int_equal(run(&p, &now_us, 100, 1000, 300), 0);
}

/* In a flood it never waits, neither after a read that brought much nor after one that was quick and brought little. */
static void
test_flood(void **state)
{
	struct pace p = PACE_INIT;
	int64_t now_us = 1;

	(void)state;
	for (int i = 0; i < 100; i++) {
		now_us += 60;
		assert_int_equal(pace_after(&p, now_us, 60, PACE_MUCH_BYTES), 0);
		now_us += 5;
		assert_int_equal(pace_after(&p, now_us, 4, 1200), 0);
	}
	/* One that begins in small reads is known as one soon. */
	p = (struct pace)PACE_INIT;
	for (int i = 0; i < 1000; i++) {
		now_us += 10;
		assert_int_equal(pace_after(&p, now_us, 8, 2400), 0);
	}
	/* And when it is over, what is dense gathers again. */
	run(&p, &now_us, 300, 100, 300);
	assert_int_equal(run(&p, &now_us, 100, 100, 300), 100);
}

/* A burst that is soon over is read without a pause, though its messages are close to one another, and though many come in a second. */
static void
test_bursts(void **state)
{
	static const struct {
		int n, gap_us, every_us;
	} bursts[] = { { 50, 10, 50000 }, { 50, 100, 50000 }, { 90, 100, 20000 }, { 10, 100, 2100 },
		{ 500, 15, 20000 } };

	(void)state;
	for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		struct pace p = PACE_INIT;
		int64_t now_us = 1;

		for (int k = 0; k < 200; k++) {
			for (int m = 0; m < bursts[i].n; m++, now_us += bursts[i].gap_us)
				assert_int_equal(pace_after(&p, now_us, 1, 300), 0);
			now_us += bursts[i].every_us - bursts[i].n * bursts[i].gap_us;
		}
	}
}

/* What brought no message says nothing. */
static void
test_nothing(void **state)
{
	struct pace p = PACE_INIT;
	int64_t now_us = 1;

	(void)state;
	run(&p, &now_us, 200, 100, 300);
	assert_int_equal(pace_after(&p, now_us + 10000000, 0, 20), 0);
	assert_int_equal(pace_after(&p, now_us + 100, 1, 300), PACE_PAUSE_US);
	/* A clock that goes back is no reason to wait. */
	assert_int_equal(pace_after(&p, now_us - 100000, 1, 300), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_dense),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_quota - places by address and in all, over workers that may be killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/counters.h"

static struct quota *q;

static int
setup(void **state)
{
	struct err e;

	(void)state;
	q = quota_new(3, 100, &e);
	return q == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	quota_free(q);
	return 0;
}

static void
test_shares(void **state)
{
	uint64_t a, b, c, d;

	(void)state;
	assert_true(quota_take(q, 0, TEXT("10.0.0.1"), 2, &a));
	assert_true(quota_take(q, 1, TEXT("10.0.0.1"), 2, &b));
	assert_false(quota_take(q, 2, TEXT("10.0.0.1"), 2, &c));
	assert_true(quota_take(q, 2, TEXT("10.0.0.2"), 2, &d));
	quota_give(q, 1, b);
	assert_true(quota_take(q, 2, TEXT("10.0.0.1"), 2, &c));
	assert_false(quota_take(q, 2, TEXT("10.0.0.1"), 2, &b));
	quota_give(q, 0, 0);
	quota_ended(q, 2);
	assert_true(quota_take(q, 1, TEXT("10.0.0.1"), 2, &b));
	assert_false(quota_take(q, 1, TEXT("10.0.0.1"), 2, &c));
}

/* Slots of addresses that are gone serve others, again and again; an address keeps its count meanwhile. */
static void
test_many_addresses(void **state)
{
	uint64_t mine, ticket, tickets[100];
	char name[32];

	(void)state;
	assert_true(quota_take(q, 0, TEXT("mine"), 1, &mine));
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 100; i++) {
			snprintf(name, sizeof(name), "%d.%d", round, i);
			assert_true(quota_take(q, 1, text_of(name), 1, &tickets[i]));
			assert_true(tickets[i] != 0);
			assert_false(quota_take(q, 1, text_of(name), 1, &ticket));
		}
		assert_false(quota_take(q, 2, TEXT("mine"), 1, &ticket));
		for (int i = 0; i < 100; i++)
			quota_give(q, 1, tickets[i]);
	}
	quota_give(q, 0, mine);
	assert_true(quota_take(q, 2, TEXT("mine"), 1, &ticket));
}

/* Killed at any moment, also while it holds the lock. */
static void
test_killed_workers(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		uint64_t ticket;
		int ready[2];
		char c;
		pid_t pid;

		assert_int_equal(pipe(ready), 0);
		if ((pid = fork()) == 0) {
			for (int n = 0;; n++) {
				quota_take(q, 0, TEXT("a"), 1000000, &ticket);
				if (n == 10 && write(ready[1], "x", 1) != 1)
					_exit(1);
				if (n % 2 == 0)
					quota_give(q, 0, ticket);
			}
		}
		assert_int_equal(read(ready[0], &c, 1), 1);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		quota_ended(q, 0);
		assert_true(quota_take(q, 1, TEXT("a"), 1, &ticket));
		assert_false(quota_take(q, 1, TEXT("a"), 1, &ticket));
		quota_ended(q, 1);
		close(ready[0]);
		close(ready[1]);
	}
}

static void
test_gauges(void **state)
{
	struct counters_total total;
	struct err e;
	struct counters *c = counters_new(2, &e);

	(void)state;
	assert_true(counters_take(c, &c->workers[0], GAUGE_STREAMS, 2));
	assert_true(counters_take(c, &c->workers[1], GAUGE_STREAMS, 2));
	assert_false(counters_take(c, &c->workers[1], GAUGE_STREAMS, 2));
	assert_true(counters_take(c, &c->workers[1], GAUGE_WAITERS, 1));
	assert_false(counters_take(c, &c->workers[0], GAUGE_STREAMS, 0));
	counters_sum(c, &total);
	assert_int_equal(total.gauges[GAUGE_STREAMS], 2);
	assert_int_equal(total.gauges[GAUGE_WAITERS], 1);
	counters_ended(c, 1);
	counters_sum(c, &total);
	assert_int_equal(total.gauges[GAUGE_STREAMS], 1);
	assert_int_equal(total.gauges[GAUGE_WAITERS], 0);
	counters_give(&c->workers[0], GAUGE_STREAMS);
	assert_true(counters_take(c, &c->workers[1], GAUGE_STREAMS, 1));
	assert_int_equal(counters_index(c, &c->workers[1]), 1);
	counters_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shares, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_workers, setup, teardown),
		cmocka_unit_test(test_gauges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

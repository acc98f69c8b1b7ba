/* test_fcgi_lead - one leads at a time, and who takes long is relieved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "http/fcgi_lead.h"

#define THREADS 6
#define ROUNDS 3000

static struct lead lead;

static void *
watch(void *arg)
{
	(void)arg;
	lead_watch(&lead);
	return NULL;
}

static void
start(pthread_t *watchman)
{
	lead_init(&lead);
	assert_int_equal(pthread_create(watchman, NULL, watch, NULL), 0);
}

static void
end(pthread_t watchman)
{
	lead_over(&lead);
	pthread_join(watchman, NULL);
	lead_fini(&lead);
}

/* ---- relief ---- */

static _Atomic bool other_leads;

static void *
take_once(void *arg)
{
	struct seat seat = { .lead = &lead };

	(void)arg;
	if (lead_take(&seat))
		other_leads = true;
	return lead_keep(&seat) ? &lead : NULL;
}

/* The one below goes on only when the other one leads, so without relief it would wait for ever. */
static void
test_relief(void **state)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	struct seat seat = { .lead = &lead };
	pthread_t watchman, other;
	void *kept;

	(void)state;
	start(&watchman);
	assert_true(lead_take(&seat));
	assert_int_equal(pthread_create(&other, NULL, take_once, NULL), 0);
	for (int i = 0; i < 20; i++) {
		nanosleep(&pause, NULL);
		assert_true(lead_keep(&seat));
		assert_false(other_leads);
	}
	lead_lengthy(&seat);
	lead_lengthy(&seat);
	while (!other_leads)
		nanosleep(&pause, NULL);
	assert_false(lead_keep(&seat));
	assert_false(lead_keep(&seat));
	/* Who does not lead says so in vain. */
	lead_lengthy(&seat);
	assert_false(lead_keep(&seat));
	pthread_join(other, &kept);
	assert_ptr_equal(kept, &lead);
	lead_over(&lead);
	assert_false(lead_take(&seat));
	end(watchman);
}

static void *
take_and_end(void *arg)
{
	struct seat seat = { .lead = &lead };
	_Atomic bool *led_by = arg;

	if (lead_take(&seat)) {
		*led_by = true;
		lead_over(&lead);
	}
	return NULL;
}

/* Once another one sleeps beside `had`. */
static struct seat *
wait_for_follower(const struct seat *had)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	struct seat *last;

	for (;;) {
		pthread_mutex_lock(&lead.lock);
		last = lead.last;
		pthread_mutex_unlock(&lead.lock);
		if (last != had)
			return last;
		nanosleep(&pause, NULL);
	}
}

/* Whoever came last takes over, so that few threads do most of the work; and the others are let go when it is over. */
static void
test_last_first(void **state)
{
	struct seat seat = { .lead = &lead };
	_Atomic bool led_by[3] = { false };
	pthread_t watchman, threads[3];
	struct seat *had = NULL;

	(void)state;
	start(&watchman);
	assert_true(lead_take(&seat));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_end, &led_by[i]), 0);
		had = wait_for_follower(had);
	}
	lead_lengthy(&seat);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_false(led_by[0] || led_by[1]);
	assert_true(led_by[2]);
	assert_null(lead.last);
	end(watchman);
}

/* With nobody to relieve it, the lead is free until it is back. */
static void
test_alone(void **state)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	struct seat seat = { .lead = &lead };
	pthread_t watchman;

	(void)state;
	start(&watchman);
	for (int i = 0; i < 5; i++) {
		assert_true(lead_take(&seat));
		do {
			lead_lengthy(&seat);
			nanosleep(&pause, NULL);
			nanosleep(&pause, NULL);
			nanosleep(&pause, NULL);
		} while (lead_keep(&seat));
	}
	end(watchman);
}

/* ---- many ---- */

static int led; /* the leader's alone: ThreadSanitizer would tell */
static _Atomic int leaders;

static void
spin(unsigned n)
{
	for (volatile unsigned i = 0; i < n; i++)
		;
}

static void *
lead_now_and_then(void *arg)
{
	struct seat seat = { .lead = &lead };
	unsigned dice = (unsigned)(uintptr_t)arg;

	while (lead_take(&seat)) {
		do {
			if (atomic_fetch_add(&leaders, 1) != 0)
				return &lead;
			if (led == ROUNDS) {
				lead_over(&lead);
				return NULL;
			}
			led++;
			dice = dice * 1103515245 + 12345;
			atomic_fetch_sub(&leaders, 1);
			if ((dice >> 16) % 4 == 0) {
				lead_lengthy(&seat);
				/* Most are short; some last for several ticks of the watchman. */
				spin((dice >> 16) % 64 == 0 ? 2000000 : 1000);
			}
		} while (lead_keep(&seat));
	}
	return NULL;
}

static void
test_one_at_a_time(void **state)
{
	pthread_t watchman, threads[THREADS];
	void *wrong;

	(void)state;
	start(&watchman);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, lead_now_and_then, (void *)(uintptr_t)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	assert_int_equal(led, ROUNDS);
	end(watchman);
}

/* Who gives up before the watch begins lets nobody lead. */
static void
test_never_begun(void **state)
{
	struct seat seat = { .lead = &lead };

	(void)state;
	lead_init(&lead);
	lead_over(&lead);
	assert_false(lead_take(&seat));
	lead_fini(&lead);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relief),
		cmocka_unit_test(test_last_first),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_never_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* cache: what is right is found, what is not is not, and bytes stay within the bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "api/cache.h"

#define BYTES 65536

static const struct position here = { .epoch = "abcd1234", .newest = 90, .gap = 7, .head = 100 };

static int
set_up(void **state)
{
	struct err e;

	return (*state = cache_new(BYTES, &e)) == NULL;
}

static int
tear_down(void **state)
{
	cache_free(*state);
	return 0;
}

static void
keep_once(struct cache *c, const char *question, const char *data)
{
	const struct cached what = {
		.data = text_of(data), .gaps = TEXT("[]"), .incomplete = TEXT(""), .result = { .delivered = 3 }
	};

	cache_keep(c, text_of(question), &here, 100, &what);
}

/* The first time it is only remembered to have been asked. */
static void
keep(struct cache *c, const char *question, const char *data)
{
	keep_once(c, question, data);
	keep_once(c, question, data);
}

static bool
finds(struct cache *c, const char *question, const struct position *at, const char *data)
{
	const struct cached *found = cache_find(c, text_of(question), at);

	if (found == NULL)
		return false;
	assert_true(text_eq(found->data, text_of(data)));
	assert_true(text_eq(found->gaps, TEXT("[]")));
	assert_int_equal(found->result.delivered, 3);
	cache_release(c, found);
	return true;
}

static void
test_only_what_is_right_is_found(void **state)
{
	struct cache *c = *state;
	struct position at = here;

	keep(c, "q", "rows");
	assert_true(finds(c, "q", &here, "rows"));
	assert_false(finds(c, "r", &here, ""));
	at.head = 5000;
	assert_true(finds(c, "q", &at, "rows"));
	at.head = 99;
	assert_false(finds(c, "q", &at, ""));
	at = here;
	at.newest = 91;
	assert_false(finds(c, "q", &at, ""));
	at = here;
	at.gap = 8;
	assert_false(finds(c, "q", &at, ""));
	at = here;
	memcpy(at.epoch, "zbcd1234", 9);
	assert_false(finds(c, "q", &at, ""));
	keep(c, "q", "other rows");
	assert_true(finds(c, "q", &here, "other rows"));
}

static void
test_what_nobody_asks_again_is_not_kept(void **state)
{
	struct cache *c = *state;
	struct cache_counts counts;
	char question[16];
	int known = 0;

	keep(c, "often", "rows");
	for (int i = 0; i < 50000; i++) {
		snprintf(question, sizeof(question), "q%d", i);
		keep_once(c, question, "other rows");
	}
	/* But for the few whose marks are alike. */
	cache_count(c, &counts);
	assert_true(counts.entries <= 10);
	assert_true(finds(c, "often", &here, "rows"));
	/* What is kept, if out of date, is kept anew at once, however long ago it was asked for. */
	keep_once(c, "often", "new rows");
	assert_true(finds(c, "often", &here, "new rows"));
	/*
	 * Four thousand questions in turn are nearly all known the second time: but for those, some 80 and hardly ever 200, of which more than four come
	 * to one door, where in turn they push one another out. Fifty thousand are forgotten by then.
	 */
	for (int i = 50000 - 4000; i < 50000; i++) {
		snprintf(question, sizeof(question), "q%d", i);
		keep_once(c, question, "");
		known += finds(c, question, &here, "");
	}
	assert_true(known > 3800);
	for (int i = 0; i < 4000; i++) {
		snprintf(question, sizeof(question), "q%d", i);
		keep_once(c, question, "");
		assert_true(!finds(c, question, &here, "") || known++ < 4010);
	}
}

static void
test_bytes_are_bounded_and_the_unused_go_first(void **state)
{
	struct cache *c = *state;
	struct cache_counts counts;
	char question[16], *data = malloc(BYTES);

	memset(data, 'x', BYTES - 1);
	data[BYTES - 1] = '\0';
	keep(c, "huge", data);
	assert_false(finds(c, "huge", &here, ""));
	data[4000] = '\0';
	for (int i = 0; i < 100; i++) {
		snprintf(question, sizeof(question), "q%d", i);
		keep(c, question, data);
		assert_true(finds(c, "q0", &here, data));
		cache_count(c, &counts);
		assert_true(counts.bytes <= BYTES);
		assert_true(counts.entries == (size_t)i + 1 || counts.entries >= 10);
	}
	assert_true(finds(c, "q99", &here, data));
	assert_false(finds(c, "q1", &here, ""));
	free(data);
}

static void
test_what_is_held_stays_until_it_is_released(void **state)
{
	struct cache *c = *state;
	const struct cached *held;

	keep(c, "q", "rows");
	held = cache_find(c, TEXT("q"), &here);
	assert_non_null(held);
	keep(c, "q", "other rows");
	assert_true(text_eq(held->data, TEXT("rows")));
	assert_true(finds(c, "q", &here, "other rows"));
	cache_release(c, held);
}

static void
test_nothing_fits_into_nothing(void **state)
{
	struct err e;
	struct cache *c = cache_new(0, &e);

	(void)state;
	keep(c, "q", "rows");
	assert_false(finds(c, "q", &here, ""));
	cache_free(c);
}

static void *
hammer(void *arg)
{
	struct cache *c = arg;
	char question[16], data[600];

	for (int i = 0; i < 20000; i++) {
		int n = i * 7919 % 300;

		snprintf(question, sizeof(question), "q%d", n);
		snprintf(data, sizeof(data), "%0*d", 500 + n % 50, n);
		if (i % 3 == 0)
			keep(c, question, data);
		else
			finds(c, question, &here, data);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, *state), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_only_what_is_right_is_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_nobody_asks_again_is_not_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bytes_are_bounded_and_the_unused_go_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_held_stays_until_it_is_released, set_up, tear_down),
		cmocka_unit_test(test_nothing_fits_into_nothing),
		cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_tempo - when the store thread pauses, and when what is put off is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tempo.h"

/* So many commits of one message each, evenly: the longest pause. */
static int64_t
commits(struct tempo *t, int64_t *us, int n, int64_t apart_us)
{
	int64_t longest = 0;

	for (int i = 0; i < n; i++) {
		int64_t pause_us = tempo_committed(t, *us += apart_us, 1);

		longest = pause_us > longest ? pause_us : longest;
	}
	return longest;
}

static void
test_pauses_only_when_busy(void **state)
{
	struct tempo t = { .busy = false };
	int64_t us = 1000000000;

	(void)state;
	/* 1,000 a second, also when something held them up. */
	assert_int_equal(commits(&t, &us, 1000, 1000), 0);
	assert_int_equal(tempo_committed(&t, us += 50000, 50), 0);
	assert_int_equal(commits(&t, &us, 1000, 1000), 0);
	/* 1,500 a second, in batches that are more than a window apart. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(tempo_committed(&t, us += 140000, 210), 0);
	/* 10,000 a second. */
	assert_int_equal(commits(&t, &us, 3000, 100), TEMPO_PAUSE_PER_MESSAGE_US);
	assert_int_equal(tempo_committed(&t, us += 3000, 30), TEMPO_PAUSE_US);
	/* A second's silence, and who comes then goes at once. */
	assert_int_equal(tempo_committed(&t, us += 1000000, 1), 0);
	assert_int_equal(commits(&t, &us, 100, 1000), 0);
}

static void
test_calm_after_a_silence(void **state)
{
	struct tempo t = { .busy = false };

	(void)state;
	assert_int_equal(tempo_wait_ms(&t, 1000), TEMPO_CALM_MS);
	/* A message, and an empty queue behind it. */
	assert_int_equal(tempo_load(&t, true, true), STORE_STEADY);
	assert_int_equal(tempo_wait_ms(&t, 1000), TEMPO_CALM_MS);
	assert_int_equal(tempo_load(&t, true, false), STORE_LOADED);
	/* Nothing came for that long. */
	assert_int_equal(tempo_load(&t, false, true), STORE_CALM);
	assert_int_equal(tempo_wait_ms(&t, 1000), 1000);
	t.busy = true;
	assert_int_equal(tempo_load(&t, true, true), STORE_BUSY);
}

/* Whoever has more to do does not wait, and that nothing came in no time says nothing. */
static void
test_more_to_do(void **state)
{
	struct tempo t = { .busy = false };

	(void)state;
	assert_int_equal(tempo_load(&t, true, true), STORE_STEADY);
	t.more = true;
	assert_int_equal(tempo_wait_ms(&t, 1000), 0);
	assert_int_equal(tempo_load(&t, false, true), STORE_STEADY);
	t.more = false;
	assert_int_equal(tempo_load(&t, false, true), STORE_CALM);
	t.more = true;
	assert_int_equal(tempo_load(&t, false, true), STORE_CALM);
	assert_int_equal(tempo_load(&t, true, true), STORE_STEADY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pauses_only_when_busy),
		cmocka_unit_test(test_calm_after_a_silence),
		cmocka_unit_test(test_more_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

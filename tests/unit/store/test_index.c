/* test_index - the index by symbol follows the log: at once when calm, by at most 20,000 rows under load. */
#include "written_log.h"

static void
append_many(struct store *s, int64_t *n, int count)
{
	char symbol[16];

	for (int i = 0; i < count; i++, ++*n) {
		struct event ev;

		snprintf(symbol, sizeof(symbol), "S%lld", (long long)(*n * 7919 % 997));
		ev = log_event_of(*n % 3 == 0 ? KIND_PATTERN : KIND_INDICATOR, symbol, "a", *n);
		log_append(s, &ev);
	}
}

static int64_t
lag(const struct store *s)
{
	return s->kept.next_seq - 1 - s->kept.indexed_to;
}

static void
test_calm(void **state)
{
	struct store *s = log_open();
	int64_t n = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		append_many(s, &n, 10);
		log_commit(s);
		log_tend(s, true);
		assert_int_equal(lag(s), 0);
		log_check();
	}
	log_close(s);
	log_check();
}

static void
test_loaded(void **state)
{
	struct store *s = log_open();
	int64_t n = 0, most = 0;

	(void)state;
	for (int i = 0; i < 60; i++) {
		append_many(s, &n, 1000);
		log_commit(s);
		assert_true(lag(s) <= INDEX_LAG_MAX);
		s->indexed_us = clock_mono_us(); /* so that time is no reason here */
		log_tend(s, false);
		assert_true(lag(s) < INDEX_LAG_MAX);
		if (lag(s) > most)
			most = lag(s);
	}
	/* It was put off, for that is what makes it cheap. */
	assert_true(most > INDEX_LAG_MAX / 2);
	log_check();
	log_close(s);
	log_check();
	assert_int_equal(log_places(NULL), 60000);
}

/* However little has come: what was put off for long is done. */
static void
test_overdue(void **state)
{
	struct store *s = log_open();
	int64_t n = 0;

	(void)state;
	append_many(s, &n, 10);
	log_commit(s);
	s->indexed_us = clock_mono_us() + 3600 * 1000000LL;
	log_tend(s, false);
	assert_int_equal(lag(s), 10);
	s->indexed_us = 0;
	log_tend(s, false);
	assert_int_equal(lag(s), 0);
	log_check();
	log_close(s);
}

/* Nobody tends in between: the commit itself keeps the bound. */
static void
test_large_batch(void **state)
{
	struct store *s = log_open();
	int64_t n = 0;

	(void)state;
	append_many(s, &n, 15000);
	log_commit(s);
	assert_int_equal(lag(s), 15000);
	append_many(s, &n, 15000);
	log_commit(s);
	assert_int_equal(lag(s), 0);
	log_check();
	log_close(s);
}

static void
test_rolled_back(void **state)
{
	struct store *s = log_open();
	int64_t n = 0;

	(void)state;
	append_many(s, &n, 100);
	log_commit(s);
	append_many(s, &n, 25000);
	store_rollback(s);
	assert_int_equal(lag(s), 100);
	append_many(s, &n, 50);
	log_commit(s);
	log_tend(s, true);
	assert_int_equal(lag(s), 0);
	log_check();
	assert_int_equal(log_places(NULL), 150);
	assert_log("SELECT max(seq) FROM model.places", "150");
	log_close(s);
}

static void
load_till_killed(int ready)
{
	struct store *s = log_open();
	int64_t n = 0;

	for (int i = 0;; i++) {
		append_many(s, &n, 500);
		log_commit(s);
		log_tend(s, false);
		if (i == 50 && write(ready, "", 1) != 1)
			_exit(1);
	}
}

static void
test_killed(void **state)
{
	struct store *s;

	(void)state;
	log_in_child(load_till_killed, true);
	log_check();
	assert_log("SELECT indexed_to > 0 AND next_seq - 1 - indexed_to <= 20000 FROM log", "1");
	s = log_open();
	log_tend(s, true);
	assert_int_equal(lag(s), 0);
	log_check();
	log_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_calm, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_loaded, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_overdue, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_large_batch, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_rolled_back, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_killed, log_setup, log_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_tallies - symbols, latest and rollups are what a plain count of the events gives, whatever happened in between. */
#include "written_log.h"

#define HOUR_US 3600000000LL

static void
test_random(void **state)
{
	uint64_t seed = 1;
	int64_t at_us = clock_real_us() - HOUR_US;
	struct store *s = log_open();

	(void)state;
	for (int i = 0; i < 60; i++) {
		log_random(s, &seed, &at_us, 1 + i % 30);
		if (i % 7 == 3)
			store_rollback(s);
		else
			log_commit(s);
		log_model();
		if (i % 3 == 0) {
			log_due(s);
			log_tend(s, i % 2 == 0);
			log_check();
			log_check_rollups();
		}
		if (i % 20 == 10) {
			log_close(s);
			s = log_open();
			log_model();
		}
	}
	log_close(s);
	log_check();
	log_check_rollups();
	assert_log("SELECT count(*) > 10 FROM events WHERE duplicate_of <> 0", "1");
	assert_log("SELECT (SELECT count(*) FROM latest) > 50 AND (SELECT count(*) FROM symbols) = 7", "1");
}

static void
test_trimmed(void **state)
{
	uint64_t seed = 2;
	int64_t at_us = clock_real_us() - HOUR_US;
	struct store_opts opts = { .total = { .events = 150 }, .kind[KIND_PATTERN] = { .events = 40 } };
	struct store *s = log_open_with(opts);

	(void)state;
	for (int i = 0; i < 40; i++) {
		log_random(s, &seed, &at_us, 40);
		log_commit(s);
		log_model();
		if (i % 2 == 0)
			log_due(s);
		log_tend(s, true);
		log_check();
	}
	log_close(s);
	log_check();
	/* What is gone is still counted for its hour. */
	log_check_rollups();
	assert_log("SELECT count(*) FROM events", "150");
}

static void
append_till_killed(int ready)
{
	uint64_t seed = 3;
	int64_t at_us = clock_real_us() - HOUR_US;
	struct store *s = log_open();

	for (int i = 0;; i++) {
		log_random(s, &seed, &at_us, 5);
		log_commit(s);
		if (i % 10 == 9)
			log_due(s);
		log_tend(s, i % 3 == 0);
		if (i == 200 && write(ready, "", 1) != 1)
			_exit(1);
	}
}

static void
test_killed(void **state)
{
	(void)state;
	log_in_child(append_till_killed, true);
	/* As the dead left it, then as the next one makes it good. */
	log_model();
	log_check();
	log_check_rollups();
	log_close(log_open());
	log_model();
	log_check();
	log_check_rollups();
	assert_log("SELECT tallied_to = next_seq - 1 AND next_seq > 1000 FROM log", "1");
}

static void
append_at(struct store *s, int64_t age_us)
{
	struct event ev = log_event_of(KIND_ALERT, "AAPL", "a", 1);

	ev.received_us -= age_us;
	log_append(s, &ev);
	log_commit(s);
}

/* A minute's cells for two hours, an hour's for a day. */
static void
test_sweep(void **state)
{
	struct store *s = log_open();

	(void)state;
	append_at(s, 30 * HOUR_US);
	append_at(s, 3 * HOUR_US);
	append_at(s, 0);
	log_due(s);
	log_tend(s, true);
	log_close(s);
	assert_log("SELECT count(*) FROM rollups WHERE span = 60 AND facet = 0", "1");
	assert_log("SELECT count(*) FROM rollups WHERE span = 3600 AND facet = 0", "2");
	log_check();
}

/* Confidence falls into ten tens. */
static void
test_confidence(void **state)
{
	static const double confidences[] = { 0, 9.99, 10, 89.9, 90, 100, (double)NAN };
	struct store *s = log_open();

	(void)state;
	for (size_t i = 0; i < sizeof(confidences) / sizeof(*confidences); i++) {
		struct event ev = log_event_of(KIND_PATTERN, "AAPL", "a", (int64_t)i);

		ev.confidence = confidences[i];
		log_append(s, &ev);
	}
	log_commit(s);
	log_close(s);
	assert_log("SELECT group_concat(key || ':' || n, ' ') FROM (SELECT key, n FROM rollups"
		   " WHERE span = 3600 AND facet = 3 ORDER BY key)",
	    "0:2 1:1 8:1 9:2");
	log_model();
	log_check();
	log_check_rollups();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_trimmed, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_killed, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_sweep, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_confidence, log_setup, log_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_retain - what leaves the log, what stays, and what is left of what left. */
#include "written_log.h"

#define HOUR_US 3600000000LL

/* Of each kind the oldest went, up to trimmed_to, and no other. */
static void
check_trimmed(void)
{
	log_check();
	assert_log(
	    "SELECT count(*) FROM kinds AS k WHERE trimmed_to <> (SELECT coalesce(max(m.seq), 0) FROM model.events AS m"
	    " WHERE m.kind = k.kind AND m.seq NOT IN (SELECT seq FROM main.events))",
	    "0");
	assert_log("SELECT count(*) FROM model.events AS m JOIN kinds AS k ON k.kind = m.kind"
		   " WHERE m.seq > k.trimmed_to AND m.seq NOT IN (SELECT seq FROM main.events)",
	    "0");
}

/* What a sweep leaves. */
static void
check_swept(void)
{
	int64_t dead;

	check_trimmed();
	log_places(&dead);
	assert_int_equal(dead, 0);
	assert_log("SELECT count(*) FROM latest WHERE seq NOT IN (SELECT seq FROM main.events)", "0");
	/* One mark at most lies below the oldest event: the search for its time begins there. */
	assert_log("SELECT count(*) <= 1 FROM timeline WHERE seq <= (SELECT min(seq) FROM main.events)", "1");
	assert_log("SELECT count(*) FROM timeline AS t WHERE EXISTS (SELECT 1 FROM model.events AS m"
		   " WHERE (m.seq < t.seq) <> (m.received_us < t.received_us))",
	    "0");
	assert_log("SELECT count(*) FROM symbols WHERE symbol NOT IN (SELECT symbol FROM main.events WHERE symbol IS "
		   "NOT NULL)",
	    "0");
}

static struct store *
fill(struct store_opts opts, int n)
{
	uint64_t seed = 5;
	int64_t at_us = clock_real_us() - HOUR_US;
	struct store *s = log_open_with(opts);

	for (; n > 0; n -= 100) {
		log_random(s, &seed, &at_us, 100);
		log_commit(s);
	}
	log_model();
	return s;
}

static void
sweep(struct store *s)
{
	log_tend(s, true);
	/* A sweep comes once a minute, and may come before all that is too much is gone. */
	log_due(s);
	log_tend(s, true);
	log_close(s);
	check_swept();
}

static void
test_count_of_kind(void **state)
{
	struct store *s = fill((struct store_opts){ .kind[KIND_PATTERN] = { .events = 70 },
				   .kind[KIND_HEALTH] = { .events = 3 },
				   .kind[KIND_ALERT] = { .events = 100000 } },
	    2000);

	(void)state;
	sweep(s);
	assert_log("SELECT events FROM kinds WHERE kind = 0", "70");
	assert_log("SELECT events FROM kinds WHERE kind = 3", "3");
	assert_log("SELECT count(*) FROM kinds WHERE kind NOT IN (0, 3) AND trimmed_to <> 0", "0");
	assert_log(
	    "SELECT count(*) FROM model.events WHERE kind NOT IN (0, 3) AND seq NOT IN (SELECT seq FROM main.events)",
	    "0");
}

/* The oldest of a kind are those that the index has first: one that has lost them is made anew, for the log is no worse for it. */
static void
test_kind_out_of_index(void **state)
{
	struct store *s = fill((struct store_opts){ .total = { .events = 0 } }, 2000);
	static const struct retention total;
	struct retention kind[KIND__MAX] = { [KIND_PATTERN] = { .events = 70 } };
	struct err e = { .code = ERR_NONE };

	(void)state;
	log_tend(s, true);
	log_spoil("DELETE FROM by_symbol WHERE symbol = 'kind 0'");
	assert_int_equal(log_spoil("DELETE FROM by_symbol_open WHERE symbol = 'kind 0'"), 1);
	store_set_retention(s, &total, kind);
	assert_int_equal(store_tend(s, STORE_CALM, &e), -1);
	assert_true(s->index_is_bad);
	assert_false(s->damaged);
	sweep(s);
	assert_log("SELECT events FROM kinds WHERE kind = 0", "70");
	log_check();
}

/* A place at which there is no such event: the same. */
static void
test_kind_out_of_log(void **state)
{
	struct store *s = fill((struct store_opts){ .total = { .events = 0 } }, 2000);
	static const struct retention total;
	struct retention kind[KIND__MAX] = { [KIND_PATTERN] = { .events = 70 } };
	struct err e = { .code = ERR_NONE };

	(void)state;
	log_tend(s, true);
	assert_int_equal(
	    log_spoil("UPDATE events SET kind = 1 WHERE seq = (SELECT min(seq) FROM events WHERE kind = 0)"), 1);
	store_set_retention(s, &total, kind);
	assert_int_equal(store_tend(s, STORE_CALM, &e), -1);
	assert_true(s->index_is_bad);
	assert_false(s->damaged);
	log_tend(s, true);
	assert_log("SELECT events FROM kinds WHERE kind = 0", "70");
	log_close(s);
}

/* However a kind's places lie, no more of it goes than is too much, and the log stays. */
static void
check_after_lie(const char *lie)
{
	struct store *s = fill((struct store_opts){ .total = { .events = 0 } }, 2000);
	static const struct retention total;
	struct retention kind[KIND__MAX] = { [KIND_PATTERN] = { .events = 70 } };
	struct err e = { .code = ERR_NONE };
	int tends = 0;

	log_tend(s, true);
	assert_true(log_spoil(lie) > 0);
	store_set_retention(s, &total, kind);
	while (store_tend(s, STORE_CALM, &e) != 0)
		assert_true(++tends < 100);
	assert_false(s->damaged);
	assert_false(s->index_is_bad);
	assert_log("SELECT events FROM kinds WHERE kind = 0", "70");
	/* Those it knew went before it was found out: what is left is found all the same. */
	assert_log("SELECT count(*) FROM events JOIN kinds USING (kind) WHERE seq <= trimmed_to", "0");
	log_close(s);
}

static void
test_kind_of_others(void **state)
{
	(void)state;
	check_after_lie("UPDATE by_symbol SET places = (SELECT places FROM by_symbol WHERE symbol = 'kind 1')"
			" WHERE symbol = 'kind 0'");
	assert_log("SELECT count(*) FROM events WHERE kind = 0 AND seq IN"
		   " (SELECT seq FROM model.events WHERE kind = 0 ORDER BY seq DESC LIMIT 70)",
	    "70");
}

static void
test_kind_of_lost_places(void **state)
{
	(void)state;
	check_after_lie("DELETE FROM by_symbol WHERE symbol = 'kind 0'");
}

static void
test_kind_of_many_bits(void **state)
{
	(void)state;
	check_after_lie("UPDATE events SET kind = 4294967296 WHERE seq = (SELECT min(seq) FROM events WHERE kind = 0)");
}

/* More is counted than there is, and what there is lies beyond the log's end, where the index never comes. */
static void
test_kind_beyond_the_end(void **state)
{
	struct store *s = fill((struct store_opts){ .kind[KIND_SESSION] = { .events = 1000000 } }, 100);
	struct err e = { .code = ERR_NONE };

	(void)state;
	log_tend(s, true);
	assert_int_equal(
	    log_spoil("UPDATE events SET seq = 1000000000 WHERE seq = (SELECT max(seq) FROM events WHERE kind = 4)"),
	    1);
	s->now.kinds[KIND_SESSION].events = s->kept.kinds[KIND_SESSION].events = 2000000;
	s->now.kinds[KIND_SESSION].newest = s->kept.kinds[KIND_SESSION].newest = 1000000000;
	s->kind[KIND_SESSION].events = 1;
	for (int i = 0; i < 200 && !s->damaged; i++)
		store_tend(s, STORE_CALM, &e);
	assert_true(s->damaged);
	store_abandon(s);
}

/* More is counted than there is, and the index is right. */
static void
test_kind_out_of_count(void **state)
{
	struct store *s = fill((struct store_opts){ .kind[KIND_SESSION] = { .events = 1000000 } }, 100);
	struct err e = { .code = ERR_NONE };

	(void)state;
	log_tend(s, true);
	s->now.kinds[KIND_SESSION].events = s->kept.kinds[KIND_SESSION].events = 2000000;
	s->kind[KIND_SESSION].events = 1;
	for (int i = 0; i < 200 && !s->damaged; i++)
		store_tend(s, STORE_CALM, &e);
	assert_true(s->damaged);
	assert_false(s->index_is_bad);
	store_abandon(s);
}

static void
test_bytes_of_kind(void **state)
{
	struct store *s = fill((struct store_opts){ .kind[KIND_INDICATOR] = { .bytes = 20000 } }, 2000);

	(void)state;
	sweep(s);
	/* With the newest of what went it would be too much. */
	assert_log("SELECT k.bytes <= 20000 AND k.bytes + length(m.body) > 20000 FROM kinds AS k"
		   " JOIN model.events AS m ON m.seq = k.trimmed_to WHERE k.kind = 1",
	    "1");
	assert_log("SELECT group_concat(kind) FROM kinds WHERE trimmed_to > 0", "1");
}

static void
test_age(void **state)
{
	struct store *s = fill((struct store_opts){ .total = { .age_ms = 3300000 },
				   .kind[KIND_ERROR] = { .age_ms = 3500000 },
				   .kind[KIND_SESSION] = { .age_ms = INT64_MAX } },
	    2000);
	char sql[300];
	int64_t from_us = clock_real_us(), to_us;

	(void)state;
	sweep(s);
	to_us = clock_real_us();
	/* What fell due while it ran may be either way. */
	for (int i = 0; i < 2; i++) {
		int64_t ms = i == 0 ? 3300000 : 3500000;

		snprintf(sql, sizeof(sql),
		    "SELECT count(*) FROM model.events AS m WHERE %s AND ((received_us < %lld AND seq IN (SELECT seq "
		    "FROM main.events))"
		    " OR (received_us >= %lld AND seq NOT IN (SELECT seq FROM main.events)))",
		    i == 0 ? "kind NOT IN (4, 5)" : "kind = 5", (long long)(from_us - ms * 1000),
		    (long long)(to_us - ms * 1000));
		assert_log(sql, "0");
	}
	assert_log("SELECT count(*) > 0 FROM kinds WHERE trimmed_to > 0", "1");
	assert_log("SELECT trimmed_to FROM kinds WHERE kind = 4", "0");
}

static void
test_total_count(void **state)
{
	struct store *s = fill((struct store_opts){ .total = { .events = 300 } }, 7300);

	(void)state;
	sweep(s);
	/* Over all kinds together, oldest first. */
	assert_log("SELECT count(*) || ' ' || min(seq) || ' ' || max(seq) FROM events", "300 7001 7300");
	assert_log("SELECT max(trimmed_to) FROM kinds", "7000");
	assert_log("SELECT count(*) FROM timeline WHERE seq <= (SELECT min(seq) FROM main.events)", "1");
}

static void
test_total_bytes(void **state)
{
	struct store *s = fill((struct store_opts){ .total = { .bytes = 100000 } }, 2000);

	(void)state;
	sweep(s);
	assert_log("SELECT held <= 100000 AND held + length(body) > 100000 FROM model.events, (SELECT sum(bytes) AS "
		   "held FROM kinds)"
		   " WHERE seq = (SELECT max(trimmed_to) FROM kinds)",
	    "1");
	assert_log("SELECT count(*) = max(seq) - min(seq) + 1 AND max(seq) = 2000 FROM events", "1");
}

/* What a kind's own limit removes needs not be removed for the sake of all. */
static void
test_own_limit_first(void **state)
{
	struct store *s =
	    fill((struct store_opts){ .total = { .events = 1500 }, .kind[KIND_PATTERN] = { .events = 10 } }, 2000);

	(void)state;
	sweep(s);
	assert_log("SELECT group_concat(kind) FROM kinds WHERE trimmed_to > 0", "0");
	assert_log("SELECT events FROM kinds WHERE kind = 0", "10");
}

/* Under load only whole runs go, half of the limit here: it does not grow without end. */
static void
test_loaded(void **state)
{
	uint64_t seed = 6;
	int64_t at_us = clock_real_us() - HOUR_US, most = 0;
	struct store *s = log_open_with((struct store_opts){ .total = { .events = 3000 } });
	struct store_stats stats;

	(void)state;
	for (int i = 0; i < 100; i++) {
		log_random(s, &seed, &at_us, 200);
		at_us -= 180 * 1000000;
		log_commit(s);
		log_model();
		log_tend(s, false);
		store_stats(s, &stats);
		if (stats.events > most)
			most = stats.events;
		assert_true(stats.events >= 3000 || stats.head < 3000 + 1500);
	}
	/* More than a batch stays; how much less than a run, is a matter of time: rows go with the index when that is due. */
	assert_in_range(most, 3000 + 201, 3000 + 1700);
	check_trimmed();
	log_tend(s, true);
	store_stats(s, &stats);
	assert_int_equal(stats.events, 3000);
	check_trimmed();
	log_close(s);
}

/* The index keeps places of what is gone only for a while, whatever comes: about as many as those of what is there at most. */
static void
check_index_is_swept(struct store_opts opts)
{
	struct store *s = log_open_with(opts);
	int64_t places, held;
	char symbol[16];

	for (int i = 0; i < 200000; i++) {
		struct event ev;

		/* Symbols that come all the time, and such as come once. */
		if (i % 50 == 0)
			snprintf(symbol, sizeof(symbol), "T%d", i);
		else
			snprintf(symbol, sizeof(symbol), "S%d", i * 7919 % 61);
		ev = log_event_of(i % 20 == 0 ? KIND_ALERT
			: i % 3 == 0          ? KIND_PATTERN
					      : KIND_INDICATOR,
		    symbol, "a", i);
		log_append(s, &ev);
		if (i % 500 != 499)
			continue;
		log_commit(s);
		log_tend(s, false);
		if (i % 10000 != 9999 || i < 50000)
			continue;
		held = log_number("SELECT sum(events) FROM kinds");
		places = log_places(NULL);
		/* By symbol and by kind. */
		assert_true(places <= 2 * 2 * held);
	}
	log_close(s);
}

static void
test_index_is_swept(void **state)
{
	(void)state;
	check_index_is_swept(
	    (struct store_opts){ .total = { .events = 10000 }, .kind[KIND_ALERT] = { .events = 4000 } });
	log_check();
}

/* Much is kept of some, little of others: all of them lie in the same bundles. */
static void
test_index_is_swept_of_mixed_kinds(void **state)
{
	(void)state;
	check_index_is_swept((struct store_opts){ .kind = { [KIND_PATTERN] = { .events = 20000 },
						      [KIND_INDICATOR] = { .events = 500 },
						      [KIND_ALERT] = { .events = 5000 } } });
}

/* Limits that were changed while running. */
static void
test_changed(void **state)
{
	static const struct retention none[KIND__MAX];
	struct store *s = fill((struct store_opts){ .total = { .events = 0 } }, 1000);

	(void)state;
	log_tend(s, true);
	assert_log("SELECT count(*) FROM events", "1000");
	store_set_retention(s, &(struct retention){ .events = 1 }, none);
	sweep(s);
	assert_log("SELECT count(*) || ' ' || min(seq) FROM events", "1 1000");
	/* Everything went of most kinds. Seqs go on nevertheless. */
	s = log_open();
	log_close(s);
	assert_log("SELECT next_seq FROM log", "1002");
	log_check();
}

static void
trim_till_killed(int ready)
{
	uint64_t seed = 7;
	int64_t at_us = clock_real_us() - HOUR_US;
	struct store *s = log_open_with((struct store_opts){ .total = { .events = 200 } });

	for (int i = 0;; i++) {
		log_random(s, &seed, &at_us, 50);
		log_commit(s);
		log_model();
		log_due(s);
		log_tend(s, true);
		if (i == 60 && write(ready, "", 1) != 1)
			_exit(1);
	}
}

static void
test_killed(void **state)
{
	(void)state;
	log_in_child(trim_till_killed, true);
	log_model();
	check_trimmed();
	log_close(log_open_with((struct store_opts){ .total = { .events = 200 } }));
	log_model();
	check_trimmed();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_count_of_kind, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_kind_out_of_index, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_kind_out_of_log, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_kind_of_others, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_kind_of_lost_places, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_kind_of_many_bits, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_kind_beyond_the_end, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_kind_out_of_count, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_bytes_of_kind, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_age, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_total_count, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_total_bytes, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_own_limit_first, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_loaded, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_index_is_swept, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_index_is_swept_of_mixed_kinds, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_changed, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_killed, log_setup, log_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

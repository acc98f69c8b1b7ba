/* test_index - the index by symbol follows the log: at once when calm, by at most 20,000 rows under load. */
#include "store/index.h"
#include "store/sweep.h"
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

/* A batch has fewer seqs than a lease. */
static void
append_batches(struct store *s, int64_t *n, int count)
{
	for (; count > 0; count -= 10000) {
		append_many(s, n, 10000);
		log_commit(s);
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
	assert_int_equal(log_places(NULL), 2 * 60000);
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

/* In a flood, which makes many rows of a moment, a run waits until it is worth it; else it comes at once. */
static void
test_due(void **state)
{
	(void)state;
	assert_false(index_due(0, 10000000, true));
	assert_true(index_due(1, 0, true));
	assert_false(index_due(4000, 99000, false));
	assert_true(index_due(4000, 100000, false));
	assert_false(index_due(5000, 100000, false));
	assert_false(index_due(INDEX_LAG_MAX - 1, 499000, false));
	assert_true(index_due(5000, 500000, false));
	assert_true(index_due(INDEX_LAG_MAX, 0, false));
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
	assert_int_equal(log_places(NULL), 2 * 150);
	assert_log("SELECT max(seq) FROM model.places", "150");
	log_close(s);
}

/* ---- what was noted as it was appended, and what is read from the log ---- */

/* Whether the index has the places of what is newer than `after` from the log, in which all of them are spoilt, or has noted them before. */
static bool
follows_the_log(struct store *s, int64_t after)
{
	char sql[100];
	int64_t lies;

	snprintf(sql, sizeof(sql), "UPDATE events SET symbol = 'LIE' WHERE seq > %lld", (long long)after);
	assert_true(log_spoil(sql) > 0);
	log_tend(s, true);
	assert_int_equal(lag(s), 0);
	log_places(NULL);
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM model.places WHERE symbol = 'LIE' AND seq > %lld",
	    (long long)after);
	lies = log_number(sql);
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM main.events WHERE seq > %lld", (long long)after);
	assert_true(lies == 0 || lies == log_number(sql));
	return lies > 0;
}

static bool
follows_the_log_next(struct store *s, int64_t *n)
{
	int64_t after = s->now.next_seq - 1;

	append_many(s, n, 30);
	log_commit(s);
	return follows_the_log(s, after);
}

static void
test_noted(void **state)
{
	struct store *s = log_open();
	struct err e;
	int64_t n = 0, after;

	(void)state;
	/* Of a new log as of an old one it reads what is there first, and from then on notes what comes. */
	for (int i = 0; i < 2; i++) {
		assert_true(follows_the_log_next(s, &n));
		assert_false(follows_the_log_next(s, &n));
		assert_false(follows_the_log_next(s, &n));
		log_close(s);
		s = log_open();
	}
	assert_true(follows_the_log_next(s, &n));
	/* After a rollback it does not know what of it is true: in the middle of what it noted, and of a batch that only was tried. */
	after = s->now.next_seq - 1;
	append_many(s, &n, 10);
	log_commit(s);
	append_many(s, &n, 10);
	store_rollback(s);
	append_many(s, &n, 10);
	log_commit(s);
	assert_true(follows_the_log(s, after));
	assert_false(follows_the_log_next(s, &n));
	append_many(s, &n, 10);
	store_rollback(s);
	assert_true(follows_the_log_next(s, &n));
	assert_false(follows_the_log_next(s, &n));
	/* One that is made anew is made from the log. */
	append_many(s, &n, 10);
	log_commit(s);
	assert_int_equal(index_renew(s, &e), 0);
	assert_true(follows_the_log(s, 0));
	assert_false(follows_the_log_next(s, &n));
	log_close(s);
}

/* What is noted is bounded: of a batch that is larger so much as always is read at a time. */
static void
test_noted_too_many(void **state)
{
	struct store *s = log_open();
	int64_t n = 0;

	(void)state;
	append_many(s, &n, 10);
	log_commit(s);
	log_tend(s, true);
	s->lease_seqs = 4 * 65536;
	append_many(s, &n, 70000);
	log_commit(s);
	assert_int_equal(lag(s), 70000 - 65536);
	log_tend(s, true);
	assert_int_equal(lag(s), 0);
	log_check();
	assert_int_equal(log_places(NULL), 2 * 70010);
	assert_false(follows_the_log_next(s, &n));
	log_close(s);
}

/* Keeps what the index has as model.stood. */
static void
keep_places(void)
{
	char path[100];
	sqlite3 *conn;

	log_places(NULL);
	snprintf(path, sizeof(path), "%s/model.db", log_dir);
	assert_int_equal(sqlite3_open(path, &conn), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(conn, "DROP TABLE IF EXISTS stood; CREATE TABLE stood AS SELECT symbol, kind, seq FROM places",
		NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(conn);
}

/* The index as it stands is what is made of the log. */
static void
check_against_new(struct store *s)
{
	struct err e;

	log_tend(s, true);
	log_check();
	keep_places();
	assert_int_equal(index_renew(s, &e), 0);
	log_tend(s, true);
	log_places(NULL);
	assert_log("SELECT count(*) FROM (SELECT * FROM model.stood EXCEPT SELECT symbol, kind, seq FROM model.places)"
		   " WHERE seq IN (SELECT seq FROM main.events)",
	    "0");
	assert_log(
	    "SELECT count(*) FROM (SELECT symbol, kind, seq FROM model.places EXCEPT SELECT * FROM model.stood)", "0");
	assert_log("SELECT count(*) > 500 FROM model.places", "1");
}

static void
test_noted_random(void **state)
{
	struct store_opts opts = { .total = { .events = 900 }, .kind[KIND_ALERT] = { .events = 20 } };
	uint64_t seed = 11;
	int64_t at_us = clock_real_us() - 3600 * 1000000LL;
	struct store *s = log_open_with(opts);

	(void)state;
	for (int i = 0; i < 120; i++) {
		log_random(s, &seed, &at_us, 10 + i * 7 % 50);
		if (i % 9 == 4)
			store_rollback(s);
		else
			log_commit(s);
		if (i % 5 != 0)
			s->indexed_us = clock_mono_us();
		log_due(s);
		log_tend(s, i % 5 == 0);
		if (i % 30 == 17) {
			log_close(s);
			s = log_open_with(opts);
		}
		if (i % 40 == 39)
			check_against_new(s);
	}
	log_close(s);
	log_check();
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

/* An event of a kind that we do not know is no reason to leave out what comes behind the end of the run. */
static void
test_unknown_kind(void **state)
{
	struct store *s = log_open();
	struct err e;
	int64_t n = 0;

	(void)state;
	append_batches(s, &n, 70000);
	assert_int_equal(
	    sqlite3_exec(s->db.conn, "UPDATE events SET kind = 9 WHERE seq IN (5, 65536)", NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(index_renew(s, &e), 0);
	assert_int_equal(store_tend(s, STORE_LOADED, &e), 0);
	assert_int_equal(s->now.indexed_to, 65536);
	log_tend(s, true);
	assert_int_equal(lag(s), 0);
	assert_int_equal(log_places(NULL), 2 * 69998);
	log_close(s);
}

/* Nor is a symbol that no writer could have made: an index that has it makes no sense, however often it is made anew. */
static void
test_long_symbol(void **state)
{
	struct store *s = log_open();
	struct err e;
	int64_t n = 0;

	(void)state;
	append_many(s, &n, 100);
	log_commit(s);
	assert_int_equal(log_spoil("UPDATE events SET symbol = printf('%.*c', 300, 'x') WHERE seq = 50"), 1);
	for (int i = 0; i < 2; i++) {
		log_due(s);
		log_tend(s, true);
		assert_false(s->index_is_bad);
		assert_int_equal(lag(s), 0);
		assert_int_equal(log_places(NULL), 99 + 100); /* by kind it is there */
		assert_int_equal(index_renew(s, &e), 0);
	}
	log_close(s);
}

/* Nor one that is called as a kind's places are: they would be taken for events of the kind. */
static void
test_symbol_of_a_kind(void **state)
{
	struct store *s = log_open();
	struct err e;
	int64_t n = 0;

	(void)state;
	append_many(s, &n, 100);
	log_commit(s);
	log_tend(s, true);
	assert_int_equal(log_spoil("UPDATE events SET symbol = 'kind 6' WHERE seq = 50"), 1);
	assert_int_equal(index_renew(s, &e), 0);
	log_tend(s, true);
	assert_int_equal(lag(s), 0);
	assert_int_equal(log_places(NULL), 99 + 100);
	assert_log("SELECT count(*) FROM by_symbol_open WHERE symbol = 'kind 6'", "0");
	log_close(s);
}

/* What was made from the log is made from it again; the log itself stays. */
static void
test_bad_bundle(void **state)
{
	static const char *const lies[] = {
		"UPDATE by_symbol_open SET places = x'01ff' WHERE symbol = 'S5'",
		"UPDATE by_symbol_open SET first = first + 1000000 WHERE symbol = 'S5'",
		"UPDATE by_symbol SET last = last - 1 WHERE symbol = 'S7' AND first < 997",
		"UPDATE by_symbol SET kinds = 4 WHERE symbol = 'S7' AND first < 997",
		"UPDATE by_symbol SET places = x'' WHERE symbol = 'S7' AND first < 997",
		"UPDATE by_symbol SET symbol = 'kind 6' WHERE symbol = 'S7' AND first < 997",
	};
	struct store *s = log_open();
	struct err e = { .code = ERR_NONE };
	int64_t n = 0;
	char epoch[EPOCH_SIZE];

	(void)state;
	memcpy(epoch, s->epoch, sizeof(epoch));
	append_batches(s, &n, 70000);
	log_tend(s, true);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		assert_int_equal(log_spoil(lies[i]), 1);
		append_many(s, &n, 1000);
		log_commit(s);
		for (int round = 0; round < 3 && !s->index_is_bad; round++) {
			s->swept_us = 0;
			store_tend(s, STORE_CALM, &e);
		}
		assert_true(s->index_is_bad);
		assert_false(s->damaged);
		/* In pieces. */
		assert_int_equal(store_tend(s, STORE_LOADED, &e), 0);
		assert_int_equal(s->now.indexed_to, 65536);
		log_tend(s, true);
		assert_int_equal(lag(s), 0);
		log_check();
	}
	/* Met at the end, it is mended at the next. */
	assert_int_equal(log_spoil(lies[0]), 1);
	append_many(s, &n, 1000);
	log_commit(s);
	assert_int_equal(store_close(s, &e), -1);
	s = log_open();
	store_tend(s, STORE_CALM, &e);
	log_tend(s, true);
	assert_string_equal(s->epoch, epoch);
	log_check();
	log_close(s);
}

/* Appends until store_tend() copies the WAL at that load: how many pages it had when that was called. Never is it copied while messages wait. */
static int
pages_copied(struct store *s, int64_t *n, enum store_load load)
{
	struct err e;
	int before;

	s->copied_us = 0;
	do {
		append_many(s, n, 1000);
		log_commit(s);
		before = s->wal_pages;
		assert_int_equal(store_tend(s, STORE_LOADED, &e), 0);
		assert_true(s->wal_pages >= before);
		before = s->wal_pages;
		assert_int_equal(store_tend(s, load, &e), 0);
	} while (s->wal_pages > 0);
	return before;
}

/* However long many messages come, the WAL is copied in small pieces while none waits. */
static void
test_wal_when_busy(void **state)
{
	/* A turn may write index and tallies first, when they are due by the clock; and it comes after every thousandth event. */
	const int most = (16 << 20) / DB_PAGE_BYTES, turn = (1 << 20) / DB_PAGE_BYTES;
	struct store *s = log_open();
	int64_t n = 0;
	int pages;

	(void)state;
	pages = pages_copied(s, &n, STORE_BUSY);
	assert_in_range(pages, most - turn, most + turn);
	/* In smaller ones still where few come: whoever waits for the next waits for the copying. */
	pages = pages_copied(s, &n, STORE_STEADY);
	assert_in_range(pages, most / 4 - turn, most / 4 + turn);
	log_close(s);
	log_check();
}

/* One event of each of so many symbols, which is more than is put off. */
static void
append_each(struct store *s, int symbols)
{
	char symbol[16];

	for (int i = 0; i < symbols; i++) {
		struct event ev;

		snprintf(symbol, sizeof(symbol), "T%d", i);
		ev = log_event_of(KIND_PATTERN, symbol, "a", i);
		log_append(s, &ev);
	}
	log_commit(s);
	assert_int_equal(lag(s), 0);
}

/* Many symbols that occur once: what is swept for them is spread over the runs that follow. */
static void
test_sweep_is_spread(void **state)
{
	struct store *s = log_open();
	int64_t owed;
	int runs = 0;

	(void)state;
	append_each(s, 25000);
	/* A row for each symbol, and those of the kind. */
	assert_int_equal(s->now.sweep_owed, (25000 + 391) * SWEEP_A_ROW - SWEEP_A_RUN);
	assert_log("SELECT count(*) FROM by_symbol_open", "25001");
	/* Once more: they have a row, and only the kind's grow in number. */
	owed = s->now.sweep_owed;
	append_each(s, 25000);
	assert_int_equal(s->now.sweep_owed, owed + 391 * SWEEP_A_ROW - SWEEP_A_RUN);
	for (int64_t n = 0; s->now.sweep_owed > 0; runs++) {
		append_many(s, &n, 1);
		log_commit(s);
		log_tend(s, true);
	}
	assert_in_range(runs, 10, 12);
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
		cmocka_unit_test(test_due),
		cmocka_unit_test_setup_teardown(test_large_batch, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_rolled_back, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_noted, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_noted_too_many, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_noted_random, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_killed, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_unknown_kind, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_long_symbol, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_symbol_of_a_kind, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_bad_bundle, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_wal_when_busy, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_sweep_is_spread, log_setup, log_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_recover - full disks, damage, foreign and copied files, leases: nothing that was committed is lost, nothing is told twice. */
#include "written_log.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "store/reader.h"

static int64_t
append_one(struct store *s, const char *channel, int64_t time_ms)
{
	struct event ev = log_event_of(KIND_PATTERN, "AAPL", channel, time_ms);

	return log_append(s, &ev);
}

static int
count_files(const char *pattern)
{
	char command[200];
	FILE *p;
	int n = -1;

	snprintf(command, sizeof(command), "ls %s | grep -c '%s'", log_dir, pattern);
	p = popen(command, "r");
	assert_non_null(p);
	assert_int_equal(fscanf(p, "%d", &n), 1);
	pclose(p);
	return n;
}

/* ---- no room ---- */

/* Feeds a batch of `n` that depends on *seed alone. */
static int
try_batch(struct store *s, int n, struct err *e)
{
	for (int i = 0; i < n; i++) {
		struct event ev =
		    log_event_of(i % 2 == 0 ? KIND_PATTERN : KIND_ALERT, "AAPL", i % 3 == 0 ? "a" : "b", i / 3);
		char filler[300];

		memset(filler, 'x', sizeof(filler));
		ev.lead = (struct text){ filler, sizeof(filler) };
		if (store_append(s, &ev, NULL, e) != 0) {
			store_rollback(s);
			return -1;
		}
	}
	return store_commit(s, clock_real_us(), e);
}

static void
set_pages(struct store *s, int64_t more)
{
	char sql[60];

	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld",
	    (long long)(more == 0 ? 1000000 : log_number("PRAGMA main.page_count") + more));
	assert_int_equal(sqlite3_exec(s->db.conn, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* Nothing of the batch is there, in the file or in memory. */
static void
check_untouched(struct store *s, const struct standing *before)
{
	assert_memory_equal(&s->now, before, sizeof(*before));
	assert_memory_equal(&s->kept, before, sizeof(*before));
	assert_false(s->in_batch);
	assert_false(s->damaged);
	log_check();
	assert_int_equal(log_number("SELECT next_seq FROM log"), before->next_seq);
}

static void
test_pages_run_out(void **state)
{
	struct store *s = log_open();
	struct err e = { .code = ERR_NONE };
	struct standing before;

	(void)state;
	assert_int_equal(try_batch(s, 10, &e), 0);
	before = s->kept;
	set_pages(s, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(try_batch(s, 500, &e), -1);
		assert_int_equal(e.code, ERR_FULL);
		check_untouched(s, &before);
	}
	/* A smaller one still fits: nothing is stuck. */
	set_pages(s, 0);
	assert_int_equal(try_batch(s, 500, &e), 0);
	assert_int_equal(s->kept.next_seq, 511);
	/* What it was a duplicate of before the trouble it still is. */
	log_close(s);
	log_check();
	assert_log("SELECT count(*) || ' ' || min(seq) || ' ' || max(seq) FROM events", "510 1 510");
	assert_log("SELECT sum(duplicate_of <> 0) FROM events WHERE seq > 10", "83");
}

/* The batch itself went well, and then there is no room to tend. */
static void
test_tend_runs_out(void **state)
{
	struct store *s = log_open();
	struct err e = { .code = ERR_NONE };
	char symbol[16];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct event ev;

		snprintf(symbol, sizeof(symbol), "S%d", i);
		ev = log_event_of(KIND_PATTERN, symbol, "a", 1);
		log_append(s, &ev);
	}
	log_commit(s);
	set_pages(s, 1);
	assert_int_equal(store_tend(s, STORE_CALM, &e), -1);
	assert_int_equal(e.code, ERR_FULL);
	log_check();
	assert_log("SELECT indexed_to || ' ' || tallied_to FROM log", "0 0");
	set_pages(s, 0);
	log_tend(s, true);
	log_close(s);
	log_check();
	assert_log("SELECT indexed_to || ' ' || tallied_to FROM log", "3000 3000");
}

static void
limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
write_without_room(int ready)
{
	struct store *s = log_open();
	struct err e = { .code = ERR_NONE };
	struct standing before;

	(void)ready;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(try_batch(s, 10, &e), 0);
	before = s->kept;
	limit_files(200000);
	assert_int_equal(try_batch(s, 3000, &e), -1);
	assert_int_equal(e.code, ERR_FULL);
	assert_int_equal(try_batch(s, 3000, &e), -1);
	limit_files(RLIM_INFINITY);
	check_untouched(s, &before);
	assert_int_equal(try_batch(s, 3000, &e), 0);
	assert_int_equal(s->kept.next_seq, 3011);
	log_close(s);
}

static void
test_disk_full(void **state)
{
	(void)state;
	log_in_child(write_without_room, false);
	log_check();
	assert_log("SELECT count(*) FROM events", "3010");
}

static void
open_without_room(int ready)
{
	struct store_opts opts = { .dir = log_dir };
	struct err e = { .code = ERR_NONE };

	(void)ready;
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t bytes = 0; bytes <= 40960; bytes += 4096) {
		limit_files(bytes);
		if (store_open(&opts, &e) != NULL)
			_exit(0);
		if (e.code != ERR_FULL)
			fprintf(stderr, "%lu bytes: %s\n", (unsigned long)bytes, e.text);
		assert_int_equal(e.code, ERR_FULL);
	}
}

/* Neither a new log nor an old one, clean or not, is taken for damaged because there is no room to open it. */
static void
test_full_at_start(void **state)
{
	char epoch[16], again[16];
	struct store *s;

	(void)state;
	log_in_child(open_without_room, false);
	assert_int_equal(count_files("damaged"), 0);
	s = log_open();
	append_one(s, "a", 1);
	log_commit(s);
	log_ask("SELECT epoch FROM log", epoch, sizeof(epoch));
	for (int i = 0; i < 2; i++) {
		int64_t committed_us = s->kept.committed_us;

		log_close(s);
		if (i == 1)
			assert_log("UPDATE log SET clean = 0", "");
		log_in_child(open_without_room, false);
		assert_int_equal(count_files("damaged"), 0);
		s = log_open();
		log_ask("SELECT epoch FROM log", again, sizeof(again));
		assert_string_equal(again, epoch);
		/* The gap begins where the last run ended, not at one of the tries. */
		assert_true(log_number("SELECT min(gap_from_us) FROM events WHERE kind = 6") <= committed_us);
		log_check();
	}
	assert_log("SELECT kind FROM events WHERE seq = 1", "0");
	log_close(s);
	log_check();
}

/* ---- damage ---- */

/* In a process of its own: closing a descriptor on the database drops the locks that its process has. */
static void
overwrite(int ready)
{
	char path[100], junk[4096];
	int fd;
	off_t size;

	(void)ready;
	memset(junk, 0xa5, sizeof(junk));
	snprintf(path, sizeof(path), "%s/%s", log_dir, DB_FILE);
	fd = open(path, O_RDWR);
	size = lseek(fd, 0, SEEK_END);
	for (off_t at = DB_PAGE_BYTES; at < size; at += 4096)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at), (ssize_t)sizeof(junk));
}

/* Everything is in the database file, and that is junk; the writer has what it had in memory. */
static void
overwrite_file(struct store *s)
{
	assert_int_equal(
	    sqlite3_wal_checkpoint_v2(s->db.conn, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL), SQLITE_OK);
	log_in_child(overwrite, false);
}

/* The same, and nothing of it is in memory. */
static void
damage(struct store *s)
{
	overwrite_file(s);
	sqlite3_db_release_memory(s->db.conn);
}

/* Listens for doubts, though a second has not passed. */
static void
hear(struct store *s)
{
	s->heard_us = 0;
	log_tend(s, true);
}

static void
test_damaged_in_batch(void **state)
{
	struct store *s = log_open();
	struct err e = { .code = ERR_NONE };
	char epoch[16];

	(void)state;
	assert_int_equal(try_batch(s, 2000, &e), 0);
	append_one(s, "a", 123456);
	log_commit(s);
	memcpy(epoch, s->epoch, sizeof(epoch));
	damage(s);
	assert_int_equal(try_batch(s, 10, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	/* The same batch, again: a new log takes it, and knows nothing of the old one. */
	assert_int_equal(try_batch(s, 10, &e), 0);
	assert_string_not_equal(s->epoch, epoch);
	assert_int_equal(count_files("db.damaged-[0-9]*$"), 1);
	append_one(s, "b", 123456);
	log_commit(s);
	log_tend(s, true);
	log_close(s);
	log_check();
	assert_log("SELECT count(*) || ' ' || min(seq) || ' ' || max(seq) FROM events", "11 1 11");
	assert_log("SELECT duplicate_of FROM events WHERE seq = 11", "0");
}

/* Nobody sends anything: readers get a log that can be read nevertheless. */
static void
test_damaged_in_calm(void **state)
{
	struct store *s = log_open();
	struct err e = { .code = ERR_NONE };
	char epoch[16];

	(void)state;
	assert_int_equal(try_batch(s, 2000, &e), 0);
	memcpy(epoch, s->epoch, sizeof(epoch));
	damage(s);
	log_due(s);
	assert_int_equal(store_tend(s, STORE_CALM, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_int_equal(store_tend(s, STORE_CALM, &e), 0);
	assert_string_not_equal(s->epoch, epoch);
	assert_int_equal(count_files("db.damaged-[0-9]*$"), 1);
	log_tend(s, true);
	log_check();
	log_close(s);
}

#define BELL_PATH_MAX 100

/* The log, and its bell at the path that is written to `bell`. */
static struct store *
open_with_bell(char bell[BELL_PATH_MAX])
{
	struct store_opts opts = { .bell_path = bell };

	snprintf(bell, BELL_PATH_MAX, "%s/%s", log_dir, BELL_FILE);
	return log_open_with(opts);
}

/* Damage that the writer's cache hides from it: a reader meets it and says so. */
static void
test_damaged_for_readers(void **state)
{
	struct err e = { .code = ERR_NONE };
	struct reader *r;
	struct snapshot snap;
	struct store *s;
	char bell[BELL_PATH_MAX], epoch[16];

	(void)state;
	s = open_with_bell(bell);
	assert_int_equal(try_batch(s, 2000, &e), 0);
	memcpy(epoch, s->epoch, sizeof(epoch));
	assert_non_null(r = reader_new(log_dir, &e));
	reader_set_bell(r, bell);
	/* A doubt without a reason costs a check, and the next one is not listened to for a while. */
	bell_doubt(bell);
	hear(s);
	assert_true(s->checked_us > 0);
	assert_string_equal(s->epoch, epoch);
	overwrite_file(s);
	assert_int_equal(read_begin(r, &snap, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	hear(s);
	assert_string_equal(s->epoch, epoch);
	s->checked_us = r->doubted_us = 0;
	assert_int_equal(read_begin(r, &snap, &e), -1);
	/* Not twice within a second. */
	assert_int_equal(read_begin(r, &snap, &e), -1);
	hear(s);
	assert_string_not_equal(s->epoch, epoch);
	assert_int_equal(count_files("db.damaged-[0-9]*$"), 1);
	assert_false(bell_doubted(s->bell));
	assert_int_equal(read_begin(r, &snap, &e), 0);
	assert_string_equal(snap.epoch, s->epoch);
	read_end(r);
	reader_free(r);
	log_close(s);
	log_check();
}

/* A row of the index that only a reader meets: the writer looks through all of them, and makes the index anew. */
static void
test_bad_bundle_for_readers(void **state)
{
	static const struct text symbols[] = { TEXT_INIT("A") };
	struct filter f = FILTER_INIT;
	struct list_query q = { .filter = &f, .order = LIST_NEWEST_FIRST, .limit = 10 };
	struct err e = { .code = ERR_NONE };
	struct list_result result;
	struct snapshot snap;
	struct reader *r;
	struct store *s;
	char bell[BELL_PATH_MAX], epoch[16];

	(void)state;
	s = open_with_bell(bell);
	append_one(s, "a", 1);
	log_commit(s);
	log_tend(s, true);
	memcpy(epoch, s->epoch, sizeof(epoch));
	assert_int_equal(sqlite3_exec(s->db.conn,
			     "UPDATE by_symbol_open SET places = x'ff', symbol = 'A' WHERE symbol NOT LIKE 'kind%'",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_changes(s->db.conn), 1);
	assert_non_null(r = reader_new(log_dir, &e));
	reader_set_bell(r, bell);
	assert_int_equal(read_begin(r, &snap, &e), 0);
	f.symbols = (struct text_set){ symbols, 1 };
	q.bound = snap.head + 1;
	assert_int_equal(read_list(r, &snap, &q, NULL, NULL, &result, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	read_end(r);
	hear(s);
	log_check();
	assert_string_equal(s->epoch, epoch);
	assert_int_equal(count_files("db.damaged-[0-9]*$"), 0);
	reader_free(r);
	log_close(s);
}

static void
replace_without_room(int ready)
{
	struct store *s = log_open();
	struct err e = { .code = ERR_NONE };

	(void)ready;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(try_batch(s, 2000, &e), 0);
	damage(s);
	assert_int_equal(try_batch(s, 10, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	limit_files(8192);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(try_batch(s, 10, &e), -1);
		assert_int_equal(e.code, ERR_FULL);
		assert_int_equal(store_alive(s, clock_real_us(), &e), 0);
		assert_int_equal(store_tend(s, STORE_CALM, &e), -1);
	}
	limit_files(RLIM_INFINITY);
	assert_int_equal(try_batch(s, 10, &e), 0);
	log_close(s);
}

/* Damage on a full disk: what is moved aside is moved once. */
static void
test_damaged_and_full(void **state)
{
	(void)state;
	log_in_child(replace_without_room, false);
	assert_int_equal(count_files("db.damaged-[0-9]*$"), 1);
	log_check();
	assert_log("SELECT count(*) FROM events", "10");
}

/* ---- other files ---- */

static void
begin_with(const char *sql)
{
	struct store *s = log_open();
	char epoch[16], again[16];
	int was = count_files("db.damaged-[0-9]*$");

	append_one(s, "a", 1);
	log_commit(s);
	memcpy(epoch, s->epoch, sizeof(epoch));
	log_close(s);
	assert_log(sql, "");
	s = log_open();
	memcpy(again, s->epoch, sizeof(again));
	assert_string_not_equal(again, epoch);
	assert_int_equal(count_files("db.damaged-[0-9]*$"), was + 1);
	assert_int_equal(append_one(s, "a", 1), 1);
	log_commit(s);
	log_close(s);
	log_check();
}

static void
test_foreign(void **state)
{
	(void)state;
	begin_with("UPDATE log SET version = 99");
	begin_with("UPDATE log SET version = 0");
	begin_with("ALTER TABLE log RENAME COLUMN epoch TO era");
	begin_with("ALTER TABLE events RENAME TO others");
	begin_with("DELETE FROM kinds WHERE kind = 3");
	begin_with("UPDATE log SET epoch = 'short'");
	begin_with("UPDATE log SET next_seq = lease_to + 2");
}

static void
test_copied(void **state)
{
	struct store *s = log_open();
	char command[200], epoch[16];

	(void)state;
	append_one(s, "a", 1);
	append_one(s, "b", 1);
	log_commit(s);
	memcpy(epoch, s->epoch, sizeof(epoch));
	log_close(s);
	snprintf(command, sizeof(command), "cd %s && cp %s copy && mv copy %s", log_dir, DB_FILE, DB_FILE);
	assert_int_equal(system(command), 0);
	s = log_open();
	assert_string_not_equal(s->epoch, epoch);
	append_one(s, "c", 1);
	log_commit(s);
	log_close(s);
	log_check();
	assert_log(
	    "SELECT count(*) FROM events, log WHERE body NOT LIKE '{\"id\":\"' || epoch || '-' || seq || '\",%'", "0");
	assert_log("SELECT count(*) FROM events, log WHERE duplicate_of = 1"
		   " AND body LIKE '%\"duplicate_of\":\"' || epoch || '-1\"%'",
	    "2");
	/* Once: from now on it is ours. */
	log_ask("SELECT epoch FROM log", epoch, sizeof(epoch));
	s = log_open();
	assert_string_equal(s->epoch, epoch);
	log_close(s);
}

/* ---- what is known of the last run ---- */

static void
live_and_die(int ready)
{
	struct store *s = log_open();
	struct err e = { .code = ERR_NONE };

	append_one(s, "a", 1);
	assert_int_equal(store_commit(s, 1000, &e), 0);
	/* Not backwards, and not in a batch. */
	assert_int_equal(store_alive(s, 500, &e), 0);
	assert_int_equal(s->kept.committed_us, 1000);
	assert_int_equal(store_alive(s, 2000, &e), 0);
	append_one(s, "a", 2);
	assert_int_equal(store_alive(s, 3000, &e), 0);
	store_rollback(s);
	if (write(ready, "", 1) == 1)
		pause();
}

static void
test_alive(void **state)
{
	struct store *s;

	(void)state;
	log_in_child(live_and_die, true);
	assert_log("SELECT committed_us FROM log", "2000");
	s = log_open();
	log_close(s);
	assert_log("SELECT gap_from_us || ' ' || (SELECT count(*) FROM events) FROM events WHERE kind = 6"
		   " AND body LIKE '%\"subscriber_down\"%'",
	    "2000 2");
	log_check();
}

static int
try_many(struct store *s, int n, struct err *e)
{
	for (int i = 0; i < n; i++) {
		struct event ev = log_event_of(KIND_INDICATOR, "AAPL", "a", i);

		if (store_append(s, &ev, NULL, e) != 0) {
			store_rollback(s);
			return -1;
		}
	}
	return store_commit(s, clock_real_us(), e);
}

static void
test_over_the_lease(void **state)
{
	struct store *s = log_open();
	struct err e = { .code = ERR_NONE };
	int tries = 0;

	(void)state;
	while (try_many(s, 150000, &e) != 0) {
		assert_int_equal(e.code, ERR_BUSY);
		assert_true(++tries <= 3);
	}
	/* It was refused, and then whole under one lease. */
	assert_true(tries > 0);
	assert_log("SELECT lease_to >= next_seq - 1 AND next_seq = 150001 FROM log", "1");
	assert_int_equal(s->lease_seqs, LEASE_SEQS);
	log_close(s);
	assert_log("SELECT count(*) || ' ' || max(seq) FROM events", "150000 150000");
}

/* How many seqs a lease has that is taken now. */
static int64_t
leased(struct store *s)
{
	struct err e;

	assert_int_equal(writer_take_lease(s, &e), 0);
	return s->lease_to - (s->now.next_seq - 1);
}

static void
test_leases_of_a_flood(void **state)
{
	struct store *s = log_open();

	(void)state;
	s->leased_us = 0; /* whatever opening took */
	for (int64_t want = LEASE_SEQS; want < LEASE_SEQS_MAX; want *= 2)
		assert_int_equal(leased(s), want);
	assert_int_equal(leased(s), LEASE_SEQS_MAX);
	assert_int_equal(leased(s), LEASE_SEQS_MAX);
	/* One that lasted is followed by the least again. */
	s->leased_us -= LEASE_SHORT_US;
	assert_int_equal(leased(s), LEASE_SEQS);
	assert_int_equal(leased(s), 2 * LEASE_SEQS);
	log_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pages_run_out, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_tend_runs_out, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_disk_full, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_full_at_start, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_damaged_in_batch, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_damaged_in_calm, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_damaged_for_readers, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_bad_bundle_for_readers, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_damaged_and_full, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_foreign, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_copied, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_alive, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_over_the_lease, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_leases_of_a_flood, log_setup, log_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

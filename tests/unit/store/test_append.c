/* test_append - the log on a real file: batches, rollback, duplicates, recovery, retention. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/append.h"
#include "store/bell.h"
#include "store/db.h"

static char dir[64];

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/tickgate-test-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct store *
open_store(int64_t cap)
{
	struct store_opts opts = { .dir = dir, .total = { .events = cap }, .dedup_kinds = KIND_BIT(KIND_PATTERN) };
	struct err e = { .code = ERR_NONE };
	struct store *s = store_open(&opts, &e);

	if (s == NULL)
		print_error("%s\n", e.text);
	assert_non_null(s);
	return s;
}

static struct event
pattern(const char *symbol, const char *channel, int64_t time_ms)
{
	struct event ev = EVENT_INIT;

	ev.kind = KIND_PATTERN;
	ev.symbol = text_of(symbol);
	ev.name = TEXT("doji");
	ev.timeframe = TEXT("1min");
	ev.channel = text_of(channel);
	ev.confidence = 85.5;
	ev.time_ms = time_ms;
	ev.received_us = clock_real_us();
	ev.lead = TEXT(",\"kind\":\"pattern\"");
	ev.rest = TEXT("");
	return ev;
}

static int64_t
append(struct store *s, const char *symbol, const char *channel, int64_t time_ms, int64_t *duplicate_of)
{
	struct event ev = pattern(symbol, channel, time_ms);
	struct err e = { .code = ERR_NONE };

	if (store_append(s, &ev, NULL, &e) != 0)
		fail_msg("%s", e.text);
	if (duplicate_of != NULL)
		*duplicate_of = ev.duplicate_of;
	return ev.seq;
}

static void
commit(struct store *s)
{
	struct err e = { .code = ERR_NONE };

	if (store_commit(s, clock_real_us(), &e) != 0)
		fail_msg("%s", e.text);
}

/* One number or text of the closed log, by a connection of its own. */
static void
ask(const char *sql, char *out, size_t size)
{
	char path[100];
	sqlite3 *conn;
	sqlite3_stmt *st;

	snprintf(path, sizeof(path), "%s/%s", dir, DB_FILE);
	assert_int_equal(sqlite3_open(path, &conn), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(conn, sql, -1, &st, NULL), SQLITE_OK);
	out[0] = '\0';
	if (sqlite3_step(st) == SQLITE_ROW)
		snprintf(out, size, "%s", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	sqlite3_close(conn);
}

#define assert_sql(sql, want) \
	do { \
		char got_[200]; \
		ask(sql, got_, sizeof(got_)); \
		assert_string_equal(got_, want); \
	} while (0)

/* By another connection, whether the log is open or not. */
static void
change(const char *sql)
{
	char path[100];
	sqlite3 *conn;

	snprintf(path, sizeof(path), "%s/%s", dir, DB_FILE);
	assert_int_equal(sqlite3_open(path, &conn), SQLITE_OK);
	assert_int_equal(sqlite3_exec(conn, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(conn);
}

/* A log of one event, closed. */
static void
leave_one_event(void)
{
	struct store *s = open_store(0);

	append(s, "AAPL", "a", 1, NULL);
	commit(s);
	assert_int_equal(store_close(s, NULL), 0);
}

/* The next ring, of which there is one; *bytes is for its rows. */
static struct text
heard(int fd, int64_t after, int64_t head)
{
	static char bytes[BELL_BYTES_MAX];
	struct bell_ring ring;
	struct text rows;

	assert_int_equal(bell_read(fd, &ring, bytes, &rows), 1);
	assert_int_equal(ring.after, after);
	assert_int_equal(ring.head, head);
	return rows;
}

/* What a small batch brought goes along with its ring, and nothing that was rolled back does. */
static void
test_news(void **state)
{
	static char large[NEWS_BYTES_MAX];
	char bell[100], want[64];
	struct store_opts opts = { .dir = dir, .bell_path = bell };
	struct event ev = pattern("BIG", "a", 5);
	struct err e = { .code = ERR_NONE };
	struct text rows, body;
	struct store *s;
	int fd;

	(void)state;
	snprintf(bell, sizeof(bell), "%s/bell", dir);
	s = store_open(&opts, &e);
	assert_non_null(s);
	fd = bell_connect(bell, &e);
	append(s, "GONE", "a", 1, NULL);
	store_rollback(s);
	append(s, "AAPL", "a", 1, NULL);
	append(s, "MSFT", "b", 2, NULL);
	commit(s);
	rows = heard(fd, 0, 2);
	for (int64_t seq = 1; seq <= 2; seq++) {
		assert_int_equal(news_next(&rows, &ev, &body), 1);
		assert_int_equal(ev.seq, seq);
		assert_true(text_eq(ev.symbol, seq == 1 ? TEXT("AAPL") : TEXT("MSFT")));
		snprintf(want, sizeof(want), "-%d\",\"kind\":\"pattern\"", (int)seq);
		assert_non_null(memmem(body.p, body.n, want, strlen(want)));
	}
	assert_int_equal(rows.n, 0);
	/* Too large a batch is read from the log; the next one is its own. */
	ev = pattern("BIG", "a", 5);
	memset(large, ' ', sizeof(large));
	ev.rest = (struct text){ large, sizeof(large) };
	append(s, "AAPL", "a", 3, NULL);
	assert_int_equal(store_append(s, &ev, NULL, &e), 0);
	append(s, "AAPL", "a", 4, NULL);
	commit(s);
	assert_null(heard(fd, 2, 5).p);
	append(s, "AAPL", "a", 6, NULL);
	commit(s);
	rows = heard(fd, 5, 6);
	assert_int_equal(news_next(&rows, &ev, &body), 1);
	assert_int_equal(ev.seq, 6);
	assert_int_equal(rows.n, 0);
	for (int i = 0; i < 1000; i++)
		append(s, "AAPL", "a", 7 + i, NULL);
	commit(s);
	assert_null(heard(fd, 6, 1006).p);
	/* Nor does the end of one whose beginning was written before: of some of these it is small. */
	for (int64_t n = 1000, head = 1006; n < 2400; head += n, n += 100) {
		for (int i = 0; i < n; i++)
			append(s, "AAPL", "a", head + i, NULL);
		commit(s);
		assert_null(heard(fd, head, head + n).p);
	}
	close(fd);
	assert_int_equal(store_close(s, NULL), 0);
}

static void
test_batch(void **state)
{
	struct store *s = open_store(0);

	(void)state;
	assert_int_equal(append(s, "AAPL", "a", 1, NULL), 1);
	assert_int_equal(append(s, "AAPL", "a", 2, NULL), 2);
	commit(s);
	assert_int_equal(store_close(s, NULL), 0);
	assert_sql("PRAGMA integrity_check", "ok");
	assert_sql("SELECT group_concat(next_seq || ' ' || indexed_to || ' ' || tallied_to || ' ' || clean) FROM log",
	    "3 2 2 1");
	assert_sql("SELECT patterns || ' ' || held || ' ' || last_seq FROM symbols WHERE symbol = 'AAPL'", "2 2 2");
	assert_sql("SELECT seq FROM latest WHERE symbol = 'AAPL' AND name = 'doji' AND timeframe = '1min'", "2");
	assert_sql("SELECT n FROM rollups WHERE span = 3600 AND facet = 3 AND key = '8'", "2");
	/* Two places of kind 0: no step from the first, then one of a single seq. */
	assert_sql("SELECT first || ' ' || hex(places) FROM by_symbol_open WHERE symbol = 'AAPL'", "1 0008");
	assert_sql("SELECT events || ' ' || newest FROM kinds WHERE kind = 0", "2 2");
}

static void
test_columns(void **state)
{
	struct event full = { .kind = KIND_ERROR,
		.symbol = TEXT("AAPL"),
		.name = TEXT("name"),
		.timeframe = TEXT("1h"),
		.confidence = 12.5,
		.value = -0.25,
		.severity = SEVERITY_CRITICAL,
		.component = TEXT("component"),
		.source = TEXT("source"),
		.channel = TEXT("channel"),
		.time_ms = 1234567890123,
		.time_source = TIME_RECEIVED,
		.received_us = 2000000000000000,
		.gap_from_us = 77,
		.lead = TEXT(",\"kind\":\"error\""),
		.rest = TEXT(",\"x\":\"\xc3\xa4\"") };
	struct event bare = EVENT_INIT;
	struct store *s = open_store(0);
	char want[300];

	(void)state;
	bare.received_us = 2000000000000001;
	assert_int_equal(store_append(s, &full, NULL, NULL), 0);
	assert_int_equal(store_append(s, &bare, NULL, NULL), 0);
	commit(s);
	assert_int_equal(store_close(s, NULL), 0);
	snprintf(want, sizeof(want),
	    "1|%d|AAPL|name|1h|12.5|-0.25|%d|component|source|channel|1234567890123|%d|2000000000000000|77|0",
	    (int)KIND_ERROR, (int)SEVERITY_CRITICAL, (int)TIME_RECEIVED);
	assert_sql("SELECT seq || '|' || kind || '|' || symbol || '|' || name || '|' || timeframe || '|' || confidence "
		   "|| '|' || value || '|' || "
		   "severity || '|' || component || '|' || source || '|' || channel || '|' || time_ms || '|' || "
		   "time_source || '|' || received_us "
		   "|| '|' || gap_from_us || '|' || duplicate_of FROM events WHERE seq = 1",
	    want);
	assert_sql("SELECT substr(body, -9) FROM events WHERE seq = 1", ",\"x\":\"\xc3\xa4\"}");
	/* What an event does not have is NULL. */
	assert_sql("SELECT (symbol IS NULL) + (name IS NULL) + (timeframe IS NULL) + (confidence IS NULL) + (value IS "
		   "NULL) + (component IS "
		   "NULL) + (source IS NULL) + (channel IS NULL) FROM events WHERE seq = 2",
	    "8");
}

/* More than is written at once, in one batch: all of it or nothing. */
static void
test_large_batch(void **state)
{
	static char rest[2000];
	struct store *s = open_store(0);
	struct event ev;

	(void)state;
	memset(rest, ' ', sizeof(rest));
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++) {
			ev = pattern(i % 2 == 0 ? "AAPL" : "MSFT", "a", i);
			ev.rest = (struct text){ rest, sizeof(rest) };
			assert_int_equal(store_append(s, &ev, NULL, NULL), 0);
		}
		if (round == 0)
			store_rollback(s);
	}
	assert_int_equal(ev.seq, 1000);
	commit(s);
	append(s, "AAPL", "a", 5000, NULL);
	commit(s);
	assert_int_equal(store_close(s, NULL), 0);
	assert_sql("PRAGMA integrity_check", "ok");
	assert_sql(
	    "SELECT count(*) || ' ' || min(seq) || ' ' || max(seq) || ' ' || count(DISTINCT time_ms) FROM events",
	    "1001 1 1001 1001");
	assert_sql(
	    "SELECT count(*) FROM events WHERE seq <= 1000 AND (seq <> time_ms + 1 OR length(body) < 2000)", "0");
	assert_sql("SELECT group_concat(symbol || ' ' || patterns) FROM symbols", "AAPL 501,MSFT 500");
}

/* A row that the table refuses, or rows that it does not get, fail their batch, whole, and that may be fed again. */
static void
test_refused_row(void **state)
{
	static const struct {
		const char *begin, *end, *why;
	} reasons[] = {
		{ "CREATE TRIGGER no BEFORE INSERT ON events WHEN new.seq = 3 BEGIN SELECT RAISE(ABORT, 'not this "
		  "one'); END",
		    "DROP TRIGGER no", "events_insert: not this one (1811)" },
		{ "INSERT INTO events SELECT 3, kind, symbol, name, timeframe, confidence, value, severity, component, "
		  "source, channel, "
		  "time_ms, time_source, received_us, gap_from_us, duplicate_of, body FROM events WHERE seq = 1",
		    "DELETE FROM events WHERE seq = 3", "events_insert: UNIQUE constraint failed: events.seq (1555)" },
		{ "CREATE TABLE new_events (given, seq, kind, symbol, name, timeframe, confidence, value, severity, "
		  "component, source, "
		  "channel, time_ms, time_source, received_us, gap_from_us, duplicate_of, body)",
		    "DROP TABLE new_events", "events_insert: it did not take what it was given" },
	};
	struct store *s = open_store(0);

	(void)state;
	append(s, "AAPL", "a", 1, NULL);
	commit(s);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		struct err e = { .code = ERR_NONE };

		change(reasons[i].begin);
		for (int n = 2; n <= 4; n++)
			append(s, "AAPL", "a", n, NULL);
		assert_int_equal(store_commit(s, clock_real_us(), &e), -1);
		assert_string_equal(e.text, reasons[i].why);
		change(reasons[i].end);
	}
	for (int n = 2; n <= 4; n++)
		assert_int_equal(append(s, "AAPL", "a", n, NULL), n);
	commit(s);
	assert_int_equal(store_close(s, NULL), 0);
	assert_sql("SELECT count(*) || ' ' || max(seq) FROM events", "4 4");
	assert_sql("SELECT patterns FROM symbols", "4");
}

static void
test_rollback_forgets(void **state)
{
	struct store *s = open_store(0);
	int64_t duplicate_of;

	(void)state;
	append(s, "AAPL", "a", 1, NULL);
	commit(s);
	append(s, "AAPL", "b", 1, &duplicate_of);
	assert_int_equal(duplicate_of, 1);
	append(s, "MSFT", "a", 1, NULL);
	store_rollback(s);
	/* Fed again it becomes what it was, under the same seq. */
	assert_int_equal(append(s, "AAPL", "b", 1, &duplicate_of), 2);
	assert_int_equal(duplicate_of, 1);
	append(s, "MSFT", "b", 1, &duplicate_of);
	assert_int_equal(duplicate_of, 0);
	/* A channel already seen: a new event, and the key starts afresh. */
	assert_int_equal(append(s, "AAPL", "a", 1, &duplicate_of), 4);
	assert_int_equal(duplicate_of, 0);
	append(s, "AAPL", "b", 1, &duplicate_of);
	assert_int_equal(duplicate_of, 4);
	commit(s);
	assert_int_equal(store_close(s, NULL), 0);
	assert_sql("SELECT patterns || ' ' || held FROM symbols WHERE symbol = 'AAPL'", "2 4");
	assert_sql("SELECT count(*) FROM events", "5");
}

static void
test_duplicates_after_start(void **state)
{
	struct store *s;
	int64_t duplicate_of;

	(void)state;
	leave_one_event();
	s = open_store(0);
	append(s, "AAPL", "b", 1, &duplicate_of);
	assert_int_equal(duplicate_of, 1);
	commit(s);
	assert_int_equal(store_close(s, NULL), 0);
	assert_sql("SELECT count(*) FROM events WHERE kind = 6 AND body LIKE '%subscriber_down%'", "1");
}

/* However far a power loss in a flood has had the log leap. */
static void
test_duplicates_behind_a_leap(void **state)
{
	struct store *s;
	int64_t duplicate_of;

	(void)state;
	leave_one_event();
	change("UPDATE log SET clean = 0, boot_id = 'another', lease_to = 1048576");
	s = open_store(0);
	assert_true(append(s, "AAPL", "b", 1, &duplicate_of) > 1048576);
	assert_int_equal(duplicate_of, 1);
	commit(s);
	assert_int_equal(store_close(s, NULL), 0);
}

static void
append_for_ever(int ready)
{
	struct store *s = open_store(0);

	for (int64_t i = 0;; i++) {
		append(s, i % 2 == 0 ? "AAPL" : "MSFT", "a", i, NULL);
		if (i % 50 == 49)
			commit(s);
		if (i == 5000 && write(ready, "", 1) != 1)
			_exit(1);
	}
}

static void
test_killed(void **state)
{
	struct store_stats stats;
	struct store *s;
	int pipes[2];
	pid_t child;
	char c;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		append_for_ever(pipes[1]);
	assert_int_equal(read(pipes[0], &c, 1), 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(pipes[0]);
	close(pipes[1]);
	s = open_store(0);
	store_stats(s, &stats);
	/* No hole and no loss: what was committed, and the gap of the start. */
	assert_int_equal(stats.events, stats.head);
	assert_true(stats.head > 5000);
	assert_int_equal(store_close(s, NULL), 0);
	assert_sql("PRAGMA integrity_check", "ok");
	assert_sql("SELECT sum(held) = (SELECT count(*) FROM events WHERE symbol IS NOT NULL) FROM symbols", "1");
	assert_sql(
	    "SELECT sum(n) = (SELECT count(*) FROM events WHERE kind = 0) FROM rollups WHERE span = 60 AND facet = 0",
	    "1");
}

static void
test_power_loss(void **state)
{
	struct store *s;

	(void)state;
	leave_one_event();
	change("UPDATE log SET clean = 0, boot_id = 'another'");
	s = open_store(0);
	/* Behind the lease, after the two gaps. */
	assert_int_equal(append(s, "AAPL", "a", 2, NULL), 65536 + 3);
	commit(s);
	assert_int_equal(store_close(s, NULL), 0);
	assert_sql("SELECT count(*) FROM events WHERE kind = 6 AND body LIKE '%\"crash\"%'", "1");
}

static void
test_damaged(void **state)
{
	struct store *s = open_store(0);
	struct store_stats before, after;
	char path[100], command[200];
	FILE *f;

	(void)state;
	store_stats(s, &before);
	assert_int_equal(store_close(s, NULL), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, DB_FILE);
	/* The WAL still has every page and would heal it. */
	snprintf(command, sizeof(command), "%s-wal", path);
	assert_int_equal(truncate(command, 0), 0);
	f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < 1000; i++)
		fputs("this is no database ", f);
	fclose(f);
	s = open_store(0);
	store_stats(s, &after);
	assert_string_not_equal(before.epoch, after.epoch);
	append(s, "AAPL", "a", 1, NULL);
	commit(s);
	assert_int_equal(store_close(s, NULL), 0);
	assert_sql("PRAGMA integrity_check", "ok");
	snprintf(command, sizeof(command), "ls %s.damaged-* >/dev/null", path);
	assert_int_equal(system(command), 0);
}

static void
test_copied(void **state)
{
	struct store *s = open_store(0);
	struct store_stats before, after;
	char command[300];

	(void)state;
	append(s, "AAPL", "a", 1, NULL);
	commit(s);
	store_stats(s, &before);
	assert_int_equal(store_close(s, NULL), 0);
	snprintf(command, sizeof(command), "cd %s && cp %s copy && mv copy %s", dir, DB_FILE, DB_FILE);
	assert_int_equal(system(command), 0);
	s = open_store(0);
	store_stats(s, &after);
	assert_string_not_equal(before.epoch, after.epoch);
	assert_int_equal(store_close(s, NULL), 0);
	assert_sql("SELECT body LIKE '{\"id\":\"' || epoch || '-1\"%' FROM log, events WHERE seq = 1", "1");
}

static void
test_held_by_another(void **state)
{
	struct store_opts opts = { .dir = dir };
	struct store *s = open_store(0);
	struct err e = { .code = ERR_NONE };

	(void)state;
	assert_null(store_open(&opts, &e));
	assert_int_equal(e.code, ERR_BUSY);
	assert_int_equal(store_close(s, NULL), 0);
}

static void
test_retention(void **state)
{
	struct store *s = open_store(100);
	struct store_stats stats;
	char symbol[16];
	int rc;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(symbol, sizeof(symbol), "S%d", i % 500);
		append(s, symbol, "a", i, NULL);
	}
	commit(s);
	while ((rc = store_tend(s, STORE_CALM, NULL)) == 1)
		;
	assert_int_equal(rc, 0);
	store_stats(s, &stats);
	assert_int_equal(stats.events, 100);
	assert_int_equal(store_close(s, NULL), 0);
	assert_sql("PRAGMA integrity_check", "ok");
	assert_sql("SELECT count(*) || ' ' || min(seq) || ' ' || max(seq) FROM events", "100 2901 3000");
	assert_sql(
	    "SELECT trimmed_to || ' ' || (bytes = (SELECT sum(length(body)) FROM events)) FROM kinds WHERE kind = 0",
	    "2900 1");
	assert_sql("SELECT count(*) || ' ' || min(held) || ' ' || max(patterns) FROM symbols", "100 1 1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_news, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_columns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rollback_forgets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_duplicates_after_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_duplicates_behind_a_leap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_power_loss, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copied, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held_by_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retention, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

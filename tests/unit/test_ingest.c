/* test_ingest - the store thread on a disk that is full, at the start or under way. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "ingest.h"
#include "store/db.h"

#define WAIT_MS 20000 /* for what takes a second or two */

static char dir[64];
static int pipes[2]; /* a byte for every change */

static const struct subscription_row rows[] = { { .channel = "c", .kind = KIND_PATTERN } };

static int
setup(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	strcpy(dir, "/tmp/tickgate-test-XXXXXX");
	return mkdtemp(dir) == NULL || pipe(pipes) != 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	char command[100];

	(void)state;
	close(pipes[0]);
	close(pipes[1]);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
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
changed(void *arg)
{
	(void)arg;
	if (write(pipes[1], "", 1) != 1)
		abort();
}

static bool
listening(void *arg)
{
	(void)arg;
	return true;
}

static void
await_change(struct ingest *in, struct ingest_stats *stats)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };
	char c;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(read(pipes[0], &c, 1), 1);
	ingest_stats(in, stats);
}

static struct ingest *
start(struct queue *q, const struct store_opts *store)
{
	struct ingest_opts opts = { .queue = q,
		.rows = rows,
		.n_rows = 1,
		.store = store,
		.batch_max = 1000,
		.listening = listening,
		.changed = changed };
	struct err e = { .code = ERR_NONE };
	struct ingest *in = ingest_start(&opts, &e);

	assert_non_null(in);
	return in;
}

/* It says so once, keeps what comes, and stores that when room was made. */
static void
test_waits_for_room(void **state)
{
	static const struct item gap = { .type = ITEM_DISCONNECTED, .from_us = 1, .to_us = 2 };
	struct store_opts store = { .dir = dir };
	struct err e = { .code = ERR_NONE };
	struct queue *q = queue_new(1 << 20, &e);
	struct ingest_stats stats;
	struct ingest *in;

	(void)state;
	assert_non_null(q);
	limit_files(4096);
	in = start(q, &store);
	await_change(in, &stats);
	assert_false(stats.failed);
	assert_string_not_equal(stats.error, "");
	assert_true(queue_put(q, &gap));
	limit_files(RLIM_INFINITY);
	await_change(in, &stats);
	assert_false(stats.failed);
	assert_string_equal(stats.error, "");
	assert_string_not_equal(stats.store.epoch, "");
	queue_end(q);
	assert_int_equal(ingest_stop(in, 10000, &e), 0);
	ingest_free(in);
	queue_free(q);
	/* And it is there: a start after it adds the next one. */
	{
		struct store *s = store_open(&store, &e);
		struct store_stats log;

		assert_non_null(s);
		store_stats(s, &log);
		assert_int_equal(log.events, 2);
		assert_int_equal(store_close(s, NULL), 0);
	}
}

/* No room comes: it ends when its patience does. */
static void
test_gives_up(void **state)
{
	struct store_opts store = { .dir = dir };
	struct err e = { .code = ERR_NONE };
	struct queue *q = queue_new(1 << 20, &e);
	struct ingest_stats stats;
	struct ingest *in;
	int64_t from_us;

	(void)state;
	assert_non_null(q);
	limit_files(4096);
	in = start(q, &store);
	await_change(in, &stats);
	assert_string_not_equal(stats.error, "");
	queue_end(q);
	from_us = clock_mono_us();
	assert_int_equal(ingest_stop(in, 1, &e), -1);
	assert_int_equal(e.code, ERR_FULL);
	assert_true(clock_mono_us() - from_us < 5000000);
	limit_files(RLIM_INFINITY);
	ingest_free(in);
	queue_free(q);
}

/* Anything else than a full disk is told at once. */
static void
test_fails(void **state)
{
	struct store_opts store = { .dir = "/nowhere/at/all" };
	struct err e = { .code = ERR_NONE };
	struct queue *q = queue_new(1 << 20, &e);
	struct ingest_stats stats;
	struct ingest *in;

	(void)state;
	assert_non_null(q);
	in = start(q, &store);
	await_change(in, &stats);
	assert_true(stats.failed);
	queue_end(q);
	assert_int_equal(ingest_stop(in, 10000, &e), -1);
	ingest_free(in);
	queue_free(q);
}

/* A message on a channel without a name, which a pattern may bring, is not taken for one on a channel that is called as the pattern is. */
static void
test_channel_without_name(void **state)
{
	struct item item = { .type = ITEM_MESSAGE,
		.payload =
		    TEXT("{\"pattern_name\":\"doji\",\"symbol\":\"A\",\"timeframe\":\"1min\",\"confidence\":85.5}"),
		.received_us = clock_real_us() };
	struct store_opts store = { .dir = dir };
	struct err e = { .code = ERR_NONE };
	struct queue *q = queue_new(1 << 20, &e);
	struct ingest *in;
	sqlite3_stmt *st;
	sqlite3 *conn;
	char path[100];

	(void)state;
	assert_true(queue_put(q, &item));
	item.own_channel = true;
	assert_true(queue_put(q, &item));
	queue_end(q);
	in = start(q, &store);
	assert_int_equal(ingest_stop(in, 10000, &e), 0);
	ingest_free(in);
	queue_free(q);
	snprintf(path, sizeof(path), "%s/%s", dir, DB_FILE);
	assert_int_equal(sqlite3_open(path, &conn), SQLITE_OK);
	assert_int_equal(
	    sqlite3_prepare_v2(conn,
		"SELECT group_concat('<' || channel || '>') FROM events WHERE kind = 0 ORDER BY seq", -1, &st, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), "<>,<c>");
	sqlite3_finalize(st);
	sqlite3_close(conn);
}

/* Puts `n` messages of one event each, from number `from` on; every tenth is broken. */
static void
put_patterns(struct queue *q, int from, int n)
{
	char text[200];
	struct item item = { .type = ITEM_MESSAGE, .own_channel = true, .received_us = clock_real_us() };

	for (int i = from; i < from + n; i++) {
		item.payload = (struct text){ text,
			(size_t)snprintf(text, sizeof(text),
			    "{\"pattern_name\":\"p%d\",\"symbol\":\"A\",\"timeframe\":\"1min\",\"confidence\":85.5}",
			    i) };
		if (i % 10 == 9)
			item.payload.n--; /* its last brace */
		assert_true(queue_put(q, &item));
	}
}

/* One number of the log that `start` has made. */
static int64_t
ask_log(const char *sql)
{
	sqlite3_stmt *st;
	sqlite3 *conn;
	char path[100];
	int64_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, DB_FILE);
	assert_int_equal(sqlite3_open(path, &conn), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(conn, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(conn);
	return n;
}

/* Bytes a file: enough for a new log, not for the first thousand events. */
#define ROOM_TO_OPEN (256 << 10)

/*
 * While commits fail, what is decoded already waits with the rest; all of it is stored once there is room, each once and in order. The messages are there first: so
 * the first batch is a full one, and the next is decoded while it fails.
 */
static void
test_crowd_meets_full_disk(void **state)
{
	struct store_opts store = { .dir = dir };
	struct err e = { .code = ERR_NONE };
	struct queue *q = queue_new(4 << 20, &e);
	struct ingest_counts counts;
	struct ingest_stats stats;
	struct queue_stats left;
	struct ingest *in;

	(void)state;
	assert_non_null(q);
	put_patterns(q, 0, 5500);
	limit_files(ROOM_TO_OPEN);
	in = start(q, &store);
	do
		await_change(in, &stats);
	while (stats.error[0] == '\0');
	assert_string_not_equal(stats.store.epoch, "");
	assert_int_equal(stats.store.head, 0); /* the log is open, and empty */
	put_patterns(q, 5500, 1000);
	limit_files(RLIM_INFINITY);
	/* What was read behind the news of the opening may have been the failure, whose own news then comes now. */
	do
		await_change(in, &stats);
	while (stats.error[0] != '\0');
	queue_end(q);
	assert_int_equal(ingest_stop(in, 10000, &e), 0);
	ingest_row_counts(in, 0, &counts);
	assert_int_equal(counts.received, 6500);
	assert_int_equal(counts.accepted, 5850);
	assert_int_equal(counts.rejected[REJECT_INVALID_JSON], 650);
	assert_int_equal(counts.notes[NOTE_RECEIVED_TIME], 5850);
	queue_stats(q, &left);
	assert_int_equal(left.items, 0);
	ingest_free(in);
	queue_free(q);
	assert_int_equal(ask_log("SELECT count(*) FROM events WHERE kind = 0"), 5850);
	assert_int_equal(ask_log("SELECT count(DISTINCT name) FROM events WHERE kind = 0"), 5850);
	assert_int_equal(
	    ask_log("SELECT count(*) FROM (SELECT CAST(substr(name, 2) AS INTEGER) AS n, lag(CAST(substr(name, 2) AS "
		    "INTEGER)) OVER (ORDER BY seq) AS before FROM events WHERE kind = 0) WHERE n < before"),
	    0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_waits_for_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gives_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_channel_without_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crowd_meets_full_disk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

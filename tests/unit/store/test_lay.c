/* test_lay - the newest events of a symbol lie together, a list of them is the same as without, and no message waits for it. */
#include "base/buf.h"
#include "store/cluster.h"
#include "store/index.h"
#include "store/lay.h"
#include "store/read.h"
#include "store/sweep.h"
#include "written_log.h"

#define SYMBOLS 10

static struct text
padding(size_t n)
{
	static char text[8000];

	memset(text, 'x', sizeof(text));
	return (struct text){ text, n };
}

/* Symbols in turn; texts as long as usual, every 37th too long to be copied. Received so long ago. */
static void
append_since(struct store *s, int64_t *n, int count, int64_t ago_us)
{
	for (int i = 0; i < count; i++, ++*n) {
		char symbol[16];
		struct buf rest = { .p = NULL };
		struct event ev;

		snprintf(symbol, sizeof(symbol), "S%lld", (long long)(*n % SYMBOLS));
		ev = log_event_of((enum kind)(*n / SYMBOLS % 3), symbol, "a", *n);
		buf_add_str(&rest, ",\"x\":\"");
		buf_add_text(&rest, padding(*n % 37 == 0 ? 3000 : (size_t)(*n % 11) * 30));
		buf_add_char(&rest, '"');
		ev.rest = buf_text(&rest);
		ev.received_us -= ago_us;
		log_append(s, &ev);
		buf_fini(&rest);
	}
	log_commit(s);
}

/* In a market that is quiet now. */
static void
append_some(struct store *s, int64_t *n, int count)
{
	append_since(s, n, count, 10 * INT64_C(1000000));
}

/* One round more, from wherever it stands. */
static void
lay_all(struct store *s)
{
	log_tend(s, true);
	s->round.ended_us = clock_mono_us() - 3600 * INT64_C(1000000);
	log_tend(s, true);
	assert_false(lay_due(s));
}

static int
add_all(void *arg, const struct event *ev, struct text body)
{
	buf_printf(arg, "%lld %d %.*s %lld %lld %lld %lld ", (long long)ev->seq, ev->kind, TEXT_ARG(ev->symbol),
	    (long long)ev->time_ms, (long long)ev->received_us, (long long)ev->gap_from_us,
	    (long long)ev->duplicate_of);
	buf_add_text(arg, body);
	return 0;
}

/* What a list gives and what it took, with clusters (brief) or without. */
static int64_t
list_by(struct reader *r, struct list_query *q, bool brief, struct buf *out)
{
	struct list_result result;
	struct snapshot snap;
	struct err e;
	int64_t steps;

	assert_int_equal(read_begin(r, &snap, &e), 0);
	q->brief = brief;
	q->bound = q->bound == 0 ? snap.head + 1 : q->bound;
	read_steps(r);
	assert_int_equal(read_list(r, &snap, q, add_all, out, &result, &e), 0);
	steps = read_steps(r);
	buf_printf(out, "%d %lld %lld %d", result.delivered, (long long)result.examined, (long long)result.position,
	    result.has_more);
	read_end(r);
	return steps;
}

static int64_t
list(struct list_query *q, bool brief, struct buf *out)
{
	struct reader *r = reader_new(log_dir, NULL);
	int64_t steps;

	assert_non_null(r);
	steps = list_by(r, q, brief, out);
	reader_free(r);
	return steps;
}

/* Lists of all sorts are the same with clusters and without. */
static void
check_lists(void)
{
	static const unsigned kinds[] = { KINDS_DEFAULT, KIND_BIT(KIND_PATTERN), KIND_BIT(KIND_ALERT) };
	static const int limits[] = { 1, 3, 20, 50, 1000 };
	struct reader *r =
	    reader_new(log_dir, NULL); /* one for all, as in a worker: to open one takes longer than a list */

	assert_non_null(r);
	for (int i = 0; i < SYMBOLS * 3 * 5 * 2; i++) {
		char name[16];
		struct text symbol = { name, (size_t)snprintf(name, sizeof(name), "S%d", i % SYMBOLS) };
		struct filter f = FILTER_INIT;
		struct list_query q = { .filter = &f, .limit = limits[i / SYMBOLS / 3 % 5] };
		struct buf with = { .p = NULL }, without = { .p = NULL };

		f.kinds = kinds[i / SYMBOLS % 3];
		f.symbols = (struct text_set){ &symbol, 1 };
		q.bound = i / SYMBOLS / 15 == 0 ? 0 : log_number("SELECT next_seq - 77 FROM log");
		list_by(r, &q, true, &with);
		list_by(r, &q, false, &without);
		assert_string_equal(buf_cstr(&with), buf_cstr(&without));
		buf_fini(&with);
		buf_fini(&without);
	}
	reader_free(r);
}

/* Every cluster holds what the rows hold, or what retention has removed; and a symbol has not many. */
static void
check_clusters(struct store *s)
{
	sqlite3_stmt *st, *row;
	struct err e;

	assert_int_equal(lay_check(s, &e), 0);
	assert_int_equal(
	    sqlite3_prepare_v2(s->db.conn, "SELECT first, last, events, symbol FROM clusters", -1, &st, NULL),
	    SQLITE_OK);
	assert_int_equal(
	    sqlite3_prepare_v2(s->db.conn,
		"SELECT body, symbol, kind, time_ms, received_us, gap_from_us, duplicate_of FROM events WHERE seq = ?",
		-1, &row, NULL),
	    SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		struct clustered ev[CLUSTER_EVENTS];
		int n = cluster_unpack(db_column_blob(st, 2), sqlite3_column_int64(st, 0), ev);

		assert_true(n > 0);
		for (int i = 0; i < n; i++) {
			sqlite3_reset(row);
			sqlite3_bind_int64(row, 1, ev[i].seq);
			if (sqlite3_step(row) != SQLITE_ROW) {
				assert_true(ev[i].seq <= s->now.kinds[ev[i].kind].trimmed_to);
				continue;
			}
			assert_true(text_eq(db_column_text(row, 1), db_column_text(st, 3)));
			if (sqlite3_column_bytes(row, 0) > CLUSTER_BODY_MAX)
				assert_int_equal(ev[i].body.n, 0);
			else
				assert_true(text_eq(db_column_text(row, 0), ev[i].body));
			assert_int_equal(sqlite3_column_int(row, 2), ev[i].kind);
			assert_int_equal(sqlite3_column_int64(row, 3), ev[i].time_ms);
			assert_int_equal(sqlite3_column_int64(row, 4), ev[i].received_us);
			assert_int_equal(sqlite3_column_int64(row, 6), ev[i].duplicate_of);
		}
	}
	sqlite3_finalize(st);
	sqlite3_finalize(row);
	assert_log("SELECT count(*) FROM (SELECT count(*) AS n FROM main.clusters GROUP BY symbol) WHERE n > 9", "0");
}

static void
test_not_under_load(void **state)
{
	struct store *s = log_open();
	struct err e;
	int64_t n = 0;

	(void)state;
	append_some(s, &n, 3000);
	for (int i = 0; i < 5; i++) {
		store_tend(s, STORE_LOADED, &e);
		store_tend(s, STORE_BUSY, &e);
	}
	assert_log("SELECT count(*) FROM main.clusters", "0");
	/* But a piece with each run of the index while no message waits. */
	append_some(s, &n, 10);
	s->indexed_us = 0;
	store_tend(s, STORE_LOADED, &e);
	assert_log("SELECT count(*) FROM main.clusters", "0");
	append_some(s, &n, 10);
	s->indexed_us = 0;
	store_tend(s, STORE_BUSY, &e);
	assert_log("SELECT group_concat(DISTINCT symbol) FROM main.clusters", "S0");
	lay_all(s);
	assert_int_equal(log_number("SELECT count(DISTINCT symbol) FROM main.clusters"), SYMBOLS);
	check_clusters(s);
	log_close(s);
}

/* The newest hundred or so of each symbol, but for the few that fill no cluster yet; with few steps. */
static void
test_lists(void **state)
{
	struct store *s = log_open();
	struct text symbol = TEXT("S3");
	struct filter f = FILTER_INIT;
	struct list_query q = { .filter = &f, .limit = 50 };
	struct buf out = { .p = NULL };
	int64_t n = 0;

	(void)state;
	for (int i = 0; i < 40; i++) {
		append_some(s, &n, 7 + i * 5);
		lay_all(s);
		check_clusters(s);
		if (i % 8 == 7)
			check_lists();
	}
	assert_log("SELECT min(n) FROM (SELECT count(*) AS n FROM main.clusters GROUP BY symbol)", "9");
	assert_log("SELECT max(n) FROM (SELECT count(*) AS n FROM main.events AS e WHERE seq >"
		   " (SELECT max(last) FROM main.clusters AS c WHERE c.symbol = e.symbol) GROUP BY symbol) WHERE n > 3",
	    "NULL");
	f.kinds = KINDS_DEFAULT;
	f.symbols = (struct text_set){ &symbol, 1 };
	assert_true(list(&q, true, &out) < list(&q, false, &out) / 2);
	/* Clusters that are not there leave holes, and nothing relies on them. */
	assert_int_equal(
	    sqlite3_exec(s->db.conn, "DELETE FROM clusters WHERE first % 2 = 0", NULL, NULL, NULL), SQLITE_OK);
	assert_true(sqlite3_changes(s->db.conn) > 3);
	check_lists();
	buf_fini(&out);
	log_close(s);
}

/* While events come only full clusters are written, each once; what is left is laid when none come, and laid anew with what comes then. */
static void
test_fills(void **state)
{
	struct store *s = log_open();
	int64_t n = 0;

	(void)state;
	append_since(s, &n, SYMBOLS * 60, 0);
	s->now.last_received_us = clock_real_us() + 3600 * INT64_C(1000000); /* however long this takes */
	lay_all(s);
	check_clusters(s);
	assert_log("SELECT count(*) FROM main.clusters WHERE length(events) < 2240", "0");
	assert_log("SELECT count(*) > 10 FROM main.events AS e WHERE seq >"
		   " (SELECT max(last) FROM main.clusters AS c WHERE c.symbol = e.symbol)",
	    "1");
	s->now.last_received_us = clock_real_us() - 2 * INT64_C(1000000);
	lay_all(s);
	assert_log("SELECT max(n) < 4 FROM (SELECT count(*) AS n FROM main.events AS e WHERE seq >"
		   " (SELECT max(last) FROM main.clusters AS c WHERE c.symbol = e.symbol) GROUP BY symbol)",
	    "1");
	for (int i = 0; i < 10; i++) {
		append_some(s, &n, SYMBOLS * 4);
		lay_all(s);
	}
	check_clusters(s);
	check_lists();
	/* Of each symbol the last alone. */
	assert_log(
	    "SELECT max(n) <= 1 FROM (SELECT sum(length(events) < 2240) AS n FROM main.clusters GROUP BY symbol)", "1");
	log_close(s);
}

/* What retention has removed is in no list, though it is still in the clusters; and a symbol that is gone has none. */
static void
test_retention(void **state)
{
	struct retention total = { .events = 0 }, kind[KIND__MAX] = { { .events = 0 } };
	struct store *s = log_open();
	int64_t n = 0;

	(void)state;
	append_some(s, &n, 1000);
	lay_all(s);
	kind[KIND_INDICATOR].events = 40;
	store_set_retention(s, &total, kind);
	log_tend(s, true);
	assert_int_equal(s->now.kinds[KIND_INDICATOR].events, 40);
	check_clusters(s);
	check_lists();
	for (int i = 0; i < SYMBOLS; i++) {
		struct event ev = log_event_of(KIND_PATTERN, "NEW", "a", n++);

		ev.received_us -= 10 * INT64_C(1000000);
		log_append(s, &ev);
	}
	log_commit(s);
	lay_all(s);
	total.events = SYMBOLS;
	store_set_retention(s, &total, kind);
	log_tend(s, true);
	s->swept_us = 0;
	log_tend(s, true);
	assert_log("SELECT group_concat(DISTINCT symbol) FROM main.clusters", "NEW");
	log_close(s);
}

static void
spoil(const char *sql)
{
	assert_true(log_spoil(sql) > 0);
}

/* Clusters that make no sense are passed over by readers, and made anew by the writer once it is told. */
static void
test_bad_cluster(void **state)
{
	static const char *const lies[] = {
		"UPDATE clusters SET events = x''",
		"UPDATE clusters SET events = x'00ff'",
		"UPDATE clusters SET events = substr(events, 1, length(events) - 1) WHERE symbol = 'S3'",
		"UPDATE clusters SET events = CAST(events || x'00' AS BLOB) WHERE symbol = 'S1'",
		"UPDATE clusters SET events = zeroblob(1000000) WHERE symbol = 'S1'",
	};
	struct store *s = log_open();
	struct err e;
	int64_t n = 0, clusters;
	char epoch[EPOCH_SIZE];

	(void)state;
	memcpy(epoch, s->epoch, sizeof(epoch));
	append_some(s, &n, 1500);
	lay_all(s);
	clusters = log_number("SELECT count(*) FROM main.clusters");
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		spoil(lies[i]);
		check_lists();
		assert_int_equal(recover_check(s, &e), 0);
		assert_true(s->index_is_bad);
		log_tend(s, true);
		assert_false(s->damaged);
		lay_all(s);
		assert_int_equal(log_number("SELECT count(*) FROM main.clusters"), clusters);
		check_clusters(s);
		assert_string_equal(s->epoch, epoch);
	}
	log_check();
	log_close(s);
}

/* Of another symbol's, another seq's: readers find nothing in them that they look for. */
static void
test_wrong_place(void **state)
{
	struct store *s = log_open();
	int64_t n = 0;

	(void)state;
	append_some(s, &n, 1500);
	lay_all(s);
	spoil("UPDATE clusters SET symbol = 'S2' WHERE symbol = 'S3'");
	spoil("UPDATE clusters SET first = first - 1 WHERE symbol = 'S4'");
	spoil("UPDATE clusters SET first = -first WHERE symbol = 'S5'");
	check_lists();
	log_close(s);
}

/* In a log that began anew while it ran, whose seqs are smaller than those of the last round. */
static void
test_replaced(void **state)
{
	struct store *s = log_open();
	struct err e;
	int64_t n = 0;

	(void)state;
	append_some(s, &n, 2000);
	lay_all(s);
	assert_int_equal(recover_replace(s, &e), 0);
	append_some(s, &n, 1000);
	lay_all(s);
	assert_int_equal(log_number("SELECT count(DISTINCT symbol) FROM main.clusters"), SYMBOLS);
	check_clusters(s);
	log_close(s);
}

/* Indexed, but not laid yet. */
static void
index_alone(struct store *s)
{
	struct err e;

	s->indexed_us = 0;
	assert_int_equal(store_tend(s, STORE_LOADED, &e), 0);
	assert_int_equal(s->now.indexed_to, s->now.next_seq - 1);
}

/* An index that points at another symbol's events: none of them is laid. */
static void
test_wrong_index(void **state)
{
	struct store *s = log_open();
	int64_t n = 0;

	(void)state;
	append_some(s, &n, 1500);
	index_alone(s);
	spoil("UPDATE by_symbol_open SET first = first + 1 WHERE symbol = 'S1'");
	spoil("UPDATE by_symbol SET first = first + 1, last = last + 1 WHERE symbol = 'S6'");
	check_lists();
	lay_all(s);
	assert_true(log_number("SELECT count(*) FROM main.clusters WHERE symbol = 'S2'") > 0);
	check_clusters(s);
	check_lists();
	log_close(s);
}

/* What says of itself that it is laid up to where nothing is yet, or from where nothing was: the symbol is laid anew. */
static void
test_wrong_reach(void **state)
{
	static const char *const lies[] = {
		"UPDATE clusters SET last = 0x7fffffffffffffff WHERE symbol = 'S1'",
		"DELETE FROM clusters WHERE symbol = 'S1' AND first > (SELECT min(first) FROM clusters WHERE symbol = "
		"'S1');"
		"UPDATE clusters SET first = -0x7fffffffffffffff - 1 WHERE symbol = 'S1'",
		"UPDATE clusters SET last = -1 WHERE symbol = 'S1'",
	};
	struct store *s = log_open();
	int64_t n = 0;

	(void)state;
	append_some(s, &n, 1500);
	lay_all(s);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		spoil(lies[i]);
		append_some(s, &n, SYMBOLS * 40);
		lay_all(s);
		check_clusters(s);
		check_lists();
		assert_log(
		    "SELECT max(last) > (SELECT max(seq) - 40 FROM main.events) FROM main.clusters WHERE symbol = 'S1'",
		    "1");
	}
	log_close(s);
}

/* Index, retention, lists and the log itself go on without them; and they come back. */
static void
test_no_table(void **state)
{
	struct retention total = { .events = 100 }, kind[KIND__MAX] = { { .events = 0 } };
	struct store *s = log_open();
	struct err e;
	int64_t n = 0;

	(void)state;
	append_some(s, &n, 1000);
	lay_all(s);
	assert_int_equal(sqlite3_exec(s->db.conn, "ALTER TABLE clusters RENAME TO away", NULL, NULL, NULL), SQLITE_OK);
	check_lists();
	for (int i = 0; i < 3; i++) {
		append_some(s, &n, 200);
		log_tend(s, true);
		assert_int_equal(s->now.indexed_to, s->now.next_seq - 1);
		check_lists();
	}
	assert_false(lay_due(s)); /* or it would be tried again at once */
	store_set_retention(s, &total, kind);
	log_tend(s, true);
	s->swept_us = 0;
	log_tend(s, true);
	assert_log("SELECT count(*) FROM main.events", "100");
	assert_int_equal(recover_check(s, &e), 0);
	assert_int_equal(index_renew(s, &e), 0);
	log_tend(s, true);
	log_check();
	check_lists();
	assert_false(s->damaged);
	assert_true(s->round.paused_us > clock_mono_us());
	assert_int_equal(sqlite3_exec(s->db.conn, "ALTER TABLE away RENAME TO clusters", NULL, NULL, NULL), SQLITE_OK);
	s->round.paused_us = 1;
	lay_all(s);
	assert_int_equal(s->round.paused_us, 0);
	assert_true(
	    log_number("SELECT count(*) FROM main.clusters WHERE last > (SELECT max(seq) - 50 FROM main.events)") > 0);
	check_lists();
	log_close(s);
}

static int
refuse(void *arg)
{
	++*(int *)arg;
	return 1;
}

/* A piece that could not be committed is laid when it can be, though no event comes meanwhile. */
static void
test_commit_fails(void **state)
{
	struct store *s = log_open();
	int64_t n = 0;
	int refused = 0;

	(void)state;
	append_some(s, &n, 1000);
	s->round.paused_us = INT64_MAX;
	log_tend(s, true);
	assert_int_equal(s->now.indexed_to, s->now.next_seq - 1);
	s->round.paused_us = 1;
	s->round.ended_us = clock_mono_us() - 3600 * INT64_C(1000000);
	sqlite3_commit_hook(s->db.conn, refuse, &refused);
	assert_true(lay_due(s));
	lay_step(s);
	assert_int_equal(refused, 1);
	sqlite3_commit_hook(s->db.conn, NULL, NULL);
	assert_false(lay_due(s));
	assert_log("SELECT count(*) FROM main.clusters", "0");
	s->round.paused_us = 1;
	log_tend(s, true);
	assert_log("SELECT count(DISTINCT symbol) FROM main.clusters", "10");
	check_clusters(s);
	log_close(s);
}

/* So many events of one symbol. */
static void
append_long(struct store *s, int64_t *n, int count, size_t bytes)
{
	char *text = malloc(bytes + 1);
	struct buf rest = { .p = NULL };

	assert_non_null(text);
	memset(text, 'x', bytes);
	buf_add_str(&rest, ",\"x\":\"");
	buf_add_text(&rest, (struct text){ text, bytes });
	buf_add_char(&rest, '"');
	for (int i = 0; i < count; i++, ++*n) {
		struct event ev = log_event_of(KIND_INDICATOR, "S3", "a", *n);

		ev.rest = buf_text(&rest);
		ev.received_us -= 10 * INT64_C(1000000);
		log_append(s, &ev);
	}
	log_commit(s);
	buf_fini(&rest);
	free(text);
}

static int
pages_asked_for(struct store *s)
{
	int hits = 0, misses = 0, most;

	sqlite3_db_status(s->db.conn, SQLITE_DBSTATUS_CACHE_HIT, &hits, &most, 1);
	sqlite3_db_status(s->db.conn, SQLITE_DBSTATUS_CACHE_MISS, &misses, &most, 1);
	return hits + misses;
}

/* Texts that are too long are not read to find that out, and 64 of their places fill a cluster, though that is short. */
static void
test_long_texts(void **state)
{
	struct store *s = log_open();
	int64_t n = 0;

	(void)state;
	append_long(s, &n, 6, 1 << 20);
	index_alone(s);
	pages_asked_for(s);
	lay_all(s);
	assert_true(pages_asked_for(s) < (1 << 20) / DB_PAGE_BYTES);
	append_long(s, &n, 58, 3000);
	lay_all(s);
	assert_log("SELECT count(*) FROM main.clusters", "1");
	assert_int_equal(sqlite3_exec(s->db.conn,
			     "CREATE TEMP TABLE put (first); CREATE TEMP TRIGGER puts AFTER INSERT ON clusters BEGIN"
			     " INSERT INTO put VALUES (new.first); END",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	for (int i = 0; i < 3; i++) {
		append_long(s, &n, 4, 3000);
		lay_all(s);
		check_clusters(s);
		check_lists();
	}
	/* The one that was full is left alone. */
	assert_int_equal(sqlite3_exec(s->db.conn, "DELETE FROM put WHERE first = 65", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(s->db.conn), 3);
	assert_int_equal(sqlite3_exec(s->db.conn, "DELETE FROM put", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(s->db.conn), 0);
	log_close(s);
}

/* A copy of the log has other ids. */
static void
test_copied(void **state)
{
	struct store *s = log_open();
	char from[200], to[200], copy[900];
	int64_t n = 0;

	(void)state;
	append_some(s, &n, 1000);
	lay_all(s);
	log_close(s);
	snprintf(from, sizeof(from), "%s/%s", log_dir, DB_FILE);
	snprintf(to, sizeof(to), "%s/%s.copy", log_dir, DB_FILE);
	assert_true(snprintf(copy, sizeof(copy), "cp '%s' '%s' && mv '%s' '%s'", from, to, to, from) > 0);
	assert_int_equal(system(copy), 0);
	s = log_open();
	assert_log("SELECT count(*) FROM main.clusters", "0");
	lay_all(s);
	check_clusters(s);
	check_lists();
	log_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_not_under_load, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_lists, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_fills, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_retention, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_bad_cluster, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_wrong_place, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_replaced, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_wrong_index, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_wrong_reach, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_no_table, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_commit_fails, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_long_texts, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_copied, log_setup, log_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

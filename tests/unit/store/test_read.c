/* Reading: lists against plain SQL, their cost in virtual-machine steps, the directory, the plans of all statements. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/thread.h"
#include "live/positions.h"
#include "made_log.h"
#include "store/list.h"
#include "store/mapped.h"

#define SEQS_MAX 20000

struct seqs {
	int64_t seq[SEQS_MAX];
	int n;
};

static int
keep(void *arg, const struct event *ev, struct text body)
{
	struct seqs *s = arg;
	char want[32];

	snprintf(want, sizeof(want), "{\"n\":%lld}", (long long)ev->seq);
	if (ev->kind < KIND_HEALTH)
		assert_true(text_eq(body, text_of(want)));
	if (s->n < SEQS_MAX)
		s->seq[s->n++] = ev->seq;
	return 0;
}

static struct positions *memory; /* what readers are told by heart; NULL: nothing */

static struct reader *
open_reader(struct made_log *l, struct snapshot *snap)
{
	struct err e = { .text = "" };
	struct reader *r = reader_new(l->dir, &e);

	assert_non_null(r);
	if (memory != NULL)
		reader_set_recall(r, positions_recall, memory);
	assert_int_equal(read_begin(r, snap, &e), 0);
	return r;
}

static void
close_reader(struct reader *r)
{
	read_end(r);
	reader_free(r);
}

/* Pages through the whole list and compares with what `where` gives. */
static void
check_list(struct made_log *l, const struct filter *f, bool newest_first, int limit, const char *where)
{
	static struct seqs got, want;
	struct snapshot snap;
	struct reader *r = open_reader(l, &snap);
	struct list_query q = { .filter = f, .limit = limit };
	struct list_result result;
	struct err e;

	got.n = 0;
	q.order = newest_first ? LIST_NEWEST_FIRST : LIST_OLDEST_FIRST;
	q.bound = newest_first ? snap.head + 1 : 0;
	do {
		assert_int_equal(read_list(r, &snap, &q, keep, &got, &result, &e), 0);
		assert_true(result.delivered <= limit);
		assert_true(result.examined <= READ_EXAMINE_MAX);
		q.bound = result.position;
	} while (result.has_more);
	if (!newest_first && f->until_us == INT64_MAX)
		assert_int_equal(result.position, snap.head);
	want.n = made_log_numbers(l, want.seq, SEQS_MAX, "SELECT seq FROM events WHERE %s ORDER BY seq %s", where,
	    newest_first ? "DESC" : "");
	assert_int_equal(got.n, want.n);
	assert_memory_equal(got.seq, want.seq, (size_t)want.n * sizeof(int64_t));
	close_reader(r);
}

/* ---- the log's end by heart ---- */

/* As though a made log of 7 symbols had been followed as `epoch` from behind `from` on and up to `to`; perhaps further than any snapshot. */
static void
remember(const char *epoch, int64_t from, int64_t to)
{
	struct snapshot snap = { .head = from };
	struct err e;

	memory = positions_new(&e);
	assert_non_null(memory);
	snprintf(snap.epoch, sizeof(snap.epoch), "%s", epoch);
	positions_start(memory, &snap);
	for (int64_t i = from + 1; i <= to; i++) {
		char symbol[8];

		snprintf(symbol, sizeof(symbol), "S%d", (int)(i % 7));
		positions_row(memory,
		    &(struct row_key){ .seq = i,
			.kind = (enum kind)(i % 3),
			.symbol = text_of(symbol),
			.duplicate_of = i % 10 ? 0 : i - 1 });
	}
}

static void
forget(void)
{
	positions_free(memory);
	memory = NULL;
}

static void
check_lists_of_symbols(struct made_log *l)
{
	static const struct text one[] = { TEXT_INIT("S1") };
	static const struct text some[] = { TEXT_INIT("S1"), TEXT_INIT("S3"), TEXT_INIT("S5"), TEXT_INIT("S9") };
	static const struct text names[] = { TEXT_INIT("n2") };

	for (int newest = 0; newest < 2; newest++) {
		struct filter f = FILTER_INIT;

		f.symbols = (struct text_set){ one, 1 };
		check_list(l, &f, newest, 3, "duplicate_of = 0 AND symbol = 'S1'");
		f.kinds = KIND_BIT(KIND_INDICATOR) | KIND_BIT(KIND_ALERT);
		f.show_duplicates = true;
		f.symbols = (struct text_set){ some, 4 };
		check_list(l, &f, newest, 1, "kind IN (1, 2) AND symbol IN ('S1', 'S3', 'S5')");
		check_list(l, &f, newest, 1000, "kind IN (1, 2) AND symbol IN ('S1', 'S3', 'S5')");
		f.names[KIND_INDICATOR] = f.names[KIND_ALERT] = (struct text_set){ names, 1 };
		check_list(l, &f, newest, 2, "kind IN (1, 2) AND name = 'n2' AND symbol IN ('S1', 'S3', 'S5')");
	}
}

/* For many symbols at once: as it is without memory. */
static void
check_shares(struct made_log *l)
{
	static const struct text some[] = { TEXT_INIT("S1"), TEXT_INIT("S3"), TEXT_INIT("S5"), TEXT_INIT("S9") };
	struct positions *known = memory;
	struct filter f = FILTER_INIT;

	f.symbols = (struct text_set){ some, 4 };
	f.kinds = KIND_BIT(KIND_PATTERN) | KIND_BIT(KIND_ALERT);
	for (int64_t below = 899; below <= 1001; below += 17) {
		struct snapshot snap;
		struct reader *r = open_reader(l, &snap), *plain;
		const struct list_tail *got, *want;
		struct err e;

		memory = NULL;
		plain = open_reader(l, &snap);
		memory = known;
		got = read_tail(r, &snap, &f, below, &e);
		want = read_tail(plain, &snap, &f, below, &e);
		assert_non_null(got);
		assert_non_null(want);
		assert_int_equal(got->cut, want->cut);
		for (int i = 0; i < 4; i++) {
			size_t n = 0;

			/* What memory names and is gone, lists pass over. */
			for (size_t k = got->start[i]; k < got->start[i + 1]; k++) {
				if (want->start[i] + n < want->start[i + 1] &&
				    got->seqs[k] == want->seqs[want->start[i] + n])
					n++;
				else
					assert_int_equal(got->seqs[k] % 13, 0);
			}
			assert_int_equal(n, want->start[i + 1] - want->start[i]);
		}
		close_reader(r);
		close_reader(plain);
	}
}

static void
what_memory_knows_is_what_the_log_has(void **state)
{
	/* The index ends at 900, the snapshot at 1000. */
	static const int64_t from[] = { 800, 900, 901, 1000 }, to[] = { 850, 900, 901, 999, 1000, 1040 };
	struct made_log l;

	(void)state;
	made_log_init(&l, 1000, 7, 900, 1000);
	for (int gone = 0; gone < 2; gone++) {
		for (size_t i = 0; i < 24; i++) {
			if (from[i / 6] > to[i % 6])
				continue;
			remember(MADE_EPOCH, from[i / 6], to[i % 6]);
			check_lists_of_symbols(&l);
			check_shares(&l);
			forget();
		}
		made_log_sql(&l, "DELETE FROM events WHERE seq > 890 AND seq %% 13 = 0");
	}
	made_log_fini(&l);
}

/* Whether a list of one symbol looks through the log's end. */
static bool
looks_through(struct made_log *l)
{
	static const struct text one[] = { TEXT_INIT("S1") };
	static struct seqs got;
	struct filter f = FILTER_INIT;
	struct list_query q = { .filter = &f, .limit = 10 };
	struct list_result result;
	struct snapshot snap;
	struct reader *r = open_reader(l, &snap);
	struct err e;
	bool walked;

	f.symbols = (struct text_set){ one, 1 };
	q.bound = snap.head + 1;
	got.n = 0;
	assert_int_equal(read_list(r, &snap, &q, keep, &got, &result, &e), 0);
	walked = r->db.stmts[SQL_TAIL_NEWEST] != NULL;
	close_reader(r);
	return walked;
}

static void
the_end_is_not_looked_through_when_it_is_known(void **state)
{
	struct made_log l;

	(void)state;
	made_log_init(&l, 1000, 7, 900, 1000);
	assert_true(looks_through(&l));
	remember(MADE_EPOCH, 900, 1000);
	assert_false(looks_through(&l));
	positions_stop(memory);
	assert_true(looks_through(&l));
	forget();
	remember(MADE_EPOCH, 901, 1000);
	assert_true(looks_through(&l));
	forget();
	/* Of another log, where other symbols have these places. */
	remember("another", 900, 900);
	for (int i = 901; i <= 1000; i++)
		positions_row(memory, &(struct row_key){ .seq = i, .symbol = TEXT("S1") });
	assert_true(looks_through(&l));
	check_lists_of_symbols(&l);
	forget();
	made_log_fini(&l);
}

/* Who follows with until=5m sees everything, only later: the list must not go on from behind what `until` left out. */
static void
an_until_that_moves_on_loses_nothing(void **state)
{
	static const struct text symbols[] = { TEXT_INIT("S1") };
	static struct seqs got, want;
	struct snapshot snap;
	struct made_log l;
	struct reader *r;
	struct err e;

	(void)state;
	made_log_init(&l, 1000, 7, 900, 1000);
	r = open_reader(&l, &snap);
	for (int by_symbol = 0; by_symbol < 2; by_symbol++) {
		struct filter f = FILTER_INIT;
		struct list_query q = { .filter = &f, .order = LIST_OLDEST_FIRST, .limit = 1000 };
		struct list_result result;

		f.symbols = (struct text_set){ symbols, (size_t)by_symbol };
		got.n = 0;
		for (int64_t s = 0; s < 1020; s += 13) {
			f.until_us = MADE_START_US + s * INT64_C(1000000);
			assert_int_equal(read_list(r, &snap, &q, keep, &got, &result, &e), 0);
			assert_false(result.has_more);
			assert_true(result.position >= q.bound && (result.position < s || s == 0 || s > 1000));
			q.bound = result.position;
		}
		assert_int_equal(q.bound, snap.head);
		want.n = made_log_numbers(&l, want.seq, SEQS_MAX,
		    "SELECT seq FROM events WHERE duplicate_of = 0 AND (%d = 0 OR symbol = 'S1') ORDER BY seq",
		    by_symbol);
		assert_int_equal(got.n, want.n);
		assert_memory_equal(got.seq, want.seq, (size_t)want.n * sizeof(int64_t));
	}
	close_reader(r);
	made_log_fini(&l);
}

static void
lists_are_what_sql_says(void **state)
{
	static const struct text symbols[] = { TEXT_INIT("NONE"), TEXT_INIT("S1"), TEXT_INIT("S13"), TEXT_INIT("S2") };
	static const struct text names[] = { TEXT_INIT("n3") };
	struct made_log l;

	(void)state;
	/* The index ends before the log does: the rest is the tail. */
	made_log_init(&l, 3000, 20, 2500, 2800);
	for (int newest = 0; newest < 2; newest++) {
		struct filter f = FILTER_INIT;

		check_list(&l, &f, newest, 7, "duplicate_of = 0");
		f.show_duplicates = true;
		f.kinds = KIND_BIT(KIND_INDICATOR) | KIND_BIT(KIND_ALERT);
		check_list(&l, &f, newest, 100, "kind IN (1, 2)");
		f.symbols = (struct text_set){ symbols, 4 };
		check_list(&l, &f, newest, 1, "kind IN (1, 2) AND symbol IN ('S1', 'S13', 'S2')");
		check_list(&l, &f, newest, 64, "kind IN (1, 2) AND symbol IN ('S1', 'S13', 'S2')");
		f.kinds = KIND_BIT(KIND_PATTERN);
		f.names[KIND_PATTERN] = (struct text_set){ names, 1 };
		f.min_confidence = 50;
		check_list(&l, &f, newest, 3,
		    "kind = 0 AND symbol IN ('S1', 'S13', 'S2') AND name = 'n3' AND confidence >= 50");
		f.symbols.n = 0;
		f.since_us = MADE_START_US + 1000 * INT64_C(1000000);
		f.until_us = MADE_START_US + 2000 * INT64_C(1000000);
		check_list(
		    &l, &f, newest, 11, "kind = 0 AND name = 'n3' AND confidence >= 50 AND seq BETWEEN 1000 AND 1999");
		f = (struct filter)FILTER_INIT;
		f.symbols = (struct text_set){ symbols, 1 };
		check_list(&l, &f, newest, 10, "0");
	}
	made_log_fini(&l);
}

/* One symbol, a kind of which it has few, and what retention removed but the index still has. */
static void
a_kind_that_is_rare_is_found(void **state)
{
	static const struct text symbols[] = { TEXT_INIT("S0") };
	struct made_log l;

	(void)state;
	made_log_init(&l, 60000, 1, 59000, 60000);
	made_log_sql(&l, "UPDATE events SET kind = iif(seq %% 27001 = 7, 0, 1), duplicate_of = 0");
	made_log_index(&l, 59000);
	made_log_sql(&l, "DELETE FROM events WHERE seq <= 5000");
	made_log_sql(&l, "UPDATE kinds SET trimmed_to = 5000 WHERE kind = 1");
	made_log_sql(&l, "UPDATE kinds SET trimmed_to = 7 WHERE kind = 0");
	for (int newest = 0; newest < 2; newest++) {
		struct filter f = FILTER_INIT;

		f.symbols = (struct text_set){ symbols, 1 };
		f.kinds = KIND_BIT(KIND_PATTERN);
		check_list(&l, &f, newest, 10, "kind = 0");
		f.kinds |= KIND_BIT(KIND_INDICATOR);
		f.since_us = MADE_START_US + 1000 * INT64_C(1000000);
		f.until_us = MADE_START_US + 9000 * INT64_C(1000000);
		check_list(&l, &f, newest, 100, "seq < 9000");
	}
	made_log_fini(&l);
}

/* However many bundles have nothing of it: a list ends within its bound, and says how far it came. */
static void
passing_over_is_bounded(void **state)
{
	static const struct text symbols[] = { TEXT_INIT("S0") };
	struct filter f = FILTER_INIT;
	struct list_result result;
	struct snapshot snap;
	struct made_log l;
	struct reader *r;
	struct err e;

	(void)state;
	made_log_init(&l, 100000, 1, 100000, 100000);
	made_log_sql(&l, "UPDATE events SET kind = 1");
	made_log_index(&l, 100000);
	f.symbols = (struct text_set){ symbols, 1 };
	f.kinds = KIND_BIT(KIND_PATTERN);
	r = open_reader(&l, &snap);
	for (int newest = 0; newest < 2; newest++) {
		static struct seqs got;
		struct list_query q = { .filter = &f, .limit = 10, .examine = 300 };

		got.n = 0;
		q.order = newest ? LIST_NEWEST_FIRST : LIST_OLDEST_FIRST;
		q.bound = newest ? snap.head + 1 : 0;
		assert_int_equal(read_list(r, &snap, &q, keep, &got, &result, &e), 0);
		assert_int_equal(got.n, 0);
		assert_true(result.has_more);
		/* 256 bundles and a place. */
		assert_in_range(newest ? 100000 - result.position : result.position, 16000, 40000);
	}
	close_reader(r);
	made_log_fini(&l);
}

/* Pages through the list of S0, or of no symbol, however it ends; it must get on with every page. */
static void
page_through(struct made_log *l, bool of_symbol, unsigned kinds, bool newest_first)
{
	static const struct text symbols[] = { TEXT_INIT("S0") };
	static struct seqs got;
	struct filter f = FILTER_INIT;
	struct snapshot snap;
	struct reader *r = open_reader(l, &snap);
	struct list_query q = { .filter = &f, .limit = 10, .examine = 300 };
	struct list_result result;
	struct err e = { .code = ERR_NONE };

	f.symbols = (struct text_set){ symbols, of_symbol };
	f.kinds = kinds;
	q.order = newest_first ? LIST_NEWEST_FIRST : LIST_OLDEST_FIRST;
	q.bound = newest_first ? snap.head + 1 : 0;
	got.n = 0;
	for (;;) {
		if (read_list(r, &snap, &q, keep, &got, &result, &e) != 0) {
			assert_int_equal(e.code, ERR_CORRUPT);
			assert_true(r->db.damaged);
			break;
		}
		if (!result.has_more)
			break;
		assert_true(newest_first ? result.position < q.bound : result.position > q.bound);
		q.bound = result.position;
	}
	close_reader(r);
}

/* Rows that no writer wrote: a list may fail, but neither goes back nor goes on for ever. */
static void
rows_that_lie_end_no_worse_than_badly(void **state)
{
	static const char *const lies[] = {
		"UPDATE by_symbol SET last = first - 1",
		"UPDATE by_symbol SET last = 1",
		"UPDATE by_symbol SET last = -9223372036854775808",
		"UPDATE by_symbol SET last = 9223372036854775807",
		"UPDATE by_symbol SET last = 9223372036854775806 WHERE first > 10000",
		"UPDATE by_symbol SET last = first",
		"UPDATE by_symbol SET last = first + 20000",
		"UPDATE by_symbol SET kinds = 0",
		"UPDATE by_symbol SET kinds = 127",
		"UPDATE by_symbol SET first = -first, last = last",
		"UPDATE by_symbol SET places = x'00'",
		"UPDATE by_symbol SET places = x'01ff'",
		"UPDATE by_symbol_open SET first = 1",
		"UPDATE by_symbol_open SET first = 9223372036854775807, places = x'00'",
	};
	struct made_log l;

	(void)state;
	made_log_init(&l, 30000, 1, 29900, 30000);
	made_log_sql(&l, "UPDATE events SET kind = 1");
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		made_log_index(&l, 29900);
		made_log_sql(&l, "%s", lies[i]);
		for (int way = 0; way < 4; way++) {
			page_through(&l, way < 2, KIND_BIT(KIND_PATTERN), way % 2 != 0);
			page_through(&l, way < 2, KINDS_ALL, way % 2 != 0);
		}
	}
	made_log_fini(&l);
}

/* The steps of one list. */
static int64_t
steps_of(struct made_log *l, const struct filter *f, int limit, struct list_result *result)
{
	static struct seqs got;
	struct snapshot snap;
	struct reader *r = open_reader(l, &snap);
	struct list_query q = { .filter = f, .order = LIST_NEWEST_FIRST, .bound = snap.head + 1, .limit = limit };
	struct err e;
	int64_t steps;

	got.n = 0;
	assert_int_equal(read_list(r, &snap, &q, keep, &got, result, &e), 0);
	steps = read_steps(r);
	close_reader(r);
	return steps;
}

/* What the index does not cover is looked through by kind, too: the newest of it first, and no more of it than a list may. */
static void
the_end_is_looked_through_by_kind(void **state)
{
	struct made_log l;
	struct filter f = FILTER_INIT;
	struct list_result result;
	int64_t steps;

	(void)state;
	made_log_init(&l, 70000, 7, 100, 70000);
	made_log_sql(&l, "UPDATE events SET kind = 5, duplicate_of = 0 WHERE seq IN (50, 101, 4000, 70000)");
	made_log_index(&l, 100);
	f.kinds = KIND_BIT(KIND_ERROR);
	for (int newest = 0; newest < 2; newest++) {
		check_list(&l, &f, newest != 0, 1, "kind = 5");
		check_list(&l, &f, newest != 0, 10, "kind = 5");
	}
	steps_of(&l, &f, 10, &result);
	assert_int_equal(result.delivered, 1);
	assert_true(result.has_more && result.cut);
	assert_int_equal(result.position, 70000 - READ_TAIL_MAX + 1);
	/* Where nothing of a kind has come lately, nothing is looked through. */
	made_log_sql(&l, "UPDATE events SET kind = 3, duplicate_of = 0 WHERE seq = 90");
	made_log_index(&l, 100);
	f.kinds = KIND_BIT(KIND_HEALTH);
	assert_true(steps_of(&l, &f, 10, &result) < 200);
	assert_int_equal(result.delivered, 1);
	assert_false(result.has_more);
	/* Of a frequent kind not much more than the list has. */
	f.kinds = KIND_BIT(KIND_INDICATOR);
	steps = steps_of(&l, &f, 10, &result);
	assert_int_equal(result.delivered, 10);
	assert_true(steps < 12 * 256);
	made_log_fini(&l);
}

static void
costs_do_not_grow_with_the_log(void **state)
{
	static struct text many[200];
	static char spelled[200][8];
	static const struct text nothing[] = { TEXT_INIT("nosuchname") };
	struct filter one = FILTER_INIT, all = FILTER_INIT, none = FILTER_INIT, rare = FILTER_INIT, few, lots;
	struct list_result result;
	struct made_log small, large;
	int64_t steps;

	(void)state;
	made_log_init(&small, 10000, 400, 10000, 10000);
	made_log_init(&large, 1000000, 400, 1000000, 1000000);
	for (int i = 0; i < 200; i++) {
		/* In the order of bytes, as filters want it; S101 is no multiple of ten, so no duplicate. */
		snprintf(spelled[i], sizeof(spelled[i]), "S%d", 101 + i);
		many[i] = text_of(spelled[i]);
	}
	one.symbols = (struct text_set){ many, 1 };
	few = lots = one;
	few.symbols.n = 20;
	lots.symbols.n = 200;
	assert_true(steps_of(&large, &one, 5, &result) <= steps_of(&small, &one, 5, &result) * 11 / 10 + 20);
	/* One of its kind, among the oldest. */
	rare.kinds = KIND_BIT(KIND_ERROR);
	for (int i = 0; i < 2; i++) {
		made_log_sql(i == 0 ? &small : &large, "UPDATE events SET kind = 5 WHERE seq = 101");
		made_log_index(i == 0 ? &small : &large, i == 0 ? 10000 : 1000000);
	}
	assert_true(steps_of(&large, &rare, 50, &result) <= steps_of(&small, &rare, 50, &result) * 11 / 10 + 20);
	assert_int_equal(result.delivered, 1);
	assert_false(result.has_more);
	assert_true(steps_of(&large, &all, 50, &result) <= steps_of(&small, &all, 50, &result) * 11 / 10 + 20);
	assert_true(steps_of(&large, &lots, 50, &result) <= steps_of(&small, &lots, 50, &result) * 11 / 10 + 20);
	assert_true(steps_of(&large, &lots, 50, &result) <= steps_of(&large, &few, 50, &result) * 10);
	none.kinds = KIND_BIT(KIND_PATTERN);
	none.names[KIND_PATTERN] = (struct text_set){ nothing, 1 };
	steps = steps_of(&large, &none, 50, &result);
	assert_true(steps < 60 * READ_EXAMINE_MAX);
	assert_int_equal(result.delivered, 0);
	assert_true(result.has_more);
	assert_true(result.examined <= READ_EXAMINE_MAX);
	assert_true(result.position < 1000000 && result.position > 1000000 - 4 * READ_EXAMINE_MAX);
	made_log_fini(&small);
	made_log_fini(&large);
}

/* Nor with what retention has left in the index of a kind. */
static void
a_kind_begins_where_something_is_left(void **state)
{
	static struct seqs got;
	struct filter f = FILTER_INIT;
	struct list_query q = { .filter = &f, .order = LIST_OLDEST_FIRST, .limit = 10 };
	struct list_result result;
	struct snapshot snap;
	struct made_log l;
	struct reader *r;
	struct err e;

	(void)state;
	made_log_init(&l, 100000, 7, 100000, 100000);
	made_log_sql(&l, "DELETE FROM events WHERE seq <= 90000");
	made_log_sql(&l, "UPDATE kinds SET trimmed_to = 89999 + kind WHERE kind < 2");
	f.kinds = KIND_BIT(KIND_PATTERN) | KIND_BIT(KIND_INDICATOR);
	r = open_reader(&l, &snap);
	got.n = 0;
	assert_int_equal(read_list(r, &snap, &q, keep, &got, &result, &e), 0);
	assert_int_equal(got.n, 10);
	assert_int_equal(got.seq[0], 90001);
	assert_true(read_steps(r) < 2000);
	close_reader(r);
	made_log_fini(&l);
}

static void
every_statement_has_an_index(void **state)
{
	struct made_log l;

	(void)state;
	made_log_init(&l, 1000, 20, 1000, 1000);
	assert_int_equal(given_register(l.conn, "wanted", sql_texts[SQL_WANTED_TABLE]), SQLITE_OK);
	for (int id = SQL_READ_LOG; id < SQL__MAX; id++) {
		char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql_texts[id]);
		sqlite3_stmt *st;

		/* It is what a table looks like, no statement. */
		if (id == SQL_WANTED_TABLE) {
			sqlite3_free(sql);
			continue;
		}
		assert_int_equal(sqlite3_prepare_v2(l.conn, sql, -1, &st, NULL), SQLITE_OK);
		while (sqlite3_step(st) == SQLITE_ROW) {
			const char *detail = (const char *)sqlite3_column_text(st, 3);
			bool whole = strncmp(detail, "SCAN", 4) == 0 || strstr(detail, "TEMP B-TREE") != NULL;

			/* A thousand rows at most, read from the end by their key. */
			if (id == SQL_NEWEST_REJECTS && strcmp(detail, "SCAN rejects") == 0)
				whole = false;
			/* As many as the list wants, each found by its key. */
			if (strcmp(detail, "SCAN wanted VIRTUAL TABLE INDEX 0:") == 0)
				whole = false;
			if (whole)
				fail_msg("%s: %s", sql_names[id], detail);
		}
		sqlite3_finalize(st);
		sqlite3_free(sql);
	}
	made_log_fini(&l);
}

struct asked_for {
	const int64_t *p;
	int n, at;
	struct reader *r;
};

/* Runs a statement of its own each time, as a merge does; fails behind the last. */
static int
give(void *arg, struct err *e)
{
	struct asked_for *seqs = arg;
	int64_t us;

	assert_int_equal(read_time(seqs->r, 5, &us, e), 0);
	if (seqs->at == seqs->n) {
		err_set(e, ERR_BUSY, "no more of them");
		return -1;
	}
	seqs->at++;
	return 1;
}

static void
give_seq(void *arg, int column, sqlite3_context *out)
{
	const struct asked_for *seqs = arg;

	assert_int_equal(column, 0);
	sqlite3_result_int64(out, seqs->p[seqs->at - 1]);
}

static void
rows_come_as_they_are_wanted(void **state)
{
	static const int64_t seqs[] = { 7, 500, 4000, -1, 7, 3, 1000 }, there[] = { 7, 500, 7, 3, 1000 };
	static const enum row_width widths[] = { ROW_COLUMNS, ROW_WHOLE, ROW_BRIEF };
	struct snapshot snap;
	struct made_log l;
	struct reader *r;

	(void)state;
	made_log_init(&l, 1000, 20, 1000, 1000);
	r = open_reader(&l, &snap);
	for (size_t i = 0; i < 3; i++) {
		struct asked_for asked = { .p = seqs, .n = 7, .r = r };
		struct given wanted = { .next = give, .column = give_seq, .arg = &asked };
		struct err e = { .code = ERR_NONE };
		sqlite3_stmt *rows = rows_open(r, widths[i], &wanted, &e);
		struct event ev;

		for (size_t k = 0; k < 5; k++) {
			assert_int_equal(rows_next(r, rows, widths[i], &wanted, &ev, &e), 1);
			assert_int_equal(ev.seq, there[k]);
			assert_int_equal(ev.kind, there[k] % 3);
		}
		/* What went wrong is told in its own words. */
		assert_int_equal(rows_next(r, rows, widths[i], &wanted, &ev, &e), -1);
		assert_int_equal(e.code, ERR_BUSY);
		assert_string_equal(e.text, "no more of them");
	}
	close_reader(r);
	made_log_fini(&l);
}

/* No text of SQL can make up the pointer. */
static void
nothing_is_wanted_without_a_pointer(void **state)
{
	static const char *const texts[] = { "SELECT seq FROM wanted WHERE given = 1234567",
		"SELECT seq FROM wanted WHERE given = x'0011223344556677'",
		"SELECT seq FROM wanted WHERE given IS NULL", "SELECT seq FROM wanted" };
	struct made_log l;

	(void)state;
	made_log_init(&l, 10, 2, 10, 10);
	assert_int_equal(given_register(l.conn, "wanted", sql_texts[SQL_WANTED_TABLE]), SQLITE_OK);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		sqlite3_stmt *st = NULL;

		if (sqlite3_prepare_v2(l.conn, texts[i], -1, &st, NULL) == SQLITE_OK)
			assert_int_equal(sqlite3_step(st), SQLITE_DONE);
		sqlite3_finalize(st);
	}
	made_log_fini(&l);
}

struct rows {
	char text[4096];
	size_t len;
};

static int
keep_symbol(void *arg, const struct symbol_row *row)
{
	struct rows *rows = arg;

	rows->len += (size_t)snprintf(rows->text + rows->len, sizeof(rows->text) - rows->len,
	    "%.*s:%lld/%lld/%lld@%lld ", TEXT_ARG(row->symbol), (long long)row->patterns, (long long)row->indicators,
	    (long long)row->alerts, (long long)row->last_seq);
	return 0;
}

static void
symbols_of(struct made_log *l, const struct symbols_query *q, struct rows *rows)
{
	struct snapshot snap;
	struct reader *r = open_reader(l, &snap);
	struct err e;

	*rows = (struct rows){ .len = 0 };
	assert_int_equal(read_symbols(r, &snap, q, keep_symbol, rows, &e), 0);
	close_reader(r);
}

static void
directory_adds_what_is_not_tallied_yet(void **state)
{
	const struct symbols_query queries[] = {
		{ .active_since_us = INT64_MIN, .limit = 1000 },
		{ .active_since_us = INT64_MIN, .limit = 7 },
		{ .active_since_us = INT64_MIN, .limit = 7, .after = TEXT_INIT("S13") },
		{ .active_since_us = INT64_MIN, .limit = 1000, .prefix = TEXT_INIT("S1") },
		{ .active_since_us = INT64_MIN, .limit = 3, .prefix = TEXT_INIT("S1"), .after = TEXT_INIT("S10") },
		{ .active_since_us = INT64_MIN, .limit = 5, .by_activity = true },
		{ .active_since_us = INT64_MIN, .limit = 1000, .by_activity = true },
		{ .active_since_us = MADE_START_US + INT64_C(995000000), .limit = 1000 },
	};
	struct made_log all, late, none;
	struct rows want, got;

	(void)state;
	made_log_init(&all, 1000, 40, 1000, 1000);
	made_log_init(&late, 1000, 40, 900, 700);
	made_log_init(&none, 1000, 40, 0, 0);
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		symbols_of(&all, &queries[i], &want);
		assert_true(want.len > 0);
		symbols_of(&late, &queries[i], &got);
		assert_string_equal(got.text, want.text);
		symbols_of(&none, &queries[i], &got);
		assert_string_equal(got.text, want.text);
	}
	made_log_fini(&all);
	made_log_fini(&late);
	made_log_fini(&none);
}

static void
latest_adds_it_too(void **state)
{
	static struct seqs got, want;
	struct snapshot snap;
	struct made_log l;
	struct reader *r;
	struct err e;

	(void)state;
	made_log_init(&l, 1000, 40, 900, 700);
	r = open_reader(&l, &snap);
	got.n = 0;
	assert_int_equal(read_latest(r, &snap, TEXT("S7"), KIND_PATTERN, keep, &got, &e), 0);
	want.n = made_log_numbers(&l, want.seq, SEQS_MAX,
	    "SELECT max(seq) FROM events WHERE symbol = 'S7' AND kind = 0 AND duplicate_of = 0 GROUP BY name, "
	    "timeframe");
	assert_true(want.n > 0);
	assert_int_equal(got.n, want.n);
	assert_memory_equal(got.seq, want.seq, (size_t)want.n * sizeof(int64_t));
	assert_int_equal(read_symbol_known(r, &snap, TEXT("S7"), &e), 1);
	assert_int_equal(read_symbol_known(r, &snap, TEXT("T7"), &e), 0);
	assert_int_equal(snap.events[0] + snap.events[1] + snap.events[2], 1000);
	assert_int_equal(snap.newest[1], 1000);
	assert_int_equal(snap.newest_visible[1], 997);
	close_reader(r);
	made_log_fini(&l);
}

static void
gaps_are_those_of_the_stretch(void **state)
{
	static struct seqs got;
	struct snapshot snap;
	struct made_log l;
	struct reader *r;
	struct err e;
	struct gaps_query q = { .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = 10 };

	(void)state;
	made_log_init(&l, 100, 4, 100, 100);
	made_log_sql(&l,
	    "UPDATE events SET kind = 6, duplicate_of = 0, gap_from_us = received_us - 5000000 WHERE seq IN (20, 50, "
	    "80)");
	made_log_index(&l, 100);
	r = open_reader(&l, &snap);
	got.n = 0;
	assert_int_equal(read_gaps(r, &snap, &q, keep, &got, &e), 0);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.seq[0], 20);
	q.limit = 1;
	got.n = 0;
	assert_int_equal(read_gaps(r, &snap, &q, keep, &got, &e), 0);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.seq[0], 80);
	q = (struct gaps_query){ .from_us = MADE_START_US + 30000000, .to_us = MADE_START_US + 45000000, .limit = 10 };
	got.n = 0;
	assert_int_equal(read_gaps(r, &snap, &q, keep, &got, &e), 0);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.seq[0], 50);
	q.after = 50;
	got.n = 0;
	assert_int_equal(read_gaps(r, &snap, &q, keep, &got, &e), 0);
	assert_int_equal(got.n, 0);
	close_reader(r);
	made_log_fini(&l);
}

/* Also where the index lacks more than a list looks through at once, as after it was made anew. */
static void
gaps_are_not_overlooked(void **state)
{
	static struct seqs got;
	struct snapshot snap;
	struct made_log l;
	struct reader *r;
	struct err e;
	struct gaps_query q = { .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = 10 };

	(void)state;
	made_log_init(&l, 70000, 4, 100, 100);
	made_log_sql(&l,
	    "UPDATE events SET kind = 6, duplicate_of = 0, gap_from_us = received_us - 5000000 WHERE seq IN (50, 200, "
	    "69999)");
	made_log_index(&l, 100);
	r = open_reader(&l, &snap);
	got.n = 0;
	assert_int_equal(read_gaps(r, &snap, &q, keep, &got, &e), 0);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.seq[0], 50);
	q.limit = 2;
	got.n = 0;
	assert_int_equal(read_gaps(r, &snap, &q, keep, &got, &e), 0);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.seq[0], 200);
	close_reader(r);
	made_log_fini(&l);
}

struct listing {
	struct reader *r;
	const struct snapshot *snap;
	const struct list_query *q;
	int rc;
	struct err e;
};

static int
keep_nothing(void *arg, const struct event *ev, struct text body)
{
	(void)arg;
	(void)ev;
	(void)body;
	return 0;
}

static void *
list_it(void *arg)
{
	struct listing *l = arg;
	struct list_result result;

	l->rc = read_list(l->r, l->snap, l->q, keep_nothing, NULL, &result, &l->e);
	return NULL;
}

/* Readers map the file, and memory that is not there any more is a signal. */
static void
a_page_that_cannot_be_read_is_an_error(void **state)
{
	struct filter f = FILTER_INIT;
	struct list_query q = { .filter = &f, .limit = 500 };
	struct listing listing = { .q = &q };
	struct snapshot snap;
	struct made_log l;
	struct reader *r;
	pthread_t id;
	struct err e;

	(void)state;
	made_log_init(&l, 3000, 20, 3000, 3000);
	made_log_sql(&l, "PRAGMA wal_checkpoint(TRUNCATE)");
	r = open_reader(&l, &snap);
	q.bound = snap.head + 1;
	listing.r = r;
	listing.snap = &snap;
	list_it(&listing);
	assert_int_equal(listing.rc, 0);
	assert_int_equal(truncate(l.path, 8192), 0);
	/* As the gateway's threads are started, for it is in those that it happens. */
	assert_int_equal(thread_start(&id, list_it, &listing, "a thread", &e), 0);
	assert_int_equal(pthread_join(id, NULL), 0);
	assert_int_equal(listing.rc, -1);
	assert_int_equal(listing.e.code, ERR_CORRUPT);
	assert_non_null(strstr(listing.e.text, "cannot be read"));
	read_end(r);
	assert_int_equal(read_begin(r, &snap, &e), -1);
	reader_free(r);
	made_log_fini(&l);
}

/* How a process ends that meets a page of another file behind its end: while it reads the log by `r`, or by none, or not. */
static int
end_by_another_page(bool reads, struct reader *r)
{
	const struct rlimit none = { 0, 0 };
	struct mapped mapped;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, open("/proc/self/exe", O_RDONLY), 1 << 30);

		setrlimit(RLIMIT_CORE, &none);
		mapped_install();
		if (reads)
			mapped_enter(&mapped, r == NULL ? NULL : r->db.file);
		_exit(page[0] == 0 ? 1 : 2);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
any_other_sigbus_still_ends_the_process(void **state)
{
	struct snapshot snap;
	struct made_log l;
	struct reader *r;

	(void)state;
	made_log_init(&l, 3000, 20, 3000, 3000);
	made_log_sql(&l, "PRAGMA wal_checkpoint(TRUNCATE)");
	r = open_reader(&l, &snap);
	assert_int_equal(end_by_another_page(false, NULL), SIGBUS);
	assert_int_equal(end_by_another_page(true, NULL), SIGBUS);
	assert_int_equal(end_by_another_page(true, r), SIGBUS);
	close_reader(r);
	made_log_fini(&l);
}

/* What this process has mapped of the log, and how much of it is at hand. */
static void
mapping_of(const struct made_log *l, size_t *size, size_t *at_hand)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	bool ours = false;

	assert_non_null(f);
	*size = *at_hand = 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		size_t from, to, kib;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%zx-%zx ", &from, &to) == 2) {
			size_t n = strlen(line), m = strlen(l->path);

			ours = n > m && strcmp(line + n - m, l->path) == 0;
			*size += ours ? to - from : 0;
		} else if (ours && sscanf(line, "Rss: %zu kB", &kib) == 1) {
			*at_hand += kib * 1024;
		}
	}
	fclose(f);
}

static void
list_all(struct reader *r, int events)
{
	static struct seqs got;
	struct filter f = FILTER_INIT;
	struct list_query q = { .filter = &f, .limit = SEQS_MAX, .bound = INT64_MAX };
	struct list_result result;
	struct snapshot snap;
	struct err e;

	got.n = 0;
	assert_int_equal(read_begin(r, &snap, &e), 0);
	assert_int_equal(read_list(r, &snap, &q, keep, &got, &result, &e), 0);
	read_end(r);
	assert_int_equal(got.n, events);
}

/* What came after the made ones; into the file, so that readers look there and not into the WAL. */
static void
lengthen(struct made_log *l, int from, int to)
{
	made_log_sql(l,
	    "INSERT INTO events SELECT seq + %d, kind, symbol, name, timeframe, confidence, value, severity, "
	    "component, source, "
	    "channel, time_ms, time_source, received_us, gap_from_us, 0, '{\"n\":' || (seq + %d) || '}' FROM events "
	    "WHERE seq <= %d",
	    from, from, to - from);
	made_log_sql(l, "UPDATE log SET next_seq = %d", to + 1);
	made_log_sql(l, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static void
the_mapping_lasts_while_others_commit(void **state)
{
	size_t size, at_hand, before, less;
	struct snapshot snap;
	struct made_log l;
	struct reader *r;
	struct err e;

	(void)state;
	made_log_init(&l, 6000, 20, 6000, 6000);
	/* Duplicates are left out of lists. */
	made_log_sql(&l, "UPDATE events SET duplicate_of = 0");
	made_log_sql(&l, "PRAGMA wal_checkpoint(TRUNCATE)");
	r = reader_new(l.dir, &e);
	assert_non_null(r);
	list_all(r, 6000);
	mapping_of(&l, &before, &at_hand);
	assert_true(before > 0 && at_hand > before / 2);
	made_log_sql(&l, "UPDATE log SET committed_us = committed_us + 1");
	assert_int_equal(read_begin(r, &snap, &e), 0);
	mapping_of(&l, &size, &less);
	read_end(r);
	assert_int_equal(size, before);
	assert_true(less >= at_hand);

	/* A little longer: what is new is read without it. */
	lengthen(&l, 6000, 6100);
	list_all(r, 6100);
	mapping_of(&l, &size, &at_hand);
	assert_int_equal(size, before);
	/* Much longer: mapped anew, with the end. */
	lengthen(&l, 6100, 10000);
	list_all(r, 10000);
	mapping_of(&l, &size, &at_hand);
	assert_true(size > before && at_hand > before);

	/* Cut, and then as long as before: it is read as it is, not as it was. */
	assert_int_equal(truncate(l.path, 8192), 0);
	assert_int_equal(truncate(l.path, (off_t)size), 0);
	assert_int_equal(read_begin(r, &snap, &e), -1);
	reader_free(r);
	made_log_fini(&l);
}

static void
no_log_is_missing_and_another_file_is_noticed(void **state)
{
	struct made_log l, other;
	struct snapshot snap;
	struct reader *r;
	struct err e;

	(void)state;
	made_log_init(&l, 10, 4, 10, 10);
	r = open_reader(&l, &snap);
	assert_int_equal(snap.head, 10);
	assert_string_equal(snap.epoch, MADE_EPOCH);
	read_end(r);
	made_log_init(&other, 20, 4, 20, 20);
	made_log_sql(&other, "PRAGMA wal_checkpoint(TRUNCATE)");
	sqlite3_close(l.conn);
	l.conn = NULL;
	assert_int_equal(rename(other.path, l.path), 0);
	assert_int_equal(read_begin(r, &snap, &e), 0);
	assert_int_equal(snap.head, 20);
	read_end(r);
	assert_int_equal(remove(l.path), 0);
	assert_int_equal(read_begin(r, &snap, &e), -1);
	assert_int_equal(e.code, ERR_MISSING);
	reader_free(r);
	made_log_fini(&l);
	made_log_fini(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_what_sql_says),
		cmocka_unit_test(what_memory_knows_is_what_the_log_has),
		cmocka_unit_test(the_end_is_not_looked_through_when_it_is_known),
		cmocka_unit_test(an_until_that_moves_on_loses_nothing),
		cmocka_unit_test(a_kind_that_is_rare_is_found),
		cmocka_unit_test(passing_over_is_bounded),
		cmocka_unit_test(rows_that_lie_end_no_worse_than_badly),
		cmocka_unit_test(the_end_is_looked_through_by_kind),
		cmocka_unit_test(costs_do_not_grow_with_the_log),
		cmocka_unit_test(a_kind_begins_where_something_is_left),
		cmocka_unit_test(every_statement_has_an_index),
		cmocka_unit_test(rows_come_as_they_are_wanted),
		cmocka_unit_test(nothing_is_wanted_without_a_pointer),
		cmocka_unit_test(directory_adds_what_is_not_tallied_yet),
		cmocka_unit_test(latest_adds_it_too),
		cmocka_unit_test(gaps_are_those_of_the_stretch),
		cmocka_unit_test(gaps_are_not_overlooked),
		cmocka_unit_test(a_page_that_cannot_be_read_is_an_error),
		cmocka_unit_test(any_other_sigbus_still_ends_the_process),
		cmocka_unit_test(the_mapping_lasts_while_others_commit),
		cmocka_unit_test(no_log_is_missing_and_another_file_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

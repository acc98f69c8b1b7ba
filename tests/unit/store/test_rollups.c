/* Summaries: against plain SQL over a log of pseudo-random events, wherever the tallies end, and what they cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "made_log.h"
#include "store/reader.h"

#define EVENTS 4000
#define NOW_S INT64_C(1700100030) /* neither a full minute nor a full hour */
#define NOW_US (NOW_S * 1000000 + 123456)
#define DAY_S 86400

/* What the writer's tallies keep: cells of what is counted, two hours of minutes, and a little over a day of hours. */
static void
roll_up(struct made_log *l, int64_t tallied_to)
{
	static const int spans[] = { 60, 3600 };
	static const char *const keys[] = { "''", "name", "timeframe",
		"CAST(min(9, max(0, CAST(confidence / 10 AS INTEGER))) AS TEXT)", "symbol" };

	for (size_t i = 0; i < 2; i++)
		for (int facet = 0; facet < 5; facet++)
			made_log_sql(l,
			    "INSERT INTO rollups SELECT %d, received_us / 1000000 / %d * %d, kind, %d, %s, count(*) "
			    "FROM events WHERE duplicate_of = 0 AND kind <= 2 AND %s IS NOT NULL AND seq <= %lld AND "
			    "received_us / 1000000 / %d * %d >= %lld GROUP BY 1, 2, 3, 4, 5",
			    spans[i], spans[i], spans[i], facet, keys[facet], keys[facet], (long long)tallied_to,
			    spans[i], spans[i], (long long)(NOW_S - (i == 0 ? 7200 : DAY_S + 3600)));
}

/* Half of the events in the last two hours, the rest over 26 hours, and a few that are newer than now. */
static void
made_random(struct made_log *l, int64_t tallied_to)
{
	made_log_init(l, EVENTS, 20, EVENTS, tallied_to);
	made_log_sql(l,
	    "UPDATE events SET kind = seq * 7919 %% 104729 %% 7, duplicate_of = iif(seq * 31 %% 11 = 0, 1, 0), "
	    "received_us = iif(seq <= 2000, %lld + seq * 43200000, %lld + (seq - 2000) * 3605000)",
	    (long long)(NOW_US - INT64_C(26) * 3600 * 1000000), (long long)(NOW_US - INT64_C(7200) * 1000000));
	made_log_sql(l,
	    "UPDATE events SET symbol = iif(kind = 0 AND seq %% 9 = 0, NULL, 'S' || (seq * 104729 %% 7907 %% 23)), "
	    "name = iif(seq %% 17 = 0, NULL, 'n' || (seq * 611953 %% 7907 %% 7)), "
	    "timeframe = iif(seq %% 13 = 0, NULL, (seq * 15485863 %% 7907 %% 4) || 'min'), "
	    "confidence = iif(kind > 0 OR seq %% 19 = 0, NULL, (seq * 32452843 %% 7907 %% 201) / 2.0)");
	roll_up(l, tallied_to);
}

static int64_t
count_where(struct made_log *l, const struct summary *s, int64_t from_s, int64_t to_s, const char *fmt, struct text key)
{
	int64_t n = -1;
	char where[256];

	(void)s;
	snprintf(where, sizeof(where), fmt, TEXT_ARG(key));
	made_log_numbers(l, &n, 1,
	    "SELECT count(*) FROM events WHERE duplicate_of = 0 AND received_us >= %lld AND received_us < %lld AND %s",
	    (long long)from_s * 1000000, (long long)to_s * 1000000, where);
	return n;
}

/* Every row has its count, and the counts are of all there are. */
static void
check_facet(struct made_log *l, const struct summary *s, const struct summary_counts *counts, const char *column)
{
	int64_t from_s = s->from_s, to_s = s->from_s + s->window_s, different = -1;
	char fmt[64];

	snprintf(fmt, sizeof(fmt), "kind = 0 AND %s = '%%.*s'", column);
	for (size_t i = 0; i < counts->n; i++) {
		assert_int_equal(counts->rows[i].n, count_where(l, s, from_s, to_s, fmt, counts->rows[i].key));
		assert_true(i == 0 || counts->rows[i - 1].n > counts->rows[i].n ||
		    (counts->rows[i - 1].n == counts->rows[i].n &&
			text_cmp(counts->rows[i - 1].key, counts->rows[i].key) < 0));
	}
	made_log_numbers(l, &different, 1,
	    "SELECT count(DISTINCT %s) FROM events WHERE kind = 0 AND duplicate_of = 0 AND received_us >= %lld AND "
	    "received_us < %lld",
	    column, (long long)from_s * 1000000, (long long)to_s * 1000000);
	assert_int_equal(counts->n, different);
}

static void
check_summary(struct made_log *l, int64_t window_s)
{
	static struct summary s;
	struct err e = { .text = "" };
	struct reader *r = reader_new(l->dir, &e);
	struct snapshot snap;
	char fmt[80];

	assert_int_equal(read_begin(r, &snap, &e), 0);
	assert_int_equal(read_summary(r, &snap, window_s, NOW_US, &s, &e), 0);
	assert_false(s.truncated);
	assert_int_equal(s.step_s, window_s > 7200 ? 3600 : 60);
	assert_int_equal(s.n_cells, (window_s + s.step_s - 1) / s.step_s);
	assert_int_equal(s.window_s, s.n_cells * s.step_s);
	assert_int_equal(s.from_s % s.step_s, 0);
	assert_true(s.from_s + s.window_s > NOW_S && s.from_s + s.window_s - s.step_s <= NOW_S);
	for (int kind = 0; kind <= KIND_ALERT; kind++) {
		int64_t sum = 0;

		snprintf(fmt, sizeof(fmt), "kind = %d%%.*s", kind);
		for (int i = 0; i < s.n_cells; i++) {
			int64_t start = s.from_s + (int64_t)i * s.step_s;

			assert_int_equal(s.cells[kind][i], count_where(l, &s, start, start + s.step_s, fmt, TEXT("")));
			sum += s.cells[kind][i];
		}
		assert_int_equal(s.totals[kind], sum);
	}
	for (int i = 0; i < SUMMARY_TENS; i++) {
		snprintf(
		    fmt, sizeof(fmt), "confidence >= %d AND confidence < %d%%.*s", i * 10, i == 9 ? 101 : i * 10 + 10);
		assert_int_equal(s.tens[i], count_where(l, &s, s.from_s, s.from_s + s.window_s, fmt, TEXT("")));
	}
	check_facet(l, &s, &s.names, "name");
	check_facet(l, &s, &s.timeframes, "timeframe");
	check_facet(l, &s, &s.symbols, "symbol");
	assert_true(window_s < 3600 || (s.totals[KIND_PATTERN] > 50 && s.symbols.n > 20 && s.names.n == 7));
	read_end(r);
	reader_free(r);
}

static void
summaries_are_what_sql_says(void **state)
{
	static const int64_t ends[] = { 0, 1999, 3500, EVENTS };
	static const int64_t windows[] = { 1, 60, 61, 900, 3600, 7199, 7200, 7201, 10000, 36000, DAY_S - 1, DAY_S };

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct made_log l;

		made_random(&l, ends[i]);
		for (size_t j = 0; j < sizeof(windows) / sizeof(windows[0]); j++)
			check_summary(&l, windows[j]);
		made_log_fini(&l);
	}
}

/* Also how often the most frequent name came: rows do not outlive the snapshot. */
static int64_t
steps_of(struct made_log *l, int64_t window_s, struct summary *s, int64_t *most)
{
	struct err e = { .text = "" };
	struct reader *r = reader_new(l->dir, &e);
	struct snapshot snap;
	int64_t steps;

	assert_int_equal(read_begin(r, &snap, &e), 0);
	assert_int_equal(read_summary(r, &snap, window_s, NOW_US, s, &e), 0);
	steps = read_steps(r);
	*most = s->names.n > 0 ? s->names.rows[0].n : 0;
	read_end(r);
	reader_free(r);
	return steps;
}

/* Full cells: in each minute and hour 50 symbols, 10 names, all tens. */
static void
fill_cells(struct made_log *l)
{
	made_log_sql(l,
	    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 119), "
	    "spans(span) AS (VALUES (60), (3600)), kinds(kind) AS (VALUES (0), (1), (2)), "
	    "k(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM k WHERE j < 70) "
	    "INSERT INTO rollups SELECT span, %lld / span * span - i * span, kind, "
	    "CASE WHEN j = 0 THEN 0 WHEN j <= 10 THEN 1 WHEN j <= 20 THEN 3 ELSE 4 END, "
	    "CASE WHEN j = 0 THEN '' WHEN j <= 10 THEN 'n' || j WHEN j <= 20 THEN '' || (j - 11) ELSE 'S' || j END, "
	    "j + 1 FROM n, spans, kinds, k WHERE true",
	    (long long)NOW_S);
}

static int
ignore_row(void *arg, const struct event *ev, struct text body)
{
	(void)ev;
	(void)body;
	++*(int *)arg;
	return 0;
}

/* What /v1/snapshot reads, of 200 symbols. */
static int64_t
steps_of_latest(struct made_log *l, int *rows)
{
	struct err e = { .text = "" };
	struct reader *r = reader_new(l->dir, &e);
	struct snapshot snap;
	int64_t steps;

	*rows = 0;
	assert_int_equal(read_begin(r, &snap, &e), 0);
	for (int i = 100; i < 300; i++) {
		char symbol[8];

		snprintf(symbol, sizeof(symbol), "S%d", i);
		assert_int_equal(read_symbol_known(r, &snap, text_of(symbol), &e), 1);
		assert_int_equal(read_latest(r, &snap, text_of(symbol), KIND_PATTERN, ignore_row, rows, &e), 0);
		assert_int_equal(read_latest(r, &snap, text_of(symbol), KIND_INDICATOR, ignore_row, rows, &e), 0);
	}
	steps = read_steps(r);
	read_end(r);
	reader_free(r);
	return steps;
}

static void
costs_do_not_grow_with_the_log(void **state)
{
	static const int64_t windows[] = { 60, 3600, 7200, DAY_S };
	static struct summary s;
	struct made_log small, large;
	int rows_small, rows_large;
	int64_t steps, most;

	(void)state;
	/* The same tail of 1,000 events behind both. */
	made_log_init(&small, 20000, 400, 20000, 19000);
	made_log_init(&large, 400000, 400, 400000, 399000);
	/* The tail is out of every window: what is counted is the same in both. */
	made_log_sql(&small, "UPDATE events SET received_us = 1 WHERE seq > 19000");
	made_log_sql(&large, "UPDATE events SET received_us = 1 WHERE seq > 399000");
	fill_cells(&small);
	fill_cells(&large);
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		steps = steps_of(&large, windows[i], &s, &most);
		assert_int_equal(steps, steps_of(&small, windows[i], &s, &most));
		/* 70 rows a cell and some twenty steps a row, and the tail. */
		assert_true(steps < s.n_cells * INT64_C(2000) + 30000);
		assert_int_equal(s.symbols.n, 50);
		assert_int_equal(s.totals[KIND_PATTERN], s.n_cells);
		assert_int_equal(s.tens[0], s.n_cells * 12);
	}
	steps = steps_of_latest(&large, &rows_large);
	assert_true(steps <= steps_of_latest(&small, &rows_small) * 11 / 10 + 100);
	assert_int_equal(rows_large, rows_small);
	assert_true(rows_large > 200);
	made_log_fini(&small);
	made_log_fini(&large);
}

static void
a_flood_of_names_is_cut_and_told(void **state)
{
	static struct summary s;
	struct made_log l;
	int64_t steps, most;

	(void)state;
	made_log_init(&l, 10, 2, 10, 10);
	made_log_sql(&l,
	    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO rollups "
	    "SELECT 60, %lld / 60 * 60 - 60 * (i / 3000), 0, 1, 'n' || (i %% 3000), 1 FROM n",
	    SUMMARY_ROWS_MAX * 5 / 4, (long long)NOW_S);
	steps_of(&l, 60 * 60, &s, &most);
	assert_false(s.truncated);
	assert_int_equal(s.names.n, 3000);
	assert_int_equal(most, 60);
	steps = steps_of(&l, 7200, &s, &most);
	assert_true(s.truncated);
	assert_true(steps < INT64_C(20) * SUMMARY_ROWS_MAX);
	made_log_sql(&l,
	    "DELETE FROM rollups; INSERT INTO rollups WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 "
	    "FROM n WHERE i < 40000) SELECT 60, %lld / 60 * 60, 0, 4, 's' || i, 1 FROM n",
	    (long long)NOW_S);
	steps_of(&l, 60, &s, &most);
	assert_true(s.truncated);
	assert_true(s.symbols.n < 40000);
	made_log_fini(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(summaries_are_what_sql_says),
		cmocka_unit_test(costs_do_not_grow_with_the_log),
		cmocka_unit_test(a_flood_of_names_is_cut_and_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

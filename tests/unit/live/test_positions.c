/* test_positions - what a worker remembers of the log, and when it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "event/kinds.h"
#include "live/positions.h"
#include "live/recent.h"

#define PATTERNS KIND_BIT(KIND_PATTERN)
#define INDICATORS KIND_BIT(KIND_INDICATOR)

static struct positions *p;
static int woken;

static void
wake(void *arg)
{
	(*(int *)arg)++;
}

static int
setup(void **state)
{
	struct err e;

	(void)state;
	woken = 0;
	p = positions_new(&e);
	positions_on_wanted(p, wake, &woken);
	return p == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	positions_free(p);
	return 0;
}

static void
start(const char *epoch, int64_t head)
{
	struct snapshot snap = { .head = head };

	snprintf(snap.epoch, sizeof(snap.epoch), "%s", epoch);
	snap.newest[KIND_PATTERN] = head;
	snap.newest_visible[KIND_PATTERN] = head - 1;
	snap.newest[KIND_GAP] = snap.newest_visible[KIND_GAP] = 3;
	positions_start(p, &snap);
}

static void
row(int64_t seq, enum kind kind, const char *symbol, int64_t duplicate_of)
{
	positions_row(p, &(struct row_key){ seq, duplicate_of, kind, text_of(symbol) });
	positions_advance(p, seq);
}

static int
ask(unsigned of_kinds, const char *symbol, bool duplicates, unsigned *missing, struct position *out)
{
	struct text item = text_of(symbol);
	struct text_set set = { &item, symbol == NULL ? 0 : 1 };

	return positions_ask(p, of_kinds, &set, duplicates, missing, out);
}

static void
test_nobody_follows(void **state)
{
	struct position at;
	unsigned missing = 0;

	(void)state;
	assert_int_equal(ask(PATTERNS, NULL, false, NULL, &at), 0);
	assert_int_equal(woken, 1);
	assert_int_equal(ask(PATTERNS, "AAPL", false, &missing, &at), 0);
	assert_int_equal(missing, PATTERNS);
	/* What was read meanwhile is of no use: nobody tells what came after it. */
	positions_learn(p, at.ticket, TEXT("AAPL"), KIND_PATTERN, 5, 5);
	start("aaaaaaaa", 10);
	assert_int_equal(ask(PATTERNS, "AAPL", false, &missing, &at), 0);
	assert_true(positions_asked_us(p) > 0);
}

static void
test_whole_kinds(void **state)
{
	struct position at;

	(void)state;
	start("aaaaaaaa", 10);
	assert_int_equal(ask(PATTERNS, NULL, false, NULL, &at), 1);
	assert_int_equal(at.newest, 9);
	assert_int_equal(at.gap, 3);
	assert_int_equal(at.head, 10);
	assert_string_equal(at.epoch, "aaaaaaaa");
	assert_int_equal(ask(PATTERNS, NULL, true, NULL, &at), 1);
	assert_int_equal(at.newest, 10);
	row(11, KIND_PATTERN, "X", 9);
	row(12, KIND_INDICATOR, "X", 0);
	row(13, KIND_GAP, NULL, 0);
	assert_int_equal(ask(PATTERNS, NULL, false, NULL, &at), 1);
	assert_int_equal(at.newest, 9);
	assert_int_equal(at.gap, 13);
	ask(PATTERNS | INDICATORS, NULL, false, NULL, &at);
	assert_int_equal(at.newest, 12);
	ask(PATTERNS, NULL, true, NULL, &at);
	assert_int_equal(at.newest, 11);
	assert_int_equal(woken, 0);
}

static void
test_learning(void **state)
{
	struct position at, now;
	unsigned missing;

	(void)state;
	start("aaaaaaaa", 10);
	assert_int_equal(ask(PATTERNS | INDICATORS | KIND_BIT(KIND_HEALTH), "AAPL", false, &missing, &at), 0);
	/* Health has no symbols: nothing to learn there. */
	assert_int_equal(missing, PATTERNS | INDICATORS);
	/* These come between the question and the learning; the reader may have seen the first of them or not. */
	row(11, KIND_PATTERN, "AAPL", 0);
	row(12, KIND_PATTERN, "AAPL", 11);
	row(13, KIND_PATTERN, "MSFT", 0);
	positions_learn(p, at.ticket, TEXT("AAPL"), KIND_PATTERN, 7, 8);
	assert_int_equal(ask(PATTERNS, "AAPL", false, &missing, &now), 1);
	assert_int_equal(now.newest, 11);
	ask(PATTERNS, "AAPL", true, &missing, &now);
	assert_int_equal(now.newest, 12);
	assert_int_equal(ask(PATTERNS | INDICATORS, "AAPL", true, &missing, &now), 0);
	assert_int_equal(missing, INDICATORS);
	positions_learn(p, now.ticket, TEXT("AAPL"), KIND_INDICATOR, 6, 6);
	row(14, KIND_INDICATOR, "MSFT", 0);
	assert_int_equal(ask(INDICATORS, "AAPL", false, &missing, &now), 1);
	assert_int_equal(now.newest, 6);
}

static void
test_forgetting(void **state)
{
	struct position before, at;
	unsigned missing;

	(void)state;
	start("aaaaaaaa", 10);
	ask(PATTERNS, "AAPL", false, &missing, &before);
	start("bbbbbbbb", 2);
	ask(PATTERNS, "AAPL", false, &missing, &at);
	assert_string_equal(at.epoch, "bbbbbbbb");
	/* Read from the old log. */
	positions_learn(p, before.ticket, TEXT("AAPL"), KIND_PATTERN, 7, 8);
	assert_int_equal(ask(PATTERNS, "AAPL", false, &missing, &at), 0);
	positions_learn(p, at.ticket, TEXT("AAPL"), KIND_PATTERN, 1, 1);
	assert_int_equal(ask(PATTERNS, "AAPL", false, &missing, &at), 1);
	positions_stop(p);
	assert_int_equal(ask(PATTERNS, "AAPL", false, &missing, &at), 0);
	assert_int_equal(woken, 1);
	start("bbbbbbbb", 3);
	assert_int_equal(ask(PATTERNS, "AAPL", false, &missing, &at), 0);
}

/* Whoever follows has not reached the head for a while: what is new may not be known, so nothing is, until it has. */
static void
test_behind(void **state)
{
	struct text a = TEXT("A");
	const struct text_set none = { NULL, 0 }, symbols = { &a, 1 };
	struct position at;
	unsigned missing;

	(void)state;
	start("e", 10);
	assert_int_equal(positions_ask(p, PATTERNS, &symbols, false, &missing, &at), 0);
	positions_learn(p, at.ticket, a, KIND_PATTERN, 7, 8);
	assert_int_equal(positions_ask(p, PATTERNS, &symbols, false, &missing, &at), 1);
	positions_fresh(p, clock_mono_us() - POSITIONS_FRESH_US - 1);
	assert_int_equal(positions_ask(p, PATTERNS, &symbols, false, &missing, &at), 0);
	assert_int_equal(missing, 0);
	assert_int_equal(positions_ask(p, PATTERNS, &none, false, NULL, &at), 0);
	positions_fresh(p, clock_mono_us());
	assert_int_equal(positions_ask(p, PATTERNS, &symbols, false, &missing, &at), 1);
	assert_int_equal(positions_ask(p, PATTERNS, &none, false, NULL, &at), 1);
}

static void
name_of(char *to, size_t size, int i)
{
	snprintf(to, size, "S%d", i);
}

static void
test_bounded(void **state)
{
	struct position first, at;
	struct text pair[2];
	struct text_set set = { pair, 2 };
	char name[16], other[16];
	unsigned missing[2];

	(void)state;
	start("aaaaaaaa", 10);
	ask(PATTERNS, "S0", false, missing, &first);
	positions_learn(p, first.ticket, TEXT("S0"), KIND_PATTERN, 4, 4);
	for (int i = 1; i < POSITIONS_SYMBOLS_MAX; i++) {
		name_of(name, sizeof(name), i);
		ask(PATTERNS, name, false, missing, &at);
	}
	assert_int_equal(ask(PATTERNS, "S0", false, missing, &at), 1);
	/* One more than it holds, in the midst of a question: the whole question can teach nothing. */
	name_of(name, sizeof(name), 1);
	name_of(other, sizeof(other), POSITIONS_SYMBOLS_MAX);
	pair[0] = text_of(name);
	pair[1] = text_of(other);
	assert_int_equal(positions_ask(p, PATTERNS, &set, false, missing, &at), 0);
	positions_learn(p, at.ticket, pair[1], KIND_PATTERN, 4, 4);
	assert_int_equal(positions_ask(p, PATTERNS, &set, false, missing, &at), 0);
	assert_int_equal(missing[1], PATTERNS);
	assert_int_equal(ask(PATTERNS, "S0", false, missing, &at), 0);
}

static int64_t seqs[3];

static int64_t
recall(const char *symbol, unsigned of_kinds, int64_t above, int64_t upto)
{
	return positions_recall(p, "aaaaaaaa", text_of(symbol), of_kinds, above, &upto, seqs, 3);
}

static void
test_places_by_heart(void **state)
{
	int64_t upto = 20;

	(void)state;
	assert_int_equal(recall("AAPL", PATTERNS, 10, 20), -1);
	assert_int_equal(woken, 1);
	assert_true(positions_asked_us(p) > 0);
	start("aaaaaaaa", 10);
	row(11, KIND_PATTERN, "AAPL", 0);
	row(12, KIND_PATTERN, "MSFT", 0);
	row(13, KIND_INDICATOR, "AAPL", 11);
	row(13, KIND_INDICATOR, "AAPL", 11);
	row(15, KIND_PATTERN, "AAPL", 0);
	assert_int_equal(recall("AAPL", PATTERNS | INDICATORS, 10, 20), 3);
	assert_int_equal(seqs[0], 15);
	assert_int_equal(seqs[1], 13);
	assert_int_equal(seqs[2], 11);
	assert_int_equal(recall("AAPL", PATTERNS, 11, 20), 1);
	assert_int_equal(recall("AAPL", PATTERNS, 10, 14), 1);
	assert_int_equal(seqs[0], 11);
	assert_int_equal(recall("TSLA", PATTERNS, 10, 20), 0);
	/* Before the beginning it knows nothing, and of no other log. */
	assert_int_equal(recall("AAPL", PATTERNS, 9, 20), -1);
	assert_int_equal(positions_recall(p, "bbbbbbbb", TEXT("AAPL"), PATTERNS, 10, &upto, seqs, 3), -1);
	/* It says how far it has come, also over what has no symbol. */
	assert_int_equal(positions_recall(p, "aaaaaaaa", TEXT("AAPL"), PATTERNS, 10, &upto, seqs, 1), 2);
	assert_int_equal(upto, 15);
	upto = 20;
	positions_advance(p, 18);
	assert_int_equal(positions_recall(p, "aaaaaaaa", TEXT("AAPL"), 0, 10, &upto, NULL, 0), 0);
	assert_int_equal(upto, 18);
	positions_stop(p);
	assert_int_equal(recall("AAPL", PATTERNS, 10, 20), -1);
}

/* The oldest are forgotten, and it says so. */
static void
test_places_are_bounded(void **state)
{
	(void)state;
	start("aaaaaaaa", 0);
	for (int i = 1; i <= RECENT_PLACES; i++)
		row(i, KIND_PATTERN, i % 2 ? "AAPL" : "MSFT", 0);
	assert_int_equal(recall("AAPL", PATTERNS, 0, INT64_MAX), RECENT_PLACES / 2);
	assert_int_equal(seqs[0], RECENT_PLACES - 1);
	row(RECENT_PLACES + 1, KIND_PATTERN, "TSLA", 0);
	assert_int_equal(recall("AAPL", PATTERNS, 0, INT64_MAX), -1);
	assert_int_equal(recall("AAPL", PATTERNS, 1, INT64_MAX), RECENT_PLACES / 2 - 1);
	assert_int_equal(recall("TSLA", PATTERNS, 1, INT64_MAX), 1);
	/* Anew it begins with nothing. */
	start("aaaaaaaa", RECENT_PLACES + 1);
	assert_int_equal(recall("AAPL", PATTERNS, RECENT_PLACES + 1, INT64_MAX), 0);
	row(RECENT_PLACES + 2, KIND_PATTERN, "AAPL", 0);
	assert_int_equal(recall("AAPL", PATTERNS, RECENT_PLACES + 1, INT64_MAX), 1);
}

static void
test_kinds_with_symbols(void **state)
{
	(void)state;
	/* positions.c keeps symbols for the first three kinds only. */
	for (int kind = 0; kind < KIND__MAX; kind++)
		assert_int_equal(kinds[kind].has_symbol, kind <= KIND_ALERT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_follows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whole_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_learning, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgetting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places_by_heart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places_are_bounded, setup, teardown),
		cmocka_unit_test(test_kinds_with_symbols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_ring - the newest entries, whole, in order, whatever their sizes and however often the ring has gone round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "live/ring.h"

static struct ring r;
static char frame[70000];

static int
setup(void **state)
{
	struct err e;

	(void)state;
	return ring_init(&r, 65536, &e);
}

static int
teardown(void **state)
{
	(void)state;
	ring_fini(&r);
	return 0;
}

/* Sizes and bytes that depend on seq alone. */
static size_t
size_of(int64_t seq)
{
	return 20 + (size_t)(seq * 7919 % 3001);
}

static struct ring_entry *
add(int64_t seq)
{
	struct event ev = EVENT_INIT;
	size_t n = size_of(seq);

	memset(frame, (int)('a' + seq % 26), n);
	ev.seq = seq;
	ev.kind = KIND_PATTERN;
	ev.symbol = TEXT("AAPL");
	ev.name = TEXT("doji");
	ev.confidence = (double)seq;
	return ring_add(&r, &ev, (struct text){ frame, n }, 6);
}

static void
check(int64_t newest)
{
	int64_t seq = newest - (int64_t)(r.end - r.first);

	assert_int_equal(r.from, seq);
	for (uint64_t i = r.first; i < r.end; i++) {
		const struct ring_entry *entry = ring_at(&r, i);

		seq++;
		assert_int_equal(entry->ev.seq, seq);
		assert_true(entry->ev.confidence >= (double)seq && entry->ev.confidence <= (double)seq);
		assert_true(text_eq(entry->ev.symbol, TEXT("AAPL")) && text_eq(entry->ev.name, TEXT("doji")));
		assert_null(entry->ev.timeframe.p);
		assert_int_equal(entry->frame.n, size_of(seq));
		for (size_t k = 0; k < entry->frame.n; k++)
			assert_int_equal(entry->frame.p[k], 'a' + seq % 26);
		assert_int_equal(entry->body_at, 6);
	}
}

static void
test_round_and_round(void **state)
{
	(void)state;
	for (int64_t seq = 1; seq <= 2000; seq++) {
		assert_non_null(add(seq));
		check(seq);
		/* More than half of it is in use. */
		assert_true(seq < 60 || r.end - r.first > 15);
	}
	assert_int_equal(ring_after(&r, 0), r.first);
	assert_int_equal(ring_after(&r, 2000), r.end);
	assert_int_equal(ring_after(&r, 1999), r.end - 1);
	assert_int_equal(ring_at(&r, ring_after(&r, 1990))->ev.seq, 1991);
}

static void
test_too_large(void **state)
{
	struct event ev = EVENT_INIT;

	(void)state;
	add(1);
	ev.seq = 2;
	assert_null(ring_add(&r, &ev, (struct text){ frame, sizeof(frame) }, 0));
	assert_int_equal(r.first, r.end);
	assert_int_equal(r.from, 2);
	assert_non_null(add(3));
	assert_int_equal(ring_after(&r, 2), r.first);
	ring_clear(&r, 9);
	assert_int_equal(r.from, 9);
	assert_int_equal(ring_after(&r, 0), r.end);
}

static void
test_many_small(void **state)
{
	struct event ev = EVENT_INIT;

	(void)state;
	/* The table of places is the bound then. */
	for (ev.seq = 1; ev.seq <= 5000; ev.seq++) {
		assert_non_null(ring_add(&r, &ev, TEXT("x"), 0));
		assert_true(r.end - r.first <= r.n_places);
		assert_int_equal(ring_at(&r, r.end - 1)->ev.seq, ev.seq);
		assert_int_equal(ring_at(&r, r.first)->ev.seq, r.from + 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_and_round, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_small, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

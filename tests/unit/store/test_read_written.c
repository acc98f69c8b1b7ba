/* Reading what the real writer wrote: the same before it tended its indexes and tallies, and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "store/append.h"
#include "store/db.h"
#include "store/read.h"

#define EVENTS 300

static int
add_body(void *arg, const struct event *ev, struct text body)
{
	buf_add_int(arg, ev->seq);
	buf_add_text(arg, body);
	return 0;
}

static int
add_symbol(void *arg, const struct symbol_row *row)
{
	buf_add_text(arg, row->symbol);
	buf_printf(arg, " %lld %lld\n", (long long)row->patterns, (long long)row->last_seq);
	return 0;
}

static void
write_events(struct store *s)
{
	static const struct text symbols[] = { TEXT_INIT("A"), TEXT_INIT("B"), TEXT_INIT("C") };
	struct err e;

	for (int i = 0; i < EVENTS; i++) {
		struct event ev = EVENT_INIT;
		enum store_verdict verdict;

		ev.kind = KIND_PATTERN;
		ev.symbol = symbols[i % 3];
		ev.name = TEXT("doji");
		ev.timeframe = TEXT("1min");
		ev.confidence = 80;
		ev.channel = TEXT("c");
		ev.received_us = INT64_C(1700000000000000) + i * INT64_C(10000000);
		ev.time_ms = ev.received_us / 1000;
		ev.lead = TEXT(",\"kind\":\"pattern\"");
		ev.rest = TEXT("");
		assert_int_equal(store_append(s, &ev, &verdict, &e), 0);
		assert_int_equal(store_commit(s, ev.received_us, &e), 0);
	}
}

static void
read_all(struct reader *r, struct buf *out)
{
	const struct text symbols[] = { TEXT_INIT("A"), TEXT_INIT("C") };
	struct filter f = FILTER_INIT;
	struct list_query q = { .filter = &f, .limit = 1000 };
	struct symbols_query all = { .active_since_us = INT64_MIN, .limit = 10 };
	struct list_result result;
	struct snapshot snap;
	struct err e;

	assert_int_equal(read_begin(r, &snap, &e), 0);
	f.kinds = KIND_BIT(KIND_PATTERN);
	q.bound = snap.head + 1;
	assert_int_equal(read_list(r, &snap, &q, add_body, out, &result, &e), 0);
	assert_int_equal(result.delivered, EVENTS);
	f.symbols = (struct text_set){ symbols, 2 };
	assert_int_equal(read_list(r, &snap, &q, add_body, out, &result, &e), 0);
	assert_int_equal(result.delivered, EVENTS / 3 * 2);
	f.since_us = INT64_C(1700000000000000) + 150 * INT64_C(10000000);
	assert_int_equal(read_list(r, &snap, &q, add_body, out, &result, &e), 0);
	assert_int_equal(result.delivered, EVENTS / 3);
	assert_int_equal(read_symbols(r, &snap, &all, add_symbol, out, &e), 0);
	assert_int_equal(read_latest(r, &snap, TEXT("B"), KIND_PATTERN, add_body, out, &e), 0);
	assert_int_equal(snap.events[KIND_PATTERN], EVENTS);
	read_end(r);
}

static void
it_reads_the_same_before_and_after_tending(void **state)
{
	char dir[] = "/tmp/tickgate-test-XXXXXX", path[128];
	static const char *const ends[] = { "", "-wal", "-shm" };
	struct store_opts opts = { .dir = dir };
	struct buf before = { .max = 0 }, after = { .max = 0 };
	struct store *s;
	struct reader *r;
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_non_null(s = store_open(&opts, &e));
	assert_non_null(r = reader_new(dir, &e));
	write_events(s);
	read_all(r, &before);
	while (store_tend(s, STORE_CALM, &e) == 1)
		;
	assert_int_equal(store_close(s, &e), 0);
	read_all(r, &after);
	assert_true(before.len > 0);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.p, after.p, before.len);
	reader_free(r);
	buf_fini(&before);
	buf_fini(&after);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s%s", dir, DB_FILE, ends[i]);
		unlink(path);
	}
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(it_reads_the_same_before_and_after_tending) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

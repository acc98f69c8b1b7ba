/* Conditional requests: what a tag depends on, who computes it, and what is answered without the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/cache.h"
#include "api_fixture.h"
#include "live/positions.h"

#define TAG_SIZE 96

/* What a worker has besides: memory that follows the log, and a cache. */
static void
follow(struct fixture *f)
{
	struct snapshot snap;
	struct err e;

	assert_non_null(f->api->positions = positions_new(&e));
	assert_non_null(f->api->cache = cache_new(1 << 20, &e));
	assert_int_equal(read_begin(f->api->reader, &snap, &e), 0);
	read_end(f->api->reader);
	positions_start(f->api->positions, &snap);
}

static int
tear_down_all(void **state)
{
	struct fixture *f = *state;

	positions_free(f->api->positions);
	cache_free(f->api->cache);
	return tear_down(state);
}

/* A row that was committed, as the live thread tells of it. */
static void
happens(struct fixture *f, int64_t seq, enum kind kind, const char *symbol, int64_t duplicate_of)
{
	const struct row_key key = {
		.seq = seq, .kind = kind, .symbol = text_of(symbol), .duplicate_of = duplicate_of
	};

	positions_row(f->api->positions, &key);
	positions_advance(f->api->positions, seq);
}

static int
status_of(struct fixture *f, const char *path, const char *query, const char *if_none_match)
{
	const struct asked asked = { .path = path, .query = query, .if_none_match = if_none_match };

	send(f, &asked);
	return f->reply.status;
}

/* The tag of a 200, quotes and W/ included; empty: it has none. */
static const char *
tag_of(struct fixture *f, char out[TAG_SIZE], const char *path, const char *query)
{
	const char *at;

	if (status_of(f, path, query, NULL) != 200)
		fail_msg("%s?%s: %d %s", path, query, f->reply.status, buf_cstr(&f->reply.body));
	at = strstr(buf_cstr(&f->reply.head), "ETag: ");
	out[0] = '\0';
	if (at != NULL)
		snprintf(out, TAG_SIZE, "%.*s", (int)strcspn(at + 6, "\r"), at + 6);
	return out;
}

/* clang-format off */
static const struct { const char *path, *query; } questions[] = {
	{ "/v1/patterns", "" }, { "/v1/patterns", "symbols=S1,S2" }, { "/v1/events", "symbols=S1&duplicates=show" }, { "/v1/events", "" },
	{ "/v1/events", "kinds=pattern,gap&limit=7" }, { "/v1/symbols/S7/alerts", "" }, { "/v1/symbols/S8/events", "min_confidence=20" },
	{ "/v1/patterns.csv", "symbols=S1,NONE" }, { "/v1/events", "symbols=S1,S2&per_symbol=3" }, { "/v1/events", "before=" MADE_EPOCH "-500" },
	{ "/v1/events", "since=1700000100&until=1700000200" }, { "/v1/gaps", "" }, { "/v1/errors", "severity=error" },
	{ "/v1/events", "channel=chan&timeframe=1min&fields=n" }, { "/v1/indicators", "symbols=S0" }, { "/v1/indicators", "symbols=S0&duplicates=show" },
};
/* clang-format on */
#define N_QUESTIONS (sizeof(questions) / sizeof(questions[0]))

/* Without memory, with a memory that learns, and with one that knows: clients meet all three. */
static void
test_everybody_gives_the_same_tag(void **state)
{
	struct fixture *f = *state;
	char alone[N_QUESTIONS][TAG_SIZE], learning[TAG_SIZE], knowing[TAG_SIZE];

	write_state(f, true);
	for (size_t i = 0; i < N_QUESTIONS; i++) {
		tag_of(f, alone[i], questions[i].path, questions[i].query);
		assert_true(strlen(alone[i]) > 10 && strncmp(alone[i], "W/\"", 3) == 0);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(alone[i], alone[j]);
	}
	follow(f);
	for (size_t i = 0; i < N_QUESTIONS; i++) {
		assert_string_equal(tag_of(f, learning, questions[i].path, questions[i].query), alone[i]);
		assert_string_equal(tag_of(f, knowing, questions[i].path, questions[i].query), alone[i]);
	}
}

static void
test_who_has_it_is_told_so(void **state)
{
	struct fixture *f = *state;
	char tag[TAG_SIZE], more[3 * TAG_SIZE];

	write_state(f, true);
	for (int memory = 0; memory < 2; memory++) {
		if (memory)
			follow(f);
		tag_of(f, tag, "/v1/patterns", "symbols=S1,S3");
		assert_int_equal(status_of(f, "/v1/patterns", "symbols=S1,S3", tag), 304);
		assert_int_equal(f->reply.body.len, 0);
		assert_true(has_header(f, tag) && has_header(f, "Cache-Control: no-cache\r\n"));
		assert_true(has_header(f, "Tickgate-Cursor: " MADE_EPOCH "-1000\r\n"));
		assert_true(has_header(f, "Vary: Accept\r\n"));
		snprintf(more, sizeof(more), "\"x\", %.*s-gzip\"", (int)strlen(tag) - 1, tag);
		assert_int_equal(status_of(f, "/v1/patterns", "symbols=S1,S3", more), 304);
		assert_int_equal(status_of(f, "/v1/patterns", "symbols=S1,S3", "W/\"other\""), 200);
		/* The same question asked otherwise. */
		assert_int_equal(status_of(f, "/v1/patterns", "symbol=s3,s1,S3&pretty=1&_=2", tag), 304);
		assert_int_equal(status_of(f, "/v1/patterns", "symbols=S1", tag), 200);
		assert_int_equal(status_of(f, "/v1/patterns.csv", "symbols=S1,S3", tag), 200);
		tag_of(f, tag, "/v1/events", "before=" MADE_EPOCH "-77");
		assert_int_equal(status_of(f, "/v1/events", "before=" MADE_EPOCH "-77", tag), 304);
		assert_true(has_header(f, "Tickgate-Cursor: " MADE_EPOCH "-77\r\n"));
	}
}

static void
test_what_moves_by_itself_has_no_tag(void **state)
{
	static const char *const queries[] = { "after=oldest", "after=" MADE_EPOCH "-5", "since=1h", "until=1h",
		"before=" MADE_EPOCH "-2000" };
	struct fixture *f = *state;
	char tag[TAG_SIZE];

	for (int memory = 0; memory < 2; memory++) {
		if (memory)
			follow(f);
		for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
			assert_string_equal(tag_of(f, tag, "/v1/events", queries[i]), "");
			assert_int_equal(status_of(f, "/v1/events", queries[i], "*"), 200);
		}
	}
	assert_int_equal(status_of(f, "/v1/events", "before=zzzzzzzz-5", "*"), 410);
}

static void
test_only_what_it_can_match_changes_it(void **state)
{
	struct fixture *f = *state;
	char one[TAG_SIZE], all[TAG_SIZE], shown[TAG_SIZE], now[TAG_SIZE];
	const char *of_one = "symbols=S1,S2", *of_shown = "symbols=S1,S2&duplicates=show";

	write_state(f, true);
	follow(f);
	tag_of(f, one, "/v1/patterns", of_one);
	tag_of(f, all, "/v1/patterns", "");
	tag_of(f, shown, "/v1/patterns", of_shown);
	/* Another symbol, another kind: nothing to this list. */
	happens(f, 1001, KIND_PATTERN, "S3", 0);
	happens(f, 1002, KIND_INDICATOR, "S1", 0);
	assert_string_equal(tag_of(f, now, "/v1/patterns", of_one), one);
	assert_int_equal(status_of(f, "/v1/patterns", of_one, one), 304);
	assert_true(has_header(f, "Tickgate-Cursor: " MADE_EPOCH "-1002\r\n"));
	assert_string_not_equal(tag_of(f, now, "/v1/patterns", ""), all);
	/* A duplicate shows only where duplicates do. */
	happens(f, 1003, KIND_PATTERN, "S2", 900);
	assert_string_equal(tag_of(f, now, "/v1/patterns", of_one), one);
	assert_string_not_equal(tag_of(f, now, "/v1/patterns", of_shown), shown);
	happens(f, 1004, KIND_PATTERN, "S2", 0);
	assert_string_not_equal(tag_of(f, now, "/v1/patterns", of_one), one);
	assert_int_equal(status_of(f, "/v1/patterns", of_one, one), 200);
	/* A gap and staleness always do. */
	tag_of(f, one, "/v1/patterns", of_one);
	happens(f, 1005, KIND_GAP, NULL, 0);
	assert_string_not_equal(tag_of(f, now, "/v1/patterns", of_one), one);
	write_state(f, false);
	assert_string_not_equal(tag_of(f, one, "/v1/patterns", of_one), now);
	write_state(f, true);
	assert_string_equal(tag_of(f, one, "/v1/patterns", of_one), now);
}

/* Takes the log away, or puts it back: whoever answers meanwhile, answers from memory. */
static void
move_log(struct fixture *f, bool back)
{
	char away[160];

	snprintf(away, sizeof(away), "%s.away", f->log.path);
	assert_int_equal(back ? rename(away, f->log.path) : rename(f->log.path, away), 0);
}

static void
test_what_memory_knows_needs_no_database(void **state)
{
	struct fixture *f = *state;
	char tag[TAG_SIZE], first[65536];
	size_t n;

	write_state(f, true);
	follow(f);
	/* Twice, or the cache does not keep it. */
	tag_of(f, tag, "/v1/patterns", "symbols=S1,S3&limit=50");
	tag_of(f, tag, "/v1/patterns", "symbols=S1,S3&limit=50");
	n = strcspn(buf_cstr(&f->reply.body), "]");
	memcpy(first, f->reply.body.p, n);
	move_log(f, false);
	assert_int_equal(status_of(f, "/v1/patterns", "symbols=S1,S3&limit=50", tag), 304);
	assert_int_equal(status_of(f, "/v1/patterns", "limit=50&symbols=s3,s1", NULL), 200);
	assert_memory_equal(f->reply.body.p, first, n);
	assert_true(has_header(f, tag));
	/* Of S1 and S3 it knows, but never rendered this; of S2 it knows nothing. */
	assert_int_equal(status_of(f, "/v1/patterns", "symbols=S1,S3&limit=49", NULL), 503);
	assert_int_equal(status_of(f, "/v1/patterns", "symbols=S2", tag), 503);
	/* Something came in: what was rendered is not shown any more. */
	happens(f, 1001, KIND_PATTERN, "S3", 0);
	assert_int_equal(status_of(f, "/v1/patterns", "symbols=S1,S3&limit=50", tag), 503);
	move_log(f, true);
}

/* What is read after its position was taken may hold more than that position says: nobody gets it who has not got there. */
static void
test_the_cache_never_runs_ahead(void **state)
{
	struct fixture *f = *state;
	struct cache_counts counts;

	write_state(f, true);
	follow(f);
	made_log_sql(&f->log,
	    "INSERT INTO events SELECT 1001, 0, 'S1', name, timeframe, confidence, value, severity, component, source, "
	    "channel, "
	    "time_ms, time_source, received_us + 1, gap_from_us, 0, '{\"n\":1001}' FROM events WHERE seq = 999");
	made_log_sql(&f->log, "UPDATE log SET next_seq = 1002");
	/* Memory has not heard of it yet, the log has it; what is asked for the second time is kept. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(nth(ask(f, 200, "/v1/patterns", ""), 0), 1001);
		assert_string_equal(text_at(f->json, "cursor"), MADE_EPOCH "-1001");
	}
	cache_count(f->api->cache, &counts);
	assert_int_equal(counts.hits, 0);
	assert_int_equal(counts.entries, 1);
	happens(f, 1001, KIND_PATTERN, "S1", 0);
	ask(f, 200, "/v1/patterns", "");
	ask(f, 200, "/v1/patterns", "");
	cache_count(f->api->cache, &counts);
	assert_int_equal(counts.hits, 1);
}

/* The log was replaced and memory has not heard of it yet: it must not take what is read of the new one for what it follows. */
static void
test_memory_learns_nothing_of_another_log(void **state)
{
	struct fixture *f = *state;
	struct text s1 = TEXT("S1");
	const struct text_set symbols = { &s1, 1 };
	struct position at;
	char tag[TAG_SIZE];

	follow(f);
	made_log_sql(&f->log, "UPDATE log SET epoch = 'wxyz9876'");
	tag_of(f, tag, "/v1/patterns", "symbols=S1");
	assert_int_equal(positions_ask(f->api->positions, KIND_BIT(KIND_PATTERN), &symbols, false, NULL, &at), 0);
	made_log_sql(&f->log, "UPDATE log SET epoch = '" MADE_EPOCH "'");
	tag_of(f, tag, "/v1/patterns", "symbols=S1");
	assert_int_equal(positions_ask(f->api->positions, KIND_BIT(KIND_PATTERN), &symbols, false, NULL, &at), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_everybody_gives_the_same_tag, set_up, tear_down_all),
		cmocka_unit_test_setup_teardown(test_who_has_it_is_told_so, set_up, tear_down_all),
		cmocka_unit_test_setup_teardown(test_what_moves_by_itself_has_no_tag, set_up, tear_down_all),
		cmocka_unit_test_setup_teardown(test_only_what_it_can_match_changes_it, set_up, tear_down_all),
		cmocka_unit_test_setup_teardown(test_what_memory_knows_needs_no_database, set_up, tear_down_all),
		cmocka_unit_test_setup_teardown(test_the_cache_never_runs_ahead, set_up, tear_down_all),
		cmocka_unit_test_setup_teardown(test_memory_learns_nothing_of_another_log, set_up, tear_down_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

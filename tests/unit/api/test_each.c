/* per_symbol: the newest of each, against the lists of each alone, over an index that lags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"

/* data[symbol] of a per_symbol answer is what the symbol's own list gives. */
static void
check_each(struct fixture *f, const char *route, const char *symbols, int per_symbol, const char *more)
{
	json_t *answer, *value;
	char query[512], path[128];
	const char *symbol;
	int64_t count = 0;

	snprintf(query, sizeof(query), "symbols=%s&per_symbol=%d%s", symbols, per_symbol, more);
	snprintf(path, sizeof(path), "/v1/%s", route);
	answer = json_deep_copy(ask(f, 200, path, query));
	json_object_foreach(json_object_get(answer, "data"), symbol, value)
	{
		json_t *list;

		snprintf(path, sizeof(path), "/v1/symbols/%s/%s", symbol, route);
		snprintf(query, sizeof(query), "limit=%d%s", per_symbol, more);
		list = ask(f, 200, path, query);
		if (json_equal(json_object_get(list, "data"), value) != 1)
			fail_msg("%s?%s: %s is not the same", path, query, symbol);
		count += (int64_t)json_array_size(value);
	}
	assert_int_equal(json_integer_value(json_object_get(answer, "count")), count);
	json_decref(answer);
}

static void
test_it_is_the_list_of_each(void **state)
{
	struct fixture *f = *state;

	check_each(f, "events", "S1,S2,S39,S0", 5, "");
	check_each(f, "patterns", "S1,S2,S39,S0", 3, "");
	check_each(f, "events", "S1,S2", 100, "&duplicates=show");
	check_each(f, "patterns", "S3,S6", 100, "&min_confidence=50");
	check_each(f, "events", "S1,S2,S3", 4, "&before=" MADE_EPOCH "-950");
	check_each(f, "events", "S1,S2,S3", 4, "&before=" MADE_EPOCH "-905");
	check_each(f, "events", "S1,S2,S3", 4, "&before=" MADE_EPOCH "-800");
	check_each(f, "events", "S1,S2,S3", 4, "&since=1700000920");
	check_each(f, "events", "S1,S2,S3", 4, "&until=1700000910");
	check_each(f, "indicators", "S1", 1, "&fields=id,symbol");
}

static void
test_every_asked_symbol_is_there(void **state)
{
	struct fixture *f = *state;
	json_t *a = ask(f, 200, "/v1/events", "symbols=nowhere,s1,S2&per_symbol=2"), *data = json_object_get(a, "data");

	assert_int_equal(json_object_size(data), 3);
	assert_int_equal(json_array_size(json_object_get(data, "NOWHERE")), 0);
	assert_int_equal(json_array_size(json_object_get(data, "S1")), 2);
	assert_int_equal(json_integer_value(json_object_get(a, "count")), 4);
	assert_true(json_is_true(json_object_get(a, "has_more")));
	assert_true(json_is_null(json_object_get(a, "next")));
	assert_int_equal(json_array_size(json_object_get(a, "incomplete")), 0);
	assert_string_equal(text_at(a, "follow"), "/v1/events?symbols=nowhere,s1,S2&after=" MADE_EPOCH "-1000");
	assert_false(has_header(f, "Link:"));
}

static void
test_lines_follow_one_another(void **state)
{
	struct fixture *f = *state;
	const struct asked asked = { .path = "/v1/events.ndjson",
		.query = "symbols=S1,S2&per_symbol=2&duplicates=show" };

	send(f, &asked);
	assert_string_equal(buf_cstr(&f->reply.body), "{\"n\":961}\n{\"n\":921}\n{\"n\":962}\n{\"n\":922}\n");
	assert_true(has_header(f, "Tickgate-Has-More: true\r\n"));
}

/* Fifteen thousand events each of S0 and S1 that do not match: neither is searched to its end, and S3 has its own. */
static void
test_shares_are_fair_and_what_was_not_seen_is_told(void **state)
{
	struct fixture *f = *state;
	json_t *a, *data;

	made_log_sql(&f->log,
	    "INSERT INTO events WITH RECURSIVE n(i) AS (SELECT 1001 UNION ALL SELECT i + 1 FROM n WHERE i < 31000) "
	    "SELECT i, 0, iif(i %% 2, 'S0', 'S1'), 'n1', '1min', 5, NULL, 0, NULL, NULL, 'c', 0, 0, 1700000000000000 + "
	    "i, 0, 0, '{}' FROM "
	    "n");
	made_log_index(&f->log, 31000);
	made_log_sql(&f->log, "UPDATE log SET next_seq = 31001, indexed_to = 31000");
	a = ask(f, 200, "/v1/patterns", "symbols=S0,S1,S3&per_symbol=3&min_confidence=20");
	data = json_object_get(a, "data");
	assert_int_equal(json_array_size(json_object_get(data, "S0")), 0);
	assert_int_equal(json_array_size(json_object_get(data, "S1")), 0);
	assert_int_equal(json_array_size(json_object_get(data, "S3")), 3);
	assert_int_equal(json_array_size(json_object_get(a, "incomplete")), 2);
	assert_string_equal(json_string_value(json_array_get(json_object_get(a, "incomplete"), 0)), "S0");
	assert_true(json_is_true(json_object_get(a, "has_more")));
}

static void
test_what_does_not_go_together(void **state)
{
	/* clang-format off */
	static const struct { const char *path, *query, *code; } rows[] = {
		{ "/v1/events", "per_symbol=2", "conflicting_parameters" },
		{ "/v1/events", "symbols=A&per_symbol=2&limit=3", "conflicting_parameters" },
		{ "/v1/events", "symbols=A&per_symbol=2&after=now", "conflicting_parameters" },
		{ "/v1/events", "symbols=A&per_symbol=0", "invalid_parameter" },
		{ "/v1/symbols/A/events", "per_symbol=2", "unknown_parameter" },
		{ "/v1/errors", "per_symbol=2", "unknown_parameter" },
	};
	/* clang-format on */
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(text_at(ask(f, 400, rows[i].path, rows[i].query), "code"), rows[i].code);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_it_is_the_list_of_each, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_asked_symbol_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lines_follow_one_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shares_are_fair_and_what_was_not_seen_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_does_not_go_together, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

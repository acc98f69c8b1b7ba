/* Pages of large events: they end by bytes too, and nothing is lost or told twice by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/rows.h"
#include "api_fixture.h"

#define LARGE 200 /* of the newest events */
#define PAD 200000 /* bytes of each: two and a half pages */
#define PAD_SNAPSHOT 400000 /* of which the newest of each are fewer */

static void
make_large(struct fixture *f, int bytes)
{
	made_log_sql(&f->log,
	    "UPDATE events SET body = '{\"n\":' || seq || ',\"pad\":\"' || hex(zeroblob(%d)) || '\"}' WHERE seq > %d",
	    bytes / 2, EVENTS - LARGE);
}

static int
count_lines(struct text body, const char *begin)
{
	struct text line;
	int n = 0;

	while (text_split(&body, '\n', &line))
		n += text_starts(line, text_of(begin));
	return n;
}

/* A page is not much larger than its bound, and says where it ends. */
static void
check_size(struct fixture *f)
{
	assert_int_equal(f->reply.status, 200);
	assert_in_range(f->reply.body.len, ROWS_BYTES_MAX, ROWS_BYTES_MAX + PAD + 10000);
}

static void
test_a_page_ends_by_bytes(void **state)
{
	struct fixture *f = *state;
	char path[128] = "/v1/events", query[128] = "limit=1000&duplicates=show";
	int pages = 0;
	int64_t next = EVENTS;
	json_t *a;

	make_large(f, PAD);
	do {
		a = ask(f, 200, path, query);
		if (pages++ < 2)
			check_size(f);
		for (int64_t i = 0, n = count_of(a); i < n; i++)
			assert_int_equal(nth(a, (size_t)i), next--);
		if (json_is_string(json_object_get(a, "next")))
			snprintf(query, sizeof(query), "%s", strchr(text_at(a, "next"), '?') + 1);
	} while (json_is_true(json_object_get(a, "has_more")));
	assert_int_equal(next, 0);
	assert_int_equal(pages, 3);
}

static void
test_forth_too(void **state)
{
	struct fixture *f = *state;
	char query[128];
	json_t *a;

	make_large(f, PAD);
	snprintf(query, sizeof(query), "limit=1000&duplicates=show&after=%s-%d", MADE_EPOCH, EVENTS - LARGE);
	a = ask(f, 200, "/v1/events", query);
	check_size(f);
	snprintf(query, sizeof(query), "%s-%d", MADE_EPOCH, (int)(EVENTS - LARGE + count_of(a)));
	assert_string_equal(text_at(a, "cursor"), query);
	assert_true(json_is_true(json_object_get(a, "has_more")));
}

static void
test_every_form(void **state)
{
	static const struct {
		const char *path, *query, *line;
	} forms[] = {
		{ "/v1/events.ndjson", "limit=10000&duplicates=show", "{" },
		{ "/v1/events.csv", "limit=10000&duplicates=show&fields=n,pad", "" },
		{ "/v1/events", "limit=1000&duplicates=show&group=symbol", "{" },
	};
	struct fixture *f = *state;

	make_large(f, PAD);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct asked asked = { .path = forms[i].path, .query = forms[i].query };

		send(f, &asked);
		check_size(f);
		if (i < 2) {
			assert_true(has_header(f, "Tickgate-Has-More: true\r\n"));
			assert_in_range(count_lines(buf_text(&f->reply.body), forms[i].line), 80, 90);
		}
		assert_true(has_header(f, "Link: <"));
	}
}

/* Symbols that found no room any more are told like those that were not searched to their end. */
static void
test_the_newest_of_each(void **state)
{
	struct fixture *f = *state;
	char query[1024] = "duplicates=show&per_symbol=5&symbols=S0";
	json_t *a, *incomplete;

	for (int i = 1; i < 40; i++)
		snprintf(query + strlen(query), sizeof(query) - strlen(query), ",S%d", i);
	make_large(f, PAD);
	a = ask(f, 200, "/v1/events", query);
	check_size(f);
	assert_int_equal(json_object_size(json_object_get(a, "data")), 40);
	incomplete = json_object_get(a, "incomplete");
	assert_in_range(json_array_size(incomplete), 20, 25);
	for (size_t i = 1; i < json_array_size(incomplete); i++) {
		const char *symbol = json_string_value(json_array_get(incomplete, i));

		assert_int_equal(json_array_size(json_object_get(json_object_get(a, "data"), symbol)), 0);
	}
	assert_true(json_is_true(json_object_get(a, "has_more")));
}

/* Indented it would be far more than an answer may have. */
static void
test_what_is_too_deep_to_be_indented(void **state)
{
	struct fixture *f = *state;
	json_t *a;

	made_log_sql(&f->log,
	    "UPDATE events SET body = '{\"n\":' || seq || ',\"a\":[[[[[[[[[[[[' || replace(hex(zeroblob(%d)), '00', "
	    "'1,') || "
	    "'1]]]]]]]]]]]]}' WHERE seq > %d",
	    PAD / 2, EVENTS - LARGE);
	a = ask(f, 200, "/v1/events", "limit=1000&duplicates=show&pretty=1");
	check_size(f);
	assert_int_equal(nth(a, 0), EVENTS);
	a = ask(f, 200, "/v1/events", "limit=1&pretty=1");
	assert_true(text_starts(buf_text(&f->reply.body), TEXT("{\n  \"data\"")));
}

/* Half a snapshot would look like a whole one: more than fits is refused, one symbol alone is not. */
static void
test_a_snapshot_that_is_too_large(void **state)
{
	struct fixture *f = *state;
	char query[1024] = "symbols=S0", *to = query;

	make_large(f, PAD_SNAPSHOT);
	assert_int_equal(json_object_size(json_object_get(ask(f, 200, "/v1/snapshot", query), "data")), 1);
	for (int i = 1; i < 40; i++)
		snprintf(to + strlen(to), sizeof(query) - strlen(query), ",S%d", i);
	ask(f, 400, "/v1/snapshot", query);
	assert_non_null(strstr(buf_cstr(&f->reply.body), "ask for fewer"));
	assert_false(has_header(f, "Tickgate-Cursor"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_page_ends_by_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forth_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_form, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_newest_of_each, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_too_deep_to_be_indented, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_snapshot_that_is_too_large, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

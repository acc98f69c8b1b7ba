/* Every resource through api_handle(), with fabricated requests, over a log made by SQL and a state file of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <inttypes.h>

#include "api_fixture.h"
#include "base/clock.h"

static void
newest_first_has_the_whole_envelope(void **state)
{
	struct fixture *f = *state;
	json_t *a;

	write_state(f, true);
	a = ask(f, 200, "/v1/events", "limit=5&symbols=s1,s2");
	assert_int_equal(count_of(a), 5);
	assert_int_equal(nth(a, 0), 962);
	assert_int_equal(nth(a, 1), 961);
	assert_true(json_is_true(json_object_get(a, "has_more")));
	assert_string_equal(text_at(a, "cursor"), MADE_EPOCH "-1000");
	assert_string_equal(text_at(a, "next"), "/v1/events?symbols=s1,s2&limit=5&before=" MADE_EPOCH "-882");
	assert_string_equal(text_at(a, "follow"), "/v1/events?symbols=s1,s2&limit=5&after=" MADE_EPOCH "-1000");
	assert_true(json_is_null(json_object_get(a, "reset")));
	assert_true(json_is_array(json_object_get(a, "gaps")));
	assert_true(json_is_false(json_object_get(a, "stale")));
	assert_true(json_is_real(json_object_get(a, "as_of")));
	assert_true(has_header(f, "Cache-Control: no-cache\r\n"));
	assert_true(has_header(f, "Tickgate-Cursor: " MADE_EPOCH "-1000\r\n"));
	assert_true(has_header(f, "Link: </v1/events?"));
	a = ask(f, 200, "/v1/symbols/S7/patterns", "limit=1000");
	assert_true(json_is_null(json_object_get(a, "next")));
	assert_true(json_is_false(json_object_get(a, "has_more")));
	assert_int_equal(count_of(ask(f, 200, "/v1/symbols/NONE/events", "")), 0);
}

static void
after_goes_forth_and_resets(void **state)
{
	struct fixture *f = *state;
	json_t *a;

	a = ask(f, 200, "/v1/patterns", "after=" MADE_EPOCH "-990");
	assert_int_equal(nth(a, 0), 993);
	assert_string_equal(text_at(a, "cursor"), MADE_EPOCH "-1000");
	assert_true(has_header(f, "Cache-Control: no-store\r\n"));
	a = ask(f, 200, "/v1/patterns", "after=now");
	assert_int_equal(count_of(a), 0);
	assert_string_equal(text_at(a, "cursor"), MADE_EPOCH "-1000");
	a = ask(f, 200, "/v1/patterns", "after=oldest&limit=1");
	assert_int_equal(nth(a, 0), 3);
	assert_string_equal(
	    text_at(json_object_get(ask(f, 200, "/v1/patterns", "after=zzzzzzzz-5"), "reset"), "reason"),
	    "epoch_changed");
	assert_string_equal(
	    text_at(json_object_get(ask(f, 200, "/v1/patterns", "after=" MADE_EPOCH "-99999999999999999999"), "reset"),
		"reason"),
	    "unknown_cursor");
	assert_string_equal(
	    text_at(json_object_get(ask(f, 200, "/v1/patterns", "after=" MADE_EPOCH "-1001"), "reset"), "reason"),
	    "unknown_cursor");
	made_log_sql(&f->log,
	    "DELETE FROM events WHERE seq <= 100 AND kind = 0; UPDATE kinds SET trimmed_to = 99 WHERE kind = 0");
	a = ask(f, 200, "/v1/patterns", "after=" MADE_EPOCH "-98&limit=1");
	assert_string_equal(text_at(json_object_get(a, "reset"), "reason"), "trimmed");
	assert_int_equal(nth(a, 0), 102);
	/* Another kind's trimming is nobody else's business. */
	assert_true(json_is_null(json_object_get(ask(f, 200, "/v1/alerts", "after=" MADE_EPOCH "-98"), "reset")));
	assert_true(json_is_null(json_object_get(ask(f, 200, "/v1/patterns", "after=" MADE_EPOCH "-99"), "reset")));
}

/* Asks for what may not be JSON. Borrowed until the next call. */
static const char *
ask_text(struct fixture *f, int status, const char *path, const char *query, const char *accept)
{
	const struct asked asked = { .path = path, .query = query, .accept = accept };

	send(f, &asked);
	if (f->reply.status != status)
		fail_msg("%s?%s: %d %s", path, query, f->reply.status, buf_cstr(&f->reply.body));
	return buf_cstr(&f->reply.body);
}

static void
lists_have_their_forms(void **state)
{
	struct fixture *f = *state;
	const char *text;

	text = ask_text(f, 200, "/v1/symbols/S1/patterns.csv", "limit=2&fields=n,symbol", NULL);
	assert_string_equal(text, "n,symbol\r\n921,\r\n801,\r\n");
	assert_string_equal(f->reply.content_type, "text/csv; charset=utf-8; header=present");
	assert_true(has_header(f, "Tickgate-Cursor: " MADE_EPOCH "-1000\r\n"));
	assert_true(has_header(f, "Tickgate-Has-More: true\r\n"));
	assert_true(
	    has_header(f, "Link: </v1/symbols/S1/patterns.csv?limit=2&fields=n,symbol&before=" MADE_EPOCH "-801>"));
	assert_false(has_header(f, "Vary:"));
	text = ask_text(f, 200, "/v1/symbols/S1/patterns", "limit=1&fields=symbol,n", "application/x-ndjson");
	assert_string_equal(text, "{\"n\":921}\n");
	assert_string_equal(f->reply.content_type, "application/x-ndjson");
	assert_true(has_header(f, "Vary: Accept\r\n"));
	text = ask_text(f, 200, "/v1/patterns.ndjson", "symbol=NONE", NULL);
	assert_string_equal(text, "");
	assert_true(has_header(f, "Tickgate-Has-More: false\r\n"));
	text = ask_text(f, 200, "/v1/patterns.csv", "symbol=NONE&fields=a", "text/html");
	assert_string_equal(text, "a\r\n");
	ask_text(f, 406, "/v1/patterns", "", "text/html");
	assert_true(has_header(f, "Vary: Accept\r\n"));
	ask_text(f, 404, "/v1/symbols/S1.csv", "", NULL);
	ask_text(f, 404, "/v1/channels.csv", "", NULL);
	ask_text(f, 400, "/v1/patterns.csv", "format=ndjson", NULL);
	ask_text(f, 400, "/v1/patterns.csv", "limit=10001", NULL);
	ask_text(f, 400, "/v1/patterns", "limit=1001", NULL);
	ask_text(f, 200, "/v1/patterns.csv", "limit=10000", NULL);
}

static void
json_has_its_shapes(void **state)
{
	struct fixture *f = *state;
	json_t *a, *data;

	a = ask(f, 200, "/v1/events", "symbols=S1,S2,S3&limit=5&group=symbol&fields=n");
	data = json_object_get(a, "data");
	assert_int_equal(json_integer_value(json_object_get(a, "count")), 5);
	assert_int_equal(json_object_size(data), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(data, "S2"), 0), "n")), 962);
	assert_int_equal(json_object_size(json_array_get(json_object_get(data, "S2"), 0)), 1);
	a = ask(f, 200, "/v1/events", "symbol=NONE&group=symbol");
	assert_int_equal(json_object_size(json_object_get(a, "data")), 0);
	assert_true(json_is_object(json_object_get(a, "data")));
	assert_string_equal(text_at(ask(f, 400, "/v1/events.csv", "group=symbol"), "code"), "conflicting_parameters");
	assert_string_equal(
	    text_at(ask(f, 410, "/v1/events", "after=zzzzzzzz-1&on_gap=fail"), "code"), "cursor_expired");
	ask(f, 200, "/v1/events", "after=zzzzzzzz-1&on_gap=reset");
	ask(f, 200, "/v1/events", "after=" MADE_EPOCH "-900&on_gap=fail");
	assert_int_equal(count_of(ask(f, 200, "/v1/events", "limit=3&pretty=1")), 3);
	assert_non_null(strstr(buf_cstr(&f->reply.body), "{\n  \"data\": [\n    {\n      \"n\": "));
	assert_non_null(strstr(ask_text(f, 400, "/v1/events", "limit=0&pretty=1", NULL), "\n  \"code\": "));
}

static void
bad_cursors_are_told(void **state)
{
	static const char *const above[] = { "before=" MADE_EPOCH "-5000&limit=1",
		"before=" MADE_EPOCH "-99999999999999999999&limit=1" };
	static const char *const malformed[] = { "after=what", "before=now", "before=oldest", "after=5", "after=-5",
		"after=" MADE_EPOCH, "after=" MADE_EPOCH "-", "after=" MADE_EPOCH "-05", "before=" MADE_EPOCH "-5x" };
	struct fixture *f = *state;
	json_t *a;

	assert_string_equal(text_at(ask(f, 410, "/v1/events", "before=zzzzzzzz-5"), "code"), "cursor_expired");
	assert_string_equal(text_at(ask(f, 400, "/v1/events", "before=%21"), "code"), "invalid_cursor");
	assert_string_equal(
	    text_at(ask(f, 200, "/v1/events", "before=" MADE_EPOCH "-90&limit=1"), "cursor"), MADE_EPOCH "-90");
	/* Above the head: from the head, and it is said. */
	for (size_t i = 0; i < sizeof(above) / sizeof(above[0]); i++) {
		a = ask(f, 200, "/v1/events", above[i]);
		assert_string_equal(text_at(a, "cursor"), MADE_EPOCH "-1000");
		assert_string_equal(text_at(json_object_get(a, "reset"), "reason"), "unknown_cursor");
		assert_int_equal(nth(a, 0), 999);
	}
	assert_true(json_is_null(json_object_get(ask(f, 200, "/v1/events", "before=" MADE_EPOCH "-1000"), "reset")));
	assert_string_equal(text_at(ask(f, 400, "/v1/events", "after=a_b"), "code"), "invalid_cursor");
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		assert_string_equal(text_at(ask(f, 400, "/v1/events", malformed[i]), "code"), "invalid_cursor");
	ask(f, 400, "/v1/patterns", "min_confidence=90&max_confidence=80");
	ask(f, 400, "/v1/patterns", "min_value=1");
}

/* Between two pages a window that moves would lose what leaves it at its end. */
static void
next_pins_ages_and_follow_keeps_them(void **state)
{
	struct fixture *f = *state;
	json_t *a = ask(f, 200, "/v1/events", "since=36500d&until=0s&limit=1");
	char next[256];
	int64_t since, until;

	snprintf(next, sizeof(next), "%s", text_at(a, "next"));
	assert_int_equal(sscanf(next, "/v1/events?since=%" SCNd64 ".%*d&until=%" SCNd64, &since, &until), 2);
	assert_true(until - since == INT64_C(36500) * 86400 || since == 0);
	assert_true(llabs(until - clock_real_us() / 1000000) < 60);
	assert_non_null(strstr(text_at(a, "follow"), "since=36500d&until=0s&"));
	assert_int_equal(nth(ask(f, 200, "/v1/events", strchr(next, '?') + 1), 0), 998);
}

/* Every character of it takes three in a link, and the whole would be larger than the head of an answer may be. */
static void
long_links_stand_in_the_body_only(void **state)
{
	struct fixture *f = *state;
	struct buf query = { .max = 8192 };
	json_t *a;

	buf_add_str(&query, "limit=1&symbols=s1,s2");
	for (int i = 0; i < 190; i++)
		buf_printf(&query, ",^^^^^^^^^^^^^^^^^^^^^^^^^^^^%d", i);
	a = ask(f, 200, "/v1/events", buf_cstr(&query));
	assert_true(strlen(text_at(a, "next")) > 16384);
	assert_false(has_header(f, "Link:"));
	buf_fini(&query);
}

static void
filters_reach_the_log(void **state)
{
	struct fixture *f = *state;
	json_t *a = ask(f, 200, "/v1/patterns", "pattern=N-3&min_confidence=50&timeframe=1min&limit=1000");
	int64_t want;

	made_log_numbers(&f->log, &want, 1,
	    "SELECT count(*) FROM events WHERE kind = 0 AND name = 'n3' AND confidence >= 50 AND timeframe = '1min' "
	    "AND duplicate_of = 0");
	assert_int_equal(count_of(a), want);
	assert_int_equal(count_of(ask(f, 200, "/v1/patterns", "channel=none")), 0);
	/* Only duplicates have numbers that ten divides. */
	assert_int_equal(nth(ask(f, 200, "/v1/events", "channel=chan&limit=1"), 0), 1000);
	assert_int_equal(nth(ask(f, 200, "/v1/events", "channel=chan&duplicates=hide&limit=1"), 0), 999);
	assert_int_equal(nth(ask(f, 200, "/v1/events", "duplicates=show&limit=1"), 0), 1000);
	assert_int_equal(nth(ask(f, 200, "/v1/events", "limit=1"), 0), 999);
	assert_int_equal(count_of(ask(f, 200, "/v1/errors", "severity=error,critical")), 0);
	assert_int_equal(count_of(ask(f, 200, "/v1/gaps", "")), 0);
	made_log_sql(&f->log,
	    "UPDATE events SET kind = 6, symbol = NULL, name = NULL, gap_from_us = received_us - 5000000 WHERE seq = "
	    "995;"
	    "UPDATE events SET kind = 5, severity = 4, component = 'C' WHERE seq = 994;"
	    "UPDATE kinds SET newest = 995 WHERE kind = 6");
	assert_int_equal(nth(ask(f, 200, "/v1/gaps", ""), 0), 995);
	assert_int_equal(json_array_size(json_object_get(ask(f, 200, "/v1/events", "limit=2"), "gaps")), 0);
	assert_int_equal(json_array_size(json_object_get(ask(f, 200, "/v1/events", "limit=5"), "gaps")), 1);
	assert_int_equal(
	    json_array_size(json_object_get(ask(f, 200, "/v1/events", "limit=5&before=" MADE_EPOCH "-900"), "gaps")),
	    0);
	/* Who goes on after a gap has been told of it. */
	assert_int_equal(
	    json_array_size(json_object_get(ask(f, 200, "/v1/events", "after=" MADE_EPOCH "-994"), "gaps")), 1);
	assert_int_equal(
	    json_array_size(json_object_get(ask(f, 200, "/v1/events", "after=" MADE_EPOCH "-995"), "gaps")), 0);
	assert_int_equal(count_of(ask(f, 200, "/v1/errors", "severity=error,critical&component=C")), 1);
	assert_int_equal(count_of(ask(f, 200, "/v1/errors", "severity=warning")), 0);
	assert_int_equal(count_of(ask(f, 200, "/v1/errors", "min_severity=critical")), 0);
	assert_int_equal(count_of(ask(f, 200, "/v1/errors", "component=D")), 0);
}

static void
single_resources(void **state)
{
	struct fixture *f = *state;
	json_t *a = ask(f, 200, "/v1/events/" MADE_EPOCH "-5", "");

	assert_int_equal(json_integer_value(json_object_get(json_object_get(a, "data"), "n")), 5);
	assert_true(has_header(f, "immutable"));
	assert_string_equal(text_at(ask(f, 404, "/v1/events/" MADE_EPOCH "-5000", ""), "code"), "event_not_found");
	assert_string_equal(
	    text_at(ask(f, 404, "/v1/events/" MADE_EPOCH "-99999999999999999999", ""), "code"), "event_not_found");
	assert_string_equal(text_at(ask(f, 410, "/v1/events/zzzzzzzz-5", ""), "code"), "event_expired");
	assert_string_equal(text_at(ask(f, 400, "/v1/events/what", ""), "code"), "invalid_cursor");
	made_log_sql(&f->log, "DELETE FROM events WHERE seq = 4; UPDATE kinds SET trimmed_to = 4 WHERE kind = 1");
	assert_string_equal(text_at(ask(f, 410, "/v1/events/" MADE_EPOCH "-4", ""), "code"), "event_expired");
	a = ask(f, 200, "/v1/symbols/s7", "");
	assert_string_equal(text_at(json_object_get(a, "data"), "symbol"), "S7");
	assert_true(json_array_size(json_object_get(json_object_get(a, "data"), "patterns")) > 0);
	assert_string_equal(text_at(ask(f, 404, "/v1/symbols/NONE", ""), "code"), "symbol_not_found");
	ask(f, 200, "/livez", "");
	ask(f, 200, "/readyz", "verbose");
	a = ask(f, 200, "/v1", "");
	assert_int_equal(json_array_size(json_object_get(a, "routes")), api_n_routes);
	assert_string_equal(text_at(a, "epoch"), MADE_EPOCH);
}

static void
directory_pages(void **state)
{
	struct fixture *f = *state;
	json_t *a = ask(f, 200, "/v1/symbols", "limit=3&prefix=s1");

	assert_int_equal(count_of(a), 3);
	assert_string_equal(text_at(a, "next"), "/v1/symbols?limit=3&prefix=s1&after_symbol=S12");
	a = ask(f, 200, "/v1/symbols", "limit=3&prefix=s1&after_symbol=S12");
	assert_string_equal(text_at(json_array_get(json_object_get(a, "data"), 0), "symbol"), "S13");
	a = ask(f, 200, "/v1/symbols", "order=activity&limit=1");
	assert_string_equal(text_at(json_array_get(json_object_get(a, "data"), 0), "last_id"), MADE_EPOCH "-999");
	ask(f, 400, "/v1/symbols", "order=activity&after_symbol=S1");
	assert_int_equal(count_of(ask(f, 200, "/v1/symbols", "active=15m")), 0);
}

static void
channels_and_health_follow_the_state_file(void **state)
{
	struct fixture *f = *state;
	json_t *a;

	a = ask(f, 200, "/v1/channels", "");
	assert_int_equal(json_array_size(json_object_get(a, "data")), 0);
	assert_true(json_is_true(json_object_get(ask(f, 200, "/v1/events", "limit=1"), "stale")));
	assert_string_equal(text_at(ask(f, 200, "/v1/health", ""), "status"), "degraded");
	write_state(f, true);
	a = json_array_get(json_object_get(ask(f, 200, "/v1/channels", ""), "data"), 0);
	assert_int_equal(json_integer_value(json_object_get(a, "received")), 12);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(a, "rejected"), "invalid_json")), 2);
	a = ask(f, 200, "/v1/health", "");
	assert_string_equal(text_at(a, "status"), "ok");
	assert_string_equal(text_at(json_object_get(a, "producer"), "state"), "live");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(a, "store"), "events")), EVENTS);
	/* A plain CGI program shares no counters with anybody. */
	assert_null(json_object_get(a, "gateway"));
	write_state(f, false);
	assert_true(json_is_true(json_object_get(ask(f, 200, "/v1/events", "limit=1"), "stale")));
}

static void
health_sums_the_workers(void **state)
{
	struct fixture *f = *state;
	struct counters *counters = counters_new(2, NULL);
	json_t *gateway;

	assert_non_null(counters);
	f->api->shared.counters = counters;
	counters->workers[0].pid = 1;
	counters->workers[0].starts = 3;
	counters->workers[1].starts = 1;
	counters_add(&counters->workers[0], 200, 5);
	counters_add(&counters->workers[0], 404, 5);
	counters_add(&counters->workers[1], 503, 5);
	gateway = json_object_get(ask(f, 200, "/v1/health", ""), "gateway");
	assert_int_equal(json_integer_value(json_object_get(gateway, "workers")), 1);
	assert_int_equal(json_integer_value(json_object_get(gateway, "requests")), 3);
	assert_int_equal(json_integer_value(json_object_get(gateway, "errors")), 1);
	assert_int_equal(json_integer_value(json_object_get(gateway, "worker_restarts")), 2);
	f->api->shared.counters = NULL;
	counters_free(counters);
}

/* Names and order of members are the contract's. */
static void
members_have_their_names_and_order(void **state)
{
	static const struct {
		const char *path, *inside, *members;
	} wanted[] = {
		{ "/v1/events", NULL, "data count has_more cursor next follow reset gaps stale as_of " },
		{ "/v1/symbols", NULL, "data count has_more cursor next stale as_of " },
		{ "/v1/symbols", "data", "symbol patterns indicators alerts last_id last_received_at " },
		{ "/v1/symbols/S1", NULL, "data cursor stale " },
		{ "/v1/symbols/S1", "data", "symbol patterns indicators " },
		{ "/v1/channels", NULL, "data since dropped stale " },
		{ "/v1/channels", "data",
		    "channel kind subscribed messages received accepted duplicates rejected last_message_age rate_1m "
		    "error "
		    "notes " },
		{ "/v1/rejects", "data", "received_at channel reason detail bytes sample " },
		{ "/v1/health", NULL, "status version redis subscriber store producer streams gaps " },
		{ "/v1/health", "redis", "connected since ping_ms last_message_age reconnects error " },
		{ "/v1/health", "subscriber", "alive age head queue_bytes queue_limit commit_ms_p99 store_error " },
		{ "/v1/health", "store", "events bytes oldest_received_at retention " },
		{ "/v1/health", "producer", "state age report " },
		{ "/v1/health", "gaps", "count last " },
	};
	struct fixture *f = *state;

	write_state(f, true);
	made_log_sql(&f->log, "INSERT INTO rejects VALUES (1, 1700000000000000, 'c', 0, '', 61, '{\"x')");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		json_t *a = ask_from(f, 200, "127.0.0.1", wanted[i].path, ""), *value;
		struct buf got = { .max = 1024 };
		const char *key;

		if (wanted[i].inside != NULL)
			a = json_object_get(a, wanted[i].inside);
		if (json_is_array(a))
			a = json_array_get(a, 0);
		json_object_foreach(a, key, value) buf_printf(&got, "%s ", key);
		assert_string_equal(buf_cstr(&got), wanted[i].members);
		buf_fini(&got);
	}
	assert_true(json_is_null(json_object_get(
	    json_array_get(json_object_get(ask_from(f, 200, "127.0.0.1", "/v1/rejects", ""), "data"), 0), "detail")));
}

static void
rejects_are_for_the_administrator(void **state)
{
	struct fixture *f = *state;
	json_t *a;

	made_log_sql(&f->log, "INSERT INTO rejects VALUES (1, 1700000000000000, 'c', 0, 'd', 61, '{\"x')");
	ask(f, 403, "/v1/rejects", "");
	ask_from(f, 403, "", "/v1/rejects", "");
	a = ask_from(f, 200, "127.0.0.1", "/v1/rejects", "");
	assert_int_equal(count_of(a), 1);
	assert_string_equal(text_at(json_array_get(json_object_get(a, "data"), 0), "reason"), "invalid_json");
	ask_from(f, 200, "::1", "/v1/rejects", "");
	ask_from(f, 200, "::ffff:127.0.0.1", "/v1/rejects", "");
	ask_from(f, 403, "127.0.0.2", "/v1/rejects", "");
}

static void
without_a_log_it_is_starting(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unlink(f->log.path), 0);
	assert_string_equal(text_at(ask(f, 503, "/v1/events", ""), "code"), "starting");
	ask(f, 503, "/readyz", "");
	ask(f, 200, "/livez", "");
	assert_string_equal(text_at(ask(f, 503, "/v1/health", ""), "status"), "down");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(newest_first_has_the_whole_envelope, set_up, tear_down),
		cmocka_unit_test_setup_teardown(after_goes_forth_and_resets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lists_have_their_forms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(json_has_its_shapes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_cursors_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(next_pins_ages_and_follow_keeps_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_links_stand_in_the_body_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(filters_reach_the_log, set_up, tear_down),
		cmocka_unit_test_setup_teardown(single_resources, set_up, tear_down),
		cmocka_unit_test_setup_teardown(directory_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(channels_and_health_follow_the_state_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(health_sums_the_workers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(members_have_their_names_and_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rejects_are_for_the_administrator, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_log_it_is_starting, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

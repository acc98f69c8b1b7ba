/* test_record - FastCGI records as the web server reads them, and the text of streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "live/frame.h"
#include "live/record.h"

static void
test_records(void **state)
{
	struct buf out = { 0 };

	(void)state;
	record_stdout(&out, TEXT("abc"), true);
	assert_int_equal(out.len, 8 + 3);
	assert_memory_equal(out.p, "\1\6\0\1\0\3\0\0abc", 11);
	record_stdout(&out, TEXT(""), true);
	/* Nothing is no record: an empty one would be the end. */
	assert_int_equal(out.len, 11);
	record_finish(&out, true);
	assert_int_equal(out.len, 11 + 8 + 16);
	assert_memory_equal(out.p + 11, "\1\6\0\1\0\0\0\0\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0", 24);
	record_set_id(out.p, out.len, 0x203);
	assert_memory_equal(out.p, "\1\6\2\3\0\3\0\0abc\1\6\2\3\0\0\0\0\1\3\2\3\0\10\0\0", 27);
	buf_fini(&out);
}

static void
test_long_content_is_cut(void **state)
{
	static char bytes[2 * RECORD_CONTENT_MAX + 5];
	struct buf out = { 0 };
	size_t got = 0;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	record_stdout(&out, (struct text){ bytes, sizeof(bytes) }, true);
	for (size_t at = 0, n; at < out.len; at += 8 + n) {
		n = (size_t)(unsigned char)out.p[at + 4] << 8 | (unsigned char)out.p[at + 5];
		assert_true(8 + n <= 16384);
		got += n;
	}
	assert_int_equal(got, sizeof(bytes));
	buf_fini(&out);
}

static void
test_unframed(void **state)
{
	struct buf out = { 0 };

	(void)state;
	record_stdout(&out, TEXT("abc"), false);
	record_finish(&out, false);
	assert_string_equal(buf_cstr(&out), "abc");
	buf_fini(&out);
}

static void
test_what_comes_in(void **state)
{
	(void)state;
	assert_true(record_is_abort((struct text){ "\1\2\0\1\0\0\0\0", 8 }));
	assert_true(record_is_abort((struct text){ "\1\1\0\1\0\10\0\0", 8 }));
	assert_true(record_is_abort((struct text){ "GET / HT", 8 }));
	assert_true(record_is_abort(TEXT("\1")));
	assert_false(record_is_abort((struct text){ "\1\5\0\1\0\0\0\0", 8 }));
}

/* ---- frames ---- */

#define assert_frame(want) \
	do { \
		assert_string_equal(buf_cstr(&out), want); \
		buf_clear(&out); \
	} while (0)

static void
test_events(void **state)
{
	struct event ev = { .kind = KIND_PATTERN, .seq = 7 };
	struct buf out = { 0 };
	size_t at;

	(void)state;
	frame_event(&out, "abcd1234", &ev, TEXT("{\"a\":1}"), &at);
	assert_string_equal(buf_cstr(&out) + at - 6, "data: {\"a\":1}\n\n");
	assert_frame("event: pattern\nid: abcd1234-7\ndata: {\"a\":1}\n\n");
	ev.kind = KIND_ERROR;
	/* The name `error` is EventSource's own; a raw line break would begin another field. */
	frame_event(&out, "abcd1234", &ev, TEXT("{\r\n}"), &at);
	assert_frame("event: system_error\nid: abcd1234-7\ndata: {  }\n\n");
	frame_batch(&out, "abcd1234", 9, 2, TEXT("{},{}"), 1700000000123456);
	assert_frame(
	    "event: batch\nid: abcd1234-9\ndata: {\"count\":2,\"timestamp\":1700000000.123,\"data\":[{},{}]}\n\n");
	buf_fini(&out);
}

static void
test_controls(void **state)
{
	struct buf out = { 0 };

	(void)state;
	frame_control(&out, false, "heartbeat", "abcd1234", 7);
	assert_frame("event: heartbeat\nid: abcd1234-7\ndata: {}\n\n");
	frame_control(&out, true, "heartbeat", "abcd1234", 7);
	assert_frame("{\"control\":\"heartbeat\",\"cursor\":\"abcd1234-7\"}\n");
	frame_dropped(&out, false, "abcd1234", 7, 10);
	assert_frame("event: dropped\nid: abcd1234-10\n"
		     "data: {\"from\":\"abcd1234-7\",\"to\":\"abcd1234-10\",\"count\":3}\n\n");
	frame_end(&out, false, "bye", "max_age", "abcd1234", 7, 2500);
	assert_frame("retry: 2500\nevent: bye\nid: abcd1234-7\n"
		     "data: {\"reason\":\"max_age\",\"cursor\":\"abcd1234-7\",\"retry_ms\":2500}\n\n");
	frame_end(&out, false, "overload", "starting", NULL, 0, 2500);
	assert_frame(
	    "retry: 2500\nevent: overload\ndata: {\"reason\":\"starting\",\"cursor\":null,\"retry_ms\":2500}\n\n");
	frame_end(&out, true, "bye", "max_age", "abcd1234", 7, 2500);
	assert_frame("{\"control\":\"bye\",\"reason\":\"max_age\",\"cursor\":\"abcd1234-7\",\"retry_ms\":2500}\n");
	buf_fini(&out);
}

static void
test_hello(void **state)
{
	struct frame_hello hello = { "abcd1234", 0, 0, 9, 15000, true, NULL, 2100 };
	struct buf out = { 0 };

	(void)state;
	frame_hello(&out, false, &hello);
	assert_memory_equal(out.p,
	    "retry: 2100\nevent: hello\nid: abcd1234-0\ndata: {\"epoch\":\"abcd1234\",\"cursor\":\"abcd1234-0\","
	    "\"oldest\":null,\"newest\":\"abcd1234-9\",\"heartbeat_ms\":15000,\"stale\":true,\"server\":\"tickgate/",
	    172);
	buf_clear(&out);
	hello.reset = "too_far";
	frame_hello(&out, true, &hello);
	assert_memory_equal(out.p, "{\"control\":\"reset\",\"epoch\":\"abcd1234\"", 37);
	assert_non_null(strstr(buf_cstr(&out), ",\"reason\":\"too_far\",\"lost\":null}\n"));
	buf_fini(&out);
}

static void
test_retries_differ(void **state)
{
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t ms = frame_retry_ms();

		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	assert_true(least >= 2000 && least < 2300 && most <= 5000 && most > 4700);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_long_content_is_cut),
		cmocka_unit_test(test_unframed),
		cmocka_unit_test(test_what_comes_in),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_retries_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* record.c: what is written is read again to the byte; what cannot be read is refused with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/record.h"

static char path[] = "/tmp/tickgate-record-XXXXXX";

static void
write_file(struct text t)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(t.p, 1, t.n, f), t.n);
	assert_int_equal(fclose(f), 0);
}

static void
test_round_trip(void **state)
{
	static const struct {
		const char *channel;
		struct text message;
		int64_t at_us;
	} rows[] = {
		{ "a:b", TEXT("{\"x\":NaN}"), 0 },
		{ "quote\"d\\", TEXT("line\nend\ttab \x01\x7f \xc3\xa9 \xf0\x9f\x98\x80"), 1 },
		{ "c", TEXT("nul \0 within"), 999999 },
		{ "c", TEXT(""), 86400123456 },
	};
	struct record w, r;
	struct err e;

	(void)state;
	assert_int_equal(record_create(&w, path, &e), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(record_write(&w, rows[i].channel, rows[i].message, rows[i].at_us, &e), 0);
	assert_int_equal(record_flush(&w, &e), 0);
	record_close(&w);
	assert_int_equal(record_open(&r, path, &e), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(record_read(&r, &e), 1);
		assert_string_equal(r.channel.p, rows[i].channel);
		assert_true(text_eq(buf_text(&r.message), rows[i].message));
		assert_int_equal(r.at_us, rows[i].at_us);
	}
	assert_int_equal(record_read(&r, &e), 0);
	record_close(&r);
}

/* Lines by hand: no `at`, members that mean nothing here, empty lines, no newline at the end. */
static void
test_by_hand(void **state)
{
	struct record r;
	struct err e;

	(void)state;
	write_file(TEXT("\n  \n{\"channel\":\"a\",\"message\":\"1\",\"expect\":{\"reject\":\"x\"}}\r\n"
			"{\"message\":\"2\",\"channel\":\"b\",\"at\":1.5}"));
	assert_int_equal(record_open(&r, path, &e), 0);
	assert_int_equal(record_read(&r, &e), 1);
	assert_string_equal(r.channel.p, "a");
	assert_int_equal(r.at_us, -1);
	assert_int_equal(record_read(&r, &e), 1);
	assert_string_equal(r.channel.p, "b");
	assert_int_equal(r.at_us, 1500000);
	assert_int_equal(record_read(&r, &e), 0);
	record_close(&r);
}

static void
test_refused(void **state)
{
	static const struct {
		struct text file;
		const char *want;
	} rows[] = {
		{ TEXT("nonsense\n"), "line 1: not valid JSON" },
		{ TEXT("\n[1]\n"), "line 2: not a JSON object" },
		{ TEXT("{\"message\":\"x\"}\n"), "\"channel\" is missing" },
		{ TEXT("{\"channel\":\"\",\"message\":\"x\"}\n"), "\"channel\" is missing" },
		{ TEXT("{\"channel\":5,\"message\":\"x\"}\n"), "\"channel\" is missing" },
		{ TEXT("{\"channel\":\"a\\u0000b\",\"message\":\"x\"}\n"), "\"channel\" has a NUL" },
		{ TEXT("{\"channel\":\"a\",\"message\":{}}\n"), "\"message\" is missing" },
		{ TEXT("{\"channel\":\"a\",\"message\":\"x\",\"at\":-1}\n"), "\"at\" is not" },
		{ TEXT("{\"channel\":\"a\",\"message\":\"x\",\"at\":\"1\"}\n"), "\"at\" is not" },
		{ TEXT("{\"channel\":\"a\",\"message\":\"\xff\"}\n"), "not valid JSON" },
	};
	struct record r;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_file(rows[i].file);
		e = (struct err){ 0 };
		assert_int_equal(record_open(&r, path, &e), 0);
		assert_int_equal(record_read(&r, &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
		if (strstr(e.text, rows[i].want) == NULL)
			fail_msg("want %s, said %s", rows[i].want, e.text);
		record_close(&r);
	}
	assert_int_equal(record_open(&r, "/nonexistent/file", &e), -1);
	assert_int_equal(e.sys, ENOENT);
}

static void
test_full_disk(void **state)
{
	struct record w;
	struct err e;

	(void)state;
	assert_int_equal(record_create(&w, "/dev/full", &e), 0);
	assert_int_equal(record_write(&w, "c", TEXT("x"), 0, &e), 0);
	assert_int_equal(record_flush(&w, &e), -1);
	assert_int_equal(e.sys, ENOSPC);
	record_close(&w);
}

static int
setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int
teardown(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* test_log - what is written to stderr: one line an event, whatever is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static int pipe_fds[2], real_stderr;
static char got[20000];

/* stderr is a pipe until the lines are taken. */
static int
setup(void **state)
{
	(void)state;
	real_stderr = dup(STDERR_FILENO);
	return real_stderr < 0 || pipe(pipe_fds) != 0 || dup2(pipe_fds[1], STDERR_FILENO) < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

/* What was logged since the last call, "" for nothing. */
static const char *
lines(void)
{
	ssize_t n;

	/* So that there is something to read. */
	assert_int_equal(write(pipe_fds[1], "!", 1), 1);
	n = read(pipe_fds[0], got, sizeof(got) - 1);
	assert_true(n > 0);
	got[n - 1] = '\0';
	return got;
}

/* The one line without its time and level, which are checked here. */
static const char *
line(const char *level)
{
	char want[40];
	const char *p = lines();

	snprintf(want, sizeof(want), "Z %s ", level);
	assert_ptr_equal(strchr(p, '\n'), p + strlen(p) - 1);
	assert_true(strlen(p) > 24 && p[10] == 'T');
	assert_memory_equal(p + 23, want, strlen(want));
	return p + 23 + strlen(want);
}

static void
test_line(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_INFO, NULL);
	log_event(LOG_LEVEL_NOTICE, "start", log_str("version", "1.0"), log_int("n", -5));
	assert_string_equal(line("notice"), "start version=1.0 n=-5\n");
	log_init(LOG_LEVEL_INFO, "prog");
	log_event(LOG_LEVEL_ERROR, "bare");
	assert_string_equal(line("error"), "bare program=prog\n");
}

static void
test_levels(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_WARNING, NULL);
	log_event(LOG_LEVEL_NOTICE, "quiet");
	assert_string_equal(lines(), "");
	log_set_level(LOG_LEVEL_NOTICE);
	log_event(LOG_LEVEL_NOTICE, "loud");
	assert_string_equal(line("notice"), "loud\n");
}

/* Nothing from outside ends a line, forges a field, or drives a terminal. */
static void
test_escapes(void **state)
{
	static const struct {
		struct text in;
		const char *want;
	} rows[] = {
		{ TEXT(""), "\"\"" },
		{ TEXT("a b"), "\"a b\"" },
		{ TEXT("a=b"), "\"a=b\"" },
		{ TEXT("say \"hi\" \\"), "\"say \\\"hi\\\" \\\\\"" },
		{ TEXT("x\ny z=1"), "\"x\\x0ay z=1\"" },
		{ TEXT("\r\t\x1b[31m\x7f"), "\"\\x0d\\x09\\x1b[31m\\x7f\"" },
		{ TEXT("a\0b"), "\"a\\x00b\"" },
		{ TEXT("\xc2\x9b"
		       "1m"),
		    "\"\\xc2\\x9b1m\"" }, /* CSI as one character */
		{ TEXT("\xff\xc0\x80"), "\"\\xff\\xc0\\x80\"" },
		{ TEXT("\xc3\xa9\xe2\x82\xac"), "\"\xc3\xa9\xe2\x82\xac\"" },
	};
	char want[200];

	(void)state;
	log_init(LOG_LEVEL_INFO, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		log_event(LOG_LEVEL_INFO, "x", log_text("v", rows[i].in));
		snprintf(want, sizeof(want), "x v=%s\n", rows[i].want);
		assert_string_equal(line("info"), want);
	}
}

static void
test_long(void **state)
{
	char value[2000], want[600];

	(void)state;
	memset(value, 'v', sizeof(value));
	log_init(LOG_LEVEL_INFO, NULL);
	log_event(LOG_LEVEL_INFO, "x", log_text("v", (struct text){ value, sizeof(value) }));
	snprintf(want, sizeof(want), "x v=\"%.512s...\"\n", value);
	assert_string_equal(line("info"), want);
}

/* Priorities for journald, and only for it: its variable names the stream it reads. */
static void
test_journal(void **state)
{
	char stream[64];
	struct stat st;

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init(LOG_LEVEL_DEBUG, NULL);
	log_event(LOG_LEVEL_ERROR, "a");
	log_event(LOG_LEVEL_WARNING, "b");
	log_event(LOG_LEVEL_NOTICE, "c");
	log_event(LOG_LEVEL_INFO, "d");
	log_event(LOG_LEVEL_DEBUG, "e");
	assert_string_equal(lines(), "<3>a\n<4>b\n<5>c\n<6>d\n<7>e\n");
	/* Inherited from a web server whose stderr the journal reads; ours goes to its error log. */
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_init(LOG_LEVEL_INFO, NULL);
	log_event(LOG_LEVEL_INFO, "x");
	assert_string_equal(line("info"), "x\n");
}

static void
test_limit(void **state)
{
	struct log_limit limit = { .window_us = 0 };
	int allowed = 0;

	(void)state;
	log_init(LOG_LEVEL_INFO, NULL);
	for (int i = 0; i < 100; i++)
		allowed += log_allowed(&limit, 10, "flood");
	assert_int_equal(allowed, 10);
	assert_string_equal(lines(), "");
	/* A minute later it is said how many there were. */
	limit.window_us -= 60000000;
	assert_true(log_allowed(&limit, 10, "flood"));
	assert_string_equal(line("warning"), "flood suppressed=90\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_escapes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

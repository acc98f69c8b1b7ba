/* The simulator's command line: every option, both ends of its range, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/options.h"

static char words[256];

/* Options point into the words: they live until the next call. */
static int
parse(struct options *o, const char *line, struct err *e)
{
	char *argv[16] = { (char *)"tickgate-sim" }, *save;
	int argc = 1;

	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	optind = 0; /* glibc: start over */
	opterr = 0;
	*e = (struct err){ 0 };
	return options_parse(o, argc, argv, e);
}

static void
test_defaults(void **state)
{
	struct options o;
	struct err e;

	(void)state;
	unsetenv("REDIS_URL");
	assert_int_equal(parse(&o, "", &e), 0);
	assert_string_equal(o.redis, "redis://localhost:6379/0");
	assert_false(o.redis_given || o.rate_given || o.start_given || o.quiet || o.help || o.version);
	assert_null(o.replay);
	assert_null(o.record);
	assert_int_equal(o.form, PRODUCER_DOCUMENTED);
	assert_int_equal(o.symbols, 50);
	assert_int_equal(o.count, 0);
	assert_int_equal(o.seed, 1);
	assert_true(o.rate == 20);
	setenv("REDIS_URL", "redis://env", 1);
	assert_int_equal(parse(&o, "", &e), 0);
	assert_string_equal(o.redis, "redis://env");
	assert_int_equal(parse(&o, "--redis redis://line", &e), 0);
	assert_string_equal(o.redis, "redis://line");
	assert_true(o.redis_given);
	setenv("REDIS_URL", "", 1);
	assert_int_equal(parse(&o, "", &e), 0);
	assert_string_equal(o.redis, "redis://localhost:6379/0");
	unsetenv("REDIS_URL");
}

static void
test_each(void **state)
{
	struct options o;
	struct err e;

	(void)state;
	assert_int_equal(
	    parse(&o, "--form wire --symbols 10000 --rate 0 --count 1000000000000 --seed 0 --quiet", &e), 0);
	assert_int_equal(o.form, PRODUCER_WIRE);
	assert_int_equal(o.symbols, 10000);
	assert_true(o.rate == 0 && o.rate_given && o.quiet && o.seed == 0);
	assert_int_equal(o.count, 1000000000000);
	assert_int_equal(parse(&o, "--form=mixed --symbols=1 --rate=100000 --seed=9223372036854775807", &e), 0);
	assert_int_equal(o.form, PRODUCER_MIXED);
	assert_int_equal(o.symbols, 1);
	assert_true(o.rate == 100000 && o.seed == INT64_MAX);
	assert_int_equal(parse(&o, "--record - --replay /x --start 2026-11-23T07:01:40.5Z", &e), 0);
	assert_string_equal(o.record, "-");
	assert_string_equal(o.replay, "/x");
	assert_true(o.start_given && o.start_ms == 1795417300500);
	assert_int_equal(parse(&o, "--start 1795417300.25", &e), 0);
	assert_int_equal(o.start_ms, 1795417300250);
	assert_int_equal(parse(&o, "--help", &e), 0);
	assert_true(o.help);
	assert_int_equal(parse(&o, "--version", &e), 0);
	assert_true(o.version);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{ "--form flat", "--form takes documented, wire or mixed" },
		{ "--symbols 0", "--symbols takes a whole number from 1 to 10000" },
		{ "--symbols 10001", "from 1 to 10000" },
		{ "--symbols 5x", "from 1 to 10000" },
		{ "--rate -1", "--rate takes 0, or a number from 0.001 to 100000" },
		{ "--rate 0.0001", "--rate takes" },
		{ "--rate 100000.5", "--rate takes" },
		{ "--rate nan", "--rate takes" },
		{ "--count -1", "--count takes" },
		{ "--count 1000000000001", "--count takes" },
		{ "--seed 9223372036854775808", "--seed takes" },
		{ "--start yesterday", "--start takes a time" },
		{ "--start -5", "--start takes a time" },
		{ "--start inf", "--start takes a time" },
		{ "--nonsense", "see tickgate-sim --help" },
		{ "--count", "see tickgate-sim --help" },
		{ "left over", "unexpected argument \"left\"" },
	};
	struct options o;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(parse(&o, rows[i].line, &e), -1);
		assert_int_equal(e.code, ERR_USAGE);
		if (strstr(e.text, rows[i].want) == NULL)
			fail_msg("%s: said \"%s\"", rows[i].line, e.text);
	}
}

/* Every option stands in the usage. */
static void
test_usage(void **state)
{
	static const char *const names[] = { "--redis", "--form", "--symbols", "--rate", "--count", "--seed", "--start",
		"--replay", "--record", "--quiet", "--help", "--version" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_non_null(strstr(options_usage, names[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

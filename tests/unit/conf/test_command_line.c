/* command_line.c, and what conf.c prints: each option by its output, read back from a file that stands in for stdout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf.h"

static const char *extra_option, *extra_value;

static void
on_extra(void *arg, const char *option, const char *value)
{
	(void)arg;
	extra_option = option;
	extra_value = value;
}

/* Refuses one value, as a program does that knows more than the table. */
static int
check(void *arg, const struct conf *c, struct err *e)
{
	(void)arg;
	if (strcmp(conf_str(c, SETTING_REDIS_URL), "http://x") != 0)
		return 0;
	err_set(e, ERR_CONFIG, "redis.url: no such scheme");
	return -1;
}

static const char *const extra[] = { "--listen", "PATH", "listen here", NULL };
static const struct conf_program program = {
	.name = "prog",
	.summary = "does nothing",
	.mask = SETTING_FOR_GATEWAY,
	.extra = extra,
	.on_extra = on_extra,
	.check = check,
};

/* Runs conf_load() with these words, behind "-c /dev/null", and what it printed. */
static int
run(const char *words, enum conf_action *action, struct err *e, struct buf *out)
{
	char line[512], *save, *argv[16] = { (char *)"prog", (char *)"-c", (char *)"/dev/null" };
	FILE *f = tmpfile();
	struct conf c;
	int argc = 3, rc, saved = dup(1);

	snprintf(line, sizeof(line), "%s", words);
	for (char *w = strtok_r(line, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	assert_non_null(f);
	fflush(stdout);
	dup2(fileno(f), 1);
	*e = (struct err){ 0 };
	rc = conf_load(&c, &program, argc, argv, action, e);
	fflush(stdout);
	dup2(saved, 1);
	close(saved);
	rewind(f);
	buf_clear(out);
	for (int ch; (ch = fgetc(f)) != EOF;)
		buf_add_char(out, (char)ch);
	fclose(f);
	conf_fini(&c);
	return rc;
}

static void
printed(const char *words, const char *want, struct buf *out)
{
	enum conf_action action;
	struct err e;

	assert_int_equal(run(words, &action, &e, out), 0);
	assert_int_equal(action, CONF_DONE);
	if (strstr(buf_cstr(out), want) == NULL)
		fail_msg("%s: \"%s\" is missing in\n%s", words, want, buf_cstr(out));
}

static void
test_help(void **state)
{
	struct buf out = { 0 };

	(void)state;
	printed("--help", "usage: prog [options]\nprog does nothing.\n", &out);
	assert_non_null(strstr(buf_cstr(&out), "  --listen PATH"));
	assert_non_null(strstr(buf_cstr(&out), "\n  gateway.workers = 2\n"));
	assert_non_null(strstr(buf_cstr(&out), "(1 to 64)"));
	assert_null(strstr(buf_cstr(&out), "subscriber.batch_max")); /* no setting of this program */
	printed("-h", "usage: prog", &out);
	buf_fini(&out);
}

static void
test_version(void **state)
{
	struct buf out = { 0 };

	(void)state;
	printed("--version", "prog ", &out);
	assert_true(out.len > 6 && strchr(buf_cstr(&out), '\n') == buf_cstr(&out) + out.len - 1);
	buf_fini(&out);
}

static void
test_check_config(void **state)
{
	enum conf_action action;
	struct buf out = { 0 };
	struct err e;

	(void)state;
	printed("--check-config", "prog: the settings are fine\n", &out);
	assert_int_equal(run("--check-config -o log.level=loud", &action, &e, &out), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	assert_int_equal(out.len, 0);
	assert_int_equal(run("--check-config -o redis.url=http://x", &action, &e, &out), -1);
	assert_string_equal(e.text, "redis.url: no such scheme");
	/* The start judges the same. */
	assert_int_equal(run("-o redis.url=http://x", &action, &e, &out), -1);
	buf_fini(&out);
}

static void
test_print_config(void **state)
{
	struct buf out = { 0 };

	(void)state;
	setenv("TICKGATE_REDIS_PASSWORD", "hunter2", 1);
	setenv("TICKGATE_LOG_LEVEL", "debug", 1);
	printed("--print-config -o redis.url=redis://u:hunter2@h", "[redis]\n", &out);
	assert_non_null(strstr(buf_cstr(&out), "# -o redis.url\nurl = redis://u:***@h\n"));
	assert_non_null(strstr(buf_cstr(&out), "# environment TICKGATE_REDIS_PASSWORD\npassword = (hidden)\n"));
	assert_non_null(strstr(buf_cstr(&out), "[log]\n# environment TICKGATE_LOG_LEVEL\nlevel = debug\n"));
	assert_non_null(strstr(buf_cstr(&out), "# default\nworkers = 2\n"));
	assert_null(strstr(buf_cstr(&out), "hunter2"));
	clearenv();
	buf_fini(&out);
}

static void
test_extra(void **state)
{
	enum conf_action action;
	struct buf out = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(run("--listen=/x", &action, &e, &out), 0);
	assert_int_equal(action, CONF_RUN);
	assert_string_equal(extra_option, "--listen");
	assert_int_equal(run("--listen", &action, &e, &out), -1);
	assert_string_equal(e.text, "--listen needs a value");
	assert_int_equal(e.code, ERR_USAGE);
	buf_fini(&out);
}

static void
test_mistyped(void **state)
{
	static const struct {
		const char *words, *want;
	} rows[] = {
		{ "--chek-config", "unknown argument \"--chek-config\"; did you mean \"--check-config\"?" },
		{ "--lisen=/x", "did you mean \"--listen\"?" },
		{ "--versoin", "did you mean \"--version\"?" },
		{ "--confg x", "did you mean \"--config\"?" },
		{ "something-else-entirely",
		    "unknown argument \"something-else-entirely\"; --help lists what there is" },
		{ "-o log.level", "-o: \"log.level\" is not section.key=value" },
		{ "-o log.levle=info", "did you mean \"log.level\"?" },
		{ "-o", "-o needs a value" },
	};
	enum conf_action action;
	struct buf out = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(run(rows[i].words, &action, &e, &out), -1);
		if (strstr(e.text, rows[i].want) == NULL)
			fail_msg("%s: said \"%s\"", rows[i].words, e.text);
	}
	buf_fini(&out);
}

static void
test_environment_of_others(void **state)
{
	static const char *const foreign[] = { "TICKGATE_SERVICE_HOST", "TICKGATE_SERVICE_PORT", "TICKGATE_PORT",
		"TICKGATE_PORT_80_TCP_ADDR", "TICKGATE_REDIS_SERVICE_HOST", "TICKGATE_REDIS_PORT",
		"TICKGATE_REDIS_PORT_6379_TCP", "TICKGATE_", "TICKGATE_HOME" };
	enum conf_action action;
	struct buf out = { 0 };
	struct err e;

	(void)state;
	clearenv();
	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
		setenv(foreign[i], "tcp://10.0.0.1:80", 1);
	setenv("TICKGATEX", "1", 1);
	assert_int_equal(run("", &action, &e, &out), 0);
	clearenv();
	setenv("TICKGATE_REDIS_PASWORD", "hunter2", 1);
	assert_int_equal(run("", &action, &e, &out), -1);
	assert_string_equal(e.text,
	    "environment TICKGATE_REDIS_PASWORD: there is no setting \"redis.pasword\"; did you mean "
	    "\"redis.password\"?");
	clearenv();
	buf_fini(&out);
}

static int
setup(void **state)
{
	(void)state;
	clearenv();
	log_init(LOG_LEVEL_ERROR, NULL);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_check_config),
		cmocka_unit_test(test_print_config),
		cmocka_unit_test(test_extra),
		cmocka_unit_test(test_mistyped),
		cmocka_unit_test(test_environment_of_others),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

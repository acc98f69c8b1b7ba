/* conf.c and its sources: precedence, refusals with their messages, reload, what is printed. */
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
#include "conf/value.h"
#include "event/event.h"

static char name_arg[] = "test", file_arg[] = "-c", set_arg[] = "-o";
static char srcdir[512] = ".";
static char path[] = "/tmp/tickgate-conf-XXXXXX";
static const struct conf_program program = { .name = "test", .summary = "tests", .mask = SETTING_FOR_SUBSCRIBER };

static void
write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int
load(struct conf *c, const char *assignment, struct err *e)
{
	char *argv[] = { name_arg, file_arg, path, set_arg, (char *)assignment, NULL };
	enum conf_action action;

	*e = (struct err){ 0 };
	return conf_load(c, &program, assignment == NULL ? 3 : 5, argv, &action, e);
}

static int
setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (getenv("srcdir") != NULL)
		snprintf(srcdir, sizeof(srcdir), "%s", getenv("srcdir"));
	if (fd < 0)
		return -1;
	close(fd);
	clearenv();
	log_init(LOG_LEVEL_ERROR, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static void
every_row_is_sound(void **state)
{
	(void)state;
	for (int s = 0; s < SETTING__MAX; s++) {
		const struct setting_info *i = &settings[s];
		struct err e = { 0 };
		int64_t n;

		assert_non_null(i->section);
		assert_non_null(i->key);
		assert_true(i->min <= i->max);
		assert_true(strlen(i->help) > 10 && i->help[strlen(i->help) - 1] == '.');
		assert_true((i->flags & (SETTING_FOR_SUBSCRIBER | SETTING_FOR_GATEWAY)) != 0);
		assert_int_equal(i->choices != NULL, i->type == TYPE_CHOICE);
		assert_int_equal(value_parse(i, text_of(i->standard), &n, &e), 0);
		for (int other = 0; other < s; other++)
			assert_false(
			    !strcmp(i->section, settings[other].section) && !strcmp(i->key, settings[other].key));
	}
	assert_int_equal(setting_for_kind(KIND_PATTERN), SETTING_RETENTION_PATTERN_EVENTS);
	assert_int_equal(setting_for_kind(KIND_ERROR), SETTING_RETENTION_ERROR_EVENTS);
	assert_int_equal(setting_for_kind(KIND_GAP), SETTING_RETENTION_GAP_EVENTS);
}

static void
later_sources_win(void **state)
{
	struct conf c;
	struct err e;

	(void)state;
	write_file("; comment\n[redis]\nurl = redis://file\npassword = a;b\n[log]\nlevel: debug\n");
	assert_int_equal(load(&c, NULL, &e), 0);
	assert_string_equal(conf_str(&c, SETTING_REDIS_URL), "redis://file");
	assert_string_equal(conf_str(&c, SETTING_REDIS_PASSWORD), "a;b");
	assert_int_equal(conf_int(&c, SETTING_LOG_LEVEL), 4);
	assert_int_equal(conf_int(&c, SETTING_RETENTION_AGE), 7 * 86400000LL);
	conf_fini(&c);
	setenv("REDIS_URL", "redis://env", 1);
	assert_int_equal(load(&c, NULL, &e), 0);
	assert_string_equal(conf_str(&c, SETTING_REDIS_URL), "redis://env");
	conf_fini(&c);
	setenv("TICKGATE_REDIS_URL", "redis://own", 1);
	assert_int_equal(load(&c, NULL, &e), 0);
	assert_string_equal(conf_str(&c, SETTING_REDIS_URL), "redis://own");
	conf_fini(&c);
	assert_int_equal(load(&c, "redis.url=redis://line", &e), 0);
	assert_string_equal(conf_str(&c, SETTING_REDIS_URL), "redis://line");
	assert_non_null(strstr(c.values[SETTING_REDIS_URL].origin, "-o redis.url"));
	conf_fini(&c);
	clearenv();
}

static const struct refusal {
	const char *file, *text;
} refusals[] = {
	{ "[redis]\nconect_timeout = 5s\n",
	    ":2: there is no setting \"redis.conect_timeout\"; did you mean \"redis.connect_timeout\"?" },
	{ "[redis] url = redis://h\n", ":1: neither [section] nor key = value" },
	{ "[redis] ; fine\nlevel = info\n", ":2: there is no setting \"redis.level\"; did you mean \"log.level\"?" },
	{ "[]\nx = 1\n", ":2: there is no setting \"x\"; --help lists them" },
	{ "url = redis://h\n", ":1: there is no setting \"url\"; did you mean \"redis.url\"?" },
	{ "[redis\nurl = redis://h\n", ":1: neither [section] nor key = value" },
	{ "[redis]\npassword = secret\npassword = secret\n", "redis.password is set twice" },
	{ "[paths]\nrun_dir = "
	  "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxx\n",
	    ":2: the line is longer than 198 bytes" },
	{ "[redis]\nnonsense\n", ":2: neither [section] nor key = value" },
	{ "[redis]\nread_timeout = 1h\n", "allowed: " },
	{ "[redis]\nread_timeout = 5x\n", "allowed: " },
	{ "[redis]\nbackoff_min = 10m\n", "redis.backoff_min is above redis.backoff_max" },
	{ "[log]\nlevel = debg\n", "debug" },
	{ "[log]\nlevel = info\nlevel = info\n", "log.level is set twice" },
	{ "[subscriber]\nqueue_limit = 99999999999GiB\n", "64GiB" },
	{ "[gateway]\nsocket_mode = 0888\n", "gateway.socket_mode" },
	{ "[gateway]\nbase_path = x/\n", "gateway.base_path" },
	{ "[health]\nready_requires_redis = maybe\n", "yes" },
};

static void
what_is_wrong_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct conf c;
		struct err e;

		write_file(refusals[i].file);
		assert_int_equal(load(&c, NULL, &e), -1);
		if (strstr(e.text, refusals[i].text) == NULL)
			fail_msg("%s: said \"%s\"", refusals[i].text, e.text);
		assert_null(strstr(e.text, "secret"));
		assert_int_equal(e.code, ERR_CONFIG);
		conf_fini(&c);
	}
}

static void
reload_takes_what_it_may(void **state)
{
	char *argv[] = { name_arg, file_arg, path, NULL };
	struct buf restart = { 0 };
	struct conf c;
	struct err e;

	(void)state;
	write_file("");
	assert_int_equal(load(&c, NULL, &e), 0);
	write_file("[log]\nlevel = debug\n[redis]\nurl = redis://other\n");
	assert_int_equal(conf_reload(&c, &program, 3, argv, &restart, &e), 0);
	assert_int_equal(conf_int(&c, SETTING_LOG_LEVEL), 4);
	assert_string_equal(conf_str(&c, SETTING_REDIS_URL), "redis://localhost:6379/0");
	assert_string_equal(buf_cstr(&restart), "redis.url");
	write_file("[log]\nlevel = loud\n");
	assert_int_equal(conf_reload(&c, &program, 3, argv, NULL, &e), -1);
	assert_int_equal(conf_int(&c, SETTING_LOG_LEVEL), 4);
	buf_fini(&restart);
	conf_fini(&c);
}

static void
secrets_stay_hidden(void **state)
{
	struct buf b = { 0 };

	(void)state;
	value_print(&settings[SETTING_REDIS_URL], "redis://u:secret@h:1/2", &b);
	value_print(&settings[SETTING_REDIS_PASSWORD], "secret", &b);
	assert_null(strstr(buf_cstr(&b), "secret"));
	assert_non_null(strstr(buf_cstr(&b), "(hidden)"));
	buf_fini(&b);
}

/* The sample lists every setting, commented, with its default; tickgate.conf(5) has each in the same order. */
static void
sample_and_manual_follow_the_table(void **state)
{
	char name[1024], line[1024], want[512], section[64] = "";
	int seen = 0;
	FILE *f;

	(void)state;
	snprintf(name, sizeof(name), "%s/etc/tickgate.conf", srcdir);
	f = fopen(name, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '[')
			sscanf(line, "[%63[^]]]", section);
		if (line[0] != '#' || line[1] == ' ' || line[1] == '\0')
			continue;
		assert_true(seen < SETTING__MAX);
		snprintf(want, sizeof(want), "#%s =%s%s", settings[seen].key, settings[seen].standard[0] ? " " : "",
		    settings[seen].standard);
		assert_string_equal(line, want);
		assert_string_equal(section, settings[seen].section);
		seen++;
	}
	fclose(f);
	assert_int_equal(seen, SETTING__MAX);

	snprintf(name, sizeof(name), "%s/docs/man/tickgate.conf.5", srcdir);
	f = fopen(name, "r");
	assert_non_null(f);
	for (seen = 0; fgets(line, sizeof(line), f) != NULL;) {
		if (strncmp(line, ".It Ic ", 7) != 0)
			continue;
		assert_true(seen < SETTING__MAX);
		snprintf(want, sizeof(want), ".It Ic %s.%s\n", settings[seen].section, settings[seen].key);
		assert_string_equal(line, want);
		seen++;
	}
	fclose(f);
	assert_int_equal(seen, SETTING__MAX);
}

/* The sample with every setting uncommented is a file like any other, and says what holds anyway. */
static void
sample_uncommented_loads(void **state)
{
	char name[1024], line[1024];
	struct buf text = { 0 };
	struct conf c, standard;
	struct err e;
	FILE *f;

	(void)state;
	snprintf(name, sizeof(name), "%s/etc/tickgate.conf", srcdir);
	f = fopen(name, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		buf_add_str(&text, line[0] == '#' && line[1] != ' ' && line[1] != '\n' ? line + 1 : line);
	fclose(f);
	write_file("");
	assert_int_equal(load(&standard, NULL, &e), 0);
	write_file(buf_cstr(&text));
	if (load(&c, NULL, &e) != 0)
		fail_msg("%s", e.text);
	for (int s = 0; s < SETTING__MAX; s++) {
		assert_int_equal(c.values[s].n, standard.values[s].n);
		assert_string_equal(c.values[s].text, standard.values[s].text);
		assert_string_not_equal(c.values[s].origin, "default");
	}
	conf_fini(&c);
	conf_fini(&standard);
	buf_fini(&text);
}

/* A NUL would end a line in the middle, and a file full of them would never end. */
static void
files_with_nul_are_refused(void **state)
{
	char *argv[] = { name_arg, file_arg, (char *)"/dev/zero", NULL };
	enum conf_action action;
	struct err e = { 0 };
	struct conf c;

	(void)state;
	assert_int_equal(conf_load(&c, &program, 3, argv, &action, &e), -1);
	assert_non_null(strstr(e.text, "NUL"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sample_and_manual_follow_the_table),
		cmocka_unit_test(sample_uncommented_loads),
		cmocka_unit_test(files_with_nul_are_refused),
		cmocka_unit_test(every_row_is_sound),
		cmocka_unit_test(later_sources_win),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(reload_takes_what_it_may),
		cmocka_unit_test(secrets_stay_hidden),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

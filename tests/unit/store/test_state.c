/* test_state - the state file: what is written is read back, and nothing else is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/state.h"

static char path[64];
static struct state in, out;

static int
setup(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/tickgate-test-XXXXXX");
	if ((fd = mkstemp(path)) < 0)
		return -1;
	close(fd);
	memset(&in, 0, sizeof(in));
	in.pid = 7;
	in.updated_us = 1000000;
	strcpy(in.epoch, "abcdefgh");
	in.redis.connected = true;
	strcpy(in.redis.error, "quote \" and \n");
	in.n_channels = 1;
	strcpy(in.channels[0].channel, "tickstock:errors");
	in.channels[0].kind = KIND_ERROR;
	in.channels[0].subscribed = true;
	in.channels[0].rejected[REJECT_MISSING_FIELD] = 3;
	in.channels[0].rate_1m = 0.25;
	histogram_sum_add(&in.times.event_age, 7000);
	histogram_sum_add(&in.times.commit_latency, INT64_C(1) << 40);
	histogram_sum_add(&in.times.commit, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static void
test_back(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(state_write(path, &in, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(state_read(path, &out, NULL), 0);
	assert_memory_equal(&in, &out, sizeof(in));
}

static void
test_hostile(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{}", "{\"pid\":\"7\"}", "\xff", "null" };
	struct err e = { .code = ERR_NONE };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		FILE *f = fopen(path, "w");

		fputs(texts[i], f);
		fclose(f);
		assert_int_equal(state_read(path, &out, &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
	}
	assert_int_equal(state_read("/tmp/tickgate-no-such-file", &out, &e), -1);
	assert_int_equal(e.code, ERR_MISSING);
}

static void
test_stale(void **state)
{
	(void)state;
	assert_false(state_is_stale(&in, in.updated_us + STATE_STALE_AFTER_US));
	assert_true(state_is_stale(&in, in.updated_us + STATE_STALE_AFTER_US + 1));
	assert_true(state_is_stale(NULL, 0));
	in.channels[0].subscribed = false;
	assert_true(state_is_stale(&in, in.updated_us));
	in.channels[0].subscribed = true;
	in.redis.connected = false;
	assert_true(state_is_stale(&in, in.updated_us));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

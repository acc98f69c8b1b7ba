/* test_reject - the refusals that are kept: how many, how fast, what of each. */
#include "written_log.h"

static void
reject(struct store *s, struct text sample, int64_t second)
{
	struct reject rej = { .reason = REJECT_INVALID_JSON, .detail = TEXT("at 1"), .sample = sample };
	struct err e = { .code = ERR_NONE };

	if (store_reject(s, TEXT("tickstock:x"), &rej, second * 1000000 + 5, &e) != 0)
		fail_msg("%s", e.text);
}

static void
test_newest(void **state)
{
	struct store *s = log_open();

	(void)state;
	for (int i = 0; i < 1200; i++) {
		reject(s, TEXT("{"), i / 100);
		if (i % 17 == 0)
			log_commit(s);
	}
	log_commit(s);
	log_close(s);
	assert_log("SELECT count(*) || ' ' || min(id) || ' ' || max(id) || ' ' || min(received_us) FROM rejects",
	    "1000 201 1200 2000005");
	log_check();
}

static void
test_a_second(void **state)
{
	struct store *s = log_open();

	(void)state;
	for (int i = 0; i < 150; i++)
		reject(s, TEXT("{"), 7);
	log_commit(s);
	/* The same second in the next batch. */
	reject(s, TEXT("{"), 7);
	log_commit(s);
	reject(s, TEXT("{"), 8);
	log_commit(s);
	log_close(s);
	assert_log(
	    "SELECT group_concat(n, ' ') FROM (SELECT count(*) AS n FROM rejects GROUP BY received_us)", "100 1");
}

/* A batch that is fed again keeps what it would have kept. */
static void
test_rolled_back(void **state)
{
	struct store *s = log_open();

	(void)state;
	for (int try = 0; try < 3; try++) {
		if (try > 0)
			store_rollback(s);
		for (int i = 0; i < 80; i++)
			reject(s, TEXT("{"), 7);
	}
	log_commit(s);
	log_close(s);
	assert_log("SELECT count(*) FROM rejects", "80");
}

static void
test_cleaned(void **state)
{
	struct store *s = log_open();
	char big[2000];

	(void)state;
	memset(big, 'x', sizeof(big));
	reject(s, (struct text){ big, sizeof(big) }, 1);
	reject(s, TEXT("a\xff\xc3(b"), 1);
	reject(s, TEXT(""), 1);
	reject(s, TEXT("a\0b"), 1);
	log_commit(s);
	log_close(s);
	assert_log("SELECT bytes || ' ' || length(sample) FROM rejects WHERE id = 1", "2000 512");
	assert_log("SELECT sample FROM rejects WHERE id = 2", "a\xef\xbf\xbd\xef\xbf\xbd(b");
	assert_log("SELECT sample = '' AND bytes = 0 AND channel = 'tickstock:x' AND detail = 'at 1' AND reason = 0"
		   " FROM rejects WHERE id = 3",
	    "1");
	assert_log("SELECT hex(CAST(sample AS BLOB)) FROM rejects WHERE id = 4", "610062");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_newest, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_a_second, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_rolled_back, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_cleaned, log_setup, log_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The URL table (every form redis-py takes), back-off, and what a connection to nobody says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "redis/redis.h"

struct url_case {
	const char *url;
	const char *host, *path; /* both NULL: refused */
	int port, db;
	const char *user, *password;
};

/* clang-format off */
static const struct url_case cases[] = {
	{ "redis://",                            "localhost", "", 6379, 0, "", "" },
	{ "redis://localhost:6379/0",            "localhost", "", 6379, 0, "", "" },
	{ "redis:///2",                          "localhost", "", 6379, 2, "", "" },
	{ "redis://:pw@h:6380/3",                "h", "", 6380, 3, "", "pw" },
	{ "redis://user@h",                      "h", "", 6379, 0, "user", "" },
	{ "redis://us%65r:@h",                   "h", "", 6379, 0, "user", "" },
	{ "redis://user:p%40ss%2Fw@h:1/2?db=5",  "h", "", 1, 5, "user", "p@ss/w" },
	{ "redis://user:p@ss@h:1",               "h", "", 1, 0, "user", "p@ss" },
	{ "redis://user:a:b@h",                  "h", "", 6379, 0, "user", "a:b" },
	{ "redis://[::1]:6379/1",                "::1", "", 6379, 1, "", "" },
	{ "redis://[::1]",                       "::1", "", 6379, 0, "", "" },
	{ "redis://u:p@[fe80::1]:7/1",           "fe80::1", "", 7, 1, "u", "p" },
	{ "redis://localhost/abc",               "localhost", "", 6379, 0, "", "" },
	{ "redis://localhost/1/2",               "localhost", "", 6379, 12, "", "" },
	{ "redis://localhost/-1",                "localhost", "", 6379, 0, "", "" },
	{ "redis://localhost/?db=4",             "localhost", "", 6379, 4, "", "" },
	{ "redis://localhost?db=4",              "localhost", "", 6379, 4, "", "" },
	{ "redis://h?db=",                       "h", "", 6379, 0, "", "" },
	{ "redis://h:0",                         "h", "", 6379, 0, "", "" },
	{ "redis://h:",                          "h", "", 6379, 0, "", "" },
	{ "redis://h/1#fragment",                "h", "", 6379, 1, "", "" },
	{ "redis://h?password=x%2Bz+w&username=u", "h", "", 6379, 0, "u", "x+z w" },
	{ "redis://v:y@h?password=x&username=u", "h", "", 6379, 0, "v", "y" },
	{ "redis://h?socket_timeout=5&socket_connect_timeout=5&health_check_interval=30&x=y", "h", "", 6379, 0, "", "" },
	{ "REDIS://H",                           "h", "", 6379, 0, "", "" },
	{ "redis://100%@h",                      "h", "", 6379, 0, "100%", "" },
	{ "unix:///run/redis.sock?db=1&password=x&username=u", "", "/run/redis.sock", 0, 1, "u", "x" },
	{ "unix://user:pw@/run/redis.sock",      "", "/run/redis.sock", 0, 0, "user", "pw" },
	{ "unix:///run/a%20b/3",                 "", "/run/a b/3", 0, 0, "", "" },
	{ "unix://run/redis.sock",               "", "/redis.sock", 0, 0, "", "" }, /* and a warning */
	{ "rediss://h?ssl_cert_reqs=none&ssl_ca_certs=x", NULL, NULL, 0, 0, NULL, NULL },
	{ "valkey://h",                          NULL, NULL, 0, 0, NULL, NULL },
	{ "redis-sentinel://h",                  NULL, NULL, 0, 0, NULL, NULL },
	{ "tcp://h:6379",                        NULL, NULL, 0, 0, NULL, NULL },
	{ "h:6379",                              NULL, NULL, 0, 0, NULL, NULL },
	{ "localhost",                           NULL, NULL, 0, 0, NULL, NULL },
	{ "",                                    NULL, NULL, 0, 0, NULL, NULL },
	{ "redis://h:99999",                     NULL, NULL, 0, 0, NULL, NULL },
	{ "redis://h:abc",                       NULL, NULL, 0, 0, NULL, NULL },
	{ "redis://h:-1",                        NULL, NULL, 0, 0, NULL, NULL },
	{ "redis://::1:6379",                    NULL, NULL, 0, 0, NULL, NULL },
	{ "redis://[::1",                        NULL, NULL, 0, 0, NULL, NULL },
	{ "redis://[::1]x",                      NULL, NULL, 0, 0, NULL, NULL },
	{ "redis://h?db=x",                      NULL, NULL, 0, 0, NULL, NULL },
	{ "redis://h/99999999999",               NULL, NULL, 0, 0, NULL, NULL },
	{ "redis://:a%00b@h",                    NULL, NULL, 0, 0, NULL, NULL },
	{ "unix://",                             NULL, NULL, 0, 0, NULL, NULL },
};
/* clang-format on */

static void
test_urls(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct url_case *c = &cases[i];
		struct redis_target t;
		struct err e = { .code = ERR_NONE };
		int rc = redis_target_parse(&t, c->url, NULL, "", &e);

		if ((rc == 0) != (c->host != NULL))
			fail_msg("%s: %s", c->url, rc == 0 ? "accepted" : e.text);
		if (rc != 0) {
			assert_int_equal(e.code, ERR_CONFIG);
			continue;
		}
		if (strcmp(t.host, c->host) != 0 || strcmp(t.path, c->path) != 0 || t.port != c->port ||
		    t.db != c->db || strcmp(t.username, c->user) != 0 || strcmp(t.password, c->password) != 0)
			fail_msg("%s: host=%s path=%s port=%d db=%d user=%s password=%s", c->url, t.host, t.path,
			    t.port, t.db, t.username, t.password);
	}
}

static void
test_tls_is_refused_with_advice(void **state)
{
	struct redis_target t;
	struct err e;

	(void)state;
	assert_int_equal(redis_target_parse(&t, "rediss://u:secret@h", NULL, NULL, &e), -1);
	assert_non_null(strstr(e.text, "TLS"));
	assert_null(strstr(e.text, "secret"));
}

static void
test_settings_stand_over_the_url(void **state)
{
	struct redis_target t;
	char text[300];
	struct err e;

	(void)state;
	assert_int_equal(redis_target_parse(&t, "redis://u:p@[::1]:1/2", "v", "secret", &e), 0);
	assert_string_equal(t.username, "v");
	assert_string_equal(t.password, "secret");
	redis_target_print(&t, text, sizeof(text));
	assert_string_equal(text, "redis://[::1]:1/2");
	assert_int_equal(redis_target_parse(&t, "unix://u:p@/s?db=3", NULL, NULL, &e), 0);
	redis_target_print(&t, text, sizeof(text));
	assert_string_equal(text, "unix:///s?db=3");
}

static void
test_long_parts_are_refused(void **state)
{
	char url[700];
	struct redis_target t;
	struct err e;

	(void)state;
	memset(url, 'a', sizeof(url));
	memcpy(url, "redis://", 8);
	url[8 + 255] = '\0';
	assert_int_equal(redis_target_parse(&t, url, NULL, NULL, &e), 0);
	url[8 + 255] = 'a';
	url[8 + 256] = '\0';
	assert_int_equal(redis_target_parse(&t, url, NULL, NULL, &e), -1);
	assert_int_equal(redis_target_parse(&t, "redis://h", NULL, url, &e), -1);
	memset(url, '/', 300);
	memcpy(url, "unix:///", 8);
	url[7 + 108] = '\0';
	assert_int_equal(redis_target_parse(&t, url, NULL, NULL, &e), -1);
}

static void
test_backoff_doubles_with_jitter(void **state)
{
	struct redis_backoff b = { .min_ms = 1000, .max_ms = 60000 };
	const int64_t want[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	bool differs = false;

	(void)state;
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
			int64_t ms = redis_backoff_next(&b);

			assert_in_range(ms, want[i] * 8 / 10, want[i] * 12 / 10);
			differs = differs || ms != want[i];
		}
		redis_backoff_reset(&b);
	}
	assert_true(differs);
}

static void
test_nobody_there(void **state)
{
	struct redis_target t;
	struct err e;
	bool denied = true;

	(void)state;
	assert_int_equal(redis_target_parse(&t, "unix://u:secret@/nowhere/redis.sock", NULL, NULL, &e), 0);
	assert_null(redis_open(&t, "test", 1000, 1000, -1, &denied, &e));
	assert_int_equal(e.code, ERR_REDIS);
	assert_non_null(strstr(e.text, "unix:///nowhere/redis.sock"));
	assert_null(strstr(e.text, "secret"));
	assert_int_equal(redis_target_parse(&t, "redis://127.0.0.1:1", NULL, NULL, &e), 0);
	assert_null(redis_open(&t, "test", 1000, 1000, -1, &denied, &e));
	assert_non_null(strstr(e.text, "refused"));
	assert_false(denied);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_tls_is_refused_with_advice),
		cmocka_unit_test(test_settings_stand_over_the_url),
		cmocka_unit_test(test_long_parts_are_refused),
		cmocka_unit_test(test_backoff_doubles_with_jitter),
		cmocka_unit_test(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* cors: who is told what, and which settings are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/cors.h"

#define LIST "https://charts.example http://localhost:3000"

/* What cors_apply() adds to an answer, and Vary. The buffer is the caller's to end. */
static const char *
applied(struct reply *reply, const char *origins, const char *origin, bool preflight, unsigned methods)
{
	const struct cors cors = { text_of(origins), 600 };
	const struct request request = { .origin = text_of(origin), .preflight = preflight };

	reply_init(reply);
	reply->methods = methods;
	cors_apply(&cors, &request, reply);
	reply_vary(reply);
	return buf_cstr(&reply->head);
}

static void
test_who_is_told(void **state)
{
	/* clang-format off */
	static const struct { const char *origins, *origin, *allow; bool vary; } rows[] = {
		{ "", "https://charts.example", NULL, false },
		{ "*", NULL, NULL, false },
		{ "*", "https://evil.example", "*", false },
		{ LIST, NULL, NULL, true },
		{ LIST, "https://charts.example", "https://charts.example", true },
		{ LIST, "http://localhost:3000", "http://localhost:3000", true },
		{ LIST, "http://localhost:30001", NULL, true },
		{ LIST, "http://localhost", NULL, true },
		{ LIST, "https://charts.example.evil.example", NULL, true },
		{ LIST, "HTTPS://charts.example", NULL, true },
		{ LIST, "null", NULL, true },
		{ LIST, "https://charts.example http://localhost:3000", NULL, true },
	};
	/* clang-format on */
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *head = applied(&reply, rows[i].origins, rows[i].origin, false, 0);
		char want[128] = "Access-Control-Allow-Origin: ";

		if (rows[i].allow == NULL)
			assert_null(strstr(head, "Access-Control"));
		else
			assert_non_null(strstr(head, strcat(strcat(want, rows[i].allow), "\r\n")));
		assert_int_equal(strstr(head, "Vary: Origin\r\n") != NULL, rows[i].vary);
		assert_int_equal(
		    strstr(head, "Expose-Headers: Accept-Post, Allow, ETag, ") != NULL, rows[i].allow != NULL);
		assert_null(strstr(head, "Credentials"));
		reply_fini(&reply);
	}
}

static void
test_preflights(void **state)
{
	struct reply reply;
	const char *head = applied(&reply, LIST, "https://charts.example", true, METHOD_GET | METHOD_POST);

	(void)state;
	assert_non_null(strstr(head, "Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n"));
	assert_non_null(strstr(head, "Access-Control-Max-Age: 600\r\n"));
	assert_non_null(strstr(head, "If-None-Match"));
	assert_null(strstr(head, "Expose-Headers"));
	reply_fini(&reply);
	/* Another origin is told nothing, and neither is anybody about a route that is not there. */
	assert_null(strstr(applied(&reply, LIST, "https://evil.example", true, METHOD_GET), "Access-Control"));
	reply_fini(&reply);
	assert_null(strstr(applied(&reply, LIST, "https://charts.example", true, 0), "Allow-Methods"));
	reply_fini(&reply);
}

static void
test_settings(void **state)
{
	/* clang-format off */
	static const struct { const char *origins; int want; } rows[] = {
		{ "", 0 }, { "*", 0 }, { LIST, 0 }, { "https://[::1]:8443", 0 }, { "app://local", 0 },
		{ "charts.example", -1 }, { "https://", -1 }, { "https:/charts.example", -1 }, { "https://charts.example/", -1 },
		{ "https://*.example", -1 }, { "https://Charts.example", -1 }, { "https://me@charts.example", -1 },
		{ "https://charts.example //x", -1 }, { "null", -1 },
	};
	/* clang-format on */
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (cors_check(text_of(rows[i].origins), &e) != rows[i].want)
			fail_msg("%s", rows[i].origins);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_told),
		cmocka_unit_test(test_preflights),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * That what may take long is announced before it begins: unannounced, a disk or a Redis that stalls would hold up everybody whom the leader looks after. The
 * linker puts our own functions before those that may stall (--wrap), for every resource of the table and whoever calls them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/handlers.h"
#include "api_fixture.h"
#include "publish/batch.h"

/* Since the request came. */
static int announced, reads, batches, lines, unannounced;
static int64_t step_us; /* by which the clock goes on whenever it is looked at */

int __real_read_begin(struct reader *r, struct snapshot *snap, struct err *e);
int __wrap_read_begin(struct reader *r, struct snapshot *snap, struct err *e);
enum batch_result __wrap_batch_publish(struct connections *p, const char *channel, const struct text *messages,
    size_t n, int64_t *receivers, struct err *e);
void __wrap_log_slow(struct log_limit *l, const char *slug, int64_t took_us, int64_t over_us, struct log_field more);
int64_t __wrap_clock_mono_us(void);

int
__wrap_read_begin(struct reader *r, struct snapshot *snap, struct err *e)
{
	reads++;
	unannounced += announced == 0;
	return __real_read_begin(r, snap, e);
}

enum batch_result
__wrap_batch_publish(struct connections *p, const char *channel, const struct text *messages, size_t n,
    int64_t *receivers, struct err *e)
{
	(void)p;
	(void)channel;
	(void)messages;
	(void)e;
	assert_int_equal(n, 1);
	batches++;
	unannounced += announced == 0;
	*receivers = 1;
	return BATCH_PUBLISHED;
}

/* It writes to stderr, which may be a pipe that nobody empties. */
void
__wrap_log_slow(struct log_limit *l, const char *slug, int64_t took_us, int64_t over_us, struct log_field more)
{
	(void)l;
	(void)slug;
	(void)more;
	if (took_us <= over_us)
		return;
	lines++;
	unannounced += announced == 0;
}

int64_t
__wrap_clock_mono_us(void)
{
	static int64_t now_us = 1000000;

	return now_us += step_us;
}

static void
announce(void *arg)
{
	(void)arg;
	announced++;
}

static void
begin(struct fixture *f, int64_t step)
{
	f->api->lengthy = announce;
	announced = reads = batches = lines = unannounced = 0;
	step_us = step;
}

/* The pattern with its variables filled. Borrowed until the next call. */
static const char *
path_of(const struct route *route)
{
	static char path[128];
	const char *variable = strchr(route->pattern, '{');

	if (variable == NULL)
		return route->pattern;
	snprintf(path, sizeof(path), "%.*s%s%s", (int)(variable - route->pattern), route->pattern,
	    variable[1] == 's' ? "S1" : MADE_EPOCH "-3", strchr(variable, '}') + 1);
	return path;
}

static bool
reads_no_log(route_handler handle)
{
	return handle == channels_get || handle == livez_get || handle == openapi_get || handle == metrics_get;
}

static void
reading_is_announced(void **state)
{
	struct fixture *f = *state;
	char nobody;
	size_t n = 0;

	write_state(f, true);
	/* Only that there is somebody: a dry run asks nothing of the live thread. */
	f->api->shared.live = (struct live *)&nobody;
	for (size_t i = 0; i < api_n_routes; i++) {
		const struct route *route = &api_routes[i];
		struct asked asked = { .path = path_of(route), .query = "", .address = "127.0.0.1" };

		if ((route->methods & METHOD_GET) == 0)
			continue;
		if (route->handle == stream_get)
			asked.query = "dry=1";
		else if (route->handle == poll_get)
			asked.query = "wait=0";
		else if (route->handle == snapshot_get)
			asked.query = "symbols=S1";
		begin(f, 0);
		send(f, &asked);
		if (unannounced != 0 || (reads == 0) != reads_no_log(route->handle))
			fail_msg(
			    "%s: %d reads, %d unannounced, %d", route->pattern, reads, unannounced, f->reply.status);
		n += reads > 0;
	}
	assert_true(n > 20);
}

static void
publishing_is_announced(void **state)
{
	struct fixture *f = *state;
	const struct request tick = { .method = METHOD_POST,
		.content_type = TEXT("application/json"),
		.body = TEXT("{\"symbol\":\"S1\",\"price\":1,\"volume\":0,\"timestamp\":1700000000}") };
	const struct request error = { .method = METHOD_POST,
		.content_type = TEXT("application/json"),
		.body = TEXT("{\"severity\":\"error\",\"message\":\"m\",\"component\":\"c\"}") };
	struct exchange x = { .request = &tick, .now_us = 1700000000000000 };

	begin(f, 0);
	reply_clear(&f->reply);
	ticks_post(f->api, &x, &f->reply);
	assert_int_equal(batches, 1);
	assert_int_equal(unannounced, 0);
	begin(f, 0);
	reply_clear(&f->reply);
	x.request = &error;
	errors_post(f->api, &x, &f->reply);
	assert_int_equal(batches, 1);
	assert_int_equal(unannounced, 0);
}

static void
a_line_about_slowness_is_announced(void **state)
{
	struct fixture *f = *state;
	const struct asked asked = { .path = "/livez", .query = "", .address = "127.0.0.1" };

	begin(f, 60000);
	send(f, &asked);
	assert_int_equal(f->reply.status, 200);
	assert_int_equal(lines, 1);
	assert_int_equal(unannounced, 0);
	begin(f, 0);
	send(f, &asked);
	assert_int_equal(lines + announced, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reading_is_announced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(publishing_is_announced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_line_about_slowness_is_announced, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

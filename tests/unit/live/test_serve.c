/* test_serve - the lines: who is served before whom, and how much is under way to web servers that do not read. One step at a time, in this thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../store/made_log.h"
#include "base/clock.h"
#include "live/client.h"
#include "live/crowd.h"
#include "live/follow.h"
#include "live/serve.h"
#include "store/bell.h"

#define CROWD (FLIGHT_MAX * 2)
#define NOW_US 1000000 /* long ago for the clock: every call serves one */
#define FAR (20 * SOURCE_ROWS)
#define EVENTS 100 /* of 8 KiB, two in a piece at most */

static struct made_log made;
static struct reader *reader;
static struct hub hub;
static struct serve serve;
static int epoll;
static int web[CROWD + 1]; /* the web server's ends */
static int n_web, n_gone;
static int to_drain; /* while an answer is made; -1: none */
static int64_t answered_after; /* by the newest answer */
static void drain(int fd);

static void
on_gone(void *arg, bool waiter, uint64_t address)
{
	(void)arg;
	(void)waiter;
	(void)address;
	n_gone++;
}

static void
render(void *arg, struct text ask, const char *epoch, int64_t after, int64_t checked, struct buf *out)
{
	(void)arg;
	(void)ask;
	(void)epoch;
	(void)checked;
	answered_after = after;
	buf_add_text(out, TEXT("the answer"));
	if (to_drain >= 0)
		drain(to_drain);
}

static const struct live_opts opts = { .framed = true, .on_gone = on_gone, .render = render };

static int
setup_log(int events, int symbols, bool large)
{
	struct snapshot snap;
	struct err e;

	n_web = n_gone = 0;
	to_drain = -1;
	made_log_init(&made, events, symbols, events, events);
	if (large)
		made_log_sql(&made, "UPDATE events SET body = '{\"x\":\"' || hex(zeroblob(4000)) || '\"}'");
	reader = reader_new(made.dir, &e);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(hub_init(&hub, 1 << 20, &e), 0);
	assert_int_equal(serve_init(&serve, &opts, &hub, reader, epoll, &e), 0);
	assert_int_equal(read_begin(reader, &snap, &e), 0);
	read_end(reader);
	hub_start(&hub, &snap);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	return setup_log(EVENTS, 1, true);
}

/* So many events that whoever wants none of them looks through many pages. */
static int
setup_long(void **state)
{
	(void)state;
	return setup_log(FAR, 1, false);
}

static int
teardown(void **state)
{
	(void)state;
	serve_fini(&serve);
	for (int i = 0; i < n_web; i++)
		close(web[i]);
	hub_fini(&hub);
	reader_free(reader);
	close(epoll);
	made_log_fini(&made);
	return 0;
}

/* One that has everything up to `after`, and wants what is as likely as `confidence`, of 100. */
static struct client *
join_as(bool waiter, int64_t after, double confidence, int64_t now_us)
{
	struct live_request *req = calloc(1, sizeof(*req));
	struct view_form form = { .ask = TEXT(""), .waiter = waiter };
	struct filter f = FILTER_INIT;
	int pair[2];

	f.min_confidence = confidence;
	if (confidence > 0)
		f.kinds = KIND_BIT(KIND_PATTERN);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	web[n_web++] = pair[0];
	f.show_duplicates = true;
	view_key(&req->key, &f, &form);
	snprintf(req->epoch, sizeof(req->epoch), MADE_EPOCH);
	req->fd = pair[1];
	req->request_id = 1;
	req->after = req->checked = after;
	req->waiter = waiter;
	req->lasts_ms = req->heartbeat_ms = 600000;
	serve_join(&serve, req, now_us);
	return serve.all;
}

/* A stream that has everything up to `after`, and wants everything. */
static struct client *
join(int64_t after)
{
	return join_as(false, after, NAN, NOW_US);
}

static size_t
waiting(int fd)
{
	int n = 0;

	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	return (size_t)n;
}

static void
drain(int fd)
{
	char bytes[65536];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		continue;
}

static void
serve_all(void)
{
	for (int i = 0; serve_behind(&serve, NOW_US); i++)
		assert_true(i < 100 * CROWD);
}

static int
count(const struct clients *list)
{
	int n = 0;

	for (const struct client *c = list->first; c != NULL; c = c->next)
		n++;
	return n;
}

/* What nobody reads holds up those who lag, and nobody else. */
static void
test_laggards_wait_until_what_was_sent_is_read(void **state)
{
	size_t most = 0, before;
	struct client *fresh;

	(void)state;
	for (int i = 0; i < CROWD; i++)
		join(0);
	serve_all();
	assert_int_equal(serve.flight.n, FLIGHT_MAX);
	assert_int_equal(count(&serve.lagging), CROWD);
	assert_int_equal(serve.land_us, NOW_US + 1000);
	for (int i = 0; i < CROWD; i++) {
		assert_true(waiting(web[i]) > 0);
		most = waiting(web[i]) > most ? waiting(web[i]) : most;
	}
	/* A piece to each, then three to as many as may be under way: two events a piece. */
	assert_in_range(most, 4 * 2 * 8000, 4 * 16384);
	before = waiting(web[CROWD - 1]);
	/* Somebody who lacks little comes, and has it at once. */
	fresh = join(EVENTS - 1);
	serve_all();
	assert_int_equal(fresh->state, CLIENT_LIVE);
	assert_in_range(waiting(web[CROWD]), 8000, 9000);
	/* The web server reads what one was sent: the next in line has his turn. */
	assert_int_equal(waiting(web[FLIGHT_MAX]), before);
	drain(web[0]);
	serve_all();
	assert_true(waiting(web[FLIGHT_MAX]) > before);
	assert_int_equal(waiting(web[CROWD - 1]), before);
	assert_int_equal(serve.flight.n, FLIGHT_MAX);
}

/* Clients who do not read are not what the web server is busy with: after a while they hold up nobody. */
static void
test_what_is_old_is_not_waited_for(void **state)
{
	size_t before;

	(void)state;
	for (int i = 0; i < CROWD; i++)
		join(0);
	serve_all();
	before = waiting(web[CROWD - 1]);
	assert_false(serve_behind(&serve, NOW_US + FLIGHT_OLD_US - 1));
	assert_int_equal(waiting(web[CROWD - 1]), before);
	while (serve_behind(&serve, NOW_US + FLIGHT_OLD_US))
		continue;
	assert_true(waiting(web[CROWD - 1]) > before);
}

/* One who leaves is no longer looked at, and leaves its place. */
static void
test_who_is_gone_is_not_under_way(void **state)
{
	(void)state;
	for (int i = 0; i < CROWD; i++)
		join(0);
	serve_all();
	while (n_gone < FLIGHT_MAX)
		crowd_gone(&serve, (struct client *)(uintptr_t)serve.flight.of[0].client);
	assert_int_equal(serve.flight.n, 0);
	serve_all();
	assert_int_equal(serve.flight.n, FLIGHT_MAX);
	assert_int_equal(count(&serve.lagging), CROWD - FLIGHT_MAX);
}

/* All of it comes in the end, to a web server that reads. */
static void
test_everybody_catches_up(void **state)
{
	bool more = true;

	(void)state;
	for (int i = 0; i < CROWD; i++)
		join(i);
	for (int64_t now_us = NOW_US; more; now_us++) {
		more = serve_behind(&serve, now_us) || serve.lagging.first != NULL || serve.blocked.first != NULL;
		for (int i = 0; i < CROWD; i++)
			drain(web[i]);
		for (struct client *c = serve.blocked.first; c != NULL; c = serve.blocked.first)
			serve_event(&serve, c, EPOLLOUT, now_us);
	}
	for (const struct client *c = serve.all; c != NULL; c = c->all_next)
		assert_int_equal(c->state, CLIENT_LIVE);
	assert_int_equal(n_gone, 0);
	assert_int_equal(serve.land_us, INT64_MAX);
}

/* A turn that sent nothing puts nothing under way: whoever looks for what hardly ever comes is held up by nobody. */
static void
test_what_matches_nothing_is_not_under_way(void **state)
{
	bool more = true;

	(void)state;
	for (int i = 0; i < CROWD; i++)
		join_as(false, i, 200, clock_mono_us());
	while (more) {
		more = serve_behind(&serve, clock_mono_us());
		assert_int_equal(serve.flight.n, 0);
		assert_int_equal(serve.land_us, INT64_MAX);
	}
	for (const struct client *c = serve.all; c != NULL; c = c->all_next)
		assert_int_equal(c->state, CLIENT_LIVE);
}

/* What streams have not read is nothing to waiters: they are looked at, and answered when their time is up. */
static void
test_waiters_pass_what_is_under_way(void **state)
{
	int64_t now_us = clock_mono_us();
	struct client *waiter;

	(void)state;
	for (int i = 0; i < CROWD - 1; i++)
		join_as(false, 0, NAN, now_us);
	while (serve_behind(&serve, now_us))
		continue;
	assert_int_equal(serve.flight.n, FLIGHT_MAX);
	waiter = join_as(true, 0, 200, now_us);
	/* A piece of many. */
	while (waiter->pos == 0)
		serve_behind(&serve, now_us);
	assert_true(waiter->pos < FAR);
	assert_int_equal(waiter->state, CLIENT_BEHIND);
	while (serve_behind(&serve, now_us))
		continue;
	assert_int_equal(serve.flight.n, FLIGHT_MAX);
	assert_int_equal(waiter->state, CLIENT_LIVE);
	/* One whose time is up before it has caught up. */
	waiter = join_as(true, 0, 200, now_us);
	while (waiter->pos == 0)
		serve_behind(&serve, now_us);
	waiter->end_us = now_us;
	wheel_set(&serve.wheel, &waiter->timer, now_us);
	serve_timers(&serve, now_us + 1000000);
	assert_true(waiter->woken);
	serve_behind(&serve, now_us);
	assert_int_equal(n_gone, 1);
	assert_true(waiting(web[n_web - 1]) > 0);
	assert_int_equal(serve.flight.n, FLIGHT_MAX);
}

/* Before those who lag are told to wait it is looked once more whether what was sent was read meanwhile. */
static void
test_what_lands_meanwhile_is_seen(void **state)
{
	/* Ahead of the clock: one call serves all. */
	int64_t now_us = clock_mono_us() + INT64_C(3600000000);
	struct client *waiter;
	size_t before;

	(void)state;
	for (int i = 0; i < CROWD; i++)
		join_as(false, 0, NAN, now_us);
	while (serve_behind(&serve, now_us))
		continue;
	assert_int_equal(serve.flight.n, FLIGHT_MAX);
	before = waiting(web[FLIGHT_MAX]);
	waiter = join_as(true, EVENTS, NAN, now_us);
	waiter->woken = true;
	to_drain = web[0];
	serve_behind(&serve, now_us);
	assert_int_equal(n_gone, 1);
	assert_true(waiting(web[FLIGHT_MAX]) > before);
}

/* ---- what comes with the bell, as live.c hands it on ---- */

static struct follow follow;
static struct bell *bell;

static void
on_start(void *arg, const struct snapshot *snap)
{
	(void)arg;
	serve_start(&serve, snap, 1);
	hub_start(&hub, snap);
}

static int
on_row(void *arg, struct reader *r, const struct row_key *key, struct err *e)
{
	(void)arg;
	return hub_row(&hub, r, key, e);
}

static void
on_event(void *arg, const struct event *ev, struct text body)
{
	(void)arg;
	hub_event(&hub, ev, body);
}

static void
on_advance(void *arg, int64_t head, int64_t committed_us)
{
	(void)arg;
	(void)committed_us;
	hub_advance(&hub, head);
}

static void
on_lost(void *arg, const struct err *why)
{
	(void)arg;
	fail_msg("lost: %s", why->text);
}

static void
hear(void)
{
	struct follow_to to = { on_start, on_row, on_event, on_advance, on_lost, NULL };
	struct err e;

	assert_int_equal(follow_init(&follow, made.dir, made.dir, &to, &e), 0);
	bell = bell_open(follow.bell_path, &e);
	assert_non_null(bell);
	assert_true(follow_connect(&follow, NOW_US));
	assert_false(follow_turn(&follow, NOW_US));
	bell_accept(bell);
}

static void
commit(long long seq, const char *symbol, bool rings)
{
	struct bell_ring ring = { .epoch = MADE_EPOCH, .after = seq - 1, .head = seq };
	struct event ev = EVENT_INIT;
	struct buf news = { 0 };
	char body[32];

	snprintf(body, sizeof(body), "{\"n\":%lld}", seq);
	made_log_sql(&made,
	    "INSERT INTO events VALUES (%lld, 0, '%s', 'doji', '1min', 1, NULL, 0, NULL, NULL, 'c', 0, 0, 1, 0, 0, "
	    "'%s'); UPDATE log SET next_seq = %lld",
	    seq, symbol, body, seq + 1);
	ev.seq = seq;
	ev.symbol = text_of(symbol);
	ev.name = TEXT("doji");
	news_add(&news, &ev, text_of(body));
	if (rings)
		bell_ring(bell, &ring, buf_text(&news));
	buf_fini(&news);
}

/* One that has everything that there is and waits for more of `symbol`. */
static struct client *
join_for(const char *symbol, bool waiter, uint16_t batch_ms)
{
	struct live_request *req = calloc(1, sizeof(*req));
	struct view_form form = { .ask = TEXT(""), .waiter = waiter, .batch = batch_ms > 0 };
	struct text item = text_of(symbol);
	struct filter f = FILTER_INIT;
	int pair[2], size = 4096;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	web[n_web++] = pair[0];
	f.symbols = (struct text_set){ &item, 1 };
	view_key(&req->key, &f, &form);
	snprintf(req->epoch, sizeof(req->epoch), MADE_EPOCH);
	req->fd = pair[1];
	req->request_id = 1;
	req->after = req->checked = EVENTS;
	req->waiter = waiter;
	req->pause_ms = batch_ms;
	req->lasts_ms = req->heartbeat_ms = 600000;
	serve_join(&serve, req, NOW_US);
	return serve.all;
}

static void
fill(const struct client *c)
{
	static const char junk[512];

	while (send(c->fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		continue;
	while (send(c->fd, junk, 1, MSG_DONTWAIT) > 0)
		continue;
}

/* How often `what` is in what has come. */
static int
count_in(int fd, const char *what)
{
	static char bytes[65536];
	ssize_t n = read(fd, bytes, sizeof(bytes));
	int times = 0;

	assert_true(n > 0);
	for (const char *at = bytes; (at = memmem(at, (size_t)(bytes + n - at), what, strlen(what))) != NULL; at++)
		times++;
	return times;
}

/* Everybody is served what came before the log is read for what came meanwhile. */
static void
test_what_is_told_is_served_before_the_next_turn(void **state)
{
	int64_t now_us = NOW_US + 10000;
	struct client *full;

	(void)state;
	hear();
	join_for("A", true, 0);
	join_for("A", false, 1);
	join_for("A", false, 0);
	full = join_for("A", false, 0);
	serve_all();
	for (const struct client *c = serve.all; c != NULL; c = c->all_next)
		assert_int_equal(c->state, CLIENT_LIVE);
	fill(full);
	/* Two wait, so a third may have been dropped; and there is one. */
	commit(EVENTS + 1, "A", true);
	commit(EVENTS + 2, "B", true);
	commit(EVENTS + 3, "B", false);
	follow_heard(&follow);
	while (follow_due_us(&follow) == 0) {
		follow_turn(&follow, now_us);
		serve_turn(&serve, now_us);
	}
	assert_int_equal(hub.to, EVENTS + 3);
	serve_all();
	assert_int_equal(n_gone, 1);
	assert_int_equal(answered_after, EVENTS);
	assert_int_equal(count_in(web[1], "{\"n\":101}"), 1);
	assert_int_equal(count_in(web[2], "{\"n\":101}"), 1);
	assert_int_equal(full->state, CLIENT_BLOCKED);
	drain(web[3]);
	serve_event(&serve, full, EPOLLOUT, now_us);
	serve_all();
	assert_int_equal(count_in(web[3], "{\"n\":101}"), 1);
	follow_fini(&follow);
	bell_close(bell);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_laggards_wait_until_what_was_sent_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_old_is_not_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_is_gone_is_not_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_everybody_catches_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_matches_nothing_is_not_under_way, setup_long, teardown),
		cmocka_unit_test_setup_teardown(test_waiters_pass_what_is_under_way, setup_long, teardown),
		cmocka_unit_test_setup_teardown(test_what_lands_meanwhile_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_told_is_served_before_the_next_turn, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

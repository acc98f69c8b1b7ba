/*
 * test_live - the whole room: its thread, requests handed to it over socket pairs, a log that another connection writes, and the FastCGI
 * records that come out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../store/made_log.h"
#include "live/live.h"
#include "store/bell.h"

#define PATIENCE_MS 20000

static struct made_log made;
static struct live *live;
static int stop_fd;
static atomic_int gone, rendered;
static int64_t end;

static void
on_gone(void *arg, bool waiter, uint64_t address)
{
	(void)arg;
	(void)waiter;
	atomic_fetch_add(&gone, (int)address);
}

static void
render(void *arg, struct text ask, const char *epoch, int64_t after, int64_t checked, struct buf *out)
{
	(void)checked;
	(void)arg;
	atomic_fetch_add(&rendered, 1);
	buf_printf(out, "%.*s %s after %lld", TEXT_ARG(ask), epoch, (long long)after);
}

static int
setup(void **state)
{
	struct live_opts opts = { .ring_bytes = 65536, .framed = true, .render = render, .on_gone = on_gone };
	struct err e;

	(void)state;
	made_log_init(&made, 10, 5, 10, 10);
	end = 10;
	gone = rendered = 0;
	opts.state_dir = opts.run_dir = made.dir;
	opts.stop_fd = stop_fd = eventfd(0, EFD_NONBLOCK);
	live = live_new(&opts, &e);
	return live == NULL ? -1 : live_start(live, &e);
}

static int
teardown(void **state)
{
	(void)state;
	live_stop(live);
	live_free(live);
	close(stop_fd);
	made_log_fini(&made);
	return 0;
}

static void
add_event(const char *symbol, size_t size)
{
	end++;
	made_log_sql(&made,
	    "INSERT INTO events VALUES (%lld, 0, '%s', 'doji', '1min', 1, NULL, 0, NULL, NULL, 'c', 0, 0, %lld, 0, 0, "
	    "'{\"n\":%lld,\"x\":\"' || hex(zeroblob(%lld)) || '\"}');"
	    "UPDATE log SET next_seq = %lld",
	    (long long)end, symbol, (long long)end, (long long)end, (long long)size / 2, (long long)end + 1);
}

struct reading {
	int fd;
	struct buf raw, text; /* records, and what is in them */
	bool ended; /* STDOUT's end and END_REQUEST have come */
	bool closed;
};

static void
request(struct reading *r, const char *symbol, int64_t after, const char *ask)
{
	struct live_request *req = live_request_new(live, ask != NULL, 1);
	struct text item = text_of(symbol);
	struct filter f = FILTER_INIT;
	struct view_form form = { .waiter = ask != NULL, .ask = text_of(ask == NULL ? "" : ask) };
	int pair[2], size = 16384;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	if (symbol != NULL)
		f.symbols = (struct text_set){ &item, 1 };
	f.every_gap = ask == NULL;
	view_key(&req->key, &f, &form);
	if (ask == NULL)
		buf_add_str(&req->first, "hello\n\n");
	snprintf(req->epoch, sizeof(req->epoch), MADE_EPOCH);
	req->after = req->checked = after;
	req->lasts_ms = 600000;
	req->heartbeat_ms = 600000;
	req->told_stale = true; /* there is no subscriber */
	req->fd = pair[1];
	req->request_id = 1;
	*r = (struct reading){ .fd = pair[0] };
	live_join(req);
}

/* Takes whole records off what has come. */
static void
unpack(struct reading *r)
{
	const unsigned char *p = (const unsigned char *)r->raw.p;
	size_t at = 0, n;

	for (; at + 8 <= r->raw.len; at += 8 + n) {
		n = (size_t)p[at + 4] << 8 | p[at + 5];
		if (at + 8 + n > r->raw.len)
			break;
		assert_int_equal(p[at], 1);
		assert_int_equal(p[at + 3], 1);
		assert_false(r->ended);
		if (p[at + 1] == 6)
			buf_add(&r->text, p + at + 8, n);
		else
			assert_int_equal(p[at + 1], 3);
		r->ended = p[at + 1] == 3;
	}
	memmove(r->raw.p, r->raw.p + at, r->raw.len - at);
	r->raw.len -= at;
}

/* Reads until `mark` is there (or the end, for NULL). */
static void
read_until(struct reading *r, const char *mark)
{
	while (!r->closed && (mark == NULL || strstr(buf_cstr(&r->text), mark) == NULL)) {
		struct pollfd p = { .fd = r->fd, .events = POLLIN };
		char bytes[65536];
		ssize_t n;

		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		n = read(r->fd, bytes, sizeof(bytes));
		assert_true(n >= 0);
		r->closed = n == 0;
		buf_add(&r->raw, bytes, (size_t)n);
		unpack(r);
	}
	assert_true(mark == NULL || strstr(buf_cstr(&r->text), mark) != NULL);
}

static void
done(struct reading *r)
{
	close(r->fd);
	buf_fini(&r->raw);
	buf_fini(&r->text);
}

static void
await(const atomic_int *what, int n)
{
	for (int i = 0; i < PATIENCE_MS && atomic_load(what) < n; i++)
		poll(NULL, 0, 1);
	assert_int_equal(atomic_load(what), n);
}

static void
test_replay_and_live(void **state)
{
	struct reading all, one;

	(void)state;
	request(&all, NULL, 8, NULL);
	request(&one, "AAPL", 10, NULL);
	read_until(&all, "id: " MADE_EPOCH "-9\ndata: {\"n\":9}\n\n");
	add_event("AAPL", 0);
	add_event("MSFT", 0);
	add_event("AAPL", 0);
	read_until(&all, "{\"n\":13,");
	read_until(&one, "{\"n\":13,");
	assert_memory_equal(one.text.p, "hello\n\nevent: pattern\nid: " MADE_EPOCH "-11\n", 38);
	assert_null(strstr(buf_cstr(&one.text), "\"n\":12"));
	assert_non_null(strstr(buf_cstr(&all.text), "\"n\":12"));
	done(&one);
	await(&gone, 1);
	done(&all);
	await(&gone, 2);
}

/* Texts of many records, and a reader who reads nothing until much more has come than ring and socket hold. */
static void
test_slow_reader(void **state)
{
	struct bell_ring ring = { .epoch = MADE_EPOCH };
	struct reading slow, quick;
	const char *at;
	struct bell *bell;
	char path[300];
	struct err e;

	(void)state;
	snprintf(path, sizeof(path), "%s/%s", made.dir, BELL_FILE);
	bell = bell_open(path, &e);
	assert_non_null(bell);
	request(&slow, NULL, 10, NULL);
	request(&quick, NULL, 10, NULL);
	for (int i = 0; i < 60; i++) {
		char mark[32];

		add_event("AAPL", i % 10 == 0 ? 60000 : 3000);
		ring.head = end;
		bell_ring(bell, &ring, TEXT_NONE); /* sooner than it would look by itself */
		snprintf(mark, sizeof(mark), "{\"n\":%lld,", (long long)end);
		read_until(&quick, mark);
	}
	read_until(&slow, "{\"n\":70,");
	at = buf_cstr(&slow.text);
	for (int n = 11; n <= 70; n++) {
		char mark[32];

		snprintf(mark, sizeof(mark), "{\"n\":%d,", n);
		at = strstr(at, mark);
		assert_non_null(at);
		assert_null(strstr(at + 1, mark));
	}
	done(&slow);
	done(&quick);
	bell_close(bell);
}

static void
test_waiters_share_an_answer(void **state)
{
	static struct reading r[200];
	struct reading other;

	(void)state;
	for (int i = 0; i < 200; i++)
		request(&r[i], "AAPL", 10, "question");
	request(&other, "AAPL", 10, "another");
	add_event("MSFT", 0);
	add_event("AAPL", 0);
	for (int i = 0; i < 200; i++) {
		read_until(&r[i], NULL);
		assert_true(r[i].ended);
		assert_memory_equal(r[i].text.p, "question " MADE_EPOCH " after ", 24);
		done(&r[i]);
	}
	read_until(&other, NULL);
	done(&other);
	await(&gone, 201);
	/* They came in at several moments, so from several places; but not each from its own. */
	assert_true(rendered < 20);
}

static void
test_stop(void **state)
{
	struct reading stream, waiter, late;

	(void)state;
	request(&stream, NULL, 10, NULL);
	request(&waiter, NULL, 10, "question");
	read_until(&stream, "hello\n\n");
	assert_int_equal(eventfd_write(stop_fd, 1), 0);
	read_until(&stream, NULL);
	assert_true(stream.ended);
	assert_non_null(strstr(buf_cstr(&stream.text), "event: bye\nid: " MADE_EPOCH "-10\n"));
	read_until(&waiter, NULL);
	assert_string_equal(buf_cstr(&waiter.text), "question " MADE_EPOCH " after 10");
	/* Whoever was already on the way is told, too. */
	request(&late, NULL, 10, NULL);
	read_until(&late, NULL);
	assert_true(late.ended);
	assert_non_null(strstr(buf_cstr(&late.text), "event: bye\n"));
	await(&gone, 3);
	done(&stream);
	done(&waiter);
	done(&late);
}

static void
test_another_log(void **state)
{
	struct reading stream, waiter;

	(void)state;
	request(&stream, NULL, 10, NULL);
	request(&waiter, NULL, 10, "question");
	add_event("AAPL", 0);
	read_until(&stream, "{\"n\":11,");
	read_until(&waiter, NULL);
	done(&waiter);
	request(&waiter, "NONE", 11, "question");
	made_log_sql(&made, "UPDATE log SET epoch = 'zzzz9999', next_seq = 4");
	read_until(&stream, "event: reset\nid: zzzz9999-3\n");
	read_until(&waiter, NULL);
	assert_string_equal(buf_cstr(&waiter.text), "question zzzz9999 after -1");
	done(&stream);
	done(&waiter);
	/* A place in the log that was. */
	request(&stream, NULL, 11, NULL);
	read_until(&stream, "\"reason\":\"epoch_changed\"");
	done(&stream);
	await(&gone, 4);
}

static void
test_abort_and_nonsense(void **state)
{
	struct reading a, b;

	(void)state;
	request(&a, NULL, 10, NULL);
	request(&b, NULL, 10, NULL);
	read_until(&a, "hello\n\n");
	read_until(&b, "hello\n\n");
	assert_int_equal(write(a.fd, "\1\2\0\1\0\0\0\0", 8), 8);
	assert_int_equal(write(b.fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	read_until(&a, NULL);
	read_until(&b, NULL);
	assert_true(a.ended && b.ended);
	await(&gone, 2);
	done(&a);
	done(&b);
}

/* A request that is given up before it is handed over, and one without a connection. */
static void
test_given_up(void **state)
{
	struct live_request *req;

	(void)state;
	live_request_free(live_request_new(live, true, 1));
	await(&gone, 1);
	req = live_request_new(live, false, 1);
	live_join(req);
	await(&gone, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_replay_and_live, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waiters_share_an_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_abort_and_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

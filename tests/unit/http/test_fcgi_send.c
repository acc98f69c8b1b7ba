/* test_fcgi_send - what a web server gets of an answer, at once or in pieces, and who takes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "http/fcgi_send.h"

static int told;

static void
tell(void *arg)
{
	(void)arg;
	told++;
}

struct reader {
	int fd;
	int wait_ms; /* before it reads */
	struct buf got;
};

static void *
read_all(void *arg)
{
	struct reader *r = arg;
	char piece[5000];
	ssize_t n;

	poll(NULL, 0, r->wait_ms);
	while ((n = read(r->fd, piece, sizeof(piece))) > 0)
		buf_add(&r->got, piece, (size_t)n);
	return NULL;
}

/* The content of the records of STDOUT, and what is between it and the end as it should be. */
static void
assert_answer(const struct buf *got, const struct buf *want, unsigned id)
{
	const unsigned char *p = (const unsigned char *)got->p;
	struct buf content = { 0 };
	size_t at = 0;

	for (;;) {
		size_t n;

		assert_true(got->len - at >= 8);
		n = (size_t)p[at + 4] << 8 | p[at + 5];
		assert_int_equal(p[at], 1);
		assert_int_equal(p[at + 1], 6);
		assert_int_equal(p[at + 2] << 8 | p[at + 3], id);
		assert_true(got->len - at >= 8 + n + p[at + 6]);
		buf_add(&content, p + at + 8, n);
		at += 8 + n + p[at + 6];
		if (n == 0)
			break;
	}
	assert_int_equal(got->len - at, 16);
	assert_int_equal(p[at + 1], 3);
	assert_int_equal(content.len, want->len);
	assert_memory_equal(content.p, want->p, want->len);
	buf_fini(&content);
}

static void
fill(struct buf *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add_char(b, (char)(i * 7 + i / 251));
}

static void
try(size_t head, size_t body, int wait_ms)
{
	struct buf h = { 0 }, b = { 0 }, want = { 0 };
	struct reader r = { .wait_ms = wait_ms };
	struct fcgi_send s = { .request_id = 300, .patience_ms = 60000, .lengthy = tell };
	pthread_t thread;
	int fds[2];

	fill(&h, head);
	fill(&b, body);
	buf_add_text(&want, buf_text(&h));
	buf_add_text(&want, buf_text(&b));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	s.fd = fds[0];
	s.head = buf_text(&h);
	s.body = buf_text(&b);
	r.fd = fds[1];
	assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
	assert_int_equal(fcgi_send(&s), 0);
	close(fds[0]);
	pthread_join(thread, NULL);
	assert_answer(&r.got, &want, 300);
	close(fds[1]);
	buf_fini(&r.got);
	buf_fini(&h);
	buf_fini(&b);
	buf_fini(&want);
}

static void
test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 65534, 65535, 65536, 131070, 262140, 262141, 3000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		try(1, sizes[i], 0);
		try(300, sizes[i], 0);
		try(70000, sizes[i], 0);
	}
}

/* What fits is sent without a word; before it blocks it says so, once. */
static void
test_lengthy(void **state)
{
	(void)state;
	told = 0;
	try(300, 20000, 50);
	assert_int_equal(told, 0);
	try(300, 3000000, 50);
	assert_int_equal(told, 1);
}

static void
test_nobody_reads(void **state)
{
	struct buf body = { 0 };
	struct fcgi_send s = { .request_id = 1, .patience_ms = 20, .lengthy = tell, .head = TEXT_INIT("head") };
	int fds[2];

	(void)state;
	fill(&body, 3000000);
	s.body = buf_text(&body);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	s.fd = fds[0];
	told = 0;
	assert_int_equal(fcgi_send(&s), -1);
	assert_int_equal(told, 1);
	/* A peer that is gone: no signal either. */
	close(fds[1]);
	assert_int_equal(fcgi_send(&s), -1);
	close(fds[0]);
	buf_fini(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_lengthy),
		cmocka_unit_test(test_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

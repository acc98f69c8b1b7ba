/* test_bell - rings over a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/bell.h"

static char dir[64], path[100];

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/tickgate-test-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", dir, BELL_FILE);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static char bytes[BELL_BYTES_MAX];

static void
test_rings(void **state)
{
	struct bell *b = bell_open(path, NULL);
	struct bell_ring ring = { .epoch = "abcdefgh", .head = 1 }, got;
	struct text rows;
	struct stat st;
	int fd, n = 0;

	(void)state;
	assert_non_null(b);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	fd = bell_connect(path, NULL);
	assert_true(fd >= 0);
	assert_int_equal(bell_read(fd, &got, bytes, &rows), 0);
	/* Many more than the buffer takes: none blocks. */
	for (int i = 0; i < 10000; i++)
		bell_ring(b, &ring, TEXT_NONE);
	assert_int_equal(bell_peers(b), 1);
	while (bell_read(fd, &got, bytes, &rows) == 1)
		n++;
	assert_in_range(n, 2, 9999);
	ring.head = 76;
	ring.committed_us = 5;
	bell_ring(b, &ring, TEXT("rows"));
	ring.head = 77;
	ring.after = 76;
	ring.committed_us = 6;
	bell_ring(b, &ring, TEXT_NONE);
	assert_int_equal(bell_read(fd, &got, bytes, &rows), 1);
	assert_int_equal(got.head, 76);
	assert_int_equal(got.committed_us, 5);
	assert_string_equal(got.epoch, "abcdefgh");
	assert_true(text_eq(rows, TEXT("rows")));
	bell_close(b);
	/* What came before its end is still to be had. */
	assert_int_equal(bell_read(fd, &got, bytes, &rows), 1);
	assert_memory_equal(&got, &ring, sizeof(ring));
	assert_null(rows.p);
	assert_int_equal(bell_read(fd, &got, bytes, &rows), -1);
	close(fd);
	assert_int_equal(access(path, F_OK), -1);
}

/* Of the bell's ends of its connections; the largest there was. */
static int
shrink_buffers(void)
{
	int small = 4096, n = 0, most = 0;

	for (int fd = 3; fd < 64; fd++) {
		struct sockaddr_un at = { .sun_family = AF_UNSPEC };
		socklen_t size = sizeof(at), int_size = sizeof(int);
		int had;

		if (getsockname(fd, (struct sockaddr *)&at, &size) != 0 || at.sun_family != AF_UNIX ||
		    strcmp(at.sun_path, path) != 0)
			continue;
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &had, &int_size), 0);
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
		most = had > most ? had : most;
		n++;
	}
	assert_int_equal(n, 2); /* one of them is who listens */
	return most;
}

/* What a socket has that asked for BELL_BUFFER. */
static int
buffer_to_be_had(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), size = BELL_BUFFER;
	socklen_t int_size = sizeof(int);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &int_size), 0);
	close(fd);
	return size;
}

/* Two that are as large as can be fit, or follow.c would not know that some are missing behind one that waits alone. */
static void
test_large_rings(void **state)
{
	struct bell *b = bell_open(path, NULL);
	struct bell_ring ring = { .head = 1 }, got;
	struct text rows = { bytes, sizeof(bytes) };
	static char read[BELL_BYTES_MAX];
	int fd = bell_connect(path, NULL), n = 0;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	for (int i = 0; i < 100; i++)
		bell_ring(b, &ring, rows);
	while (bell_read(fd, &got, read, &rows) == 1) {
		assert_int_equal(rows.n, sizeof(bytes));
		assert_memory_equal(rows.p, bytes, sizeof(bytes));
		n++;
	}
	assert_in_range(n, 2, 99);
	/* Where such a buffer cannot be had, the ring at least. */
	assert_true(shrink_buffers() >= buffer_to_be_had());
	rows = (struct text){ bytes, sizeof(bytes) };
	bell_ring(b, &ring, rows);
	assert_int_equal(bell_peers(b), 1);
	assert_int_equal(bell_read(fd, &got, read, &rows), 1);
	assert_null(rows.p);
	close(fd);
	bell_close(b);
}

/* Whatever is there: it is not believed. */
static void
test_strange_rings(void **state)
{
	static char large[sizeof(struct bell_ring) + BELL_BYTES_MAX + 1];
	struct bell_ring ring = { .head = 1 }, got;
	struct text rows;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	assert_int_equal(send(fds[0], &ring, sizeof(ring) - 1, 0), sizeof(ring) - 1);
	assert_int_equal(bell_read(fds[1], &got, bytes, &rows), -1);
	memset(ring.epoch, 'e', sizeof(ring.epoch));
	assert_int_equal(send(fds[0], &ring, sizeof(ring), 0), sizeof(ring));
	assert_int_equal(bell_read(fds[1], &got, bytes, &rows), -1);
	assert_int_equal(send(fds[0], large, sizeof(large), 0), sizeof(large));
	assert_int_equal(bell_read(fds[1], &got, bytes, &rows), -1);
	close(fds[0]);
	close(fds[1]);
}

static void
test_dead_peer(void **state)
{
	struct bell *b = bell_open(path, NULL);
	struct bell_ring ring = { .head = 1 };
	int fd = bell_connect(path, NULL);

	(void)state;
	bell_accept(b);
	assert_int_equal(bell_peers(b), 1);
	close(fd);
	bell_ring(b, &ring, TEXT_NONE);
	assert_int_equal(bell_peers(b), 0);
	bell_close(b);
}

/* A doubt is heard once, also of one who has gone meanwhile; those who say nothing do not doubt. */
static void
test_doubt(void **state)
{
	struct bell *b = bell_open(path, NULL);
	int quiet = bell_connect(path, NULL), loud = bell_connect(path, NULL);

	(void)state;
	bell_accept(b);
	assert_false(bell_doubted(b));
	bell_doubt(path);
	bell_accept(b);
	assert_int_equal(bell_peers(b), 3);
	assert_true(bell_doubted(b));
	assert_false(bell_doubted(b));
	assert_int_equal(bell_peers(b), 2);
	/* Whatever is sent, and however much: no more than one datagram at a time is looked at. */
	while (send(loud, path, sizeof(path), MSG_DONTWAIT) > 0)
		;
	assert_true(bell_doubted(b));
	assert_true(bell_doubted(b));
	close(loud);
	close(quiet);
	bell_close(b);
	bell_doubt(path);
}

static void
test_live_and_stale(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct err e = { .code = ERR_NONE };
	struct bell *b;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	(void)state;
	/* What a killed subscriber leaves. */
	strcpy(at.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	b = bell_open(path, &e);
	assert_non_null(b);
	assert_null(bell_open(path, &e));
	assert_int_equal(e.code, ERR_BUSY);
	bell_close(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_rings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strange_rings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_doubt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_live_and_stale, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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

static void
test_newest_ring(void **state)
{
	struct bell *b = bell_open(path, NULL);
	struct bell_ring ring = { .epoch = "abcdefgh", .head = 1 }, got;
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(b);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	fd = bell_connect(path, NULL);
	assert_true(fd >= 0);
	assert_int_equal(bell_read(fd, &got), 0);
	/* Many more than the buffer takes: none blocks. */
	for (int i = 0; i < 10000; i++)
		bell_ring(b, &ring);
	assert_int_equal(bell_peers(b), 1);
	assert_int_equal(bell_read(fd, &got), 1);
	ring.head = 76;
	ring.committed_us = 5;
	bell_ring(b, &ring);
	ring.head = 77;
	ring.committed_us = 6;
	bell_ring(b, &ring);
	assert_int_equal(bell_read(fd, &got), 1);
	assert_int_equal(got.head, 77);
	assert_int_equal(got.committed_us, 5);
	assert_string_equal(got.epoch, "abcdefgh");
	bell_close(b);
	assert_int_equal(bell_read(fd, &got), -1);
	close(fd);
	assert_int_equal(access(path, F_OK), -1);
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
	bell_ring(b, &ring);
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
		cmocka_unit_test_setup_teardown(test_newest_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_doubt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_live_and_stale, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

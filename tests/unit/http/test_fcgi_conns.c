/* test_fcgi_conns - who waits, in which order, and who has to go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/fcgi_conns.h"

static int
open_one(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0 || errno != EBADF;
}

static void
test_oldest_goes_first(void **state)
{
	struct conns *c = calloc(1, sizeof(*c));
	struct conn *conns[3];
	int fds[3];

	(void)state;
	conns_init(c);
	for (int i = 0; i < 3; i++)
		conns[i] = conns_add(c, fds[i] = open_one(), i);
	assert_ptr_equal(c->oldest, conns[0]);
	assert_int_equal(conns_remove(c, conns[1]), fds[1]);
	conns_drop(c, conns[0]);
	assert_false(is_open(fds[0]));
	assert_true(is_open(fds[1]));
	assert_ptr_equal(c->oldest, conns[2]);
	assert_int_equal(c->n, 1);
	conns_fini(c);
	assert_false(is_open(fds[2]));
	close(fds[1]);
	free(c);
}

/* With descriptors that are none: a thousand open ones are not everybody's. */
static void
test_full(void **state)
{
	struct conns *c = calloc(1, sizeof(*c));
	int first = open_one();

	(void)state;
	conns_init(c);
	conns_add(c, first, 0);
	for (int i = 1; i < CONNS_MAX; i++)
		conns_add(c, -1, i);
	assert_int_equal(c->n, CONNS_MAX);
	assert_true(is_open(first));
	assert_int_equal(conns_add(c, -1, CONNS_MAX)->deadline_us, CONNS_MAX);
	assert_int_equal(c->n, CONNS_MAX);
	assert_false(is_open(first));
	assert_int_equal(c->oldest->deadline_us, 1);
	conns_fini(c);
	assert_null(c->oldest);
	assert_null(c->newest);
	free(c);
}

static void
test_fresh(void **state)
{
	struct fresh f = { .n = 0 };
	int looks, left;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < FRESH_MAX; i++)
			assert_true(fresh_add(&f, 1000 + i, i % FRESH_LOOKS));
		assert_false(fresh_add(&f, 7, 1));
		for (int i = 0; i < FRESH_MAX - 1; i++) {
			assert_int_equal(fresh_take(&f, &looks), 1000 + i);
			assert_int_equal(looks, i % FRESH_LOOKS);
		}
		assert_false(fresh_add(&f, 7, FRESH_LOOKS));
		assert_int_equal(fresh_take(&f, &looks), 1000 + FRESH_MAX - 1);
	}
	left = open_one();
	assert_true(fresh_add(&f, left, 1));
	fresh_fini(&f);
	assert_int_equal(f.n, 0);
	assert_false(is_open(left));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oldest_goes_first),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

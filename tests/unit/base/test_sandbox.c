/* The sandbox: what may be done in it, and what may not. Each test is a process of its own, since there is no way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sandbox.h"

static char dir[64], inside[96], outside[96];
static int port; /* somebody listens here */

static int
make(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	FILE *f;

	(void)state;
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, n) != 0 || listen(fd, 4) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &n) != 0)
		return -1;
	port = ntohs(sa.sin_port);
	strcpy(dir, "/tmp/tickgate-sandbox-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(inside, sizeof(inside), "%s/may", dir);
	snprintf(outside, sizeof(outside), "%s/other", dir);
	if (mkdir(inside, 0755) != 0 || mkdir(outside, 0755) != 0)
		return -1;
	strcat(inside, "/file");
	strcat(outside, "/file");
	f = fopen(inside, "w");
	if (f == NULL || fclose(f) != 0)
		return -1;
	f = fopen(outside, "w");
	return f == NULL || fclose(f) != 0 ? -1 : 0;
}

static int
drop(void **state)
{
	(void)state;
	unlink(inside);
	unlink(outside);
	*strrchr(inside, '/') = *strrchr(outside, '/') = '\0';
	rmdir(inside);
	rmdir(outside);
	return rmdir(dir);
}

/* Runs `test` in a child that is in the sandbox. It returns 0 when all was as it should be, else the number of the check. */
static int
in_sandbox(bool may_connect, int (*test)(int abi))
{
	struct sandbox s = { .n_read = 0 };
	char may[sizeof(inside)];
	pid_t pid = fork();
	int status, abi;

	if (pid != 0) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
	}
	strcpy(may, inside);
	*strrchr(may, '/') = '\0';
	sandbox_read(&s, may);
	sandbox_read(&s, "/nonexistent");
	if (may_connect)
		sandbox_connect(&s, port);
	_exit(sandbox_enter(&s, &abi, NULL) != 0 ? 99 : abi == 0 ? 77 : test(abi));
}

static int
fails_with(int error, int rc)
{
	return rc < 0 && errno == error;
}

static int
files(int abi)
{
	char *const arguments[] = { (char *)(uintptr_t) "true", NULL };
	char new_file[128];

	(void)abi;
	snprintf(new_file, sizeof(new_file), "%s.new", inside);
	if (open(inside, O_RDONLY) < 0)
		return 1;
	if (!fails_with(EACCES, open(inside, O_RDWR)))
		return 2;
	if (!fails_with(EACCES, open(new_file, O_WRONLY | O_CREAT, 0600)))
		return 3;
	if (!fails_with(EACCES, unlink(inside)))
		return 4;
	if (!fails_with(EACCES, open(outside, O_RDONLY)))
		return 5;
	if (!fails_with(EACCES, open("/etc/passwd", O_RDONLY)))
		return 6;
	if (!fails_with(EACCES, execv("/bin/true", arguments)))
		return 7;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 8;
}

static void
test_files_and_programs(void **state)
{
	int rc = in_sandbox(false, files);

	(void)state;
	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
}

static int
try_connect(int to)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons((uint16_t)to)
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return connect(fd, (struct sockaddr *)&sa, sizeof(sa));
}

static int
no_network(int abi)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	if (abi < 4)
		return 77;
	if (!fails_with(EACCES, try_connect(port)))
		return 1;
	return fails_with(EACCES, bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&sa, sizeof(sa))) ? 0 : 2;
}

static int
one_port(int abi)
{
	if (abi < 4)
		return 77;
	if (try_connect(port) != 0)
		return 1;
	return fails_with(EACCES, try_connect(port == 1 ? 2 : 1)) ? 0 : 2;
}

static void
test_networks(void **state)
{
	int rc = in_sandbox(false, no_network);

	(void)state;
	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
	assert_int_equal(in_sandbox(true, one_port), 0);
}

static int
others(int abi)
{
	if (abi < 6)
		return 77;
	return fails_with(EPERM, kill(getppid(), 0)) && kill(getpid(), 0) == 0 ? 0 : 1;
}

static void
test_signals_to_others(void **state)
{
	int rc = in_sandbox(false, others);

	(void)state;
	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
}

static void *
read_outside(void *arg)
{
	(void)arg;
	return open(outside, O_RDONLY) < 0 ? NULL : &port;
}

static int
threads(int abi)
{
	pthread_t thread;
	void *result;

	(void)abi;
	if (pthread_create(&thread, NULL, read_outside, NULL) != 0 || pthread_join(thread, &result) != 0)
		return 1;
	return result == NULL ? 0 : 2;
}

static void
test_threads_that_are_started_later(void **state)
{
	int rc = in_sandbox(false, threads);

	(void)state;
	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
}

static void
test_no_dumps(void **state)
{
	struct rlimit limit;
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		sandbox_no_dumps(true);
		_exit(
		    prctl(PR_GET_DUMPABLE) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_and_programs),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_signals_to_others),
		cmocka_unit_test(test_threads_that_are_started_later),
		cmocka_unit_test(test_no_dumps),
	};

	return cmocka_run_group_tests(tests, make, drop);
}

/* gateway_listener - see gateway_listener.h. From gateway.c; FCGX_OpenSocket() is not used, since it steals live sockets and exits on errors. */
#include "gateway_listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

#define LISTEN_FDS_START 3

static bool
listens(int fd)
{
	int yes = 0;
	socklen_t n = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &n) == 0 && yes != 0;
}

static int
prepare(int fd, struct err *e)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		return fd;
	err_sys(e, "cannot prepare the listener");
	return -1;
}

/* sd_listen_fds(3) by hand. 0: nobody passes any. */
static int
passed(struct err *e)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int64_t want, n;

	if (pid == NULL || fds == NULL || text_int64(text_of(pid), &want) != 0 || want != getpid())
		return 0;
	if (text_int64(text_of(fds), &n) != 0 || n != 1) {
		err_set(e, ERR_CONFIG, "LISTEN_FDS must be 1: one listener is used");
		return -1;
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	if (listens(LISTEN_FDS_START))
		return LISTEN_FDS_START;
	err_set(e, ERR_CONFIG, "LISTEN_FDS: descriptor 3 is not a listening socket");
	return -1;
}

/* A path that somebody answers on is left alone; one that nobody does is what a killed process left behind. */
static int
clear_path(const char *path, const struct sockaddr_un *addr, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		err_set(e, ERR_CONFIG, "%s exists and is not a socket", path);
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		err_sys(e, "cannot make a socket");
		return -1;
	}
	rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	if (rc != 0 && errno == ECONNREFUSED) {
		rc = unlink(path);
		if (rc != 0)
			err_sys(e, "cannot replace the stale socket %s", path);
		else
			log_event(LOG_LEVEL_NOTICE, "stale_socket_replaced", log_str("path", path));
	} else {
		if (rc == 0 || errno == EAGAIN)
			err_set(e, ERR_BUSY, "%s is in use by another process", path);
		else
			err_sys(e, "cannot tell whether %s is in use", path);
		rc = -1;
	}
	close(fd);
	return rc;
}

static int
listen_unix(const char *path, mode_t mode, int backlog, struct err *e)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t before;
	int fd, rc;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		err_set(e, ERR_CONFIG, "the path of the listener is longer than %zu bytes", sizeof(addr.sun_path) - 1);
		return -1;
	}
	strcpy(addr.sun_path, path);
	if (clear_path(path, &addr, e) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	before = umask(0777);
	rc = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(before);
	if (rc == 0 && chmod(path, mode) == 0 && listen(fd, backlog) == 0)
		return fd;
	err_sys(e, "cannot listen on %s", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* libfcgi can be crashed by whoever may connect: never beyond this machine. */
static int
listen_tcp(const char *where, const char *colon, int backlog, struct err *e)
{
	struct text host = { where, (size_t)(colon - where) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	bool is_v6 = text_eq(host, TEXT("[::1]")) || text_eq(host, TEXT("::1"));
	int64_t port;
	int fd, yes = 1, rc;

	if (text_int64(text_of(colon + 1), &port) != 0 || port < 1 || port > 65535 ||
	    (!is_v6 && !text_eq(host, TEXT("127.0.0.1")) && !text_eq(host, TEXT("localhost")))) {
		err_set(e, ERR_CONFIG,
		    "cannot listen on %s: only 127.0.0.1, localhost or [::1], and a port, or a path with a /", where);
		return -1;
	}
	v4.sin_port = v6.sin6_port = htons((uint16_t)port);
	fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = fd < 0 ? -1 : setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (rc == 0)
		rc =
		    is_v6 ? bind(fd, (struct sockaddr *)&v6, sizeof(v6)) : bind(fd, (struct sockaddr *)&v4, sizeof(v4));
	if (rc == 0 && listen(fd, backlog) == 0)
		return fd;
	err_sys(e, "cannot listen on %s", where);
	if (fd >= 0)
		close(fd);
	return -1;
}

int
gateway_listener(const char *where, mode_t mode, int backlog, struct err *e)
{
	const char *colon = strrchr(where, ':');
	int fd = passed(e);

	if (fd == 0 && listens(STDIN_FILENO)) {
		/* Away from 0, which libraries take for "none". */
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	} else if (fd == 0) {
		if (where[0] == '\0')
			err_set(e, ERR_USAGE,
			    "there is no listener: give --listen PATH or HOST:PORT, or start it by a web server");
		fd = where[0] == '\0'                             ? -1
		    : colon != NULL && strchr(where, '/') == NULL ? listen_tcp(where, colon, backlog, e)
								  : listen_unix(where, mode, backlog, e);
	}
	return fd < 0 ? -1 : prepare(fd, e);
}

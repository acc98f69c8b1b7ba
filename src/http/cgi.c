/*
 * cgi - see cgi.h.  Walk 2, step 1 as a plain CGI program: from the web server, on to http/request.c.
 */
#include "http/cgi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"

#define READ_DEADLINE_MS 30000

extern char **environ;

bool
cgi_wanted(void)
{
	int listening = 0;
	socklen_t n = sizeof(listening);

	if (getenv("GATEWAY_INTERFACE") == NULL)
		return false;
	/* mod_cgid gives a connected socket as fd 0, so "a socket" is not the question. */
	return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) != 0 || listening == 0;
}

static const char *
cgi_var(void *arg, const char *name, unsigned nth)
{
	size_t n = strlen(name);

	(void)arg;
	for (char **p = environ; *p != NULL; p++)
		if (strncmp(*p, name, n) == 0 && (*p)[n] == '=' && nth-- == 0)
			return *p + n + 1;
	return NULL;
}

struct input {
	int64_t left; /* servers need not close stdin: Content-Length is its end (RFC 3875, 4.2) */
	int64_t deadline_us;
};

static ssize_t
cgi_read(void *arg, char *p, size_t n)
{
	struct input *in = arg;
	struct pollfd poll_fd = { .fd = STDIN_FILENO, .events = POLLIN };
	int64_t wait_us;
	ssize_t got;

	if (in->left <= 0)
		return 0;
	if ((int64_t)n > in->left)
		n = (size_t)in->left;
	do {
		wait_us = in->deadline_us - clock_mono_us();
		if (wait_us <= 0 || poll(&poll_fd, 1, (int)(wait_us / 1000) + 1) == 0)
			return -1;
		got = read(STDIN_FILENO, p, n);
	} while (got < 0 && (errno == EINTR || errno == EAGAIN));
	if (got > 0)
		in->left -= got;
	return got;
}

static int
write_all(struct buf *head, struct text body, struct err *e)
{
	struct iovec iov[2] = { { head->p, head->len }, { (char *)body.p, body.n } }, *next = iov;
	int left = body.n > 0 ? 2 : 1;

	while (left > 0) {
		ssize_t n = writev(STDOUT_FILENO, next, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_sys(e, "cannot write the answer");
			return -1;
		}
		for (; left > 0 && (size_t)n >= next->iov_len; left--, next++)
			n -= (ssize_t)next->iov_len;
		if (left > 0) {
			next->iov_base = (char *)next->iov_base + n;
			next->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/* What writes on does not wait for a reader that does not read. */
static void
hand_over(struct reply *reply, struct text head)
{
	reply_take_fn take = reply->take;
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	reply->take = NULL;
	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	take(reply->take_arg, fd, 0, head);
}

int
cgi_serve(void (*handle)(void *app, struct request *request, struct reply *reply), void *app, const char *base_path,
    struct err *e)
{
	struct request request;
	struct reply reply;
	struct buf head = { 0 };
	struct input in = { .deadline_us = clock_mono_us() + READ_DEADLINE_MS * INT64_C(1000) };
	int rc;

	if (request_init(&request, cgi_var, NULL, base_path, e) != 0)
		return -1;
	in.left = request.content_length;
	reply_init(&reply);
	rc = request_read_body(&request, cgi_read, &in, e);
	if (rc == 0) {
		handle(app, &request, &reply);
		reply_write_head(&reply, &head);
		if (reply.take != NULL)
			hand_over(&reply, buf_text(&head));
		else
			rc = write_all(
			    &head, reply_has_body(&reply, request.method) ? buf_text(&reply.body) : TEXT(""), e);
	}
	buf_fini(&head);
	reply_fini(&reply);
	request_fini(&request);
	return rc;
}

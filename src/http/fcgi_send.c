/*
 * fcgi_send - see fcgi_send.h.  Walk 2, the very end: from http/fcgi_thread.c.
 *
 * Records are as large as they may be, unlike those of streams (live/record.h): a web server that passes on only whole records gets the last one at once anyway.
 */
#include "http/fcgi_send.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "http/fcgi_records.h"

#define BATCH 4 /* records in one system call: more than a socket takes */

struct batch {
	unsigned char heads[BATCH][RECORDS_HEAD];
	unsigned char tail[RECORDS_TAIL];
	struct iovec iov[3 * BATCH + 1];
	int n;
};

static void
add(struct batch *b, const void *p, size_t n)
{
	if (n > 0)
		b->iov[b->n++] = (struct iovec){ .iov_base = (void *)p, .iov_len = n };
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The records from `at` in head and body on, as many as fit; behind the last what ends the request. How far that comes. */
static size_t
fill(struct batch *b, const struct fcgi_send *s, size_t at)
{
	size_t all = s->head.n + s->body.n;

	b->n = 0;
	for (int i = 0; i < BATCH && at < all; i++) {
		size_t n = smaller(all - at, RECORDS_CONTENT_MAX),
		       of_head = at < s->head.n ? smaller(n, s->head.n - at) : 0;

		records_stdout(b->heads[i], s->request_id, n);
		add(b, b->heads[i], RECORDS_HEAD);
		add(b, s->head.p + at, of_head);
		if (n > of_head)
			add(b, s->body.p + (at + of_head - s->head.n), n - of_head);
		at += n;
	}
	if (at == all) {
		records_tail(b->tail, s->request_id);
		add(b, b->tail, RECORDS_TAIL);
	}
	return at;
}

/* Takes what was sent off the front. */
static void
advance(struct msghdr *msg, size_t sent)
{
	while (msg->msg_iovlen > 0 && sent >= msg->msg_iov->iov_len) {
		sent -= msg->msg_iov->iov_len;
		msg->msg_iov++;
		msg->msg_iovlen--;
	}
	if (msg->msg_iovlen > 0) {
		msg->msg_iov->iov_base = (char *)msg->msg_iov->iov_base + sent;
		msg->msg_iov->iov_len -= sent;
	}
}

static int
wait_for_room(const struct fcgi_send *s, bool *told)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };
	int n;

	if (!*told)
		s->lengthy(s->arg);
	*told = true;
	while ((n = poll(&p, 1, (int)s->patience_ms)) < 0 && errno == EINTR)
		;
	return n == 1 ? 0 : -1;
}

static int
send_batch(const struct fcgi_send *s, struct batch *b, bool *told)
{
	struct msghdr msg = { .msg_iov = b->iov, .msg_iovlen = (size_t)b->n };

	while (msg.msg_iovlen > 0) {
		ssize_t sent = sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0)
			advance(&msg, (size_t)sent);
		else if ((errno != EAGAIN && errno != EWOULDBLOCK) || wait_for_room(s, told) != 0)
			return -1;
	}
	return 0;
}

int
fcgi_send(const struct fcgi_send *s)
{
	size_t at = 0, all = s->head.n + s->body.n;
	struct batch b;
	bool told = false;

	while (at < all) {
		at = fill(&b, s, at);
		if (send_batch(s, &b, &told) != 0)
			return -1;
	}
	return 0;
}

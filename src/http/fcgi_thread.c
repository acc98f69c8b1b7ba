/*
 * fcgi_thread - see fcgi_thread.h.  Walk 2, step 1, second half: from http/fcgi.c, on to http/request.c.
 *
 * Nearly all requests are in the socket, whole and without a body, when they are looked at: those are read here, with one call, and answered with one. The bytes of
 * any other stay where they are, for libfcgi (fcgi_lib.c) to read, which is lengthy.
 */
#include "http/fcgi_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/fcgi_lib.h"
#include "http/fcgi_records.h"
#include "http/fcgi_send.h"

#define IN_MAX 16384 /* head and query of a large request; what is larger goes to libfcgi */
#define REFUSED_A_MINUTE 6 /* lines of each thread */
#define LEFT_MAX 1024 /* pieces of a body that was too large even to be drained */

struct fcgi_thread {
	const struct fcgi_opts *opts;
	struct seat seat;
	void *context;
	struct fcgi_lib *lib;
	struct reply reply;
	struct buf head;
	struct records records;
	struct log_limit refused;
	char in[IN_MAX], taken[IN_MAX];
};

/* A request and who waits for its answer. */
struct asked {
	int64_t since_us; /* it was there */
	int fd;
	unsigned request_id;
	struct request request;
};

struct fcgi_thread *
fcgi_thread_new(const struct fcgi_opts *opts, struct lead *lead, struct err *e)
{
	struct fcgi_thread *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_set(e, ERR_MEMORY, "no memory for a request thread");
		return NULL;
	}
	t->opts = opts;
	t->seat.lead = lead;
	reply_init(&t->reply);
	if ((t->lib = fcgi_lib_new(e)) == NULL || (t->context = opts->thread_start(opts->arg, t, e)) == NULL) {
		fcgi_thread_free(t);
		return NULL;
	}
	return t;
}

void
fcgi_thread_free(struct fcgi_thread *t)
{
	if (t == NULL)
		return;
	if (t->context != NULL)
		t->opts->thread_stop(t->context);
	fcgi_lib_free(t->lib);
	reply_fini(&t->reply);
	buf_fini(&t->head);
	free(t);
}

struct seat *
fcgi_thread_seat(struct fcgi_thread *t)
{
	return &t->seat;
}

void
fcgi_lengthy(struct fcgi_thread *t)
{
	lead_lengthy(&t->seat);
}

void
fcgi_thread_cannot_accept(struct fcgi_thread *t, int error)
{
	lead_lengthy(&t->seat);
	if (log_allowed(&t->refused, REFUSED_A_MINUTE, "accept_failed"))
		log_event(LOG_LEVEL_WARNING, "accept_failed", log_str("error", strerror(error)));
}

static void
lengthy(void *arg)
{
	fcgi_lengthy(arg);
}

/* ---- out ---- */

static int
send_reply(struct fcgi_thread *t, const struct asked *asked)
{
	struct reply *reply = &t->reply;
	struct fcgi_send out = { .fd = asked->fd,
		.request_id = asked->request_id,
		.patience_ms = t->opts->receive_timeout_ms,
		.lengthy = lengthy,
		.arg = t };

	buf_clear(&t->head);
	reply_write_head(reply, &t->head);
	if (t->head.failed)
		return -1;
	out.head = buf_text(&t->head);
	if (reply_has_body(reply, asked->request.method))
		out.body = buf_text(&reply->body);
	return fcgi_send(&out);
}

/* Gives the connection away: whoever takes it is told the head of the answer. */
static int
hand_over(struct fcgi_thread *t, const struct asked *asked)
{
	struct reply *reply = &t->reply;
	reply_take_fn take = reply->take;

	buf_clear(&t->head);
	reply_write_head(reply, &t->head);
	if (t->head.failed || reply->take == NULL) {
		reply_problem(reply, PROBLEM_INTERNAL_ERROR, "no memory for another stream", NULL);
		return -1;
	}
	reply->take = NULL;
	/* libfcgi wanted it to block. */
	fcntl(asked->fd, F_SETFL, fcntl(asked->fd, F_GETFL) | O_NONBLOCK);
	take(reply->take_arg, asked->fd, asked->request_id, buf_text(&t->head));
	return 0;
}

/* What is left unread when a connection closes becomes a reset at the web server, which then does not read the answer. */
static void
close_read(struct fcgi_thread *t, const struct asked *asked)
{
	if (asked->request.body_too_large) {
		shutdown(asked->fd, SHUT_WR);
		for (int i = 0; i < LEFT_MAX && recv(asked->fd, t->taken, IN_MAX, MSG_DONTWAIT) > 0; i++)
			;
	}
	close(asked->fd);
}

/* `status` 0: it got no answer. */
static void
count(struct fcgi_thread *t, int status, int64_t since_us)
{
	if (t->opts->count != NULL)
		t->opts->count(t->opts->arg, status, clock_mono_us() - since_us);
}

/* Ends the request and its connection. It is counted before that is closed: who has read to the end finds it counted. */
static void
answer(struct fcgi_thread *t, struct asked *asked)
{
	struct reply *reply = &t->reply;

	reply_clear(reply);
	t->opts->handle(t->context, &asked->request, reply);
	if (reply->take != NULL && hand_over(t, asked) == 0) {
		count(t, reply->status, asked->since_us);
	} else {
		int status = send_reply(t, asked) == 0 ? reply->status : 0;

		count(t, status, asked->since_us);
		close_read(t, asked);
	}
	request_fini(&asked->request);
}

/* ---- in ---- */

static void
answer_by_lib(struct fcgi_thread *t, int fd)
{
	struct asked asked = { .since_us = clock_mono_us(), .fd = fd };

	lead_lengthy(&t->seat);
	switch (fcgi_lib_read(t->lib, fd, t->opts, &asked.request, &asked.request_id)) {
	case 1:
		answer(t, &asked);
		break;
	case 0:
		count(t, 0, asked.since_us);
		break;
	default:
		break;
	}
}

/* The `n` bytes that were looked at hold one whole request, taken apart already: out of the socket with them. */
static void
answer_directly(struct fcgi_thread *t, int fd, size_t n)
{
	struct asked asked = { .since_us = clock_mono_us(), .fd = fd, .request_id = t->records.request_id };

	if (recv(fd, t->taken, n, MSG_DONTWAIT) != (ssize_t)n ||
	    request_init(&asked.request, records_var, &t->records, t->opts->base_path, NULL) != 0) {
		count(t, 0, asked.since_us);
		close(fd);
		return;
	}
	request_no_body(&asked.request);
	answer(t, &asked);
}

bool
fcgi_answer(struct fcgi_thread *t, int fd)
{
	ssize_t n = recv(fd, t->in, IN_MAX, MSG_PEEK | MSG_DONTWAIT);
	int whole = 0;

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n > 0 && records_are_whole(t->in, (size_t)n))
		whole = records_take(t->in, (size_t)n, &t->records);
	if (n <= 0 || whole < 0)
		close(fd);
	else if (whole > 0)
		answer_directly(t, fd, (size_t)n);
	else
		answer_by_lib(t, fd);
	return true;
}

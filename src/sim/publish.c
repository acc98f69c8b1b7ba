/* publish - see publish.h.  From producer.c or record.c's replay, on to Redis. */
#include "sim/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SILENCE_US 5000000

struct publisher {
	redisContext *c;
	int64_t in_flight, confirmed, receivers;
	int64_t progress_us; /* when a reply last came, or the first of those in flight was put */
	bool unsent; /* hiredis holds bytes that the socket did not take yet */
};

static int
fail(struct publisher *p, const char *what, struct err *e)
{
	err_set(e, ERR_REDIS, "%s: %s", what, p->c->err != 0 ? p->c->errstr : "no answer");
	return -1;
}

/* One command at the start, answered before anything else. */
static int
ask(struct publisher *p, int argc, const char **argv, struct err *e)
{
	redisReply *r = redisCommandArgv(p->c, argc, argv, NULL);
	int rc = 0;

	if (r == NULL)
		return fail(p, argv[0], e);
	if (r->type == REDIS_REPLY_ERROR) {
		err_set(e, ERR_REDIS, "%s refused: %.200s", argv[0], r->str);
		rc = -1;
	}
	freeReplyObject(r);
	return rc;
}

static int
greet(struct publisher *p, const struct redis_target *t, struct err *e)
{
	const char *auth[3] = { "AUTH", t->password }, *ping[] = { "PING" };
	int argc = 2;

	if (t->username[0] != '\0') {
		auth[1] = t->username;
		auth[2] = t->password;
		argc = 3;
	}
	if ((t->password[0] != '\0' || argc == 3) && ask(p, argc, auth, e) != 0)
		return -1;
	return ask(p, 1, ping, e);
}

struct publisher *
publish_open(const struct redis_target *t, struct err *e)
{
	const struct timeval patience = { .tv_sec = 5 };
	struct publisher *p = calloc(1, sizeof(*p));
	int flags;

	if (p == NULL) {
		err_set(e, ERR_MEMORY, "no memory for a connection");
		return NULL;
	}
	if (t->host[0] == '\0')
		p->c = redisConnectUnixWithTimeout(t->path, patience);
	else
		p->c = redisConnectWithTimeout(t->host, t->port, patience);
	if (p->c == NULL) {
		err_set(e, ERR_MEMORY, "no memory for a connection");
		goto out;
	}
	if (p->c->err != 0) {
		fail(p, "connect", e);
		goto out;
	}
	redisSetTimeout(p->c, patience);
	if (greet(p, t, e) != 0)
		goto out;
	/* From here on it never blocks: replies are read while PUBLISHes are written. */
	flags = fcntl(p->c->fd, F_GETFL);
	if (flags == -1 || fcntl(p->c->fd, F_SETFL, flags | O_NONBLOCK) == -1) {
		err_sys(e, "fcntl");
		goto out;
	}
	p->c->flags &= ~REDIS_BLOCK;
	return p;
out:
	publish_close(p);
	return NULL;
}

void
publish_close(struct publisher *p)
{
	if (p == NULL)
		return;
	if (p->c != NULL)
		redisFree(p->c);
	free(p);
}

int
publish_put(struct publisher *p, const char *channel, struct text payload, struct err *e)
{
	const char *argv[] = { "PUBLISH", channel, payload.n == 0 ? "" : payload.p };
	const size_t lens[] = { 7, strlen(channel), payload.n };

	if (redisAppendCommandArgv(p->c, 3, argv, lens) != REDIS_OK)
		return fail(p, "PUBLISH", e);
	if (p->in_flight++ == 0)
		p->progress_us = clock_mono_us();
	p->unsent = true;
	return 0;
}

int64_t
publish_in_flight(const struct publisher *p)
{
	return p->in_flight;
}

int64_t
publish_confirmed(const struct publisher *p)
{
	return p->confirmed;
}

int64_t
publish_receivers(const struct publisher *p)
{
	return p->receivers;
}

/* Takes the replies that are there. Each is the number of receivers; anything else is a refusal. */
static int
take_replies(struct publisher *p, struct err *e)
{
	void *reply;

	for (;;) {
		redisReply *r;
		int rc = 0;

		if (redisGetReplyFromReader(p->c, &reply) != REDIS_OK)
			return fail(p, "reading", e);
		if (reply == NULL)
			return 0;
		r = reply;
		if (r->type == REDIS_REPLY_INTEGER && p->in_flight > 0) {
			p->in_flight--;
			p->confirmed++;
			p->receivers = r->integer;
			p->progress_us = clock_mono_us();
		} else {
			err_set(e, ERR_REDIS, "PUBLISH refused: %.200s",
			    r->type == REDIS_REPLY_ERROR ? r->str : "an answer that is no number");
			rc = -1;
		}
		freeReplyObject(r);
		if (rc != 0)
			return -1;
	}
}

static int
flush(struct publisher *p, struct err *e)
{
	int done = 0;

	if (!p->unsent)
		return 0;
	if (redisBufferWrite(p->c, &done) != REDIS_OK)
		return fail(p, "writing", e);
	p->unsent = done == 0;
	return 0;
}

int
publish_turn(struct publisher *p, int64_t wait_us, int wake_fd, struct err *e)
{
	struct pollfd fds[2] = { { .fd = p->c->fd, .events = POLLIN }, { .fd = wake_fd, .events = POLLIN } };
	struct timespec wait;

	if (flush(p, e) != 0)
		return -1;
	wait_us = wait_us < 0 ? 0 : wait_us > 1000000 ? 1000000 : wait_us;
	wait = (struct timespec){ .tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000 };
	if (p->unsent)
		fds[0].events |= POLLOUT;
	if (ppoll(fds, 2, &wait, NULL) == -1 && errno != EINTR) {
		err_sys(e, "ppoll");
		return -1;
	}
	if (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) {
		if (redisBufferRead(p->c) != REDIS_OK)
			return fail(p, "reading", e);
		if (take_replies(p, e) != 0)
			return -1;
	}
	if (p->in_flight > 0 && clock_mono_us() - p->progress_us > SILENCE_US) {
		err_set(e, ERR_REDIS, "no answer for %d s", SILENCE_US / 1000000);
		return -1;
	}
	return 0;
}

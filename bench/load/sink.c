/* sink - see sink.h. */
#include "sink.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"
#include "redis/redis.h"

struct sink {
	const struct load_options *o;
	redisContext *redis; /* NULL: HTTP */
	int fd;
	int64_t in_flight, receivers;
	struct buf out; /* HTTP: what the socket did not take yet */
	struct http http;
};

static int
open_redis(struct sink *s, struct err *e)
{
	const struct timeval patience = { .tv_sec = 5 };
	struct redis_target target;

	if (redis_target_parse(&target, s->o->redis, NULL, NULL, e) != 0)
		return -1;
	s->redis = target.host[0] == '\0' ? redisConnectUnixWithTimeout(target.path, patience)
					  : redisConnectWithTimeout(target.host, target.port, patience);
	if (s->redis == NULL || s->redis->err != 0) {
		err_set(e, ERR_REDIS, "connect: %s", s->redis == NULL ? "out of memory" : s->redis->errstr);
		return -1;
	}
	s->fd = s->redis->fd;
	s->redis->flags &= ~REDIS_BLOCK;
	return 0;
}

static int
open_http(struct sink *s, struct err *e)
{
	struct pollfd p = { .events = POLLOUT };
	int failed = 0;
	socklen_t size = sizeof(failed);

	s->fd = p.fd = load_dial(s->o, 0, e);
	if (s->fd < 0)
		return -1;
	if (poll(&p, 1, 5000) != 1 || getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failed, &size) != 0 || failed != 0) {
		err_set(e, ERR_SYSTEM, "cannot connect");
		return -1;
	}
	http_begin(&s->http);
	return 0;
}

struct sink *
sink_open(const struct load_options *o, struct err *e)
{
	struct sink *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ERR_MEMORY, "out of memory");
		return NULL;
	}
	s->o = o;
	s->fd = -1;
	if ((o->redis != NULL ? open_redis(s, e) : open_http(s, e)) != 0) {
		sink_close(s);
		return NULL;
	}
	return s;
}

void
sink_close(struct sink *s)
{
	if (s == NULL)
		return;
	if (s->redis != NULL)
		redisFree(s->redis);
	else if (s->fd >= 0)
		close(s->fd);
	buf_fini(&s->out);
	free(s);
}

int
sink_put(struct sink *s, const char *channel, int64_t symbol, struct text payload, struct err *e)
{
	s->in_flight++;
	if (s->redis != NULL) {
		const char *argv[] = { "PUBLISH", channel, payload.p };
		const size_t lens[] = { 7, strlen(channel), payload.n };

		if (redisAppendCommandArgv(s->redis, 3, argv, lens) == REDIS_OK)
			return 0;
		err_set(e, ERR_REDIS, "PUBLISH: %s", s->redis->errstr);
		return -1;
	}
	buf_add_str(&s->out, "POST ");
	load_path(s->o, &s->out, symbol, 0);
	buf_printf(&s->out, " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	    payload.n);
	buf_add_text(&s->out, payload);
	return 0;
}

int
sink_put_raw(struct sink *s, struct text commands, int64_t n, struct err *e)
{
	if (s->redis == NULL || redisAppendFormattedCommand(s->redis, commands.p, commands.n) != REDIS_OK) {
		err_set(e, ERR_REDIS, "PUBLISH: cannot be put");
		return -1;
	}
	s->in_flight += n;
	return 0;
}

static int
take_replies(struct sink *s, struct err *e)
{
	void *reply;

	for (;;) {
		redisReply *r;
		int rc = 0;

		if (redisGetReplyFromReader(s->redis, &reply) != REDIS_OK) {
			err_set(e, ERR_REDIS, "reading: %s", s->redis->errstr);
			return -1;
		}
		if (reply == NULL)
			return 0;
		r = reply;
		s->in_flight--;
		if (r->type == REDIS_REPLY_INTEGER) {
			s->receivers = r->integer;
		} else {
			err_set(e, ERR_REDIS, "PUBLISH refused: %.200s", r->type == REDIS_REPLY_ERROR ? r->str : "?");
			rc = -1;
		}
		freeReplyObject(r);
		if (rc != 0)
			return -1;
	}
}

static bool
no_body(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
	return true;
}

static int
take_answers(struct sink *s, struct err *e)
{
	char bytes[65536];
	ssize_t n = recv(s->fd, bytes, sizeof(bytes), 0);
	size_t used = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		err_set(e, ERR_SYSTEM, "the server ended the publisher's connection");
		return -1;
	}
	while (used < (size_t)n) {
		used += http_take(&s->http, bytes + used, (size_t)n - used, no_body, NULL);
		if (s->http.state == HTTP_BROKEN || (s->http.state == HTTP_DONE && s->http.status / 100 != 2)) {
			err_set(e, ERR_SYSTEM, "POST was answered with %d", s->http.status);
			return -1;
		}
		if (s->http.state == HTTP_DONE) {
			s->in_flight--;
			http_begin(&s->http);
		}
	}
	return 0;
}

/* 1: bytes are left. */
static int
flush(struct sink *s, struct err *e)
{
	int done = 0;
	ssize_t n;

	if (s->redis != NULL) {
		if (redisBufferWrite(s->redis, &done) != REDIS_OK) {
			err_set(e, ERR_REDIS, "writing: %s", s->redis->errstr);
			return -1;
		}
		return done ? 0 : 1;
	}
	if (s->out.len == 0)
		return 0;
	n = send(s->fd, s->out.p, s->out.len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		err_sys(e, "send");
		return -1;
	}
	if (n > 0) {
		memmove(s->out.p, s->out.p + n, s->out.len - (size_t)n);
		s->out.len -= (size_t)n;
	}
	return s->out.len > 0;
}

int
sink_turn(struct sink *s, int64_t wait_us, struct err *e)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	struct timespec wait = { .tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000 };
	int left = flush(s, e);

	if (left < 0)
		return -1;
	if (left > 0)
		p.events |= POLLOUT;
	if (ppoll(&p, 1, &wait, NULL) < 0 && errno != EINTR) {
		err_sys(e, "ppoll");
		return -1;
	}
	if ((p.revents & ~POLLOUT) == 0)
		return 0;
	if (s->redis == NULL)
		return take_answers(s, e);
	if (redisBufferRead(s->redis) != REDIS_OK) {
		err_set(e, ERR_REDIS, "reading: %s", s->redis->errstr);
		return -1;
	}
	return take_replies(s, e);
}

int64_t
sink_in_flight(const struct sink *s)
{
	return s->in_flight;
}

int64_t
sink_receivers(const struct sink *s)
{
	return s->receivers;
}

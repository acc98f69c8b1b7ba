/*
 * redis - see redis.h.  Walk 1, step 1: the connection under feed/subscription.c.
 *
 * The sockets are connected here and handed to hiredis (redisConnectFd): its own redisConnectNonBlock() resolves names without a
 * time limit and tries one address only, so that localhost with a Redis on ::1 alone fails. hiredis formats commands and
 * makes replies of bytes; the waiting, and all looks at the clock, are ours. Its async API is not used: it asserts on
 * what the network says.
 */
#include "redis/redis.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "redis/guard.h"
#include "redis/push.h"
#include "redis/resolve.h"

#define READ_BYTES ((size_t)65536)
#define READER_KEEP ((size_t)1 << 20) /* a reader's buffer up to this stays; one that a huge message grew is freed */

struct redis_conn {
	redisContext *c;
	struct guard guard;
	bool unsent;
	bool fed; /* hiredis' reader was given bytes since it was last asked for a reply */
	struct err broken; /* why what was read is no longer understood */
	size_t at, len; /* in buf: read, and not yet looked at */
	char buf[PUSH_MAX + READ_BYTES];
};

static int64_t
jitter(int64_t ms)
{
	uint32_t random = 1u << 31;

	/* Without entropy (never, after boot) there is no jitter: it only keeps many clients from coming at once. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 1u << 31;
	return (int64_t)((double)ms * (0.8 + 0.4 * (double)random / (double)UINT32_MAX));
}

int64_t
redis_backoff_next(struct redis_backoff *b)
{
	int64_t ms = b->next_ms < b->min_ms ? b->min_ms : b->next_ms;

	b->next_ms = ms > b->max_ms / 2 ? b->max_ms : ms * 2;
	return jitter(ms < b->max_ms ? ms : b->max_ms);
}

int64_t
redis_backoff_slow(const struct redis_backoff *b)
{
	return jitter(b->max_ms);
}

void
redis_backoff_reset(struct redis_backoff *b)
{
	b->next_ms = b->min_ms;
}

/* Waits for `events`: 1 they are there, 0 stopped, -1 the time is over. */
static int
wait_for(int fd, short events, int64_t until_us, int stop_fd, struct err *e)
{
	struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = stop_fd, .events = POLLIN } };
	int64_t left;
	int n;

	do {
		left = until_us - clock_mono_us();
		n = poll(fds, 2, left <= 0 ? 0 : (int)(left / 1000 + 1));
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		err_sys(e, "poll");
		return -1;
	}
	if (n > 0 && fds[1].revents != 0)
		return 0;
	if (n == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return 1;
}

/* A connected non-blocking socket; -1 with errno, or with errno 0 when stopped. */
static int
connect_one(int family, const struct sockaddr *sa, socklen_t sa_len, int64_t until_us, int stop_fd)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc, why = 0, one = 1;
	socklen_t len = sizeof(why);

	if (fd < 0)
		return -1;
	rc = connect(fd, sa, sa_len);
	if (rc != 0 && (errno == EINPROGRESS || errno == EINTR)) {
		rc = wait_for(fd, POLLOUT, until_us, stop_fd, NULL);
		if (rc == 1) {
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len);
			errno = why;
			rc = why == 0 ? 0 : -1;
		} else if (rc == 0) {
			errno = 0;
			rc = -1;
		}
	}
	if (rc != 0) {
		why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int
connect_unix(const struct redis_target *t, int64_t until_us, int stop_fd)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%.*s", (int)sizeof(sa.sun_path) - 1, t->path);
	return connect_one(AF_UNIX, (const struct sockaddr *)&sa, sizeof(sa), until_us, stop_fd);
}

/* All addresses in turn, each with its share of the time that is left: one that swallows packets does not cost the others theirs. */
static int
connect_tcp(const struct redis_target *t, int64_t until_us, int stop_fd, struct err *e)
{
	struct addrinfo *found = NULL;
	int64_t n = 0, now;
	int fd = -1, why = 0;

	if (resolve_host(t->host, t->port, until_us, stop_fd, &found, e) != 0)
		return -1;
	for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
		n++;
	for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
		now = clock_mono_us();
		fd = connect_one(a->ai_family, a->ai_addr, a->ai_addrlen, now + (until_us - now) / n--, stop_fd);
		if (fd < 0 && errno == 0)
			break;
		/* localhost is ::1 and 127.0.0.1: that nobody listens says more than that there is no IPv6. */
		if (fd < 0 && why != ECONNREFUSED)
			why = errno;
	}
	if (found != NULL)
		freeaddrinfo(found);
	errno = why;
	return fd;
}

/* fd, or -1 with the cause in *e; ERR_NONE when stopped. */
static int
connect_target(const struct redis_target *t, int64_t timeout_ms, int stop_fd, struct err *e)
{
	int64_t until_us = clock_mono_us() + timeout_ms * 1000;
	char url[600];
	int fd;

	errno = 0;
	fd = t->host[0] == '\0' ? connect_unix(t, until_us, stop_fd) : connect_tcp(t, until_us, stop_fd, e);
	if (fd >= 0 || e->code != ERR_NONE || errno == 0)
		return fd;
	redis_target_print(t, url, sizeof(url));
	err_sys(e, "cannot connect to %s", url);
	e->code = ERR_REDIS;
	return -1;
}

static struct redis_conn *
conn_new(int fd, struct err *e)
{
	struct redis_conn *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->c = redisConnectFd(fd);
	if (c == NULL || c->c == NULL || c->c->err != 0) {
		if (c == NULL || c->c == NULL)
			close(fd);
		redis_close(c);
		err_set(e, ERR_MEMORY, "no memory for a connection to Redis");
		return NULL;
	}
	c->c->flags &= ~REDIS_BLOCK;
	c->c->reader->maxbuf = READER_KEEP;
	return c;
}

void
redis_close(struct redis_conn *c)
{
	if (c == NULL)
		return;
	if (c->c != NULL)
		redisFree(c->c);
	free(c);
}

int
redis_fd(const struct redis_conn *c)
{
	return c->c->fd;
}

bool
redis_unsent(const struct redis_conn *c)
{
	return c->unsent;
}

int
redis_flush(struct redis_conn *c, struct err *e)
{
	int done = 0;

	errno = 0;
	c->unsent = true;
	if (redisBufferWrite(c->c, &done) != REDIS_OK) {
		err_set(e, ERR_REDIS, "connection lost while writing: %s", c->c->errstr);
		return -1;
	}
	c->unsent = !done;
	return 0;
}

void
redis_allow_elements(struct redis_conn *c, int64_t n)
{
	c->guard.elements_max = n;
}

#define ARGS_MAX 4

int
redis_put(struct redis_conn *c, int n, const struct text *args, struct err *e)
{
	const char *p[ARGS_MAX];
	size_t len[ARGS_MAX];

	for (int i = 0; i < n && i < ARGS_MAX; i++) {
		p[i] = args[i].p;
		len[i] = args[i].n;
	}
	if (n > ARGS_MAX || redisAppendCommandArgv(c->c, n, p, len) != REDIS_OK) {
		err_set(e, ERR_MEMORY, "no memory for a command to Redis");
		return -1;
	}
	c->unsent = true;
	return 0;
}

int
redis_send(struct redis_conn *c, int n, const char *const *args, struct err *e)
{
	/* Lengths are strlen's: names, users and passwords are C strings. Argv: nothing from outside is a format. */
	if (redisAppendCommandArgv(c->c, n, (const char **)(uintptr_t)args, NULL) != REDIS_OK) {
		err_set(e, ERR_MEMORY, "no memory for a command to Redis");
		return -1;
	}
	return redis_flush(c, e);
}

static int
feed_reader(void *arg, const char *p, size_t n)
{
	return redisReaderFeed(arg, p, n) == REDIS_OK ? 0 : -1;
}

int64_t
redis_read(struct redis_conn *c, struct err *e)
{
	ssize_t n;

	/* What is left is the beginning of a message, at most PUSH_MAX. */
	memmove(c->buf, c->buf + c->at, c->len - c->at);
	c->len -= c->at;
	c->at = 0;
	do {
		n = read(c->c->fd, c->buf + c->len, sizeof(c->buf) - c->len);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0) {
		err_sys(e, "connection lost");
		e->code = ERR_REDIS;
		return -1;
	}
	if (n == 0) {
		err_set(e, ERR_REDIS, "Redis closed the connection");
		return -1;
	}
	c->len += (size_t)n;
	return n;
}

/* Through the guard to hiredis' reader. */
static void
feed(struct redis_conn *c, size_t n)
{
	if (guard_feed(&c->guard, c->buf + c->at, n, feed_reader, c->c->reader, &c->broken) != 0)
		c->at = c->len;
	else
		c->at += n;
	c->fed = true;
}

/* What the reader has whole: *out, or NULL. */
static int
take_reply(struct redis_conn *c, struct redisReply **out, struct err *e)
{
	void *reply = NULL;

	*out = NULL;
	if (c->fed && redisReaderGetReply(c->c->reader, &reply) != REDIS_OK) {
		err_set(e, ERR_REDIS, "protocol error: %s", c->c->reader->errstr);
		return -1;
	}
	*out = reply;
	if (reply != NULL)
		return 0;
	c->fed = false;
	if (c->broken.code == ERR_NONE)
		return 0;
	*e = c->broken;
	return -1;
}

int
redis_next(struct redis_conn *c, struct push *push, struct redisReply **out, struct err *e)
{
	push->payload = TEXT_NONE;
	for (;;) {
		struct text unread = { c->buf + c->at, c->len - c->at };
		ptrdiff_t n = -1;
		size_t within;

		if (take_reply(c, out, e) != 0)
			return -1;
		if (*out != NULL || unread.n == 0)
			return 0;
		if (guard_is_between(&c->guard)) {
			struct push found;

			n = push_take(unread, &found);
			if (n > 0) {
				*push = found;
				c->at += (size_t)n;
			}
		}
		if (n >= 0)
			return 0;
		/* Only to the end of this reply: behind it messages may follow. */
		within = guard_within(&c->guard);
		feed(c, within < unread.n ? within : unread.n);
	}
}

int
redis_reply(struct redis_conn *c, struct redisReply **out, struct err *e)
{
	if (c->at < c->len)
		feed(c, c->len - c->at);
	return take_reply(c, out, e);
}

int
redis_await(struct redis_conn *c, int64_t until_us, int stop_fd, redisReply **out, struct err *e)
{
	*out = NULL;
	for (;;) {
		int rc;

		if (redis_reply(c, out, e) != 0)
			return -1;
		if (*out != NULL)
			return 0;
		if (c->unsent && redis_flush(c, e) != 0)
			return -1;
		rc = wait_for(c->c->fd, (short)(POLLIN | (c->unsent ? POLLOUT : 0)), until_us, stop_fd, e);
		if (rc == 0)
			return 0;
		if (rc < 0) {
			err_sys(e, "no answer");
			e->code = ERR_REDIS;
			return -1;
		}
		if (redis_read(c, e) < 0)
			return -1;
	}
}

/* One command and its reply, in the time before the subscription: *out owned; NULL in it when stopped. */
static int
ask(struct redis_conn *c, int n, const char *const *args, int64_t timeout_ms, int stop_fd, redisReply **out,
    struct err *e)
{
	*out = NULL;
	if (redis_send(c, n, args, e) != 0)
		return -1;
	if (redis_await(c, clock_mono_us() + timeout_ms * 1000, stop_fd, out, e) == 0)
		return 0;
	if (e->sys == ETIMEDOUT)
		err_set(e, ERR_REDIS, "no answer to %s for %lld ms", args[0], (long long)timeout_ms);
	return -1;
}

static bool
starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool
redis_denied(const char *reply)
{
	return starts_with(reply, "NOAUTH") || starts_with(reply, "WRONGPASS") || starts_with(reply, "DENIED");
}

/* It passes as soon as others leave. */
static bool
crowded(const char *reply)
{
	return starts_with(reply, "ERR max number of clients");
}

struct handshake {
	struct redis_conn *c;
	const struct redis_target *t;
	int64_t timeout_ms;
	int stop_fd;
	bool denied;
};

/* 1: answered well enough, 0: stopped, -1. A refusal of what is not `needed` is logged and passed over. */
static int
step(struct handshake *h, int n, const char *const *args, bool needed, struct err *e)
{
	redisReply *r = NULL;
	const char *text;
	bool denied;
	int rc = 1;

	if (ask(h->c, n, args, h->timeout_ms, h->stop_fd, &r, e) != 0)
		return -1;
	if (r == NULL)
		return 0;
	text = r->str == NULL ? "" : r->str;
	/* Older ones refuse a password with ERR, and so do those that want none; NOPERM is an AUTH's only if it is not allowed. */
	denied = redis_denied(text) || (needed && (starts_with(text, "ERR") || starts_with(text, "NOPERM")));
	/* A server that does not know a command repeats its arguments. */
	if (h->t->password[0] != '\0' && strstr(text, h->t->password) != NULL)
		text = "(not shown: it repeats the password)";
	if (r->type == REDIS_REPLY_ERROR && (needed || denied || crowded(text))) {
		h->denied = denied && !crowded(text);
		err_set(e, ERR_REDIS, "%s refused: %.200s", args[0], text);
		rc = -1;
	} else if (r->type == REDIS_REPLY_ERROR) {
		log_event(LOG_LEVEL_INFO, "redis_command_refused", log_str("command", args[0]), log_str("error", text));
	} else if (r->type != REDIS_REPLY_STATUS) {
		err_set(e, ERR_REDIS, "protocol error: not an answer to %s", args[0]);
		rc = -1;
	}
	freeReplyObject(r);
	return rc;
}

static int
shake_hands(struct handshake *h, const char *name, struct err *e)
{
	const struct redis_target *t = h->t;
	char db[16];
	int rc = 1;

	/* As redis-py: with a user name AUTH has two arguments, even if the password is empty. */
	if (t->username[0] != '\0')
		rc = step(h, 3, (const char *const[]){ "AUTH", t->username, t->password }, true, e);
	else if (t->password[0] != '\0')
		rc = step(h, 2, (const char *const[]){ "AUTH", t->password }, true, e);
	if (rc == 1 && t->db != 0) {
		snprintf(db, sizeof(db), "%d", t->db);
		rc = step(h, 2, (const char *const[]){ "SELECT", db }, false, e);
	}
	if (rc == 1)
		rc = step(h, 3, (const char *const[]){ "CLIENT", "SETNAME", name }, false, e);
	return rc;
}

struct redis_conn *
redis_open(const struct redis_target *t, const char *name, int64_t connect_timeout_ms, int64_t read_timeout_ms,
    int stop_fd, bool *denied, struct err *e)
{
	struct handshake h = { .t = t, .timeout_ms = read_timeout_ms, .stop_fd = stop_fd };
	int fd;

	*e = (struct err){ .code = ERR_NONE };
	*denied = false;
	fd = connect_target(t, connect_timeout_ms, stop_fd, e);
	if (fd < 0)
		return NULL;
	h.c = conn_new(fd, e);
	if (h.c == NULL)
		return NULL;
	if (shake_hands(&h, name, e) != 1) {
		*denied = h.denied;
		redis_close(h.c);
		return NULL;
	}
	return h.c;
}

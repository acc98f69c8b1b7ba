/*
 * redis - one connection to Redis: where it is, connecting, AUTH, commands and replies, back-off.
 *
 * The URL has redis-py's forms (see redis_target_parse). Nothing here blocks longer than the time-outs it is given, name
 * resolution included, and every wait ends at once when `stop_fd` becomes readable. Works with hiredis 0.14 and 1.x; what
 * hiredis reads has passed guard.h first.
 */
#ifndef REDIS_REDIS_H
#define REDIS_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

struct push;
struct redisReply;

struct redis_target {
	char host[256]; /* empty: a unix socket */
	char path[256];
	int port;
	int db; /* pub/sub does not care, but SELECT is part of a session */
	char username[256], password[256];
};

/*
 * redis:// and unix:// as redis-py 4.3 reads them: user, password (percent-decoded), IPv6 in brackets, db from path or ?db=; rediss:// and other schemes are refused
 * with advice. `username` and `password` (may be NULL or "") stand over the URL's. The error never holds the password.
 */
int redis_target_parse(
    struct redis_target *t, const char *url, const char *username, const char *password, struct err *e);
void redis_target_print(const struct redis_target *t, char *out, size_t size); /* the URL without user and password */

struct redis_backoff {
	int64_t min_ms, max_ms, next_ms;
};
/* The next pause: min doubling to max, each ±20 %. */
int64_t redis_backoff_next(struct redis_backoff *b);
int64_t redis_backoff_slow(const struct redis_backoff *b); /* the longest pause, ±20 % */
void redis_backoff_reset(struct redis_backoff *b);

/* One connection. One thread at a time. */
struct redis_conn;

/* True for error replies that say we may not come in: trying again soon does not help. */
bool redis_denied(const char *reply);

/*
 * Connects (every address of the host gets its share of connect_timeout_ms), authenticates, selects the database and names the connection
 * `name`, each answered within read_timeout_ms. That the name or the database is refused does no harm. NULL on failure, and when stop_fd is readable
 * (ERR_NONE). The error never holds the password. *denied: AUTH was refused, or there is none and Redis wants it. May block for the time-outs.
 */
struct redis_conn *redis_open(const struct redis_target *t, const char *name, int64_t connect_timeout_ms,
    int64_t read_timeout_ms, int stop_fd, bool *denied, struct err *e);
void redis_close(struct redis_conn *c); /* NULL is fine */

int redis_fd(const struct redis_conn *c); /* for poll(); borrowed */
bool redis_unsent(const struct redis_conn *c); /* bytes wait for POLLOUT, and then redis_flush() */

/* Arrays of up to n elements may come from now on: an EXEC answers with one for each command. */
void redis_allow_elements(struct redis_conn *c, int64_t n);

/* Sends a command of n arguments, without waiting: what the socket does not take stays unsent. SIGPIPE must be blocked or ignored. */
int redis_send(struct redis_conn *c, int n, const char *const *args, struct err *e);
/* The same without sending: commands put one after the other leave together at the next redis_flush() or redis_await(). */
int redis_put(struct redis_conn *c, int n, const struct text *args, struct err *e);
int redis_flush(struct redis_conn *c, struct err *e);

/* One read(2): how many bytes came, 0 when none wait, -1 when the connection is done for. */
int64_t redis_read(struct redis_conn *c, struct err *e);
/*
 * What comes next of what was read: a message, whose slices are borrowed until the next call (push->payload.p is NULL: it is none), or a reply,
 * owned (freeReplyObject; *out NULL: it is none). Neither: nothing is whole yet. -1: this is not what Redis says; all before it was given.
 */
int redis_next(struct redis_conn *c, struct push *push, struct redisReply **out, struct err *e);
/* The next whole reply, messages too, owned (freeReplyObject), or NULL in *out when there is none yet. */
int redis_reply(struct redis_conn *c, struct redisReply **out, struct err *e);

/*
 * Sends what is unsent and waits for the next whole reply: *out, owned; NULL in it when stop_fd is readable (-1: there is none). -1 when the connection is done
 * for or `until_us` (clock_mono_us) is reached: e->sys is ETIMEDOUT then. May block until then.
 */
int redis_await(struct redis_conn *c, int64_t until_us, int stop_fd, struct redisReply **out, struct err *e);

#endif

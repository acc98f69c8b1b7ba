/*
 * connections - the connections to Redis that a worker publishes over.  A POST's way out: from api/writes.c by batch.c.
 *
 * A fixed number of them, opened when they are first needed and kept. A request thread takes one, has it for itself, and gives it back. Nothing but POST
 * uses them: a worker reads from the log, never from Redis. A Redis that cannot be reached is not asked again before a back-off is over:
 * meanwhile every request is refused at once instead of holding a thread.
 */
#ifndef PUBLISH_CONNECTIONS_H
#define PUBLISH_CONNECTIONS_H

#include "base/err.h"
#include "conf/conf.h"
#include "redis/redis.h"

#define CONNECTIONS_COMMANDS_MAX 10000 /* in one transaction: its answer has as many elements */

struct connections_opts {
	struct redis_target target;
	const char *name; /* for CLIENT SETNAME; static */
	int size; /* at most so many at once */
	int64_t connect_timeout_ms;
	int64_t command_timeout_ms; /* for one exchange, and for a free connection */
	int64_t health_check_ms; /* one that was idle for longer is asked for a PONG before it is trusted */
	int64_t backoff_min_ms, backoff_max_ms;
};

struct connections;

/* Whether anything is published at all: a file of tokens is configured. */
bool connections_wanted(const struct conf *conf);

/*
 * What the settings say about publishing: redis.* where publish.url is empty. -1: the URL is none that can be used; the text never holds a
 * password.
 */
int connections_settings(const struct conf *conf, struct connections_opts *out, struct err *e);

/* NULL only when memory is out: nothing is opened yet. Every thread may use it. */
struct connections *connections_new(const struct connections_opts *opts, struct err *e);
void connections_free(struct connections *p); /* closes them; none may be out */

/*
 * One that works as far as can be told, the caller's until connections_give(). *reused: it was open before, so Redis may have closed it without our knowing
 * yet. NULL: none is free in time (ERR_BUSY), or Redis cannot be reached (ERR_REDIS; the text never holds a password). May block for the time-outs.
 */
struct redis_conn *connections_take(struct connections *p, bool *reused, struct err *e);

/* Takes it back. `sound`: the last exchange on it was whole; else it is closed. */
void connections_give(struct connections *p, struct redis_conn *c, bool sound);

int64_t connections_timeout_ms(const struct connections *p); /* for one exchange */

#endif

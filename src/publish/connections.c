/*
 * connections - see connections.h.
 *
 * The idle ones are a stack: the last that was used is the likeliest to live, and what a quiet hour does not need stays at the bottom.
 */
#include "publish/connections.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define BACKOFF_MIN_MS 100

struct idle {
	struct redis_conn *c; /* owned */
	int64_t since_us;
};

struct connections {
	struct connections_opts opts;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t returned;
	int out; /* taken, or being opened */
	struct redis_backoff backoff;
	int64_t not_before_us; /* no try to connect before this; 0: Redis was there the last time */
	char cause[sizeof(((struct err *)NULL)->text)]; /* why the last try failed */
	int n_idle;
	struct idle idle[]; /* opts.size */
};

bool
connections_wanted(const struct conf *conf)
{
	return conf_str(conf, SETTING_ACCESS_TOKEN_FILE)[0] != '\0';
}

int
connections_settings(const struct conf *conf, struct connections_opts *out, struct err *e)
{
	bool own = conf_str(conf, SETTING_PUBLISH_URL)[0] != '\0';
	enum setting username = SETTING_PUBLISH_USERNAME, password = SETTING_PUBLISH_PASSWORD;

	/* A user of its own on the same Redis needs no URL of its own. */
	if (!own && conf_str(conf, username)[0] == '\0' && conf_str(conf, password)[0] == '\0') {
		username = SETTING_REDIS_USERNAME;
		password = SETTING_REDIS_PASSWORD;
	}
	*out = (struct connections_opts){
		.name = "tickgate-publish",
		.size = (int)conf_int(conf, SETTING_PUBLISH_CONNECTIONS),
		.connect_timeout_ms = conf_int(conf, SETTING_PUBLISH_CONNECT_TIMEOUT),
		.command_timeout_ms = conf_int(conf, SETTING_PUBLISH_COMMAND_TIMEOUT),
		.health_check_ms = conf_int(conf, SETTING_PUBLISH_HEALTH_CHECK),
		.backoff_min_ms = BACKOFF_MIN_MS,
		.backoff_max_ms = conf_int(conf, SETTING_PUBLISH_BACKOFF_MAX),
	};
	return redis_target_parse(&out->target, conf_str(conf, own ? SETTING_PUBLISH_URL : SETTING_REDIS_URL),
	    conf_str(conf, username), conf_str(conf, password), e);
}

struct connections *
connections_new(const struct connections_opts *opts, struct err *e)
{
	struct connections *p = calloc(1, sizeof(*p) + (size_t)opts->size * sizeof(p->idle[0]));
	pthread_condattr_t attr;

	if (p == NULL) {
		err_set(e, ERR_MEMORY, "no memory for connections to Redis");
		return NULL;
	}
	p->opts = *opts;
	p->backoff = (struct redis_backoff){ opts->backoff_min_ms, opts->backoff_max_ms, 0 };
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->returned, &attr);
	pthread_condattr_destroy(&attr);
	return p;
}

void
connections_free(struct connections *p)
{
	if (p == NULL)
		return;
	for (int i = 0; i < p->n_idle; i++)
		redis_close(p->idle[i].c);
	pthread_cond_destroy(&p->returned);
	pthread_mutex_destroy(&p->lock);
	explicit_bzero(&p->opts.target, sizeof(p->opts.target));
	free(p);
}

int64_t
connections_timeout_ms(const struct connections *p)
{
	return p->opts.command_timeout_ms;
}

/* A place among `size`: -1 when none became free in time. */
static int
take_place(struct connections *p, struct idle *idle, struct err *e)
{
	int64_t until_us = clock_mono_us() + p->opts.command_timeout_ms * 1000;
	struct timespec until = { until_us / 1000000, until_us % 1000000 * 1000 };
	int rc = 0;

	*idle = (struct idle){ 0 };
	pthread_mutex_lock(&p->lock);
	while (p->out == p->opts.size && rc == 0)
		rc = pthread_cond_timedwait(&p->returned, &p->lock, &until);
	if (p->out == p->opts.size) {
		err_set(e, ERR_BUSY, "all %d connections to Redis are in use", p->opts.size);
	} else {
		p->out++;
		if (p->n_idle > 0)
			*idle = p->idle[--p->n_idle];
		rc = 0;
	}
	pthread_mutex_unlock(&p->lock);
	return rc == 0 ? 0 : -1;
}

static void
leave_place(struct connections *p, struct redis_conn *c)
{
	pthread_mutex_lock(&p->lock);
	p->out--;
	if (c != NULL)
		p->idle[p->n_idle++] = (struct idle){ c, clock_mono_us() };
	pthread_cond_signal(&p->returned);
	pthread_mutex_unlock(&p->lock);
}

/* Nothing may wait to be read on an idle connection: it is the end of it, or something that nobody asked for. */
static bool
is_quiet(struct redis_conn *c)
{
	struct pollfd fd = { .fd = redis_fd(c), .events = POLLIN | POLLRDHUP };

	return poll(&fd, 1, 0) == 0;
}

static bool
is_alive(const struct connections *p, struct redis_conn *c)
{
	int64_t until_us = clock_mono_us() + p->opts.command_timeout_ms * 1000;
	redisReply *r = NULL;
	struct err ignored;
	bool alive;

	if (redis_send(c, 1, (const char *const[]){ "PING" }, &ignored) != 0 ||
	    redis_await(c, until_us, -1, &r, &ignored) != 0)
		return false;
	alive = r->type == REDIS_REPLY_STATUS;
	freeReplyObject(r);
	return alive;
}

/*
 * Whether this user may use transactions: a MULTI that is refused later would let the commands behind it run one by one, and half a
 * batch go out.
 */
static int
try_transaction(const struct connections *p, struct redis_conn *c, struct err *e)
{
	static const char *const commands[] = { "MULTI", "DISCARD" };
	int64_t until_us = clock_mono_us() + p->opts.command_timeout_ms * 1000;

	for (size_t i = 0; i < 2; i++) {
		redisReply *r = NULL;
		int rc = 0;

		if (redis_send(c, 1, &commands[i], e) != 0 || redis_await(c, until_us, -1, &r, e) != 0)
			return -1;
		if (r->type != REDIS_REPLY_STATUS) {
			err_set(e, ERR_REDIS, "%s refused: %.200s", commands[i], r->str == NULL ? "" : r->str);
			rc = -1;
		}
		freeReplyObject(r);
		if (rc != 0)
			return -1;
	}
	return 0;
}

static struct redis_conn *
open_one(const struct connections *p, struct err *e)
{
	bool denied;
	struct redis_conn *c = redis_open(
	    &p->opts.target, p->opts.name, p->opts.connect_timeout_ms, p->opts.command_timeout_ms, -1, &denied, e);

	if (c == NULL)
		return NULL;
	redis_allow_elements(c, CONNECTIONS_COMMANDS_MAX);
	if (try_transaction(p, c, e) == 0)
		return c;
	redis_close(c);
	return NULL;
}

/* -1: the last try has just failed. */
static int
wait_is_over(struct connections *p, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	if (clock_mono_us() < p->not_before_us) {
		err_set(e, ERR_REDIS, "%s", p->cause);
		rc = -1;
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

/* Remembers how a try to connect ended, and says so in the log when that has changed. */
static void
note_try(struct connections *p, const struct err *failed)
{
	bool changed;

	pthread_mutex_lock(&p->lock);
	changed = (p->not_before_us != 0) != (failed != NULL);
	if (failed != NULL) {
		p->not_before_us = clock_mono_us() + redis_backoff_next(&p->backoff) * 1000;
		memcpy(p->cause, failed->text, sizeof(p->cause));
	} else {
		p->not_before_us = 0;
		redis_backoff_reset(&p->backoff);
	}
	pthread_mutex_unlock(&p->lock);
	if (!changed)
		return;
	if (failed != NULL)
		log_err(LOG_LEVEL_WARNING, "publish_unavailable", failed);
	else
		log_event(LOG_LEVEL_NOTICE, "publish_available");
}

struct redis_conn *
connections_take(struct connections *p, bool *reused, struct err *e)
{
	struct redis_conn *c = NULL;
	struct idle idle;
	bool fresh;

	*reused = false;
	if (take_place(p, &idle, e) != 0)
		return NULL;
	if (idle.c != NULL) {
		fresh = clock_mono_us() - idle.since_us < p->opts.health_check_ms * 1000;
		if (is_quiet(idle.c) && (fresh || is_alive(p, idle.c))) {
			*reused = true;
			return idle.c;
		}
		redis_close(idle.c);
	}
	if (wait_is_over(p, e) == 0) {
		c = open_one(p, e);
		note_try(p, c == NULL ? e : NULL);
	}
	if (c == NULL)
		leave_place(p, NULL);
	return c;
}

void
connections_give(struct connections *p, struct redis_conn *c, bool sound)
{
	if (!sound) {
		redis_close(c);
		c = NULL;
	}
	leave_place(p, c);
}

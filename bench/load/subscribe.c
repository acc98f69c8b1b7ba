/* subscribe - the bare Redis subscriber that latencies are compared with: one channel, marks read, nothing kept. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "histogram.h"
#include "load.h"
#include "mark.h"
#include "redis/redis.h"

struct subscriber {
	const struct load_options *o;
	redisContext *c;
	int64_t events, start_us;
	bool ready;
	struct histogram latency;
};

static void
take(struct subscriber *s, const redisReply *r, int64_t now_us)
{
	struct mark m;
	struct text t;

	if (r->type != REDIS_REPLY_ARRAY || r->elements != 3 || r->element[0]->type != REDIS_REPLY_STRING)
		return;
	if (strcmp(r->element[0]->str, "subscribe") == 0) {
		s->ready = true;
		load_ready();
		return;
	}
	t = (struct text){ r->element[2]->str, (size_t)r->element[2]->len };
	if (mark_next(&t, &m) != 0) {
		histogram_add(&s->latency, now_us - m.us);
		s->events++;
	}
}

static int
receive(struct subscriber *s, struct err *e)
{
	int64_t now_us;
	void *reply;

	if (redisBufferRead(s->c) != REDIS_OK)
		goto broken;
	now_us = clock_mono_us();
	for (;;) {
		if (redisGetReplyFromReader(s->c, &reply) != REDIS_OK)
			goto broken;
		if (reply == NULL)
			return 0;
		take(s, reply, now_us);
		freeReplyObject(reply);
	}
broken:
	err_set(e, ERR_REDIS, "reading: %s", s->c->errstr);
	return -1;
}

static int
run(struct subscriber *s, struct err *e)
{
	struct pollfd fds[2] = { { .fd = s->c->fd, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };

	while (s->o->events == 0 || s->events < s->o->events) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR) {
			err_sys(e, "poll");
			return -1;
		}
		if (fds[0].revents != 0 && receive(s, e) != 0)
			return -1;
		if (fds[1].revents != 0)
			break;
	}
	return 0;
}

int
subscribe_command(const struct load_options *o, struct err *e)
{
	struct subscriber s = { .o = o };
	struct redis_target target;
	struct buf out = { .p = NULL };
	int rc = -1;

	if (o->redis == NULL) {
		err_set(e, ERR_USAGE, "subscribe needs --redis");
		return -1;
	}
	if (redis_target_parse(&target, o->redis, NULL, NULL, e) != 0)
		return -1;
	s.c = redisConnect(target.host, target.port);
	if (s.c == NULL || s.c->err != 0 || redisAppendCommand(s.c, "SUBSCRIBE %s", o->channel) != REDIS_OK) {
		err_set(e, ERR_REDIS, "connect: %s", s.c == NULL ? "out of memory" : s.c->errstr);
		goto out;
	}
	for (int done = 0; !done;)
		if (redisBufferWrite(s.c, &done) != REDIS_OK)
			goto out;
	rc = run(&s, e);
	if (rc != 0)
		goto out;
	buf_printf(&out, "{\"events\":%lld,\"cpu_s\":%.3f,\"latency\":", (long long)s.events, load_cpu_seconds());
	histogram_json(&s.latency, &out);
	buf_add_char(&out, '}');
	puts(buf_cstr(&out));
	buf_fini(&out);
out:
	if (s.c != NULL)
		redisFree(s.c);
	return rc;
}

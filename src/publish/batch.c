/* batch - see batch.h. */
#include "publish/batch.h"

#include <hiredis/hiredis.h>

#include "base/clock.h"

/* What became of the commands, as far as the answers tell. */
struct outcome {
	bool
	    refused; /* MULTI, a PUBLISH or EXEC was answered with an error; the first one's text is in the caller's err */
	size_t executed; /* PUBLISHes that were carried out */
	int64_t receivers; /* the least of them */
};

static int
put_all(struct redis_conn *c, const char *channel, const struct text *messages, size_t n, struct err *e)
{
	struct text multi = TEXT("MULTI"), exec = TEXT("EXEC");

	if (redis_put(c, 1, &multi, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct text publish[] = { TEXT("PUBLISH"), text_of(channel), messages[i] };

		if (redis_put(c, 3, publish, e) != 0)
			return -1;
	}
	return redis_put(c, 1, &exec, e);
}

static void
note_refusal(struct outcome *o, const redisReply *r, struct err *e)
{
	if (!o->refused)
		err_set(e, ERR_REDIS, "Redis refused: %.200s", r->str == NULL ? "" : r->str);
	o->refused = true;
}

static void
note_published(struct outcome *o, int64_t receivers)
{
	if (o->executed == 0 || receivers < o->receivers)
		o->receivers = receivers;
	o->executed++;
}

/* One reply: OK, QUEUED, the array of EXEC, an error; or numbers of PUBLISHes that ran outside of a transaction, since MULTI was refused. */
static void
note_reply(struct outcome *o, const redisReply *r, struct err *e)
{
	if (r->type == REDIS_REPLY_ERROR)
		note_refusal(o, r, e);
	else if (r->type == REDIS_REPLY_INTEGER)
		note_published(o, r->integer);
	else if (r->type == REDIS_REPLY_ARRAY)
		for (size_t i = 0; i < r->elements; i++)
			note_reply(o, r->element[i], e);
}

/* -1: the connection failed before all answers were there. */
static int
read_all(struct redis_conn *c, size_t n_replies, int64_t until_us, struct outcome *o, struct err *e)
{
	for (size_t i = 0; i < n_replies; i++) {
		redisReply *r = NULL;
		struct err lost = { 0 };

		if (redis_await(c, until_us, -1, &r, &lost) != 0) {
			if (!o->refused)
				*e = lost;
			return -1;
		}
		note_reply(o, r, e);
		freeReplyObject(r);
	}
	return 0;
}

static enum batch_result
judge(const struct outcome *o, size_t n, bool complete, bool sent, struct err *e)
{
	if (o->executed == n && !o->refused)
		return BATCH_PUBLISHED;
	/* EXEC is the last of what is sent: while a byte has not left, Redis has only queued, and forgets with the connection. */
	if (o->executed == 0 && (complete || !sent)) {
		if (!o->refused && complete)
			err_set(e, ERR_REDIS, "Redis did not carry out the transaction");
		return BATCH_NOT_PUBLISHED;
	}
	return BATCH_UNKNOWN;
}

static enum batch_result
publish_once(struct connections *p, const char *channel, const struct text *messages, size_t n, int64_t *receivers,
    bool *reused, bool *sent, struct err *e)
{
	struct redis_conn *c = connections_take(p, reused, e);
	struct outcome o = { 0 };
	int64_t until_us;
	bool complete;

	*sent = true; /* "again" makes no sense without a connection */
	if (c == NULL)
		return BATCH_NOT_PUBLISHED;
	if (put_all(c, channel, messages, n, e) != 0) {
		connections_give(p, c, false);
		return BATCH_NOT_PUBLISHED;
	}
	until_us = clock_mono_us() + connections_timeout_ms(p) * 1000;
	complete = read_all(c, n + 2, until_us, &o, e) == 0;
	*sent = !redis_unsent(c);
	*receivers = o.receivers;
	connections_give(p, c, complete && !o.refused);
	return judge(&o, n, complete, *sent, e);
}

enum batch_result
batch_publish(struct connections *p, const char *channel, const struct text *messages, size_t n, int64_t *receivers,
    struct err *e)
{
	bool reused = false, sent = false;
	enum batch_result result = publish_once(p, channel, messages, n, receivers, &reused, &sent, e);

	/* A connection that Redis closed while it was idle, seen only in writing: nothing has happened yet. */
	if (result == BATCH_NOT_PUBLISHED && reused && !sent)
		result = publish_once(p, channel, messages, n, receivers, &reused, &sent, e);
	return result;
}

/*
 * push - what came from Redis, as bytes: whether it begins with a message, and which. What redis/push.h promises, judged by hiredis, whose parser reads all else:
 * what is taken is what hiredis would have made of the same bytes, and what is called cut off is no fault to hiredis either.
 */
#include <hiredis/hiredis.h>
#include <string.h>

#include "fuzz.h"
#include "redis/push.h"

static bool
is(const redisReply *r, struct text want)
{
	return r->type == REDIS_REPLY_STRING && text_eq((struct text){ r->str, r->len }, want);
}

/* hiredis' reply to the bytes, which the caller frees; NULL: none yet. They are no fault to it. */
static redisReply *
hiredis_reads(struct text in, bool *whole)
{
	redisReader *reader = redisReaderCreate();
	void *reply = NULL;

	PROMISE(reader != NULL);
	reader->maxbuf = 0;
	PROMISE(redisReaderFeed(reader, in.p, in.n) == REDIS_OK);
	PROMISE(redisReaderGetReply(reader, &reply) == REDIS_OK);
	*whole = reply != NULL && reader->pos == reader->len;
	redisReaderFree(reader);
	return reply;
}

static void
check_taken(struct text in, const struct push *m)
{
	bool whole, pattern = m->pattern.p != NULL;
	redisReply *r = hiredis_reads(in, &whole);
	size_t i = 0;

	PROMISE(whole && r->type == REDIS_REPLY_ARRAY && r->elements == (pattern ? 4 : 3));
	PROMISE(is(r->element[i++], pattern ? TEXT("pmessage") : TEXT("message")));
	if (pattern)
		PROMISE(is(r->element[i++], m->pattern));
	PROMISE(is(r->element[i], m->channel) && is(r->element[i + 1], m->payload));
	freeReplyObject(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *p = malloc(size > 0 ? size : 1); /* nothing behind them: whoever reads on meets the sanitizer */
	struct push m = { .payload = TEXT_NONE };
	ptrdiff_t n;
	bool whole;

	PROMISE(p != NULL);
	if (size > 0)
		memcpy(p, data, size);
	n = push_take((struct text){ p, size }, &m);
	PROMISE(n >= -1 && n <= (ptrdiff_t)size && n <= (ptrdiff_t)PUSH_MAX);
	if (n > 0)
		check_taken((struct text){ p, (size_t)n }, &m);
	else if (n == 0)
		PROMISE(hiredis_reads((struct text){ p, size }, &whole) == NULL);
	free(p);
	return 0;
}

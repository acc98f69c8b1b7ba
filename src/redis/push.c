/* push - see push.h.  Walk 1, step 1: called by redis.c before guard.c. RESP2: https://redis.io/docs/reference/protocol-spec/ */
#include "redis/push.h"

#include <string.h>

#define DIGITS_MAX 5 /* PUSH_MAX has as many */

/* What is read, and how far. */
struct pull {
	const char *start, *p, *end;
};

/* Each of these: 1 taken, 0 cut off, -1 something else. */

static int
take_byte(struct pull *in, char want)
{
	if (in->p == in->end)
		return 0;
	return *in->p++ == want ? 1 : -1;
}

static int
take_end(struct pull *in)
{
	int rc = take_byte(in, '\r');

	return rc == 1 ? take_byte(in, '\n') : rc;
}

/* "<type><number>\r\n", the number as Redis writes it. */
static int
take_head(struct pull *in, char type, size_t *out)
{
	int rc = take_byte(in, type), digits = 0;
	size_t n = 0;

	if (rc != 1)
		return rc;
	for (; in->p < in->end && *in->p >= '0' && *in->p <= '9'; in->p++) {
		if (++digits > DIGITS_MAX || (digits == 2 && n == 0))
			return -1;
		n = n * 10 + (size_t)(*in->p - '0');
	}
	if (in->p == in->end)
		return 0;
	*out = n;
	return digits == 0 ? -1 : take_end(in);
}

static int
take_bulk(struct pull *in, struct text *out)
{
	size_t n = 0;
	int rc = take_head(in, '$', &n);

	if (rc != 1)
		return rc;
	if ((size_t)(in->p - in->start) + n + 2 > PUSH_MAX)
		return -1;
	if ((size_t)(in->end - in->p) < n)
		return 0;
	*out = (struct text){ in->p, n };
	in->p += n;
	return take_end(in);
}

ptrdiff_t
push_take(struct text in, struct push *out)
{
	struct pull from = { in.p, in.p, in.p + in.n };
	struct text word = TEXT_NONE;
	size_t elements = 0;
	bool pattern;
	int rc;

	if ((rc = take_head(&from, '*', &elements)) != 1)
		return rc;
	/* At once: behind an empty array nothing need come. */
	if (elements != 3 && elements != 4)
		return -1;
	if ((rc = take_bulk(&from, &word)) != 1)
		return rc;
	pattern = elements == 4 && text_eq(word, TEXT("pmessage"));
	if (!pattern && (elements != 3 || !text_eq(word, TEXT("message"))))
		return -1;
	out->pattern = TEXT_NONE;
	if ((pattern && (rc = take_bulk(&from, &out->pattern)) != 1) || (rc = take_bulk(&from, &out->channel)) != 1 ||
	    (rc = take_bulk(&from, &out->payload)) != 1)
		return rc;
	return from.p - from.start;
}

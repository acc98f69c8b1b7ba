/* mark - see mark.h. */
#include "mark.h"

#include <string.h>

static const char lead[] = "\"bench\":{\"n\":", middle[] = ",\"us\":";

void
mark_put(struct buf *out, int64_t n, int64_t us)
{
	buf_add(out, lead, sizeof(lead) - 1);
	buf_add_int(out, n);
	buf_add(out, middle, sizeof(middle) - 1);
	buf_add_int(out, us);
	buf_add_char(out, '}');
}

/* The number at *p, which is moved behind it; -1 when there is none. */
static int64_t
number(const char **p, const char *end)
{
	int64_t v = -1;

	while (*p < end && **p >= '0' && **p <= '9' && v < INT64_MAX / 20)
		v = (v < 0 ? 0 : v * 10) + (*(*p)++ - '0');
	return v;
}

int
mark_next(struct text *t, struct mark *out)
{
	const char *end = t->p + t->n, *p = t->n == 0 ? NULL : memmem(t->p, t->n, lead, sizeof(lead) - 1);

	if (p == NULL)
		return 0;
	p += sizeof(lead) - 1;
	out->n = number(&p, end);
	if ((size_t)(end - p) < sizeof(middle) - 1 || memcmp(p, middle, sizeof(middle) - 1) != 0)
		return 0;
	p += sizeof(middle) - 1;
	out->us = number(&p, end);
	*t = (struct text){ p, (size_t)(end - p) };
	return 1;
}

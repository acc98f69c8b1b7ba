/* buf - see buf.h. */
#include "base/buf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .max = b->max };
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

void
buf_shrink(struct buf *b, size_t keep)
{
	if (b->cap > keep)
		buf_fini(b);
	buf_clear(b);
}

/* Makes room for n more bytes, whatever `max` says: a NUL at the end is not counted. */
static bool
grow(struct buf *b, size_t n)
{
	size_t cap = b->cap < 64 ? 64 : b->cap;
	char *p;

	if (n <= b->cap - b->len)
		return true;
	if (n > SIZE_MAX / 2 - b->len)
		return false;
	while (cap < b->len + n)
		cap *= 2;
	p = realloc(b->p, cap);
	if (p == NULL)
		return false;
	b->p = p;
	b->cap = cap;
	return true;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	if (!b->failed && ((b->max != 0 && n > b->max - b->len) || !grow(b, n)))
		b->failed = true;
	return b->failed ? NULL : b->p + b->len;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	char *to;

	if (n == 0 || (to = buf_reserve(b, n)) == NULL)
		return;
	memcpy(to, p, n);
	b->len += n;
}

void
buf_add_text(struct buf *b, struct text t)
{
	buf_add(b, t.p, t.n);
}

void
buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_add_int(struct buf *b, int64_t v)
{
	char digits[20];
	uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + left % 10);
		left /= 10;
	} while (left != 0);
	if (v < 0)
		buf_add_char(b, '-');
	buf_add(b, digits + n, sizeof(digits) - n);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	char *to;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !grow(b, (size_t)n + 1))
		b->failed = true;
	else if ((to = buf_reserve(b, (size_t)n)) != NULL)
		b->len += (size_t)vsnprintf(to, (size_t)n + 1, fmt, again);
	va_end(again);
}

void
buf_add_json(struct buf *b, struct text t)
{
	static const char hex[] = "0123456789abcdef";
	size_t plain = 0; /* how many bytes at the front can go out as they are */

	buf_add_char(b, '"');
	while (plain < t.n) {
		unsigned char c = (unsigned char)t.p[plain];
		struct text rest = text_cut(t, plain, t.n);
		size_t len = c < 0x80 ? 1 : text_utf8_next(rest, NULL);

		if (len > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
			plain += len;
			continue;
		}
		buf_add(b, t.p, plain);
		if (len == 0)
			buf_add_str(b, "\xef\xbf\xbd");
		else if (c == '"' || c == '\\')
			buf_add(b, (char[]){ '\\', (char)c }, 2);
		else if (c == '\n')
			buf_add_str(b, "\\n");
		else
			buf_add(b, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
		t = text_cut(t, plain + 1, t.n);
		plain = 0;
	}
	buf_add(b, t.p, plain);
	buf_add_char(b, '"');
}

void
buf_add_real(struct buf *b, double v)
{
	char s[32];

	if (!isfinite(v)) {
		buf_add_str(b, "null");
		return;
	}
	/* 15 digits are what people wrote; 17 always read back the same. */
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(s, sizeof(s), "%.*g", digits, v);
		if (strtod(s, NULL) == v)
			break;
	}
	buf_add_str(b, s);
}

struct text
buf_text(const struct buf *b)
{
	return (struct text){ b->p == NULL ? "" : b->p, b->len };
}

const char *
buf_cstr(struct buf *b)
{
	if (!grow(b, 1))
		return "";
	b->p[b->len] = '\0';
	return b->p;
}

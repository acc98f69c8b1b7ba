/*
 * buf - bytes that grow.
 *
 * A buffer that could not grow, or would pass its `max`, stays as it was, remembers that in `failed`, and ignores
 * further additions: so a writer adds freely and checks once, at the end. Zero-initialise it, or buf_init().
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct buf {
	char *p; /* owned; NULL while nothing was added. Not NUL-terminated: see buf_cstr() */
	size_t len;
	size_t cap;
	size_t max; /* never hold more than this; 0 is no bound */
	bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b); /* frees; the buffer can be used again */
void buf_clear(struct buf *b); /* empties and forgets a failure, keeps the memory */
void buf_shrink(struct buf *b, size_t keep); /* as buf_clear, and gives memory above `keep` bytes back */

char *buf_reserve(
    struct buf *b, size_t n); /* room for n more bytes after len, or NULL; borrowed until the next addition */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_text(struct buf *b, struct text t);
void buf_add_str(struct buf *b, const char *s);
/* Here, since most of what is added is one character, and there is room for it. */
static inline void
buf_add_char(struct buf *b, char c)
{
	if (b->len < b->cap && !b->failed && (b->max == 0 || b->len < b->max))
		b->p[b->len++] = c;
	else
		buf_add(b, &c, 1);
}

void buf_add_int(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string with its quotes (RFC 8259, section 7): control characters escaped, bytes that are not UTF-8 as U+FFFD. */
void buf_add_json(struct buf *b, struct text t);

/* A finite real in its shortest form that reads back the same, "null" for others. */
void buf_add_real(struct buf *b, double v);

struct text buf_text(const struct buf *b); /* borrowed until the next addition */
const char *buf_cstr(struct buf *b); /* the same with NUL after it; "" when memory is out */

#endif

/*
 * guard - see guard.h.  Walk 1, step 1: called by redis.c for every read, before hiredis' reader.
 *
 * Bytes pass in slices as long as they can: `from` is where the present one begins.
 */
#include "redis/guard.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

struct pass {
	const char *from; /* not yet fed */
	int (*feed)(void *arg, const char *p, size_t n);
	void *arg;
};

static int
flush(struct pass *w, const char *to, const char *next, struct err *e)
{
	const char *from = w->from;

	w->from = next;
	if (to > from && w->feed(w->arg, from, (size_t)(to - from)) != 0) {
		err_set(e, ERR_MEMORY, "no memory for a reply of Redis");
		return -1;
	}
	return 0;
}

static int
refuse(struct err *e, const char *what)
{
	err_set(e, ERR_REDIS, "protocol error: %s", what);
	return -1;
}

/* An item is whole. */
static void
item_done(struct guard *g)
{
	g->state = GUARD_START;
	if (g->elements > 0)
		g->elements--;
}

static int
array_header(struct guard *g, int64_t n, struct err *e)
{
	if (g->elements > 0)
		return refuse(e, "an array within an array");
	if (n < -1 || n > (g->elements_max > 0 ? g->elements_max : GUARD_ELEMENTS_MAX))
		return refuse(e, "an array of an impossible size");
	g->elements = n > 0 ? n : 0;
	g->state = GUARD_START;
	return 0;
}

/* Returns 1 if the header must be replaced by one for g->keep bytes. */
static int
bulk_header(struct guard *g, int64_t n, struct err *e)
{
	if (n < -1 || n > GUARD_ANNOUNCED_MAX)
		return refuse(e, "a string of an impossible length");
	if (n == -1) {
		item_done(g);
		return 0;
	}
	g->keep = n > GUARD_BULK_MAX ? GUARD_BULK_MAX + 1 : n;
	g->skip = n - g->keep;
	g->tail_n = 0;
	g->state = g->keep > 0 ? GUARD_BULK : GUARD_TAIL;
	return g->skip > 0;
}

/* The header line h, with its CRLF. As bulk_header(). */
static int
header(struct guard *g, struct text h, struct err *e)
{
	int64_t n;

	if (h.n < 4 || h.p[h.n - 2] != '\r' || text_int64(text_cut(h, 1, h.n - 2), &n) != 0)
		return refuse(e, "a length that is no number");
	return h.p[0] == '*' ? array_header(g, n, e) : bulk_header(g, n, e);
}

/* At p: the header's first byte, or where it goes on after a split. Returns where to go on, NULL on error. */
static const char *
take_header(struct guard *g, struct pass *w, const char *p, const char *end, struct err *e)
{
	const char *eol = memchr(p, '\n', (size_t)(end - p));
	const char *next = eol == NULL ? end : eol + 1;
	struct text h = { p, (size_t)(next - p) };
	bool split = g->head_n > 0 || eol == NULL;
	char cut[32];
	int rc, n;

	if (split) {
		if (h.n > sizeof(g->head) - g->head_n) {
			refuse(e, "a length that is no number");
			return NULL;
		}
		memcpy(g->head + g->head_n, p, h.n);
		g->head_n += h.n;
		if (flush(w, p, next, e) != 0)
			return NULL;
		if (eol == NULL)
			return end;
		h = (struct text){ g->head, g->head_n };
		g->head_n = 0;
	}
	rc = header(g, h, e);
	if (rc < 0)
		return NULL;
	if (rc == 0 && !split)
		return next;
	if (!split && flush(w, p, next, e) != 0)
		return NULL;
	if (rc == 1) {
		n = snprintf(cut, sizeof(cut), "$%" PRId64 "\r\n", g->keep);
		h = (struct text){ cut, (size_t)n };
	}
	if (w->feed(w->arg, h.p, h.n) != 0) {
		err_set(e, ERR_MEMORY, "no memory for a reply of Redis");
		return NULL;
	}
	return next;
}

static const char *
take_line(struct guard *g, const char *p, const char *end, struct err *e)
{
	const char *eol = memchr(p, '\n', (size_t)(end - p));
	const char *next = eol == NULL ? end : eol + 1;

	g->line_n += (size_t)(next - p);
	if (g->line_n > GUARD_LINE_MAX) {
		refuse(e, "an endless line");
		return NULL;
	}
	if (eol != NULL) {
		/* hiredis ends a line at CRLF alone: a bare LF would make the two disagree on where replies begin. */
		if ((eol > p ? eol[-1] : g->last) != '\r') {
			refuse(e, "a line without CR");
			return NULL;
		}
		item_done(g);
	}
	g->last = next[-1];
	return next;
}

static const char *
take_start(struct guard *g, const char *p, struct err *e)
{
	switch (*p) {
	case '$':
	case '*':
		g->state = GUARD_HEADER;
		g->head_n = 0;
		return p; /* take_header() wants the whole line */
	case '+':
	case '-':
	case ':':
		g->state = GUARD_LINE;
		g->line_n = 1;
		g->last = *p;
		return p + 1;
	default:
		refuse(e, "this does not speak Redis' protocol");
		return NULL;
	}
}

static const char *
take_bulk(struct guard *g, struct pass *w, const char *p, const char *end, struct err *e)
{
	bool skip = g->state == GUARD_SKIP;
	int64_t *left = skip ? &g->skip : &g->keep;
	int64_t n = end - p < *left ? end - p : *left;

	if (skip && flush(w, p, p + n, e) != 0)
		return NULL;
	*left -= n;
	if (*left == 0)
		g->state = !skip && g->skip > 0 ? GUARD_SKIP : GUARD_TAIL;
	return p + n;
}

static const char *
take_tail(struct guard *g, const char *p, struct err *e)
{
	/* hiredis does not look at these two. */
	if (*p != "\r\n"[g->tail_n]) {
		refuse(e, "a string that does not end where it said");
		return NULL;
	}
	if (++g->tail_n == 2)
		item_done(g);
	return p + 1;
}

bool
guard_is_between(const struct guard *g)
{
	return g->state == GUARD_START && g->elements == 0;
}

size_t
guard_within(const struct guard *g)
{
	switch (g->state) {
	case GUARD_BULK:
	case GUARD_SKIP:
	case GUARD_TAIL:
		return (size_t)(g->keep + g->skip) + 2 - (size_t)g->tail_n;
	default:
		return 1;
	}
}

int
guard_feed(
    struct guard *g, const char *p, size_t n, int (*feed)(void *arg, const char *p, size_t n), void *arg, struct err *e)
{
	struct pass w = { .from = p, .feed = feed, .arg = arg };
	const char *end = p + n, *good = p;

	while (p != NULL && p < end) {
		good = p;
		switch (g->state) {
		case GUARD_START:
			p = take_start(g, p, e);
			break;
		case GUARD_HEADER:
			p = take_header(g, &w, p, end, e);
			break;
		case GUARD_LINE:
			p = take_line(g, p, end, e);
			break;
		case GUARD_BULK:
		case GUARD_SKIP:
			p = take_bulk(g, &w, p, end, e);
			break;
		case GUARD_TAIL:
			p = take_tail(g, p, e);
			break;
		}
	}
	if (p == NULL) {
		/* What came before was right, and messages are among it. */
		flush(&w, good, end, NULL);
		return -1;
	}
	return flush(&w, end, end, e);
}

/* http - see http.h. */
#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
http_begin(struct http *h)
{
	h->state = HTTP_HEAD;
	h->status = 0;
	h->chunked = h->close = h->upgraded = h->sized = h->no_body = false;
	h->left = 0;
	h->line_n = 0;
	h->etag[0] = '\0';
}

static void
take_header(struct http *h, struct text line)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct text name, value;

	if (colon == NULL)
		return;
	name = text_cut(line, 0, (size_t)(colon - line.p));
	value = text_trim(text_cut(line, name.n + 1, line.n));
	if (text_eq_nocase(name, TEXT("content-length"))) {
		if (text_int64(value, &h->left) != 0 || h->left < 0)
			h->state = HTTP_BROKEN;
		h->sized = true;
	} else if (text_eq_nocase(name, TEXT("transfer-encoding"))) {
		h->chunked = text_eq_nocase(value, TEXT("chunked"));
	} else if (text_eq_nocase(name, TEXT("connection"))) {
		h->close = text_eq_nocase(value, TEXT("close"));
	} else if (text_eq_nocase(name, TEXT("etag")) && value.n < sizeof(h->etag)) {
		memcpy(h->etag, value.p, value.n);
		h->etag[value.n] = '\0';
	}
}

static void
head_done(struct http *h)
{
	if (h->status == 101) {
		h->upgraded = true;
		h->left = -1;
		h->state = HTTP_BODY;
	} else if (h->status / 100 == 1) {
		http_begin(h);
	} else if (h->no_body || h->status == 204 || h->status == 304 || (h->sized && h->left == 0 && !h->chunked)) {
		h->state = HTTP_DONE;
	} else if (h->chunked) {
		h->state = HTTP_CHUNK_SIZE;
	} else {
		if (!h->sized)
			h->left = -1;
		h->state = HTTP_BODY;
	}
}

static void
take_head_line(struct http *h, struct text line)
{
	int64_t status;

	if (h->status != 0 && line.n == 0) {
		head_done(h);
	} else if (h->status != 0) {
		take_header(h, line);
	} else if (!text_starts(line, TEXT("HTTP/1.")) || line.n < 12 ||
	    text_int64(text_cut(line, 9, 12), &status) != 0 || status < 100) {
		h->state = HTTP_BROKEN;
	} else {
		h->status = (int)status;
	}
}

static void
take_chunk_size(struct http *h, struct text line)
{
	int64_t size = 0;
	size_t i;

	for (i = 0; i < line.n && line.p[i] != ';'; i++) {
		int c = line.p[i], low = c | 0x20;
		int digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;

		if (digit < 0 || size > INT64_MAX / 32) {
			h->state = HTTP_BROKEN;
			return;
		}
		size = size * 16 + digit;
	}
	if (i == 0) {
		h->state = HTTP_BROKEN;
		return;
	}
	h->left = size;
	h->state = size == 0 ? HTTP_TRAILER : HTTP_CHUNK;
}

static void
take_line(struct http *h, struct text line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	switch (h->state) {
	case HTTP_HEAD:
		take_head_line(h, line);
		break;
	case HTTP_CHUNK_SIZE:
		take_chunk_size(h, line);
		break;
	case HTTP_CHUNK_END:
		h->state = line.n == 0 ? HTTP_CHUNK_SIZE : HTTP_BROKEN;
		break;
	case HTTP_TRAILER:
		if (line.n == 0)
			h->state = HTTP_DONE;
		break;
	case HTTP_BODY:
	case HTTP_CHUNK:
	case HTTP_DONE:
	case HTTP_BROKEN:
		break;
	}
}

/* A line of the framing, which may have begun in an earlier read. */
static size_t
gather_line(struct http *h, const char *p, size_t n)
{
	const char *end = memchr(p, '\n', n);
	size_t used = end == NULL ? n : (size_t)(end - p) + 1, room;

	if (end != NULL && h->line_n == 0) {
		take_line(h, (struct text){ p, used - 1 });
		return used;
	}
	room = sizeof(h->line) - h->line_n;
	if (room > used)
		room = used;
	memcpy(h->line + h->line_n, p, room);
	h->line_n += room;
	if (end != NULL) {
		struct text line = { h->line, h->line_n };

		if (line.n > 0 && line.p[line.n - 1] == '\n')
			line.n--;
		h->line_n = 0;
		take_line(h, line);
	}
	return used;
}

static size_t
take_body(struct http *h, const char *p, size_t n, http_body_fn *body, void *arg)
{
	if (h->left >= 0 && (int64_t)n > h->left)
		n = (size_t)h->left;
	if (!body(arg, p, n)) {
		h->state = HTTP_BROKEN;
		return n;
	}
	if (h->left > 0)
		h->left -= (int64_t)n;
	if (h->left == 0)
		h->state = h->chunked ? HTTP_CHUNK_END : HTTP_DONE;
	return n;
}

size_t
http_take(struct http *h, const char *p, size_t n, http_body_fn *body, void *arg)
{
	size_t used = 0;

	while (used < n && h->state < HTTP_DONE) {
		if (h->state == HTTP_BODY || h->state == HTTP_CHUNK)
			used += take_body(h, p + used, n - used, body, arg);
		else
			used += gather_line(h, p + used, n - used);
	}
	return used;
}

bool
http_end(struct http *h)
{
	if (h->state == HTTP_BODY && h->left < 0)
		h->state = HTTP_DONE;
	return h->state == HTTP_DONE;
}

/*
 * http - an HTTP/1.1 response taken apart as it comes in, in pieces of any size.
 *
 * For benchmarks: it must cost less than the server that it measures, so it copies nothing but lines that are cut by a
 * read. It follows Content-Length and chunked framing exactly; what breaks them is an error.
 */
#ifndef LOAD_HTTP_H
#define LOAD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define HTTP_LINE_MAX 512

enum http_state {
	HTTP_HEAD,
	HTTP_BODY,
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK,
	HTTP_CHUNK_END,
	HTTP_TRAILER,
	HTTP_DONE,
	HTTP_BROKEN
};

struct http {
	enum http_state state;
	int status;
	bool chunked, close, upgraded, sized;
	bool no_body; /* set before a HEAD request's answer */
	int64_t left; /* of the body or the chunk; -1: until the end of the connection */
	char etag[96]; /* with quotes; "" when there is none */
	size_t line_n;
	char line[HTTP_LINE_MAX]; /* a line's beginning that came with an earlier read; longer ones are cut */
};

/* A piece of the body; false ends the reading as broken. */
typedef bool http_body_fn(void *arg, const char *p, size_t n);

void http_begin(struct http *h); /* for the next response */

/* Takes bytes until the response is done; returns how many. Look at h->state. */
size_t http_take(struct http *h, const char *p, size_t n, http_body_fn *body, void *arg);

/* The connection has ended: true if that is how the response may end. */
bool http_end(struct http *h);

#endif

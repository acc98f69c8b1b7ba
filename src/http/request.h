/*
 * request - one HTTP request, whoever brought it (FastCGI or plain CGI).  Walk 2, step 2: from http/fcgi_thread.c, on to http/route.c.
 *
 * Everything in it is hostile and borrowed from the request's pool: it dies with request_fini(). A header that is used here and occurs
 * twice makes the request `malformed` (platform: some servers fold X_Foo into X-Foo).
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/text.h"

#define REQUEST_QUERY_MAX 8192 /* longer is 414 */
#define REQUEST_BODY_MAX (1u << 20) /* longer is 413 */
#define REQUEST_DRAIN_MAX (8u << 20)
#define REQUEST_PATH_MAX 4096 /* longer is 414 */
#define REQUEST_POOL_MAX (8u << 20)

enum method {
	METHOD_GET = 1,
	METHOD_HEAD = 2,
	METHOD_OPTIONS = 4,
	METHOD_POST = 8,
	METHOD_OTHER = 16,
};

/* "GET, HEAD, OPTIONS" of a set of methods: HEAD goes with GET, OPTIONS is always there. */
void method_names(struct buf *out, unsigned methods);

/*
 * A request that was parked and is now to be answered: nothing up to `checked` in the log of that epoch is for it (-1: that log is gone), and
 * it has been told the gaps up to `after`.
 */
struct resume {
	const char *epoch;
	int64_t after, checked;
};

struct request {
	struct pool pool;
	enum method method;
	struct text path; /* SCRIPT_NAME + PATH_INFO, decoded by the server, base_path taken off; begins with '/' */
	struct text query; /* raw */
	struct text base_path; /* what was taken off: links are made with it */
	struct text
	    remote_addr; /* the client's address; behind trusted proxies api/access.c finds it; empty: unknown */
	struct text accept, if_none_match, last_event_id, prefer, origin, authorization, forwarded_for, content_type,
	    content_encoding; /* TEXT_NONE: not sent */
	struct text body; /* read to its end */
	int64_t content_length; /* -1: not said */
	bool preflight; /* OPTIONS of a browser that asks before it sends what it means to */
	bool forwarded_twice; /* X-Forwarded-For was: to be refused where it counts */
	bool forwarded; /* some proxy says that it asks for somebody else */
	bool token_in_query; /* the route takes the parameter `token`, whatever its row says */
	const struct resume *resume; /* NULL: it has just come */
	const char *malformed; /* NULL, or what is wrong with it: answered 400 */
	bool uri_too_long;
	bool body_too_large;
};

/*
 * What of a request its answer depends on, as bytes, to be answered later and perhaps together with others that ask the same: without `after`, and
 * without who asks, which was admitted.
 */
void request_pack(struct buf *out, const struct request *r);
/* A request made of them, which are borrowed. -1: they are none. End it with request_fini(). */
int request_unpack(struct request *r, struct text packed);

/* A CGI variable by name, borrowed for the life of the request's source; NULL if absent. `nth` 0 is the first of that name. */
typedef const char *(*request_var_fn)(void *arg, const char *name, unsigned nth);

/* Fills *r from CGI variables (RFC 3875). -1 only when memory is out. */
int request_init(struct request *r, request_var_fn var, void *arg, const char *base_path, struct err *e);
void request_fini(struct request *r);

/* Reads up to `n` bytes of the body; 0 at its end, -1 when the client went away or took too long. */
typedef ssize_t (*request_read_fn)(void *arg, char *p, size_t n);

/*
 * Reads the body to its end, also one that is too large (up to REQUEST_DRAIN_MAX: what is left unread when a connection closes
 * becomes a reset at the web server, and the client never sees the 413). -1: there is nobody left to answer, or memory is out.
 */
int request_read_body(struct request *r, request_read_fn read, void *arg, struct err *e);
/* The same where it is known that there is none. */
void request_no_body(struct request *r);

#endif

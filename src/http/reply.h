/*
 * reply - one HTTP answer on its way out.  Walk 2, last step: from api/, to the web server.
 *
 * A handler sets the status and headers and writes the body into a buffer; whoever brought the request sends it in one go.
 * Errors are RFC 9457 problems with a stable code out of one table.
 */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "base/buf.h"
#include "base/text.h"
#include "http/params.h"
#include "http/request.h"

#define REPLY_BODY_MAX (96u << 20)

/* What of the request an answer depends on, besides its address. */
enum {
	VARY_ACCEPT = 1,
	VARY_ORIGIN = 2,
	VARY_AUTHORIZATION = 4,
};

/*
 * A handler that wants to go on with the connection itself (a stream, a long-poll). Called once, by whoever brought the request: with its
 * descriptor (taken), the id of the FastCGI request on it, and the head of the answer; or with -1, when nothing comes of it.
 */
typedef void (*reply_take_fn)(void *arg, int fd, unsigned request_id, struct text head);

struct reply {
	int status; /* 200 unless set */
	struct buf head; /* "Name: value\r\n"…, checked for CR, LF and NUL */
	struct buf body;
	const char *content_type; /* static; NULL: no body */
	bool open_ended; /* a body without an end that could be told: no Content-Length */
	reply_take_fn take; /* NULL: the body is the answer */
	void *take_arg;
	int problem; /* the enum problem that it is; -1: none */
	unsigned vary; /* VARY_…, told by reply_vary() */
	unsigned methods; /* of the route, in the answer to OPTIONS; else 0 */
};

void reply_init(struct reply *r);
void reply_fini(struct reply *r);
void reply_clear(struct reply *r); /* empties both buffers: a handler that met an error starts afresh */

/* Adds a header. A value with CR, LF, NUL or other control characters is dropped whole, never sent. */
void reply_header(struct reply *r, const char *name, struct text value);

/* Writes `vary` as one header: once, when nothing can be added to it any more. */
void reply_vary(struct reply *r);

/* "OK" for 200; never NULL: some servers want a reason phrase. */
const char *reply_reason(int status);

/* True if the body is to be sent: not after HEAD, not with 204 and 304. */
bool reply_has_body(const struct reply *r, enum method method);

/*
 * Writes what comes before the body, as CGI wants it: "Status: 200 OK", Content-Type, Content-Length, what reply_header() added, and the
 * empty line. A reply whose buffers failed is made an internal_error first.
 */
void reply_write_head(struct reply *r, struct buf *out);

enum problem {
	PROBLEM_INVALID_PARAMETER,
	PROBLEM_UNKNOWN_PARAMETER,
	PROBLEM_CONFLICTING_PARAMETERS,
	PROBLEM_INVALID_CURSOR,
	PROBLEM_INVALID_TIME,
	PROBLEM_INVALID_SYMBOL,
	PROBLEM_LIMIT_OUT_OF_RANGE,
	PROBLEM_MALFORMED_REQUEST,
	PROBLEM_UNAUTHORIZED,
	PROBLEM_FORBIDDEN,
	PROBLEM_ROUTE_NOT_FOUND,
	PROBLEM_SYMBOL_NOT_FOUND,
	PROBLEM_EVENT_NOT_FOUND,
	PROBLEM_METHOD_NOT_ALLOWED,
	PROBLEM_NOT_ACCEPTABLE,
	PROBLEM_CURSOR_EXPIRED,
	PROBLEM_EVENT_EXPIRED,
	PROBLEM_BODY_TOO_LARGE,
	PROBLEM_URI_TOO_LONG,
	PROBLEM_UNSUPPORTED_MEDIA_TYPE,
	PROBLEM_RATE_LIMITED,
	PROBLEM_INTERNAL_ERROR,
	PROBLEM_STORAGE_UNAVAILABLE,
	PROBLEM_STARTING,
	PROBLEM_SHUTTING_DOWN,
	PROBLEM_STREAM_LIMIT,
	PROBLEM_REDIS_UNAVAILABLE,
	PROBLEM_UNKNOWN_OUTCOME,
	PROBLEM__MAX
};

struct problem_info {
	const char *code; /* "invalid_parameter" */
	int status;
	const char *title;
	const char *help; /* when it comes, for the manual and OpenAPI */
};
extern const struct problem_info problems[PROBLEM__MAX];

/* Makes `r` that problem: {"type","title","status","code","detail","errors":[{"parameter","code","detail"}…]}. `faults` may be NULL. */
void reply_problem(struct reply *r, enum problem p, const char *detail, const struct faults *faults);
/* The same, with when to come back. */
void reply_problem_later(struct reply *r, enum problem p, int64_t retry_s);
/* The same with `errors`, JSON objects with a comma between, as they are. */
void reply_problem_listing(struct reply *r, enum problem p, const char *detail, struct text errors);
void reply_faults(struct reply *r, const struct faults *faults); /* 400 with the gravest fault's code */

#endif

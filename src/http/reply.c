/*
 * reply - see reply.h.  Walk 2, last step: from api/, to http/fcgi.c or http/cgi.c, which send it.
 */
#include "http/reply.h"

#include <assert.h>
#include <stdio.h>

#define RETRY_S 2
#define HEAD_MAX 16384

/* clang-format off */
const struct problem_info problems[PROBLEM__MAX] = {
	/*                                   code                      status  title                                     when */
	[PROBLEM_INVALID_PARAMETER]      = { "invalid_parameter",      400, "A parameter is invalid",                 "A query parameter has a value that it cannot have, or is given twice." },
	[PROBLEM_UNKNOWN_PARAMETER]      = { "unknown_parameter",      400, "A parameter is unknown",                 "A query parameter is unknown, or this route does not take it." },
	[PROBLEM_CONFLICTING_PARAMETERS] = { "conflicting_parameters", 400, "Parameters contradict each other",       "Query parameters are fine each but not together." },
	[PROBLEM_INVALID_CURSOR]         = { "invalid_cursor",         400, "A cursor is malformed",                  "after, before or the id in the path is not an id." },
	[PROBLEM_INVALID_TIME]           = { "invalid_time",           400, "A time is malformed",                    "since, until or an age is in none of the forms that are read." },
	[PROBLEM_INVALID_SYMBOL]         = { "invalid_symbol",         400, "A symbol is malformed",                  "A symbol is empty, too long or has characters that no symbol has." },
	[PROBLEM_LIMIT_OUT_OF_RANGE]     = { "limit_out_of_range",     400, "The limit is out of range",              "limit is larger or smaller than allowed; it is never clamped." },
	[PROBLEM_MALFORMED_REQUEST]      = { "malformed_request",      400, "The request is malformed",               "The request as such cannot be understood, e.g. a header occurs twice." },
	[PROBLEM_UNAUTHORIZED]           = { "unauthorized",           401, "A token is needed",                      "The route needs a token and none was sent, or one that is not known." },
	[PROBLEM_FORBIDDEN]              = { "forbidden",              403, "Not allowed from here",                  "The client may not use this route from here or with this token, or writes are off." },
	[PROBLEM_ROUTE_NOT_FOUND]        = { "route_not_found",        404, "There is no such route",                 "The path is of no route; /v1 lists them all." },
	[PROBLEM_SYMBOL_NOT_FOUND]       = { "symbol_not_found",       404, "The symbol is not known",                "Nothing is kept about this symbol." },
	[PROBLEM_EVENT_NOT_FOUND]        = { "event_not_found",        404, "There is no such event",                 "No event has this id." },
	[PROBLEM_METHOD_NOT_ALLOWED]     = { "method_not_allowed",     405, "The method is not allowed",              "The route exists, but not for this method; Allow names those it has." },
	[PROBLEM_NOT_ACCEPTABLE]         = { "not_acceptable",         406, "No form of the answer is acceptable",    "Accept names none of the forms that this list can have." },
	[PROBLEM_CURSOR_EXPIRED]         = { "cursor_expired",         410, "The cursor is expired",                  "before is of another log, or on_gap=fail was given and the answer would have a reset." },
	[PROBLEM_EVENT_EXPIRED]          = { "event_expired",          410, "The event is no longer kept",            "The event is older than what is kept." },
	[PROBLEM_BODY_TOO_LARGE]         = { "body_too_large",         413, "The request's body is too large",        "A body may have 1 MiB." },
	[PROBLEM_URI_TOO_LONG]           = { "uri_too_long",           414, "The request's address is too long",      "A query string may have 8 KiB, a path 4 KiB." },
	[PROBLEM_UNSUPPORTED_MEDIA_TYPE] = { "unsupported_media_type", 415, "The body has another type than is taken", "A body is application/json or application/x-ndjson, in UTF-8; Accept-Post names them." },
	[PROBLEM_RATE_LIMITED]           = { "rate_limited",           429, "Too many from this address",             "This client's address asks oftener than access.rate allows, or has as many streams and waiting requests as live.max_per_address allows." },
	[PROBLEM_INTERNAL_ERROR]         = { "internal_error",         500, "Something went wrong in here",           "A fault of the service; its log says more." },
	[PROBLEM_STORAGE_UNAVAILABLE]    = { "storage_unavailable",    503, "The log cannot be read at the moment",   "The database is locked, damaged or not readable; try again." },
	[PROBLEM_STARTING]               = { "starting",               503, "There is no log yet",                    "The subscriber has not made its database yet; try again." },
	[PROBLEM_SHUTTING_DOWN]          = { "shutting_down",          503, "The service is shutting down",           "The service is being stopped or restarted; try again." },
	[PROBLEM_STREAM_LIMIT]           = { "stream_limit",           503, "There is no place for another stream",   "As many streams are open as live.max_streams allows; try again." },
	[PROBLEM_REDIS_UNAVAILABLE]      = { "redis_unavailable",      503, "Redis cannot be reached",                "What was asked for needs Redis, and it cannot be reached or refused; nothing was published." },
	[PROBLEM_UNKNOWN_OUTCOME]        = { "unknown_outcome",        503, "It is not known whether it was published", "Redis was told to publish, and its answer was lost: all of it may be out, or nothing." },
};
/* clang-format on */

/* The codes of faults are the first of the problems, in the same order. */
static_assert((int)PROBLEM_LIMIT_OUT_OF_RANGE == (int)FAULT_LIMIT_OUT_OF_RANGE, "faults and problems");

void
reply_init(struct reply *r)
{
	*r = (struct reply){ .status = 200, .problem = -1 };
	buf_init(&r->head, HEAD_MAX);
	buf_init(&r->body, REPLY_BODY_MAX);
}

void
reply_fini(struct reply *r)
{
	reply_clear(r);
	buf_fini(&r->head);
	buf_fini(&r->body);
}

void
reply_clear(struct reply *r)
{
	reply_take_fn take = r->take;

	r->take = NULL;
	if (take != NULL)
		take(r->take_arg, -1, 0, TEXT(""));
	r->status = 200;
	r->problem = -1;
	r->content_type = NULL;
	r->open_ended = false;
	r->vary = r->methods = 0;
	buf_clear(&r->head);
	buf_shrink(&r->body, 1u << 20);
}

static bool
header_value_ok(struct text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (((unsigned char)t.p[i] < 0x20 && t.p[i] != '\t') || t.p[i] == 0x7f)
			return false;
	return true;
}

/* lighttpd hands a bare CR on to the client as it is: no value with one may ever leave. */
void
reply_header(struct reply *r, const char *name, struct text value)
{
	if (!header_value_ok(value))
		return;
	buf_add_str(&r->head, name);
	buf_add_str(&r->head, ": ");
	buf_add_text(&r->head, value);
	buf_add_str(&r->head, "\r\n");
}

void
reply_vary(struct reply *r)
{
	/* Put together beforehand: it is every answer. */
	static const char *const lists[] = {
		[VARY_ACCEPT] = "Accept",
		[VARY_ORIGIN] = "Origin",
		[VARY_ACCEPT | VARY_ORIGIN] = "Accept, Origin",
		[VARY_AUTHORIZATION] = "Authorization",
		[VARY_ACCEPT | VARY_AUTHORIZATION] = "Accept, Authorization",
		[VARY_ORIGIN | VARY_AUTHORIZATION] = "Origin, Authorization",
		[VARY_ACCEPT | VARY_ORIGIN | VARY_AUTHORIZATION] = "Accept, Origin, Authorization",
	};

	if (r->vary != 0)
		reply_header(r, "Vary", text_of(lists[r->vary]));
}

const char *
reply_reason(int status)
{
	/* clang-format off */
	static const struct { int status; const char *reason; } reasons[] = {
		{ 200, "OK" }, { 202, "Accepted" }, { 204, "No Content" }, { 304, "Not Modified" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 406, "Not Acceptable" }, { 410, "Gone" }, { 413, "Content Too Large" },
		{ 414, "URI Too Long" }, { 415, "Unsupported Media Type" }, { 429, "Too Many Requests" },
		{ 500, "Internal Server Error" }, { 503, "Service Unavailable" },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static bool
status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

bool
reply_has_body(const struct reply *r, enum method method)
{
	return method != METHOD_HEAD && status_has_body(r->status);
}

void
reply_write_head(struct reply *r, struct buf *out)
{
	if (r->head.failed || r->body.failed)
		reply_problem(r, PROBLEM_INTERNAL_ERROR, "the answer is too large or memory is short", NULL);
	/* Without printf: it is every answer. */
	buf_add_str(out, "Status: ");
	buf_add_int(out, r->status);
	buf_add_char(out, ' ');
	buf_add_str(out, reply_reason(r->status));
	if (status_has_body(r->status) && r->content_type != NULL) {
		buf_add_str(out, "\r\nContent-Type: ");
		buf_add_str(out, r->content_type);
	}
	if (status_has_body(r->status) && !r->open_ended) {
		buf_add_str(out, "\r\nContent-Length: ");
		buf_add_int(out, (int64_t)r->body.len);
	}
	buf_add_str(out, "\r\n");
	buf_add_str(out, "X-Content-Type-Options: nosniff\r\n");
	buf_add_text(out, buf_text(&r->head));
	buf_add_str(out, "\r\n");
}

static void
write_errors(struct buf *b, const struct faults *faults)
{
	buf_add_str(b, ",\"errors\":[");
	for (const struct fault *f = faults->first; f != NULL; f = f->next) {
		if (f != faults->first)
			buf_add_char(b, ',');
		buf_add_str(b, "{\"parameter\":");
		buf_add_json(b, f->param);
		buf_printf(b, ",\"code\":\"%s\",\"detail\":", problems[f->code].code);
		buf_add_json(b, f->detail);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

static void
retry_after(struct reply *r, int64_t seconds)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)seconds);
	reply_header(r, "Retry-After", text_of(text));
}

static void
begin_problem(struct reply *r, enum problem p, const char *detail, int64_t retry_s)
{
	const struct problem_info *info = &problems[p];
	struct buf *b = &r->body;

	reply_clear(r);
	r->status = info->status;
	r->problem = (int)p;
	r->content_type = "application/problem+json";
	reply_header(r, "Cache-Control", TEXT("no-store"));
	/* Whoever sends again what may be out already should have thought about it. */
	if ((info->status == 503 || info->status == 429) && p != PROBLEM_UNKNOWN_OUTCOME)
		retry_after(r, retry_s);
	buf_printf(b,
	    "{\"type\":\"urn:tickgate:problem:%s\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"detail\":",
	    info->code, info->title, info->status, info->code);
	buf_add_json(b, detail == NULL ? text_of(info->help) : text_of(detail));
}

void
reply_problem(struct reply *r, enum problem p, const char *detail, const struct faults *faults)
{
	begin_problem(r, p, detail, RETRY_S);
	if (faults != NULL && faults->first != NULL)
		write_errors(&r->body, faults);
	buf_add_str(&r->body, "}\n");
}

void
reply_problem_later(struct reply *r, enum problem p, int64_t retry_s)
{
	begin_problem(r, p, NULL, retry_s);
	buf_add_str(&r->body, "}\n");
}

void
reply_problem_listing(struct reply *r, enum problem p, const char *detail, struct text errors)
{
	begin_problem(r, p, detail, RETRY_S);
	buf_add_str(&r->body, ",\"errors\":[");
	buf_add_text(&r->body, errors);
	buf_add_str(&r->body, "]}\n");
}

/* Faults of one kind give their own code; a mixture gives that of the most general kind, which stands first in the table. */
void
reply_faults(struct reply *r, const struct faults *faults)
{
	enum fault_code code = FAULT_LIMIT_OUT_OF_RANGE;
	struct buf detail;

	buf_init(&detail, 4096);
	for (const struct fault *f = faults->first; f != NULL; f = f->next)
		if (f->code < code)
			code = f->code;
	if (faults->n == 1 && faults->first != NULL)
		buf_printf(&detail, "%.*s: %.*s", TEXT_ARG(faults->first->param), TEXT_ARG(faults->first->detail));
	else
		buf_printf(&detail, "%u parameters are at fault; errors tells which and why", faults->n);
	reply_problem(r, (enum problem)code, buf_cstr(&detail), faults);
	buf_fini(&detail);
}

/*
 * request - see request.h.  Walk 2, step 2: from http/fcgi_thread.c, http/fcgi_lib.c or http/cgi.c, on to http/route.c.
 *
 * Only what is used is taken over from the CGI variables, and it is copied: the source may be gone before the request is.
 */
#include "http/request.h"

#include <string.h>

#define HEADER_MAX 8192

static enum method
method_of(const char *name)
{
	static const struct {
		const char *name;
		enum method method;
	} methods[] = { { "GET", METHOD_GET }, { "HEAD", METHOD_HEAD }, { "OPTIONS", METHOD_OPTIONS },
		{ "POST", METHOD_POST } };

	for (size_t i = 0; name != NULL && i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(name, methods[i].name) == 0)
			return methods[i].method;
	return METHOD_OTHER;
}

void
method_names(struct buf *out, unsigned methods)
{
	if (methods & METHOD_GET)
		buf_add_str(out, "GET, HEAD, ");
	if (methods & METHOD_POST)
		buf_add_str(out, "POST, ");
	buf_add_str(out, "OPTIONS");
}

static bool
has_control(struct text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (((unsigned char)t.p[i] < 0x20 && t.p[i] != '\t') || t.p[i] == 0x7f)
			return true;
	return false;
}

/* What proxies add, each in its own words; whether it is true does not matter here. */
static bool
is_forwarded(request_var_fn var, void *arg)
{
	static const char *const names[] = { "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (var(arg, names[i], 0) != NULL)
			return true;
	return false;
}

/* A header that can be trusted to be the only one of its name, or an empty one and a request that is malformed. */
static int
take_header(struct request *r, request_var_fn var, void *arg, const char *name, struct text *out)
{
	struct text value = text_of(var(arg, name, 0));

	*out = TEXT_NONE;
	if (value.p == NULL)
		return 0;
	if (var(arg, name, 1) != NULL) {
		r->malformed = "a header was sent twice";
		return 0;
	}
	if (value.n > HEADER_MAX || has_control(value)) {
		r->malformed = "a header is too long or holds control characters";
		return 0;
	}
	*out = pool_text(&r->pool, value);
	return out->p == NULL ? -1 : 0;
}

static int
take_headers(struct request *r, request_var_fn var, void *arg)
{
	const struct {
		const char *name;
		struct text *to;
	} headers[] = {
		{ "HTTP_ACCEPT", &r->accept },
		{ "HTTP_IF_NONE_MATCH", &r->if_none_match },
		{ "HTTP_LAST_EVENT_ID", &r->last_event_id },
		{ "HTTP_PREFER", &r->prefer },
		{ "HTTP_ORIGIN", &r->origin },
		{ "HTTP_AUTHORIZATION", &r->authorization },
		{ "CONTENT_TYPE", &r->content_type },
		{ "HTTP_CONTENT_ENCODING", &r->content_encoding },
	};
	struct text length, asked;

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (take_header(r, var, arg, headers[i].name, headers[i].to) != 0)
			return -1;
	if (take_header(r, var, arg, "CONTENT_LENGTH", &length) != 0)
		return -1;
	r->forwarded = is_forwarded(var, arg);
	/* Most installations do not use it, and proxies do send it twice. */
	r->forwarded_twice = var(arg, "HTTP_X_FORWARDED_FOR", 1) != NULL;
	if (!r->forwarded_twice && take_header(r, var, arg, "HTTP_X_FORWARDED_FOR", &r->forwarded_for) != 0)
		return -1;
	if (take_header(r, var, arg, "HTTP_ACCESS_CONTROL_REQUEST_METHOD", &asked) != 0)
		return -1;
	r->preflight = r->method == METHOD_OPTIONS && asked.n > 0;
	r->content_length = -1;
	/* nginx sends an empty one for a GET. */
	if (length.n > 0 && (text_int64(length, &r->content_length) != 0 || r->content_length < 0)) {
		r->content_length = -1;
		r->malformed = "Content-Length is not a number";
	}
	if (r->content_length > REQUEST_BODY_MAX)
		r->body_too_large = true;
	return 0;
}

/* Takes the mount point off; a path that is not below it stays whole and will be a 404 ("/apix" with "/api"). */
static struct text
below(struct text path, struct text base)
{
	if (base.n == 0 || !text_starts(path, base))
		return path;
	if (path.n == base.n)
		return TEXT("/");
	return path.p[base.n] == '/' ? text_cut(path, base.n, path.n) : path;
}

/*
 * SCRIPT_NAME + PATH_INFO is the one sum that is right behind every server and both ways to mount; REQUEST_URI is raw and
 * not to be routed on.
 */
static int
take_path(struct request *r, request_var_fn var, void *arg, const char *base_path)
{
	struct text script = text_of(var(arg, "SCRIPT_NAME", 0)), info = text_of(var(arg, "PATH_INFO", 0));
	/* Only the web server's configuration can set it, so one gateway can be mounted at several points: no header gets such a name. */
	const char *mounted = var(arg, "TICKGATE_GATEWAY_BASE_PATH", 0);
	struct text base = text_of(mounted != NULL ? mounted : base_path);
	char *whole;

	while (base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	r->base_path = pool_text(&r->pool, base);
	if (r->base_path.p == NULL)
		return -1;
	r->path = TEXT("/");
	if (script.n > REQUEST_PATH_MAX || info.n > REQUEST_PATH_MAX - script.n) {
		r->uri_too_long = true;
		return 0;
	}
	whole = pool_alloc(&r->pool, script.n + info.n + 1);
	if (whole == NULL)
		return -1;
	if (script.n > 0)
		memcpy(whole, script.p, script.n);
	if (info.n > 0)
		memcpy(whole + script.n, info.p, info.n);
	if (script.n + info.n == 0)
		return 0;
	r->path = below((struct text){ whole, script.n + info.n }, r->base_path);
	if (r->path.p[0] != '/' || !text_printable(r->path, 1, REQUEST_PATH_MAX)) {
		r->path = TEXT("/");
		r->malformed = "the path does not begin with / or is not printable UTF-8";
	}
	return 0;
}

int
request_init(struct request *r, request_var_fn var, void *arg, const char *base_path, struct err *e)
{
	struct text query = text_of(var(arg, "QUERY_STRING", 0));

	*r = (struct request){ .method = method_of(var(arg, "REQUEST_METHOD", 0)), .content_length = -1 };
	pool_init(&r->pool, REQUEST_POOL_MAX);
	if (query.n > REQUEST_QUERY_MAX) {
		r->uri_too_long = true;
		query.n = 0;
	}
	r->query = pool_text(&r->pool, query);
	r->remote_addr = pool_text(&r->pool, text_of(var(arg, "REMOTE_ADDR", 0)));
	r->body = TEXT("");
	if (r->query.p == NULL || r->remote_addr.p == NULL || take_path(r, var, arg, base_path) != 0 ||
	    take_headers(r, var, arg) != 0) {
		err_set(e, ERR_MEMORY, "no memory for a request");
		pool_fini(&r->pool);
		return -1;
	}
	return 0;
}

void
request_fini(struct request *r)
{
	pool_fini(&r->pool);
}

static void
set_body(struct request *r, struct text body)
{
	if (r->body_too_large)
		return;
	if (r->content_length >= 0 && (size_t)r->content_length != body.n && r->malformed == NULL)
		r->malformed = "the body is not as long as Content-Length says";
	r->body = body;
}

void
request_no_body(struct request *r)
{
	set_body(r, TEXT(""));
}

/* The bytes are counted, never allocated by Content-Length, which is only a claim. */
int
request_read_body(struct request *r, request_read_fn read, void *arg, struct err *e)
{
	char chunk[8192];
	char *body = NULL;
	size_t len = 0, cap = 0;
	ssize_t n;

	while (len < REQUEST_DRAIN_MAX && (n = read(arg, chunk, sizeof(chunk))) != 0) {
		if (n < 0) {
			err_set(e, ERR_INPUT, "the client went away while it sent a body");
			return -1;
		}
		if (len + (size_t)n > REQUEST_BODY_MAX)
			r->body_too_large = true;
		if (!r->body_too_large && len + (size_t)n > cap) {
			char *more;

			cap = cap == 0 ? sizeof(chunk) : cap * 2;
			more = pool_alloc(&r->pool, cap);
			if (more == NULL) {
				err_set(e, ERR_MEMORY, "no memory for a request's body");
				return -1;
			}
			if (len > 0)
				memcpy(more, body, len);
			body = more;
		}
		if (!r->body_too_large)
			memcpy(body + len, chunk, (size_t)n);
		len += (size_t)n;
	}
	set_body(r, len == 0 ? TEXT("") : (struct text){ body, len });
	return 0;
}

/* ---- parked requests ---- */

#define PACKED 5

static void
packed_parts(struct request *r, struct text *parts[PACKED])
{
	parts[0] = &r->path;
	parts[1] = &r->query;
	parts[2] = &r->base_path;
	parts[3] = &r->accept;
	parts[4] = &r->origin;
}

/* Where the client stood, and what only keeps caches away, says nothing about the answer. */
static bool
is_left_out(struct text pair)
{
	struct text name;

	return !text_split(&pair, '=', &name) || text_eq(name, TEXT("after")) || text_eq(name, TEXT("_"));
}

static void
add_query(struct buf *out, struct text query)
{
	struct text pair;
	bool first = true;

	while (text_split(&query, '&', &pair)) {
		if (pair.n == 0 || is_left_out(pair))
			continue;
		if (!first)
			buf_add_char(out, '&');
		first = false;
		buf_add_text(out, pair);
	}
}

void
request_pack(struct buf *out, const struct request *r)
{
	struct request copy = *r;
	struct text *parts[PACKED];
	struct buf query;

	buf_init(&query, 0);
	add_query(&query, r->query);
	copy.query = buf_text(&query);
	packed_parts(&copy, parts);
	for (size_t i = 0; i < PACKED; i++) {
		/* Absent and empty are not the same. */
		uint32_t n = parts[i]->p == NULL ? UINT32_MAX : (uint32_t)parts[i]->n;

		if (i == 1 && parts[i]->p == NULL)
			n = 0;
		buf_add(out, &n, sizeof(n));
		buf_add_text(out, *parts[i]);
	}
	out->failed |= query.failed;
	buf_fini(&query);
}

int
request_unpack(struct request *r, struct text packed)
{
	struct text *parts[PACKED];

	*r = (struct request){ .method = METHOD_GET, .content_length = -1, .body = TEXT(""), .token_in_query = true };
	packed_parts(r, parts);
	for (size_t i = 0; i < PACKED; i++) {
		uint32_t n;

		if (packed.n < sizeof(n))
			return -1;
		memcpy(&n, packed.p, sizeof(n));
		packed = text_cut(packed, sizeof(n), packed.n);
		if (n == UINT32_MAX)
			continue;
		if (n > packed.n)
			return -1;
		*parts[i] = text_cut(packed, 0, n);
		packed = text_cut(packed, n, packed.n);
	}
	r->remote_addr = TEXT("");
	pool_init(&r->pool, REQUEST_POOL_MAX);
	return 0;
}

/*
 * route - see route.h.  Walk 2, step 3: from http/request.c, on to http/params.c and the handler in api/.
 */
#include "http/route.h"

#include <stdio.h>
#include <string.h>

#include "http/param_values.h"
#include "http/pretty.h"

#define ROUTES_MAX 64 /* for the hint in a 404 only */

/* A pattern is "/v1/symbols/{symbol}/patterns": what is before the variable, its name in braces, what is after it; or it has none. */
bool
route_matches(const struct route *r, struct text path, struct text *symbol, struct text *id)
{
	const char *name, *after;
	struct text value;
	size_t same = 0, n_after;

	*symbol = *id = TEXT_NONE;
	/* Nearly every row differs within its first few characters. */
	while (r->pattern[same] != '\0' && r->pattern[same] != '{') {
		if (same == path.n || path.p[same] != r->pattern[same])
			return false;
		same++;
	}
	if (r->pattern[same] == '\0')
		return same == path.n;
	name = r->pattern + same + 1;
	after = strchr(name, '}') + 1;
	n_after = strlen(after);
	if (path.n <= same + n_after || memcmp(path.p + path.n - n_after, after, n_after) != 0)
		return false;
	value = text_cut(path, same, path.n - n_after);
	if (strncmp(name, "symbol}", 7) == 0) {
		*symbol = value;
		return true;
	}
	*id = value;
	return memchr(value.p, '/', value.n) == NULL;
}

/* Of several rows that match, the one with the most fixed text: ".../X/patterns" is the collection of X, not a symbol "X/patterns". */
static const struct route *
find_route(const struct route *routes, size_t n, struct text path, struct text *symbol, struct text *id)
{
	const struct route *best = NULL;
	size_t best_fixed = 0;

	for (size_t i = 0; i < n; i++) {
		struct text s, d;
		size_t fixed;

		if (!route_matches(&routes[i], path, &s, &d))
			continue;
		fixed = s.p == NULL && d.p == NULL ? path.n + 1 : path.n - s.n - d.n;
		if (best != NULL && fixed <= best_fixed)
			continue;
		best = &routes[i];
		best_fixed = fixed;
		*symbol = s;
		*id = d;
	}
	return best;
}

/* ".csv" belongs to the fixed last word of a list's path, never to a symbol: ".../A.csv" is the symbol A.CSV, ".../A/patterns.csv" is not. */
static const struct route *
find_list(const struct route *routes, size_t n, struct text path, struct exchange *x)
{
	struct text stem, symbol, id;
	const struct route *r;
	enum format format;

	if (!format_of_suffix(path, &stem, &format))
		return NULL;
	r = find_route(routes, n, stem, &symbol, &id);
	if (r == NULL || (r->policy & ROUTE_FORMATS) == 0)
		return NULL;
	x->symbol = symbol;
	x->format = format;
	x->format_by_path = true;
	return r;
}

static void
reply_not_found(const struct route *routes, size_t n, struct text path, struct reply *reply)
{
	const char *names[ROUTES_MAX], *nearest;
	size_t n_names = 0;
	char detail[256];

	for (size_t i = 0; i < n && n_names < ROUTES_MAX; i++)
		if (strchr(routes[i].pattern, '{') == NULL)
			names[n_names++] = routes[i].pattern;
	nearest = text_nearest(path, names, n_names);
	if (nearest != NULL)
		snprintf(detail, sizeof(detail), "there is no such route; did you mean %s?", nearest);
	else
		snprintf(detail, sizeof(detail), "there is no such route; /v1 lists them all");
	reply_problem(reply, PROBLEM_ROUTE_NOT_FOUND, detail, NULL);
}

static void
reply_allow(struct reply *reply, unsigned methods)
{
	struct buf allow = { .max = 128 };

	method_names(&allow, methods);
	reply_header(reply, "Allow", buf_text(&allow));
	buf_fini(&allow);
}

/* One path may have a row for reading and one for writing: that of the method, or `r` when none has it. */
static const struct route *
for_method(const struct route *routes, size_t n, const struct route *r, enum method method)
{
	for (size_t i = 0; i < n && (r->methods & method) == 0; i++)
		if ((routes[i].methods & method) != 0 && strcmp(routes[i].pattern, r->pattern) == 0)
			return &routes[i];
	return r;
}

static unsigned
methods_of(const struct route *routes, size_t n, const struct route *r)
{
	unsigned methods = r->methods;

	for (size_t i = 0; i < n; i++)
		if (strcmp(routes[i].pattern, r->pattern) == 0)
			methods |= routes[i].methods;
	return methods;
}

/* True: the method has been answered here. `methods`: all that the path has. */
static bool
answer_method(const struct route *route, unsigned methods, enum method method, struct reply *reply)
{
	unsigned wanted = method == METHOD_HEAD ? METHOD_GET : method;

	if (method == METHOD_OPTIONS) {
		reply_clear(reply);
		reply->status = 204;
		reply->methods = methods;
		reply_header(reply, "Cache-Control", TEXT("no-store"));
		reply_allow(reply, methods);
		return true;
	}
	if ((route->methods & wanted) != 0)
		return false;
	reply_problem(reply, PROBLEM_METHOD_NOT_ALLOWED, NULL, NULL);
	reply_allow(reply, methods);
	return true;
}

/* Upper-cases {symbol}; -1 only when memory is out. */
static int
take_symbol(struct exchange *x, struct pool *pool)
{
	struct text copy;
	char *p;

	if (x->symbol.p == NULL)
		return 0;
	if (!param_symbol_ok(x->symbol)) {
		fault_add(&x->faults, FAULT_INVALID_SYMBOL, TEXT("symbol"),
		    "the symbol in the path has 1 to 32 characters of A-Z a-z 0-9 . _ : ^ = / -");
		return 0;
	}
	copy = pool_text(pool, x->symbol);
	if (copy.p == NULL)
		return -1;
	p = (char *)copy.p;
	for (size_t i = 0; i < copy.n; i++)
		if (p[i] >= 'a' && p[i] <= 'z')
			p[i] = (char)(p[i] - 'a' + 'A');
	x->symbol = copy;
	return 0;
}

/* True: the request as such is refused, whatever its route. */
static bool
refuse_request(const struct request *request, struct reply *reply)
{
	if (request->malformed != NULL)
		reply_problem(reply, PROBLEM_MALFORMED_REQUEST, request->malformed, NULL);
	else if (request->uri_too_long || request->query.n > REQUEST_QUERY_MAX)
		reply_problem(reply, PROBLEM_URI_TOO_LONG, NULL, NULL);
	else
		return false;
	return true;
}

/* -1: Accept takes none of what there is. */
static int
choose_format(struct exchange *x)
{
	const struct param_value *asked = &x->params.v[Q_FORMAT];

	if ((x->route->policy & ROUTE_FORMATS) == 0)
		return 0;
	if (asked->given && x->format_by_path && asked->n >= 0 && (int64_t)x->format != asked->n)
		fault_add(&x->faults, FAULT_CONFLICTING_PARAMETERS, TEXT("format"), "is not what the path ends with");
	else if (asked->given && asked->n >= 0)
		x->format = (enum format)asked->n;
	if (asked->given || x->format_by_path)
		return 0;
	x->format_by_accept = true;
	return format_of_accept(x->request->accept, &x->format);
}

/* The table of parameters knows the most that any form may have; which form it is, is known only now. */
static void
check_limit(struct exchange *x)
{
	const struct param_value *limit = &x->params.v[Q_LIMIT];

	if (limit->n > formats[x->format].limit_max && limit->n <= params[Q_LIMIT].max)
		fault_add(&x->faults, FAULT_LIMIT_OUT_OF_RANGE, TEXT("limit"), PARAM_LIMIT_RANGE);
}

static void
indent(struct reply *reply)
{
	struct buf out;

	if (reply->content_type == NULL || !text_ends(text_of(reply->content_type), TEXT("json")))
		return;
	buf_init(&out, REPLY_BODY_MAX);
	pretty_json(&out, buf_text(&reply->body));
	/* Many times as long if it is nested deeply: better not indented than not answered. */
	if (out.failed) {
		buf_fini(&out);
		return;
	}
	buf_fini(&reply->body);
	reply->body = out;
}

/* Everything about the parameters is known: the handler, or why not. */
static void
answer(void *app, struct exchange *x, struct reply *reply)
{
	int chosen = choose_format(x);

	check_limit(x);
	if (x->faults.n > 0)
		reply_faults(reply, &x->faults);
	else if (chosen != 0)
		reply_problem(reply, PROBLEM_NOT_ACCEPTABLE,
		    "Accept takes none of application/json, application/x-ndjson and text/csv", NULL);
	else
		x->route->handle(app, x, reply);
	if (x->format_by_accept)
		reply->vary |= VARY_ACCEPT;
	if (x->params.v[Q_PRETTY].n == 1 && !reply->body.failed)
		indent(reply);
}

void
route_dispatch(const struct route *routes, size_t n_routes, void *app, route_admit_fn admit, struct request *request,
    int64_t now_us, struct reply *reply)
{
	struct exchange x = { .request = request, .now_us = now_us };
	uint64_t allowed;

	if (refuse_request(request, reply))
		return;
	x.route = find_list(routes, n_routes, request->path, &x);
	if (x.route == NULL)
		x.route = find_route(routes, n_routes, request->path, &x.symbol, &x.id);
	if (x.route != NULL)
		x.route = for_method(routes, n_routes, x.route, request->method);
	if (!admit(app, x.route, request, reply))
		return;
	if (x.route == NULL) {
		reply_not_found(routes, n_routes, request->path, reply);
		return;
	}
	if (answer_method(x.route, methods_of(routes, n_routes, x.route), request->method, reply))
		return;
	if (request->body_too_large) {
		reply_problem(reply, PROBLEM_BODY_TOO_LARGE, NULL, NULL);
		return;
	}
	allowed = x.route->params | (request->token_in_query ? PARAM_BIT(Q_TOKEN) : 0);
	faults_init(&x.faults, &request->pool);
	if (take_symbol(&x, &request->pool) != 0 ||
	    params_parse(&x.params, request->query, allowed, now_us, &request->pool, &x.faults) != 0)
		reply_problem(
		    reply, PROBLEM_INTERNAL_ERROR, "the request needs more memory than a request may have", NULL);
	else
		answer(app, &x, reply);
	if (reply->head.failed || reply->body.failed)
		reply_problem(reply, PROBLEM_INTERNAL_ERROR, "the answer is too large or memory is short", NULL);
}

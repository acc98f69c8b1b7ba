/*
 * request - CGI variables (NAME=VALUE, each ended by NUL) and behind an empty one the body, through request, route and parameters to
 * handlers that only judge what they get.  What http/request.h, http/route.h, http/params.h and http/reply.h promise.
 */
#include <string.h>

#include "api/api.h"
#include "api/query.h"
#include "api/tag.h"
#include "fuzz.h"

#define NOW_US (INT64_C(1795417300) * 1000000)
#define VARS_MAX 64
#define ROUTES_MAX 64

struct source {
	char *vars[VARS_MAX]; /* owned; each in memory of its own */
	size_t n;
	struct text body;
};

static const char *
var(void *arg, const char *name, unsigned nth)
{
	const struct source *s = arg;
	size_t n = strlen(name);

	for (size_t i = 0; i < s->n; i++)
		if (strncmp(s->vars[i], name, n) == 0 && s->vars[i][n] == '=' && nth-- == 0)
			return s->vars[i] + n + 1;
	return NULL;
}

static ssize_t
read_body(void *arg, char *p, size_t n)
{
	struct source *s = arg;

	if (n > s->body.n)
		n = s->body.n;
	memcpy(p, s->body.p, n);
	s->body = text_cut(s->body, n, s->body.n);
	return (ssize_t)n;
}

static void
check_items(const struct param_value *v)
{
	for (size_t i = 0; i < v->n_items; i++)
		PROMISE(v->items[i].p != NULL);
}

static void
judge(void *app, struct exchange *x, struct reply *reply)
{
	int *handled = app;
	struct query q;
	struct buf question = { .max = 0 };

	(*handled)++;
	PROMISE(x->faults.n == 0);
	PROMISE(x->symbol.p == NULL || (x->symbol.n > 0 && x->symbol.n <= SYMBOL_MAX));
	for (int i = 0; i < Q__MAX; i++) {
		const struct param_value *v = &x->params.v[i];

		check_items(v);
		PROMISE(!v->given || params[i].type != P_INT || (v->n >= params[i].min && v->n <= params[i].max));
		PROMISE(!v->given || (x->route->params & PARAM_BIT(i)) != 0);
	}
	query_filter(&q, x, (unsigned)x->route->arg);
	if (x->faults.n > 0) {
		reply_faults(reply, &x->faults);
		return;
	}
	tag_question(&question, &q, x);
	PROMISE(!question.failed);
	buf_fini(&question);
	reply->content_type = "application/json";
	reply_header(reply, "X-Path", x->request->path);
	reply_header(reply, "X-Query", x->request->query);
	buf_add_str(&reply->body, "{}");
}

static bool
admit(void *app, const struct route *route, struct request *request, struct reply *reply)
{
	(void)app, (void)route, (void)request, (void)reply;
	return true;
}

/* Lines that a web server takes for nothing but headers. */
static void
check_head(const struct reply *reply, struct text head)
{
	struct text line;

	PROMISE(reply->status >= 200 && reply->status <= 599);
	PROMISE(text_starts(head, TEXT("Status: ")) && text_ends(head, TEXT("\r\n\r\n")));
	head = text_cut(head, 0, head.n - 2);
	while (head.n > 0) {
		const char *end = memchr(head.p, '\r', head.n);

		PROMISE(end != NULL && (size_t)(end - head.p) + 1 < head.n && end[1] == '\n');
		line = text_cut(head, 0, (size_t)(end - head.p));
		PROMISE(line.n > 2 && memchr(line.p, ':', line.n) != NULL);
		for (size_t i = 0; i < line.n; i++)
			PROMISE((unsigned char)line.p[i] >= 0x20 && line.p[i] != 0x7f);
		head = text_cut(head, line.n + 2, head.n);
	}
}

/* What a parked request remembers is what it asked. */
static void
check_packing(const struct request *r)
{
	struct buf packed = { .max = 0 };
	struct request again;

	request_pack(&packed, r);
	PROMISE(!packed.failed);
	PROMISE(request_unpack(&again, buf_text(&packed)) == 0);
	PROMISE(text_eq(again.path, r->path) && text_eq(again.accept, r->accept));
	PROMISE(again.query.n <= r->query.n);
	request_fini(&again);
	buf_fini(&packed);
}

static void
answer(struct request *request)
{
	struct route routes[ROUTES_MAX];
	struct buf head = { .max = 0 };
	struct reply reply;
	int handled = 0;

	PROMISE(api_n_routes <= ROUTES_MAX);
	memcpy(routes, api_routes, api_n_routes * sizeof(*routes));
	for (size_t i = 0; i < api_n_routes; i++)
		routes[i].handle = judge;
	reply_init(&reply);
	route_dispatch(routes, api_n_routes, &handled, admit, request, NOW_US, &reply);
	PROMISE(handled <= 1);
	reply_write_head(&reply, &head);
	PROMISE(!head.failed);
	check_head(&reply, buf_text(&head));
	reply_fini(&reply);
	buf_fini(&head);
}

static void
take_vars(struct source *s, const uint8_t *data, size_t size)
{
	struct text rest = { (const char *)data, size }, one;

	*s = (struct source){ .body = TEXT("") };
	while (s->n < VARS_MAX && text_split(&rest, '\0', &one)) {
		if (one.n == 0)
			break;
		s->vars[s->n++] = fuzz_string(one);
	}
	if (rest.p != NULL)
		s->body = rest;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request;
	struct source s;

	take_vars(&s, data, size);
	if (request_init(&request, var, &s, "/tickgate", NULL) == 0) {
		PROMISE(request.path.n > 0 && request.path.p[0] == '/');
		check_packing(&request);
		if (request_read_body(&request, read_body, &s, NULL) == 0)
			answer(&request);
		request_fini(&request);
	}
	while (s.n > 0)
		free(s.vars[--s.n]);
	return 0;
}

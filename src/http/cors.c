/* cors - see cors.h.  Walk 2, behind the handler: from api/api.c, on to reply_write_head(). */
#include "http/cors.h"

#include <stdio.h>

#include "conf/conf.h"

/* All that a request may bring along and all that an answer may carry, of what browsers do not allow anyway. */
#define REQUEST_HEADERS "Accept, Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer"
#define ANSWER_HEADERS \
	"Accept-Post, Allow, ETag, Link, Retry-After, Tickgate-Cursor, Tickgate-Has-More, Tickgate-Reset, " \
	"WWW-Authenticate"
#define SHOWN 60

/* scheme "://" host [":" port], lower case, and nothing behind it: what browsers send, so that comparing is enough. */
static bool
is_origin(struct text t)
{
	struct text rest = t, scheme;

	if (!text_split(&rest, ':', &scheme) || scheme.n == 0 || rest.p == NULL || !text_starts(rest, TEXT("//")) ||
	    rest.n == 2)
		return false;
	rest = text_cut(rest, 2, rest.n);
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] <= 0x20 || t.p[i] >= 0x7f || (t.p[i] >= 'A' && t.p[i] <= 'Z'))
			return false;
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] == '/' || rest.p[i] == '*' || rest.p[i] == '@')
			return false;
	return true;
}

int
cors_check(struct text origins, struct err *e)
{
	struct text word;

	while (conf_next_word(&origins, &word)) {
		if (text_eq(word, TEXT("*")) || is_origin(word))
			continue;
		err_set(e, ERR_CONFIG,
		    "cors.origins: \"%.*s\" is neither * nor an origin such as https://charts.example "
		    "(scheme, host and port in lower case, no path)",
		    TEXT_ARG(text_cut(word, 0, SHOWN)));
		return -1;
	}
	return 0;
}

static bool
has_origin(struct text origins, struct text origin)
{
	struct text word;

	while (conf_next_word(&origins, &word))
		if (text_eq(word, origin))
			return true;
	return false;
}

static void
answer_preflight(const struct cors *cors, struct reply *reply)
{
	struct buf methods = { .max = 128 };
	char seconds[24];

	method_names(&methods, reply->methods);
	reply_header(reply, "Access-Control-Allow-Methods", buf_text(&methods));
	buf_fini(&methods);
	reply_header(reply, "Access-Control-Allow-Headers", TEXT(REQUEST_HEADERS));
	snprintf(seconds, sizeof(seconds), "%lld", (long long)cors->max_age_s);
	reply_header(reply, "Access-Control-Max-Age", text_of(seconds));
}

void
cors_apply(const struct cors *cors, const struct request *request, struct reply *reply)
{
	bool any = has_origin(cors->origins, TEXT("*"));

	if (cors->origins.n == 0)
		return;
	/* Also when nobody asked: a cache must not give an answer without these headers to a page that may have it. */
	if (!any)
		reply->vary |= VARY_ORIGIN;
	if (request->origin.n == 0 || (!any && !has_origin(cors->origins, request->origin)))
		return;
	reply_header(reply, "Access-Control-Allow-Origin", any ? TEXT("*") : request->origin);
	if (request->preflight && reply->methods != 0)
		answer_preflight(cors, reply);
	else
		reply_header(reply, "Access-Control-Expose-Headers", TEXT(ANSWER_HEADERS));
}

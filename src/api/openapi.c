/* openapi - see openapi.h.  Walk 2, inside step 5: the routes and what each answers; openapi_parts.c has the rest. */
#include "config.h"

#include "api/openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "event/kinds.h"

enum {
	ANSWER_LIST = 1, /* of events: three forms, ETag, cursor headers */
	ANSWER_404 = 2,
	ANSWER_410 = 4,
	ANSWER_503 = 8, /* the same answer with 503, instead of a problem */
	ANSWER_202 = 16, /* takes a body, whose schema is `takes` */
	ANSWER_STREAM = 32, /* as lines, too, and with dry=1 as JSON */
};

/* What a handler answers. Lists are named by their kind. */
struct answer {
	route_handler handle;
	const char *schema; /* in #/components/schemas, and the example of the same name */
	const char *type;
	const char *tag;
	unsigned flags;
	const char *takes; /* "Tick": the schema of a body's elements; NULL: there is no body */
};

#define JSON "application/json"

/* clang-format off */
static const struct answer answers[] = {
	/* handler         schema          type   tag          what else */
	{ collection_get,  NULL,           JSON,  "lists",     ANSWER_LIST | ANSWER_410, NULL },
	{ poll_get,        NULL,           JSON,  "lists",     ANSWER_LIST | ANSWER_410, NULL },
	{ event_get,       "EventAnswer",  JSON,  "resources", ANSWER_404 | ANSWER_410, NULL },
	{ symbols_get,     "Symbols",      JSON,  "resources", 0, NULL },
	{ symbol_get,      "SymbolAnswer", JSON,  "resources", ANSWER_404, NULL },
	{ snapshot_get,    "Snapshot",     JSON,  "resources", 0, NULL },
	{ summary_get,     "Summary",      JSON,  "resources", 0, NULL },
	{ channels_get,    "Channels",     JSON,  "service",   0, NULL },
	{ rejects_get,     "Rejects",      JSON,  "service",   0, NULL },
	{ health_get,      "Health",       JSON,  "service",   ANSWER_503, NULL },
	{ livez_get,       "Live",         JSON,  "service",   0, NULL },
	{ readyz_get,      "Ready",        JSON,  "service",   0, NULL },
	{ metrics_get,     "Metrics",      "text/plain", "service", 0, NULL },
	{ index_get,       "Index",        JSON,  "service",   0, NULL },
	{ openapi_get,     "OpenApi",      JSON,  "service",   0, NULL },
	{ stream_get,      "Stream",       "text/event-stream", "streams", ANSWER_STREAM, NULL },
	{ ticks_post,      "TicksTaken",   JSON,  "writes",    ANSWER_202, "Tick" },
	{ errors_post,     "ErrorsTaken",  JSON,  "writes",    ANSWER_202, "ErrorReport" },
};

static const struct { const char *name, *help; } tags[] = {
	{ "lists",     "Events, newest first, or oldest first after a cursor; as JSON, NDJSON or CSV, also by the suffix .ndjson or .csv of the path." },
	{ "resources", "Single things: one event, the newest of a symbol, sums." },
	{ "streams",   "Events as they come." },
	{ "service",   "How tickgate itself is." },
	{ "writes",    "What is published for TickStock: all elements of a request or none, in order. Off until tokens are configured." },
};

static const struct { int kind; const char *name; } lists[] = { /* by the kinds of the route; the last: several */
	{ KIND_BIT(KIND_PATTERN), "Pattern" }, { KIND_BIT(KIND_INDICATOR), "Indicator" }, { KIND_BIT(KIND_ALERT), "Alert" },
	{ KIND_BIT(KIND_HEALTH), "HealthReport" }, { KIND_BIT(KIND_ERROR), "Error" }, { KIND_BIT(KIND_GAP), "Gap" }, { 0, "Event" },
};
/* clang-format on */
#define N(array) (sizeof(array) / sizeof(array[0]))

#define DESCRIPTION \
	"TickStock's live detections. HEAD is GET without the body; OPTIONS tells a path's methods. Symbols in paths " \
	"may hold " \
	"slashes, as they are or as %2F. An unknown parameter is a 400 that names the nearest known one; `_` is " \
	"ignored. " \
	"Errors are problems (RFC 9457) with a stable code."

void
openapi_key(struct buf *out, bool *first, const char *name)
{
	if (!*first)
		buf_add_char(out, ',');
	*first = false;
	buf_add_json(out, text_of(name));
	buf_add_char(out, ':');
}

static const struct answer *
answer_of(const struct route *route)
{
	for (size_t i = 0; i < N(answers); i++)
		if (answers[i].handle == route->handle)
			return &answers[i];
	return NULL;
}

static const char *
list_name(int64_t kinds_wanted)
{
	for (size_t i = 0; i < N(lists); i++)
		if (lists[i].kind == kinds_wanted)
			return lists[i].name;
	return "Event";
}

/* ---- the envelope of lists, and all answers ---- */

static void
add_list_schema(struct buf *out, bool *first, const char *name)
{
	buf_printf(out,
	    "%s\"%sList\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"data\",\"count\",\"has_"
	    "more\","
	    "\"cursor\",\"next\",\"follow\",\"reset\",\"gaps\",\"stale\",\"as_of\"],\"properties\":{\"data\":{"
	    "\"oneOf\":["
	    "{\"type\":\"array\",\"items\":{\"anyOf\":[{\"$ref\":\"#/components/schemas/%s\"},"
	    "{\"$ref\":\"#/components/schemas/Chosen\"}]}},"
	    "{\"type\":\"object\",\"description\":\"With group or per_symbol: by symbol.\",\"additionalProperties\":"
	    "{\"type\":\"array\",\"items\":{\"anyOf\":[{\"$ref\":\"#/components/schemas/%s\"},"
	    "{\"$ref\":\"#/components/schemas/Chosen\"}]}}}]},",
	    *first ? "" : ",", name, name, name);
	*first = false;
	buf_add_str(out,
	    "\"count\":{\"type\":\"integer\",\"description\":\"Of the events in data.\"},"
	    "\"has_more\":{\"type\":\"boolean\",\"description\":\"There may be more in the same direction.\"},"
	    "\"incomplete\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"With per_symbol: "
	    "symbols of "
	    "which there may be more than was found.\"},"
	    "\"cursor\":{\"$ref\":\"#/components/schemas/Id\"},"
	    "\"next\":{\"type\":[\"string\",\"null\"],\"description\":\"A link that goes on in the same direction.\"},"
	    "\"follow\":{\"type\":\"string\",\"description\":\"A link to what comes later.\"},"
	    "\"reset\":{\"type\":[\"object\",\"null\"],\"required\":[\"reason\",\"lost\"],\"properties\":{\"reason\":{"
	    "\"enum\":[\"trimmed\",\"epoch_changed\",\"unknown_cursor\"]},\"lost\":{\"type\":[\"integer\",\"null\"]}}},"
	    "\"gaps\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Gap\"},\"description\":\"Gaps "
	    "that overlap "
	    "the answer.\"},"
	    "\"stale\":{\"type\":\"boolean\",\"description\":\"New events may be missing at the moment.\"},"
	    "\"degraded\":{\"enum\":[\"no_wait\"],\"description\":\"It was to wait, and all places are taken: ask "
	    "again after "
	    "Retry-After.\"},"
	    "\"as_of\":{\"type\":\"number\"}}}");
}

static void
add_schemas(struct buf *out)
{
	bool first = true;

	buf_add_str(out, "\"schemas\":{");
	for (size_t i = 0; i < N(lists); i++)
		add_list_schema(out, &first, lists[i].name);
	buf_add_char(out, ',');
	openapi_problem_schema(out);
	buf_add_char(out, ',');
	buf_add_str(out, openapi_schemas);
	buf_add_char(out, '}');
}

static void
add_header_refs(struct buf *out, const char *const *names)
{
	bool first = true;

	buf_add_str(out, "\"headers\":{");
	for (; *names != NULL; names++) {
		openapi_key(out, &first, *names);
		buf_printf(out, "{\"$ref\":\"#/components/headers/%s\"}", *names);
	}
	buf_add_char(out, '}');
}

static void
add_content(struct buf *out, const char *type, const char *schema)
{
	buf_printf(out,
	    "\"%s\":{\"schema\":{\"$ref\":\"#/components/schemas/%s\"},\"examples\":{\"example\":{\"$ref\":"
	    "\"#/components/examples/%s\"}}}",
	    type, schema, schema);
}

static void
add_list_responses(struct buf *out)
{
	static const char *const headers[] = { "Cache-Control", "ETag", "Link", "Retry-After", "Tickgate-Cursor",
		"Tickgate-Has-More", "Tickgate-Reset", "Vary", NULL };
	static const char *const unchanged[] = { "Cache-Control", "ETag", "Tickgate-Cursor", "Vary", NULL };

	for (size_t i = 0; i < N(lists); i++) {
		char schema[64];

		snprintf(schema, sizeof(schema), "%sList", lists[i].name);
		buf_printf(out, "\"%s\":{\"description\":\"The list.\",", schema);
		add_header_refs(out, headers);
		buf_add_str(out, ",\"content\":{");
		add_content(out, JSON, schema);
		buf_add_char(out, ',');
		add_content(out, formats[FORMAT_NDJSON].type, "Lines");
		buf_add_char(out, ',');
		add_content(out, formats[FORMAT_CSV].type, "Csv");
		buf_add_str(out, "}},");
	}
	buf_add_str(
	    out, "\"Unchanged\":{\"description\":\"The list is what If-None-Match says that the client has.\",");
	add_header_refs(out, unchanged);
	buf_add_str(out, "},");
}

static void
add_responses(struct buf *out)
{
	static const char *const headers[] = { "Cache-Control", "Tickgate-Cursor", NULL };
	static const char *const of_streams[] = { "Cache-Control", "X-Accel-Buffering", NULL };
	static const char *const methods[] = { "Allow", "Cache-Control", "Access-Control-Allow-Origin",
		"Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age", NULL };

	buf_add_str(out, "\"responses\":{");
	add_list_responses(out);
	for (size_t i = 0; i < N(answers); i++) {
		const struct answer *a = &answers[i];

		if (a->schema == NULL)
			continue;
		buf_printf(out, "\"%s\":{\"description\":\"%s\",", a->schema,
		    a->flags & ANSWER_202       ? "Published."
			: a->flags & ANSWER_503 ? "The answer; 503 when nothing can be served."
						: "The answer.");
		add_header_refs(out, (a->flags & ANSWER_STREAM) != 0 ? of_streams : headers);
		buf_add_str(out, ",\"content\":{");
		add_content(out, a->type, a->schema);
		if ((a->flags & ANSWER_STREAM) != 0) {
			buf_add_char(out, ',');
			add_content(out, formats[FORMAT_NDJSON].type, "Lines");
			buf_add_char(out, ',');
			add_content(out, JSON, "StreamDry");
		}
		buf_add_str(out, "}},");
	}
	buf_add_str(out, "\"Methods\":{\"description\":\"The methods of this path; for a preflight what it may do.\",");
	add_header_refs(out, methods);
	buf_add_str(out, "},");
	openapi_problems(out);
	buf_add_char(out, '}');
}

/* ---- paths ---- */

static void
add_operation_id(struct buf *out, const char *method, const char *pattern)
{
	buf_printf(out, "\"operationId\":\"%s", method);
	for (const char *p = pattern; *p != '\0'; p++)
		if (isalnum((unsigned char)*p))
			buf_add_char(out, *p);
		else if (*p != '}')
			buf_add_char(out, '_');
	buf_add_char(out, '"');
}

static void
add_parameter_refs(struct buf *out, const struct route *route, const struct answer *a)
{
	bool first = true;

	buf_add_str(out, "\"parameters\":[");
	for (int q = 0; q < Q__MAX; q++) {
		if ((route->params & PARAM_BIT(q)) == 0)
			continue;
		buf_printf(out, "%s{\"$ref\":\"#/components/parameters/%s\"}", first ? "" : ",", params[q].name);
		first = false;
	}
	if (route->methods != METHOD_POST && (route->policy & ROUTE_PUBLIC) == 0)
		buf_printf(out, "%s{\"$ref\":\"#/components/parameters/%s\"}", first ? "" : ",", params[Q_TOKEN].name);
	if ((route->policy & ROUTE_FORMATS) != 0)
		buf_add_str(out, ",{\"$ref\":\"#/components/parameters/If-None-Match\"}");
	if ((a->flags & ANSWER_STREAM) != 0)
		buf_add_str(out, ",{\"$ref\":\"#/components/parameters/Last-Event-ID\"}");
	buf_add_char(out, ']');
}

/* One element, an array of them, or one a line. */
static void
add_request_body(struct buf *out, const char *element)
{
	buf_printf(out,
	    "\"requestBody\":{\"required\":true,\"content\":{\"" JSON "\":{\"schema\":{\"oneOf\":[{\"$ref\":"
	    "\"#/components/schemas/%s\"},{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":"
	    "\"#/components/schemas/%s\"}}]},\"examples\":{\"example\":{\"$ref\":\"#/components/examples/%s\"}}},"
	    "\"%s\":{\"schema\":{\"$ref\":\"#/components/schemas/Lines\"}}}},",
	    element, element, element, formats[FORMAT_NDJSON].type);
}

static bool
status_applies(int status, const struct route *route, const struct answer *a)
{
	switch (status) {
	case 401:
	case 429:
		return (route->policy & ROUTE_PUBLIC) == 0;
	case 403:
		return (route->policy & ROUTE_ADMIN) != 0 || a->takes != NULL;
	case 415:
		return a->takes != NULL;
	case 404:
		return (a->flags & ANSWER_404) != 0;
	case 406:
		return (route->policy & ROUTE_FORMATS) != 0;
	case 410:
		return (a->flags & ANSWER_410) != 0;
	case 503:
		return (a->flags & ANSWER_503) == 0;
	default:
		return true;
	}
}

static void
add_response_refs(struct buf *out, const struct route *route, const struct answer *a)
{
	int last = 0;

	buf_printf(out, "\"responses\":{\"%d\":{\"$ref\":\"#/components/responses/%s%s\"}",
	    (a->flags & ANSWER_202) != 0 ? 202 : 200, a->schema != NULL ? a->schema : list_name(route->arg),
	    a->schema != NULL ? "" : "List");
	if ((a->flags & ANSWER_LIST) != 0)
		buf_add_str(out, ",\"304\":{\"$ref\":\"#/components/responses/Unchanged\"}");
	if ((a->flags & ANSWER_503) != 0)
		buf_printf(out, ",\"503\":{\"$ref\":\"#/components/responses/%s\"}", a->schema);
	for (int p = 0; p < PROBLEM__MAX; p++) { /* their statuses ascend */
		if (problems[p].status == last || !status_applies(problems[p].status, route, a))
			continue;
		last = problems[p].status;
		buf_printf(out, ",\"%d\":{\"$ref\":\"#/components/responses/Problem%d\"}", last, last);
	}
	buf_add_char(out, '}');
}

static void
add_path_parameters(struct buf *out, const char *pattern)
{
	if (strstr(pattern, "{symbol}") != NULL)
		buf_add_str(out, "\"parameters\":[{\"$ref\":\"#/components/parameters/path_symbol\"}],");
	else if (strstr(pattern, "{id}") != NULL)
		buf_add_str(out, "\"parameters\":[{\"$ref\":\"#/components/parameters/path_id\"}],");
}

/* Where reading is open a token is not needed: both hold. */
static const char *
security_of(const struct route *route, const struct answer *a)
{
	if ((route->policy & ROUTE_PUBLIC) != 0)
		return "[]";
	return a->takes != NULL ? "[{\"token\":[]}]" : "[{},{\"token\":[]}]";
}

static void
add_operation(struct buf *out, const char *method, const struct route *route, const struct answer *a)
{
	buf_printf(out, "\"%s\":{", method);
	add_operation_id(out, method, route->pattern);
	buf_printf(out, ",\"tags\":[\"%s\"],\"security\":%s,\"summary\":", a->tag, security_of(route, a));
	buf_add_json(out, text_of(route->help));
	buf_add_char(out, ',');
	add_parameter_refs(out, route, a);
	buf_add_char(out, ',');
	if (a->takes != NULL)
		add_request_body(out, a->takes);
	add_response_refs(out, route, a);
	buf_add_str(out, "},");
}

/* All rows of one pattern together, where the first of them stands. */
static void
add_path(struct buf *out, bool *first, size_t row)
{
	const char *pattern = api_routes[row].pattern, *tag = NULL;

	for (size_t i = 0; i < row; i++)
		if (strcmp(api_routes[i].pattern, pattern) == 0)
			return;
	openapi_key(out, first, pattern);
	buf_add_char(out, '{');
	add_path_parameters(out, pattern);
	for (size_t i = row; i < api_n_routes; i++) {
		const struct answer *a = answer_of(&api_routes[i]);

		if (a == NULL || strcmp(api_routes[i].pattern, pattern) != 0)
			continue;
		add_operation(out, (api_routes[i].methods & METHOD_POST) != 0 ? "post" : "get", &api_routes[i], a);
		tag = tag == NULL ? a->tag : tag;
	}
	buf_add_str(out, "\"options\":{");
	add_operation_id(out, "options", pattern);
	buf_printf(out,
	    ",\"tags\":[\"%s\"],\"summary\":\"The methods of this path; preflights.\",\"responses\":{\"204\":{\"$ref\":"
	    "\"#/components/responses/Methods\"},\"414\":{\"$ref\":\"#/components/responses/Problem414\"}}}}",
	    tag);
}

static void
add_head(struct buf *out, struct text base_path)
{
	buf_add_str(out,
	    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"tickgate\",\"version\":\"" PACKAGE_VERSION
	    "\",\"description\":\"" DESCRIPTION
	    "\",\"license\":{\"name\":\"MIT\",\"identifier\":\"MIT\"}},\"servers\":[{\"url\":");
	buf_add_json(out, base_path.n > 0 ? base_path : TEXT("/"));
	buf_add_str(out, "}],\"security\":[],\"tags\":[");
	for (size_t i = 0; i < N(tags); i++)
		buf_printf(
		    out, "%s{\"name\":\"%s\",\"description\":\"%s\"}", i > 0 ? "," : "", tags[i].name, tags[i].help);
	buf_add_char(out, ']');
}

void
openapi_get(void *app, struct exchange *x, struct reply *reply)
{
	struct buf *out = &reply->body;
	bool first = true;

	(void)app;
	api_json(reply, "no-cache");
	add_head(out, x->request->base_path);
	buf_add_str(out, ",\"paths\":{");
	for (size_t i = 0; i < api_n_routes; i++)
		if (answer_of(&api_routes[i]) != NULL)
			add_path(out, &first, i);
	buf_add_str(out,
	    "},\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
	    "\"Made by tickgate-token; of role read, publish or admin.\"}},");
	add_schemas(out);
	buf_add_char(out, ',');
	openapi_parameters(out);
	buf_add_char(out, ',');
	openapi_headers(out);
	buf_add_char(out, ',');
	add_responses(out);
	buf_add_str(out, ",\"examples\":{");
	buf_add_str(out, openapi_examples);
	buf_add_str(out, "}}}");
}

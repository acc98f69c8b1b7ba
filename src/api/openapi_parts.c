/* openapi_parts - see openapi.h: parameters, headers and problems, each made of its table. */
#include <inttypes.h>

#include "api/elements.h"
#include "api/openapi.h"
#include "event/kinds.h"
#include "http/param_values.h"

#define ID_PATTERN "^[A-Za-z0-9-]{1,64}$"

static void
add_words(struct buf *out, const char *const *words)
{
	buf_add_str(out, "\"enum\":[");
	for (size_t i = 0; words[i] != NULL; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		buf_add_json(out, text_of(words[i]));
	}
	buf_add_char(out, ']');
}

/* The schema's members but for its braces: of a value, or of one item of a list. */
static void
add_value_schema(struct buf *out, const struct param_info *p)
{
	switch (p->type) {
	case P_TEXT:
		buf_printf(out, "\"type\":\"string\",\"minLength\":1,\"maxLength\":%" PRId64, p->max);
		break;
	case P_INT:
		buf_printf(out, "\"type\":\"integer\",\"minimum\":%" PRId64 ",\"maximum\":%" PRId64, p->min, p->max);
		break;
	case P_PERCENT:
		buf_add_str(
		    out, "\"type\":\"number\",\"anyOf\":[{\"const\":0},{\"exclusiveMinimum\":1,\"maximum\":100}]");
		break;
	case P_REAL:
		buf_add_str(out, "\"type\":\"number\"");
		break;
	case P_SYMBOLS:
		buf_printf(out, "\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9._:^=/-]{1,%d}$\"", SYMBOL_MAX);
		break;
	case P_KINDS:
		buf_add_str(out, "\"enum\":[");
		for (int k = 0; k < KIND__MAX; k++)
			buf_printf(out, "%s\"%s\"", k > 0 ? "," : "", kinds[k].name);
		buf_add_char(out, ']');
		break;
	case P_SEVERITY:
	case P_SEVERITIES:
		buf_add_str(out, "\"enum\":[");
		for (int s = SEVERITY_NONE + 1; s < SEVERITY__MAX; s++)
			buf_printf(out, "%s\"%s\"", s > SEVERITY_NONE + 1 ? "," : "", severity_names[s]);
		buf_add_char(out, ']');
		break;
	case P_AGE:
		buf_add_str(out, "\"type\":\"string\",\"pattern\":\"^[0-9]+[smhd]$\"");
		break;
	case P_WORD:
		add_words(out, p->words);
		break;
	case P_FLAG:
		buf_add_str(out, "\"enum\":[\"\",\"0\",\"1\",\"true\",\"false\"]");
		break;
	case P_CURSOR:
		/* `after` of a stream may be a time, too. */
		buf_printf(out, "\"type\":\"string\",\"pattern\":\"%s\"",
		    p->words != NULL ? "^[A-Za-z0-9.:+-]{1,64}$" : ID_PATTERN);
		break;
	case P_TIME:
		buf_add_str(out,
		    "\"type\":\"string\",\"description\":\"RFC 3339 with zone, YYYY-MM-DD (UTC), epoch seconds or "
		    "milliseconds, or an age: 90s 15m 2h 3d\"");
		break;
	case P_ANY:
		buf_add_str(out, "\"type\":\"string\"");
		break;
	case P_LIST:
	case P_FIELDS:
	case P_NAMES:
		buf_add_str(out, "\"type\":\"string\",\"minLength\":1");
		break;
	}
}

static bool
is_list(enum param_type type)
{
	return type == P_LIST || type == P_FIELDS || type == P_SYMBOLS || type == P_NAMES || type == P_KINDS ||
	    type == P_SEVERITIES;
}

static void
add_example(struct buf *out, const struct param_info *p)
{
	struct text rest = text_of(p->example), item;
	bool number = p->type == P_INT || p->type == P_PERCENT || p->type == P_REAL;

	if (!is_list(p->type)) {
		if (number)
			buf_add_text(out, rest);
		else
			buf_add_json(out, rest);
		return;
	}
	buf_add_char(out, '[');
	for (bool first = true; text_split(&rest, ',', &item); first = false) {
		if (!first)
			buf_add_char(out, ',');
		buf_add_json(out, item);
	}
	buf_add_char(out, ']');
}

static void
add_parameter(struct buf *out, const struct param_info *p)
{
	bool list = is_list(p->type);

	buf_printf(out, "{\"name\":\"%s\",\"in\":\"query\",\"description\":", p->name);
	buf_add_json(out, text_of(p->help));
	buf_add_str(out, ",\"schema\":{");
	if (list && p->max > 0)
		buf_printf(out, "\"type\":\"array\",\"minItems\":1,\"maxItems\":%" PRId64 ",\"items\":{", p->max);
	else if (list)
		buf_add_str(out, "\"type\":\"array\",\"minItems\":1,\"items\":{");
	add_value_schema(out, p);
	buf_add_str(out, list ? "}},\"style\":\"form\",\"explode\":false,\"example\":" : "},\"example\":");
	add_example(out, p);
	buf_add_char(out, '}');
}

void
openapi_parameters(struct buf *out)
{
	bool first = true;

	buf_add_str(out, "\"parameters\":{");
	for (int q = 0; q < Q__MAX; q++) {
		openapi_key(out, &first, params[q].name);
		add_parameter(out, &params[q]);
	}
	buf_add_str(out,
	    ",\"path_symbol\":{\"name\":\"symbol\",\"in\":\"path\",\"required\":true,\"description\":\"A symbol; case "
	    "does not "
	    "matter.\","
	    "\"schema\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9._:^=/-]{1,32}$\"},\"example\":\"AAPL\"},"
	    "\"path_id\":{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"description\":\"An event's id.\","
	    "\"schema\":{\"$ref\":\"#/components/schemas/Id\"},\"example\":\"q7k2m9xa-184467\"},"
	    "\"If-None-Match\":{\"name\":\"If-None-Match\",\"in\":\"header\",\"description\":\"The ETag of what the "
	    "client "
	    "has.\","
	    "\"schema\":{\"type\":\"string\"}},\"Last-Event-ID\":{\"name\":\"Last-Event-ID\",\"in\":\"header\","
	    "\"description\":\"The id of the last event that the client has: the stream goes on after it. Goes before "
	    "last_event_id, that before after.\",\"schema\":{\"type\":\"string\"}}}");
}

void
openapi_headers(struct buf *out)
{
	/* clang-format off */
	static const struct { const char *name, *help, *example; } headers[] = {
		{ "Accept-Post",                  "The types of body that are taken.",                              "application/json, application/x-ndjson" },
		{ "Access-Control-Allow-Headers", "What a preflight allows to be sent.",                            "If-None-Match" },
		{ "Access-Control-Allow-Methods", "What a preflight allows to be done.",                            "GET, HEAD, OPTIONS" },
		{ "Access-Control-Allow-Origin",  "The page's origin, or *, when cors.origins allows it.",          "https://charts.example" },
		{ "Access-Control-Max-Age",       "For how many seconds a preflight may be remembered.",            "600" },
		{ "Allow",                        "The methods that the path has.",                                 "GET, HEAD, OPTIONS" },
		{ "Cache-Control",                "no-cache on live answers; no-store with `after` and on errors; immutable on single events.", "no-cache" },
		{ "ETag",                         "Weak. Changes with anything that the list could match, a gap, or `stale`; not with other symbols' events. Not with `after` or ages.", "W/\"k3v9q0x7c2m1a\"" },
		{ "Link",                         "The next page in the same direction, as `next`.",                "</v1/patterns?limit=1&before=q7k2m9xa-184401>; rel=\"next\"" },
		{ "Retry-After",                  "Seconds after which to try again.",                              "2" },
		{ "Tickgate-Cursor",              "What `cursor` in the body says: go on with after=.",             "q7k2m9xa-184470" },
		{ "Tickgate-Has-More",            "What `has_more` says; NDJSON and CSV.",                          "true" },
		{ "Tickgate-Reset",               "The reason of `reset`; NDJSON and CSV.",                         "trimmed" },
		{ "WWW-Authenticate",             "That a bearer token is wanted, and what was wrong with the one sent.", "Bearer realm=\"tickgate\"" },
		{ "X-Accel-Buffering",            "no: nginx passes a stream on as it comes.",                     "no" },
		{ "Vary",                         "Accept where it chose the form; Origin where origins are configured.", "Accept" },
	};
	/* clang-format on */
	bool first = true;

	buf_add_str(out, "\"headers\":{");
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		openapi_key(out, &first, headers[i].name);
		buf_add_str(out, "{\"description\":");
		buf_add_json(out, text_of(headers[i].help));
		buf_add_str(out, ",\"schema\":{\"type\":\"string\"},\"example\":");
		buf_add_json(out, text_of(headers[i].example));
		buf_add_char(out, '}');
	}
	buf_add_char(out, '}');
}

static void
add_problem_example(struct buf *out, const struct problem_info *p)
{
	buf_printf(out,
	    "\"%s\":{\"value\":{\"type\":\"urn:tickgate:problem:%s\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\","
	    "\"detail\":",
	    p->code, p->code, p->title, p->status, p->code);
	buf_add_json(out, text_of(p->help));
	buf_add_str(out, "}}");
}

/* One response a status, with every code that has it. Rows of one status stand together in the table. */
static void
add_problem_response(struct buf *out, int from, int to)
{
	int status = problems[from].status;
	struct buf text = { .max = 8192 };

	buf_printf(out, "\"Problem%d\":{\"description\":", status);
	for (int p = from; p < to; p++)
		buf_printf(&text, "%s`%s`: %s", p > from ? " " : "", problems[p].code, problems[p].help);
	buf_add_json(out, buf_text(&text));
	buf_fini(&text);
	buf_add_str(out, ",\"headers\":{\"Cache-Control\":{\"$ref\":\"#/components/headers/Cache-Control\"}");
	if (status == 405)
		buf_add_str(out, ",\"Allow\":{\"$ref\":\"#/components/headers/Allow\"}");
	if (status == 401 || status == 403)
		buf_add_str(out, ",\"WWW-Authenticate\":{\"$ref\":\"#/components/headers/WWW-Authenticate\"}");
	if (status == 415)
		buf_add_str(out, ",\"Accept-Post\":{\"$ref\":\"#/components/headers/Accept-Post\"}");
	if (status == 503 || status == 429)
		buf_add_str(out, ",\"Retry-After\":{\"$ref\":\"#/components/headers/Retry-After\"}");
	buf_add_str(out,
	    "},\"content\":{\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"},"
	    "\"examples\":{");
	for (int p = from; p < to; p++) {
		if (p > from)
			buf_add_char(out, ',');
		add_problem_example(out, &problems[p]);
	}
	buf_add_str(out, "}}}}");
}

void
openapi_problems(struct buf *out)
{
	for (int from = 0, to; from < PROBLEM__MAX; from = to) {
		to = from + 1;
		while (to < PROBLEM__MAX && problems[to].status == problems[from].status)
			to++;
		if (from > 0)
			buf_add_char(out, ',');
		add_problem_response(out, from, to);
	}
}

void
openapi_problem_schema(struct buf *out)
{
	struct buf codes = { .max = 8192 };

	for (int p = 0; p < PROBLEM__MAX; p++)
		buf_printf(&codes, "%s\"%s\"", p > 0 ? "," : "", problems[p].code);
	buf_add_str(out,
	    "\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"code\",\"detail\"],"
	    "\"properties\":{"
	    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
	    "\"code\":{\"enum\":[");
	buf_add_text(out, buf_text(&codes));
	buf_add_str(out,
	    "]},\"detail\":{\"type\":\"string\"},\"errors\":{\"type\":\"array\",\"description\":\"Every parameter at "
	    "fault, or every member of a body by its JSON pointer.\","
	    "\"items\":{\"type\":\"object\",\"required\":[\"parameter\",\"code\",\"detail\"],\"properties\":{"
	    "\"parameter\":{\"type\":\"string\"},\"code\":{\"enum\":[");
	buf_add_text(out, buf_text(&codes));
	for (int f = 0; f < ELEMENT_FAULT__MAX; f++)
		buf_printf(out, ",\"%s\"", element_fault_codes[f]);
	buf_add_str(out,
	    "]},\"index\":{\"type\":\"integer\",\"description\":\"Of the element, from 0.\"},"
	    "\"detail\":{\"type\":\"string\"}}}}}}");
	buf_fini(&codes);
}

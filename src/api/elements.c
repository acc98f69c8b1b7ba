/* elements - see elements.h. */
#include "api/elements.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 16 /* of an element, as of a message */
#define TOKENS_KEPT 65536 /* what a request thread keeps of a tape for the next one */
#define KEY_MAX 64

const char *const element_fault_codes[ELEMENT_FAULT__MAX] = {
	[ELEMENT_INVALID_JSON] = "invalid_json",
	[ELEMENT_NOT_AN_OBJECT] = "not_an_object",
	[ELEMENT_TOO_LARGE] = "too_large",
	[ELEMENT_MISSING_FIELD] = "missing_field",
	[ELEMENT_INVALID_TYPE] = "invalid_type",
	[ELEMENT_OUT_OF_RANGE] = "out_of_range",
	[ELEMENT_UNKNOWN_FIELD] = "unknown_field",
};

enum form { FORM_JSON, FORM_LINES, FORM_NONE };

void
elements_fini(struct elements *els)
{
	json_fini(&els->json);
	buf_fini(&els->faults);
}

/* The place as a JSON pointer (RFC 6901): our members' names need no escapes. */
void
elements_fault(struct elements *els, enum element_fault fault, const char *member, const char *detail)
{
	struct buf *b = &els->faults;

	if (els->n_faults++ > 0)
		buf_add_char(b, ',');
	buf_printf(b, "{\"index\":%zu,\"parameter\":\"", els->n);
	if (!els->single)
		buf_printf(b, "/%zu", els->n);
	if (member != NULL)
		buf_printf(b, "/%s", member);
	buf_printf(b, "\",\"code\":\"%s\",\"detail\":", element_fault_codes[fault]);
	buf_add_json(b, text_of(detail));
	buf_add_char(b, '}');
}

bool
element_key_is(const struct elements *els, uint32_t key, const char *name)
{
	struct text raw = json_inner(&els->json, key);
	char plain[6 * KEY_MAX];
	size_t n;

	if ((els->json.tokens[key].flags & JSON_ESCAPED) == 0)
		return text_eq(raw, text_of(name));
	if (raw.n > sizeof(plain))
		return false;
	n = json_unescape(raw, plain);
	return text_eq((struct text){ plain, n }, text_of(name));
}

uint32_t
element_member(struct elements *els, uint32_t object, const char *name)
{
	const struct json_token *tokens = els->json.tokens;
	uint32_t end = tokens[object].next, found = 0;

	for (uint32_t key = object + 1; key < end; key = tokens[key + 1].next) {
		if (!element_key_is(els, key, name))
			continue;
		if (found != 0) {
			elements_fault(els, ELEMENT_OUT_OF_RANGE, name, "is given twice");
			return 0;
		}
		found = key + 1;
	}
	return found != 0 && tokens[found].type != TOKEN_NULL ? found : 0;
}

static bool
has_nan(const struct json *j, uint32_t token)
{
	for (uint32_t i = token; i < j->tokens[token].next; i++)
		if (j->tokens[i].type == TOKEN_NAN)
			return true;
	return false;
}

static void
take_element(struct elements *els, uint32_t token, element_fn fn, void *arg)
{
	const struct json_token *t = &els->json.tokens[token];

	if (t->type != TOKEN_OBJECT)
		elements_fault(els, ELEMENT_NOT_AN_OBJECT, NULL, "is no object");
	else if (t->end - t->start > ELEMENT_MAX_BYTES)
		elements_fault(els, ELEMENT_TOO_LARGE, NULL, "has more than 65536 bytes");
	else if (has_nan(&els->json, token))
		elements_fault(els, ELEMENT_INVALID_JSON, NULL, "NaN and Infinity are not JSON");
	else
		fn(arg, els, token);
	els->n++;
}

static int
malformed(struct reply *reply, const char *what)
{
	reply_problem(reply, PROBLEM_MALFORMED_REQUEST, what, NULL);
	return -1;
}

static int
too_many(const struct elements *els, struct reply *reply)
{
	char detail[80];

	snprintf(detail, sizeof(detail), "a body may hold at most %zu elements", els->max);
	reply_problem(reply, PROBLEM_BODY_TOO_LARGE, detail, NULL);
	return -1;
}

static const char *
scan(struct elements *els, struct text in, unsigned depth, char detail[160])
{
	switch (json_scan(&els->json, in, depth)) {
	case JSON_OK:
		return NULL;
	case JSON_NO_MEMORY:
		return "there is no memory for it";
	case JSON_TOO_DEEP:
		return "it is nested too deeply";
	default:
		snprintf(detail, 160, "it is not JSON: %.100s at byte %u", els->json.error, els->json.error_at);
		return detail;
	}
}

static int
read_json(struct elements *els, struct text body, element_fn fn, void *arg, struct reply *reply)
{
	char detail[160], what[200];
	const char *wrong = scan(els, body, DEPTH_MAX + 1, detail);
	uint32_t next = 1;

	if (wrong != NULL) {
		snprintf(what, sizeof(what), "the body cannot be read: %s", wrong);
		return malformed(reply, what);
	}
	els->single = els->json.tokens[0].type != TOKEN_ARRAY;
	if (els->single) {
		take_element(els, 0, fn, arg);
		return 0;
	}
	for (; next < els->json.tokens[0].next; next = els->json.tokens[next].next) {
		if (els->n == els->max)
			return too_many(els, reply);
		take_element(els, next, fn, arg);
	}
	return 0;
}

/* A line that is no JSON is one more bad element: the others are still looked at. */
static int
read_lines(struct elements *els, struct text body, element_fn fn, void *arg, struct reply *reply)
{
	char detail[160];
	struct text line;

	while (text_split(&body, '\n', &line)) {
		const char *wrong;

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		line = text_trim(line);
		if (line.n == 0)
			continue;
		if (els->n == els->max)
			return too_many(els, reply);
		wrong = scan(els, line, DEPTH_MAX, detail);
		if (wrong == NULL) {
			take_element(els, 0, fn, arg);
			continue;
		}
		elements_fault(els, ELEMENT_INVALID_JSON, NULL, wrong);
		els->n++;
	}
	return 0;
}

static struct text
unquoted(struct text t)
{
	return t.n >= 2 && t.p[0] == '"' && t.p[t.n - 1] == '"' ? text_cut(t, 1, t.n - 1) : t;
}

/* RFC 8259 knows no charset, but many clients send one; another than UTF-8 is not what they think they send. */
static enum form
form_of(struct text content_type)
{
	static const struct {
		const char *type;
		enum form form;
	} types[] = { { "application/json", FORM_JSON }, { "application/x-ndjson", FORM_LINES },
		{ "application/ndjson", FORM_LINES }, { "application/jsonl", FORM_LINES } };
	struct text rest = content_type, type = TEXT(""), param, name;
	enum form form = FORM_NONE;

	text_split(&rest, ';', &type);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (text_eq_nocase(text_trim(type), text_of(types[i].type)))
			form = types[i].form;
	while (text_split(&rest, ';', &param)) {
		if (text_split(&param, '=', &name) && text_eq_nocase(text_trim(name), TEXT("charset")) &&
		    !text_eq_nocase(unquoted(text_trim(param)), TEXT("utf-8")))
			form = FORM_NONE;
	}
	return form;
}

static int
unsupported(struct reply *reply, const char *what)
{
	reply_problem(reply, PROBLEM_UNSUPPORTED_MEDIA_TYPE, what, NULL);
	reply_header(reply, "Accept-Post", TEXT("application/json, application/x-ndjson"));
	return -1;
}

static int
tell_faults(const struct elements *els, struct reply *reply)
{
	char detail[120];

	if (els->n == 0)
		return malformed(reply, "the body has no element");
	if (els->n_faults == 0)
		return 0;
	snprintf(detail, sizeof(detail), "nothing was published: errors tells the %zu faults of %zu element%s",
	    els->n_faults, els->n, els->n == 1 ? "" : "s");
	reply_problem_listing(reply, PROBLEM_INVALID_PARAMETER, detail, buf_text(&els->faults));
	if (els->faults.failed)
		reply->body.failed = true;
	return -1;
}

int
elements_read(
    struct elements *els, const struct request *request, size_t max, element_fn fn, void *arg, struct reply *reply)
{
	struct text body = request->body;
	enum form form = form_of(request->content_type);

	*els = (struct elements){ .max = max };
	if (form == FORM_NONE)
		return unsupported(reply,
		    "Content-Type is application/json (an object, or an array) or application/x-ndjson (an object a "
		    "line), in UTF-8");
	if (request->content_encoding.n > 0 && !text_eq_nocase(request->content_encoding, TEXT("identity")))
		return unsupported(reply, "a body with a Content-Encoding is not taken");
	if (!text_utf8_valid(body))
		return malformed(reply, "the body is not UTF-8");
	buf_init(&els->faults, REPLY_BODY_MAX);
	if ((form == FORM_JSON ? read_json : read_lines)(els, body, fn, arg, reply) != 0)
		return -1;
	return tell_faults(els, reply);
}

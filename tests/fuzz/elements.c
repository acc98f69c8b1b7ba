/*
 * elements - the body of a POST: the first line is its Content-Type, all else the body.  What api/elements.h promises.
 */
#include <string.h>

#include "api/elements.h"
#include "event/json.h"
#include "fuzz.h"

#define ELEMENTS_MAX 100

static void
look(void *arg, struct elements *els, uint32_t object)
{
	size_t *n = arg;
	uint32_t value;

	(*n)++;
	PROMISE(object < els->json.n && els->json.tokens[object].type == TOKEN_OBJECT);
	value = element_member(els, object, "symbol");
	if (value == 0)
		elements_fault(els, ELEMENT_MISSING_FIELD, "symbol", "is required");
	else
		PROMISE(value < els->json.n);
}

static void
check_problem(const struct reply *reply)
{
	struct json j = { .n = 0 };

	PROMISE(reply->status == 400 || reply->status == 413 || reply->status == 415);
	PROMISE(text_utf8_valid(buf_text(&reply->body)));
	PROMISE(json_scan(&j, buf_text(&reply->body), 64) == JSON_OK);
	json_fini(&j);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text body = { (const char *)data, size }, type = TEXT_NONE;
	struct request request = { .method = METHOD_POST, .content_length = -1 };
	struct elements els = { .n = 0 };
	struct reply reply;
	size_t n = 0;

	if (size > REQUEST_BODY_MAX)
		return 0;
	if (size > 0)
		text_split(&body, '\n', &type);
	request.content_type = type;
	request.body = body.p == NULL ? TEXT("") : body;
	reply_init(&reply);
	if (elements_read(&els, &request, ELEMENTS_MAX, look, &n, &reply) != 0)
		check_problem(&reply);
	else
		PROMISE(n <= ELEMENTS_MAX && els.n_faults == 0);
	elements_fini(&els);
	reply_fini(&reply);
	return 0;
}

/*
 * json - our scanner against jansson, which is the oracle: one takes what the other takes, but for what json.h names.
 */
#include <jansson.h>
#include <string.h>

#include "event/json.h"
#include "fuzz.h"

#define DEPTH 64

/* What jansson refuses and we do not: numbers that fit no C type, NUL in a name, and Python's words for what is no number. */
static bool
is_ours_alone(const struct json *j, const json_error_t *e)
{
	enum json_error_code code = json_error_code(e);

	for (uint32_t i = 0; i < j->n; i++)
		if (j->tokens[i].type == TOKEN_NAN)
			return true;
	return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
	    code == json_error_null_character;
}

/* Written compactly it is the same value, of which nothing is left to take out. */
static void
check_compact(const struct json *j, const json_t *value)
{
	struct buf out = { .max = 0 };
	struct json again = { .n = 0 };
	json_t *same;

	json_compact(&out, j, 0);
	PROMISE(!out.failed);
	PROMISE(json_scan(&again, buf_text(&out), DEPTH) == JSON_OK);
	PROMISE(again.tokens[0].type < TOKEN_ARRAY || (again.tokens[0].flags & JSON_LOOSE) == 0);
	same = json_loadb(out.p, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	PROMISE(value == NULL || (same != NULL && json_equal(value, same) == 1));
	json_decref(same);
	json_fini(&again);
	buf_fini(&out);
}

/* Siblings follow one another, and nothing lies outside of what it is in. */
static void
check_tape(const struct json *j, struct text in)
{
	for (uint32_t i = 0; i < j->n; i++) {
		const struct json_token *t = &j->tokens[i];

		PROMISE(t->start < t->end && t->end <= in.n);
		PROMISE(t->next > i && t->next <= j->n);
		PROMISE(t->next == j->n || j->tokens[t->next].start >= t->end || t->type >= TOKEN_ARRAY);
		if (t->type == TOKEN_STRING) {
			struct text inner = json_inner(j, i);
			char *plain = malloc(inner.n + 1);

			PROMISE(plain != NULL && json_unescape(inner, plain) <= inner.n);
			free(plain);
		}
	}
	PROMISE(j->tokens[0].next == j->n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text in = { (const char *)data, size };
	struct json j = { .n = 0 };
	enum json_result result;
	json_error_t e;
	json_t *value;

	/* The scanner is promised UTF-8; that jansson thinks the same of it is a promise, too. */
	if (!text_utf8_valid(in))
		return 0;
	/* jansson 2.14 passes over a NUL behind a word; JSON knows none (RFC 8259, section 2). */
	if (size > 0 && memchr(data, 0, size) != NULL) {
		PROMISE(json_scan(&j, in, DEPTH) != JSON_OK);
		json_fini(&j);
		return 0;
	}
	value = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
	result = json_scan(&j, in, DEPTH);
	if (result == JSON_OK) {
		PROMISE(value != NULL || is_ours_alone(&j, &e));
		check_tape(&j, in);
		check_compact(&j, value);
	} else {
		PROMISE(result == JSON_TOO_DEEP || value == NULL);
		PROMISE(result == JSON_NO_MEMORY || j.error != NULL);
	}
	json_decref(value);
	json_fini(&j);
	return 0;
}

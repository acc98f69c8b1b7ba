/*
 * json - a JSON text as a flat tape of tokens.
 *
 * One pass over the bytes, no tree, no copies: a token says what stands where, and where its next sibling is, so that members
 * can be looked at, skipped and handed on as the very bytes that came in. That is what makes an ordinary message
 * cost one microsecond, and keeps every number as its producer wrote it. jansson would parse into doubles and refuse NaN; it is the
 * oracle in the tests.
 *
 * Strict RFC 8259, but for NaN, Infinity and -Infinity, which Python's json.dumps() writes. The bytes must be valid UTF-8
 * already (text_utf8_valid()); lone surrogates in \u escapes are refused. Used by decode.c and its helpers, and by api/ for what is stored.
 */
#ifndef EVENT_JSON_H
#define EVENT_JSON_H

#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"

enum token_type {
	TOKEN_NULL,
	TOKEN_NAN, /* NaN, Infinity, -Infinity: counts as null */
	TOKEN_FALSE,
	TOKEN_TRUE,
	TOKEN_NUMBER,
	TOKEN_STRING,
	TOKEN_ARRAY,
	TOKEN_OBJECT,
};

enum {
	JSON_ESCAPED = 1, /* a string with at least one backslash */
	JSON_HAS_NUL = 2, /* a string in which \u0000 occurs */
	JSON_LOOSE = 4, /* a container with white space or a TOKEN_NAN in it: not to be copied as it is */
};

/* The members of an object follow it as pairs: a TOKEN_STRING (the key), then the value with all that is in it. */
struct json_token {
	uint32_t start, end; /* the bytes, quotes and brackets included */
	uint32_t next; /* the first token behind this one and all that is in it */
	uint8_t type; /* enum token_type */
	uint8_t flags;
};

struct json {
	struct text in; /* borrowed: the text last scanned */
	struct json_token *tokens; /* owned; [0] is the whole value */
	uint32_t n, cap;
	const char *error; /* after JSON_INVALID and JSON_TOO_DEEP: what the scanner missed, static */
	uint32_t error_at; /* and at which byte */
};

enum json_result {
	JSON_OK,
	JSON_INVALID,
	JSON_TOO_DEEP,
	JSON_NO_MEMORY,
};

/* Zero-initialise a struct json; it can be scanned into any number of times and keeps its memory between. */
void json_fini(struct json *j);
void json_shrink(struct json *j, uint32_t keep); /* gives back a tape of more than `keep` tokens */

/* Scans the whole of `in` (borrowed as long as the tape is used). More than `max_depth` (at most 64) nested containers are too deep. */
enum json_result json_scan(struct json *j, struct text in, unsigned max_depth);

/* The bytes of a token, as they came in; and of a string, without its quotes and with its escapes. */
struct text json_raw(const struct json *j, uint32_t token);
struct text json_inner(const struct json *j, uint32_t token);

/* Undoes the escapes of json_inner(): writes at most `raw.n` bytes of UTF-8 to `out` and returns how many. */
size_t json_unescape(struct text raw, char *out);

/* Appends a value compactly: without white space, TOKEN_NAN as null. Returns how many of those there were. */
unsigned json_compact(struct buf *out, const struct json *j, uint32_t token);

#endif

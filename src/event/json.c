/*
 * json - see json.h. The scanner is a loop over "what may come next" with a small stack of open containers, so that no input
 * makes it recurse. Strings are skipped eight bytes at a time: they are most of a message.
 */
#include "event/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STACK_SIZE 64

enum want {
	WANT_VALUE,
	WANT_VALUE_OR_END, /* just after '[' */
	WANT_KEY,
	WANT_KEY_OR_END, /* just after '{' */
	WANT_COMMA_OR_END,
	WANT_NOTHING,
};

struct scan {
	struct json *j;
	const char *base, *p, *end;
	enum want want;
	unsigned depth, max_depth;
	uint32_t loose; /* how much white space and NaN was met so far */
	struct {
		uint32_t token, loose; /* the open container, and `loose` when it was opened */
	} open[STACK_SIZE];
};

static enum json_result
fail(struct scan *s, enum json_result result, const char *error)
{
	s->j->error = error;
	s->j->error_at = (uint32_t)(s->p - s->base);
	return result;
}

static enum json_result
missed(struct scan *s, const char *error)
{
	return fail(s, JSON_INVALID, s->p == s->end ? "the text ends early" : error);
}

static bool
grow(struct json *j)
{
	uint32_t cap = j->cap == 0 ? 256 : j->cap * 2;
	struct json_token *tokens = realloc(j->tokens, cap * sizeof(*tokens));

	if (tokens == NULL)
		return false;
	j->tokens = tokens;
	j->cap = cap;
	return true;
}

/* Adds the token that began at `from` and ends at s->p. Open containers get their end and next when they close. */
static enum json_result
add(struct scan *s, enum token_type type, const char *from, unsigned flags)
{
	struct json *j = s->j;

	if (j->n == j->cap && !grow(j))
		return fail(s, JSON_NO_MEMORY, "out of memory");
	j->tokens[j->n] = (struct json_token){ .start = (uint32_t)(from - s->base),
		.end = (uint32_t)(s->p - s->base),
		.next = j->n + 1,
		.type = (uint8_t)type,
		.flags = (uint8_t)flags };
	j->n++;
	return JSON_OK;
}

static void
skip_space(struct scan *s)
{
	const char *p = s->p;

	while (p < s->end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	s->loose += p != s->p;
	s->p = p;
}

/* Four hexadecimal digits; -1 if they are not. */
static int
hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int c = p[i], low = c | 0x20;

		if (c >= '0' && c <= '9')
			v = v * 16 + (c - '0');
		else if (low >= 'a' && low <= 'f')
			v = v * 16 + (low - 'a' + 10);
		else
			return -1;
	}
	return v;
}

static bool
is_high_surrogate(int v)
{
	return v >= 0xd800 && v <= 0xdbff;
}

static bool
is_low_surrogate(int v)
{
	return v >= 0xdc00 && v <= 0xdfff;
}

/* One escape; s->p stands behind its backslash. */
static enum json_result
take_escape(struct scan *s, unsigned *flags)
{
	int v;

	*flags |= JSON_ESCAPED;
	if (s->p == s->end)
		return missed(s, "");
	if (memchr("\"\\/bfnrt", *s->p, 8) != NULL) {
		s->p++;
		return JSON_OK;
	}
	if (*s->p != 'u')
		return missed(s, "unknown escape");
	if ((v = hex4(s->p + 1, s->end)) < 0)
		return missed(s, "\\u without four hexadecimal digits");
	if (is_high_surrogate(v)) {
		if (s->end - s->p < 11 || s->p[5] != '\\' || s->p[6] != 'u' ||
		    !is_low_surrogate(hex4(s->p + 7, s->end)))
			return missed(s, "lone surrogate");
		s->p += 6;
	} else if (is_low_surrogate(v)) {
		return missed(s, "lone surrogate");
	}
	if (v == 0)
		*flags |= JSON_HAS_NUL;
	s->p += 5;
	return JSON_OK;
}

/* The first byte that is '"', '\\' or a control character, or the end. */
static const char *
skip_plain(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;

	while (end - p >= 8) {
		uint64_t w, quote, slash;

		memcpy(&w, p, 8);
		quote = w ^ ones * '"';
		slash = w ^ ones * '\\';
		/* A high bit for each byte that is zero in quote or slash, or below 0x20 in w; borrows only spoil bytes behind such one. */
		if ((((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & highs)
			break;
		p += 8;
	}
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
		p++;
	return p;
}

/* A string; s->p stands on its opening quote. */
static enum json_result
take_string(struct scan *s)
{
	const char *from = s->p++;
	unsigned flags = 0;

	for (;;) {
		enum json_result rc;

		s->p = skip_plain(s->p, s->end);
		if (s->p == s->end)
			return missed(s, "");
		if (*s->p == '"')
			break;
		if (*s->p != '\\')
			return missed(s, "control character in a string");
		s->p++;
		if ((rc = take_escape(s, &flags)) != JSON_OK)
			return rc;
	}
	s->p++;
	return add(s, TOKEN_STRING, from, flags);
}

static bool
take_digits(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from;
}

static enum json_result
take_word(struct scan *s, const char *from, struct text word, enum token_type type)
{
	if ((size_t)(s->end - s->p) < word.n || memcmp(s->p, word.p, word.n) != 0)
		return missed(s, "not a value");
	s->p += word.n;
	s->loose += type == TOKEN_NAN;
	return add(s, type, from, 0);
}

static enum json_result
take_number(struct scan *s)
{
	const char *from = s->p, *digits;

	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == 'I')
		return take_word(s, from, TEXT("Infinity"), TOKEN_NAN);
	digits = s->p;
	if (!take_digits(s))
		return missed(s, "digits missing");
	if (*digits == '0' && s->p > digits + 1)
		return missed(s, "number with a leading zero");
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!take_digits(s))
			return missed(s, "digits missing");
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (!take_digits(s))
			return missed(s, "digits missing");
	}
	return add(s, TOKEN_NUMBER, from, 0);
}

static enum json_result
open_container(struct scan *s, enum token_type type)
{
	const char *from = s->p;

	if (s->depth == s->max_depth)
		return fail(s, JSON_TOO_DEEP, "nested too deep");
	s->open[s->depth].token = s->j->n;
	s->open[s->depth].loose = s->loose;
	s->depth++;
	s->p++;
	s->want = type == TOKEN_OBJECT ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
	return add(s, type, from, 0);
}

static void
value_ended(struct scan *s)
{
	s->want = s->depth == 0 ? WANT_NOTHING : WANT_COMMA_OR_END;
}

static void
close_container(struct scan *s)
{
	struct json_token *t;

	s->depth--;
	s->p++;
	t = &s->j->tokens[s->open[s->depth].token];
	t->end = (uint32_t)(s->p - s->base);
	t->next = s->j->n;
	if (s->loose != s->open[s->depth].loose)
		t->flags |= JSON_LOOSE;
	value_ended(s);
}

static enum json_result
take_value(struct scan *s)
{
	enum json_result rc;

	switch (*s->p) {
	case '{':
		return open_container(s, TOKEN_OBJECT);
	case '[':
		return open_container(s, TOKEN_ARRAY);
	case '"':
		rc = take_string(s);
		break;
	case 't':
		rc = take_word(s, s->p, TEXT("true"), TOKEN_TRUE);
		break;
	case 'f':
		rc = take_word(s, s->p, TEXT("false"), TOKEN_FALSE);
		break;
	case 'n':
		rc = take_word(s, s->p, TEXT("null"), TOKEN_NULL);
		break;
	case 'N':
		rc = take_word(s, s->p, TEXT("NaN"), TOKEN_NAN);
		break;
	case 'I':
		rc = take_word(s, s->p, TEXT("Infinity"), TOKEN_NAN);
		break;
	default:
		if (*s->p != '-' && (*s->p < '0' || *s->p > '9'))
			return missed(s, "not a value");
		rc = take_number(s);
		break;
	}
	value_ended(s);
	return rc;
}

static enum json_result
take_key(struct scan *s)
{
	enum json_result rc;

	if (*s->p != '"')
		return missed(s, "member name missing");
	if ((rc = take_string(s)) != JSON_OK)
		return rc;
	skip_space(s);
	if (s->p == s->end || *s->p != ':')
		return missed(s, "':' missing");
	s->p++;
	s->want = WANT_VALUE;
	return JSON_OK;
}

static enum json_result
take_comma_or_end(struct scan *s)
{
	bool object = s->j->tokens[s->open[s->depth - 1].token].type == TOKEN_OBJECT;

	if (*s->p == ',') {
		s->p++;
		s->want = object ? WANT_KEY : WANT_VALUE;
		return JSON_OK;
	}
	if (*s->p != (object ? '}' : ']'))
		return missed(s, object ? "',' or '}' missing" : "',' or ']' missing");
	close_container(s);
	return JSON_OK;
}

/* Takes the next thing; s->p stands on a byte that is no white space. */
static enum json_result
step(struct scan *s)
{
	switch (s->want) {
	case WANT_KEY_OR_END:
		if (*s->p == '}') {
			close_container(s);
			return JSON_OK;
		}
		return take_key(s);
	case WANT_KEY:
		return take_key(s);
	case WANT_VALUE_OR_END:
		if (*s->p == ']') {
			close_container(s);
			return JSON_OK;
		}
		return take_value(s);
	case WANT_VALUE:
		return take_value(s);
	case WANT_COMMA_OR_END:
		return take_comma_or_end(s);
	case WANT_NOTHING:
		break;
	}
	return missed(s, "something follows the value");
}

enum json_result
json_scan(struct json *j, struct text in, unsigned max_depth)
{
	struct scan s = { .j = j, .base = in.p, .p = in.p, .end = in.p + in.n, .want = WANT_VALUE };

	s.max_depth = max_depth < STACK_SIZE ? max_depth : STACK_SIZE;
	j->in = in;
	j->n = 0;
	j->error = NULL;
	if (in.n > UINT32_MAX / 2)
		return fail(&s, JSON_NO_MEMORY, "too large");
	for (;;) {
		enum json_result rc;

		skip_space(&s);
		if (s.p == s.end)
			return s.want == WANT_NOTHING ? JSON_OK : missed(&s, "");
		if ((rc = step(&s)) != JSON_OK)
			return rc;
	}
}

void
json_fini(struct json *j)
{
	free(j->tokens);
	*j = (struct json){ .n = 0 };
}

void
json_shrink(struct json *j, uint32_t keep)
{
	if (j->cap > keep)
		json_fini(j);
}

struct text
json_raw(const struct json *j, uint32_t token)
{
	const struct json_token *t = &j->tokens[token];

	return (struct text){ j->in.p + t->start, t->end - t->start };
}

struct text
json_inner(const struct json *j, uint32_t token)
{
	const struct json_token *t = &j->tokens[token];

	return (struct text){ j->in.p + t->start + 1, t->end - t->start - 2 };
}

static size_t
put_utf8(char *out, unsigned cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

size_t
json_unescape(struct text raw, char *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *p = raw.p, *end = raw.p + raw.n;
	size_t n = 0;

	while (p < end) {
		const char *at;
		int v;

		if (*p != '\\') {
			out[n++] = *p++;
			continue;
		}
		p += 2; /* the scanner saw to it that an escape is whole */
		if (p[-1] != 'u') {
			at = strchr(from, p[-1]);
			out[n++] = at == NULL ? p[-1] : to[at - from];
			continue;
		}
		v = hex4(p, end);
		p += 4;
		if (is_high_surrogate(v)) {
			v = 0x10000 + ((v - 0xd800) << 10) + (hex4(p + 2, end) - 0xdc00);
			p += 6;
		}
		n += put_utf8(out + n, (unsigned)v);
	}
	return n;
}

/* The bytes between tokens are brackets, commas, colons and white space. */
static void
add_structure(struct buf *out, const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p != ' ' && *p != '\n' && *p != '\t' && *p != '\r')
			buf_add_char(out, *p);
	}
}

unsigned
json_compact(struct buf *out, const struct json *j, uint32_t token)
{
	const struct json_token *t = &j->tokens[token], *last = &j->tokens[j->tokens[token].next];
	const char *pos = j->in.p + t->start, *end = j->in.p + t->end;
	unsigned nulls = 0;

	while (t < last) {
		add_structure(out, pos, j->in.p + t->start);
		pos = j->in.p + t->end;
		if (t->flags & JSON_LOOSE) {
			pos = j->in.p + t->start; /* its bracket is structure, its inside comes next */
			t++;
			continue;
		}
		if (t->type == TOKEN_NAN) {
			buf_add(out, "null", 4);
			nulls++;
		} else {
			buf_add(out, j->in.p + t->start, t->end - t->start);
		}
		t = &j->tokens[t->next];
	}
	add_structure(out, pos, end);
	return nulls;
}

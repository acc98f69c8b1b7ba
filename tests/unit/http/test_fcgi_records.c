/* test_fcgi_records - which bytes are a whole request, what is in it, and what goes around an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/fcgi_records.h"

enum { BEGIN = 1, ABORT = 2, PARAMS = 4, STDIN = 5, DATA = 8, GET_VALUES = 9 };

static void
add_record(struct buf *b, unsigned type, unsigned id, struct text content, unsigned padding)
{
	const unsigned char head[8] = { 1, (unsigned char)type, (unsigned char)(id >> 8), (unsigned char)id,
		(unsigned char)(content.n >> 8), (unsigned char)content.n, (unsigned char)padding };

	buf_add(b, head, sizeof(head));
	buf_add_text(b, content);
	for (unsigned i = 0; i < padding; i++)
		buf_add_char(b, 'p');
}

static void
add_begin(struct buf *b, unsigned role, unsigned id)
{
	const char content[8] = { (char)(role >> 8), (char)role };

	add_record(b, BEGIN, id, (struct text){ content, sizeof(content) }, 0);
}

static void
add_length(struct buf *b, size_t n, bool in_four)
{
	const unsigned char four[4] = { (unsigned char)(0x80 | n >> 24), (unsigned char)(n >> 16),
		(unsigned char)(n >> 8), (unsigned char)n };

	if (in_four || n > 127)
		buf_add(b, four, 4);
	else
		buf_add_char(b, (char)n);
}

static void
add_pair(struct buf *b, const char *name, const char *value, bool in_four)
{
	add_length(b, strlen(name), in_four);
	add_length(b, strlen(value), in_four);
	buf_add_str(b, name);
	buf_add_str(b, value);
}

/* A request with these PARAMS, cut into records of `piece` bytes. */
static void
make(struct buf *b, struct text params, size_t piece, unsigned padding, unsigned id)
{
	buf_init(b, 0);
	add_begin(b, 1, id);
	for (size_t at = 0; at < params.n; at += piece)
		add_record(b, PARAMS, id, text_cut(params, at, at + piece < params.n ? at + piece : params.n), padding);
	add_record(b, PARAMS, id, TEXT(""), padding);
	add_record(b, STDIN, id, TEXT(""), padding);
}

static void
make_params(struct buf *b, bool in_four)
{
	buf_init(b, 0);
	add_pair(b, "REQUEST_METHOD", "GET", in_four);
	add_pair(b, "QUERY_STRING", "", in_four);
	add_pair(b, "HTTP_ACCEPT", "first", in_four);
	add_pair(b, "", "of nothing", in_four);
	add_pair(b, "HTTP_ACCEPT", "second", in_four);
	add_pair(b, "PATH_INFO", "/v1/events", in_four);
}

static void
assert_var(struct records *r, const char *name, unsigned nth, const char *want)
{
	const char *got = records_var(r, name, nth);

	if (want == NULL)
		assert_null(got);
	else
		assert_string_equal(got, want);
}

/* Exactly as many bytes as there are: the sanitizers see every step outside. */
static char *
copy_of(const struct buf *b, size_t n)
{
	char *p = malloc(n == 0 ? 1 : n);

	assert_non_null(p);
	if (n > 0)
		memcpy(p, b->p, n);
	return p;
}

static void
assert_taken(const struct buf *b, unsigned id)
{
	char *p = copy_of(b, b->len);
	struct records r;

	assert_true(records_are_whole(p, b->len));
	assert_int_equal(records_take(p, b->len, &r), 1);
	assert_int_equal(r.request_id, id);
	assert_int_equal(r.n, 6);
	assert_var(&r, "REQUEST_METHOD", 0, "GET");
	assert_var(&r, "QUERY_STRING", 0, "");
	assert_var(&r, "PATH_INFO", 0, "/v1/events");
	assert_var(&r, "HTTP_ACCEPT", 0, "first");
	assert_var(&r, "HTTP_ACCEPT", 1, "second");
	assert_var(&r, "HTTP_ACCEPT", 2, NULL);
	assert_var(&r, "HTTP_ACCEP", 0, NULL);
	assert_var(&r, "HTTP_ACCEPX", 0, NULL);
	assert_var(&r, "", 0, "of nothing");
	free(p);
}

/* However the web server cuts and pads it. */
static void
test_whole(void **state)
{
	struct buf params, b;

	(void)state;
	for (int in_four = 0; in_four < 2; in_four++) {
		make_params(&params, in_four == 1);
		for (size_t piece = 1; piece <= params.len; piece++) {
			for (unsigned padding = 0; padding < 256; padding += 85) {
				unsigned id = piece == 1 ? 65535 : 1;

				make(&b, buf_text(&params), piece, padding, id);
				assert_taken(&b, id);
				buf_fini(&b);
			}
		}
		buf_fini(&params);
	}
}

static void
test_every_truncation(void **state)
{
	struct buf params, b;

	(void)state;
	make_params(&params, false);
	make(&b, buf_text(&params), 20, 3, 1);
	for (size_t n = 0; n < b.len; n++) {
		char *p = copy_of(&b, n);

		assert_false(records_are_whole(p, n));
		free(p);
	}
	buf_add_char(&b, 1);
	assert_false(records_are_whole(b.p, b.len));
	buf_fini(&b);
	buf_fini(&params);
}

/* What any one byte can be made: it is told apart, or taken without a step outside, and names and values lie within. */
static void
test_every_byte(void **state)
{
	struct buf params, b;

	(void)state;
	make_params(&params, true);
	make(&b, buf_text(&params), 50, 1, 1);
	for (size_t at = 0; at < b.len; at++) {
		for (int v = 0; v < 256; v++) {
			char *p = copy_of(&b, b.len);
			struct records r;

			p[at] = (char)v;
			if (records_are_whole(p, b.len) && records_take(p, b.len, &r) == 1)
				for (unsigned i = 0; i < r.n; i++) {
					assert_true(
					    r.vars[i].name.p >= p && r.vars[i].name.p + r.vars[i].name.n <= p + b.len);
					assert_true(r.vars[i].value.p + r.vars[i].value.n < p + b.len);
					assert_true(strlen(r.vars[i].value.p) <= r.vars[i].value.n);
				}
			free(p);
		}
	}
	buf_fini(&b);
	buf_fini(&params);
}

static const struct {
	const char *what;
	unsigned begin_role, begin_id;
	struct {
		unsigned type, id;
		const char *content;
	} records[5];
	bool whole;
} sequences[] = {
	/* clang-format off */
	{ "plain",                  1, 1, { { PARAMS, 1, "\1\1ab" }, { PARAMS, 1, "" }, { STDIN, 1, "" } }, true },
	{ "no variables",           1, 1, { { PARAMS, 1, "" }, { STDIN, 1, "" } }, true },
	{ "id 0",                   1, 0, { { PARAMS, 0, "" }, { STDIN, 0, "" } }, false },
	{ "authorizer",             2, 1, { { PARAMS, 1, "" }, { STDIN, 1, "" } }, false },
	{ "a role of two bytes",  257, 1, { { PARAMS, 1, "" }, { STDIN, 1, "" } }, false },
	{ "params of another",      1, 1, { { PARAMS, 2, "" }, { STDIN, 1, "" } }, false },
	{ "end of another",         1, 1, { { PARAMS, 1, "\1\1ab" }, { PARAMS, 257, "" }, { STDIN, 1, "" } }, false },
	{ "stdin of another",       1, 1, { { PARAMS, 1, "" }, { STDIN, 257, "" } }, false },
	{ "a body",                 1, 1, { { PARAMS, 1, "" }, { STDIN, 1, "x" }, { STDIN, 1, "" } }, false },
	{ "no end of params",       1, 1, { { PARAMS, 1, "\1\1ab" }, { STDIN, 1, "" } }, false },
	{ "stdin first",            1, 1, { { STDIN, 1, "" }, { PARAMS, 1, "" } }, false },
	{ "aborted",                1, 1, { { PARAMS, 1, "" }, { ABORT, 1, "" } }, false },
	{ "aborted before params",  1, 1, { { ABORT, 1, "" }, { PARAMS, 1, "" }, { STDIN, 1, "" } }, false },
	{ "data",                   1, 1, { { PARAMS, 1, "" }, { DATA, 1, "" }, { STDIN, 1, "" } }, false },
	{ "a management record",    1, 1, { { GET_VALUES, 0, "" }, { PARAMS, 1, "" }, { STDIN, 1, "" } }, false },
	{ "something behind",       1, 1, { { PARAMS, 1, "" }, { STDIN, 1, "" }, { STDIN, 1, "" } }, false },
	{ "begun twice",            1, 1, { { BEGIN, 1, "\0\1" }, { PARAMS, 1, "" }, { STDIN, 1, "" } }, false },
	/* clang-format on */
};

static void
test_sequences(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
		struct buf b = { 0 };

		add_begin(&b, sequences[i].begin_role, sequences[i].begin_id);
		for (int k = 0; k < 5 && sequences[i].records[k].content != NULL; k++)
			add_record(&b, sequences[i].records[k].type, sequences[i].records[k].id,
			    text_of(sequences[i].records[k].content), 0);
		if (records_are_whole(b.p, b.len) != sequences[i].whole)
			fail_msg("%s", sequences[i].what);
		buf_fini(&b);
	}
}

/* Lengths that reach beyond what is there, by one or by nearly all that can be said. */
static void
test_lying_lengths(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} params[] = {
		{ "\1", 1 },
		{ "\1\1a", 3 },
		{ "\2\0a", 3 },
		{ "\0\2a", 3 },
		{ "\0\0\1", 3 },
		{ "\x80", 1 },
		{ "\x80\0\0\1", 4 },
		{ "\xff\xff\xff\xff\1ab", 7 },
		{ "\1\xff\xff\xff\xff"
		  "ab",
		    7 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff", 8 },
		{ "\xc0\0\0\0\xbf\xff\xff\xff", 8 },
	};
	struct records r;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		char *p;

		make(&b, (struct text){ params[i].bytes, params[i].n }, 100, 0, 1);
		p = copy_of(&b, b.len);
		assert_true(records_are_whole(p, b.len));
		assert_int_equal(records_take(p, b.len, &r), -1);
		free(p);
		buf_fini(&b);
	}
}

static void
test_many_variables(void **state)
{
	struct buf params = { 0 }, b;
	struct records r;

	(void)state;
	for (int n = 1; n <= RECORDS_VARS_MAX + 1; n++) {
		char name[16];

		snprintf(name, sizeof(name), "V%d", n);
		add_pair(&params, name, name + 1, false);
		make(&b, buf_text(&params), 60000, 0, 1);
		assert_true(records_are_whole(b.p, b.len));
		assert_int_equal(records_take(b.p, b.len, &r), n <= RECORDS_VARS_MAX);
		if (n <= RECORDS_VARS_MAX) {
			assert_var(&r, "V1", 0, "1");
			assert_var(&r, name, 0, name + 1);
		}
		buf_fini(&b);
	}
	buf_fini(&params);
}

/* As libfcgi has it: what is behind a NUL is not there. */
static void
test_nul_in_a_value(void **state)
{
	struct records r;
	struct buf b;

	(void)state;
	make(&b, (struct text){ "\1\3ax\0y\1\1bz", 10 }, 100, 0, 1);
	assert_true(records_are_whole(b.p, b.len));
	assert_int_equal(records_take(b.p, b.len, &r), 1);
	assert_var(&r, "a", 0, "x");
	assert_var(&r, "b", 0, "z");
	buf_fini(&b);
}

static void
test_answer(void **state)
{
	unsigned char head[RECORDS_HEAD], tail[RECORDS_TAIL];

	(void)state;
	records_stdout(head, 0x1234, 0xabcd);
	assert_memory_equal(head, "\1\6\x12\x34\xab\xcd\0\0", sizeof(head));
	records_tail(tail, 0x1234);
	assert_memory_equal(tail,
	    "\1\6\x12\x34\0\0\0\0"
	    "\1\3\x12\x34\0\x8\0\0"
	    "\0\0\0\0\0\0\0\0",
	    sizeof(tail));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_lying_lengths),
		cmocka_unit_test(test_many_variables),
		cmocka_unit_test(test_nul_in_a_value),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

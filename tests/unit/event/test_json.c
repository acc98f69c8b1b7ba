/*
 * The scanner against jansson: over generated and mutated documents both must accept and refuse the same, and what
 * json_compact() writes must be equal to what jansson read. Where they differ on purpose is said in skip_difference().
 */
#include "feed.h"

#include "event/json.h"

#define ROUNDS 60000

static uint64_t seed = 88172645463325252u;

static unsigned
roll(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

static void
make_space(struct buf *b)
{
	if (roll(4) == 0)
		buf_add_char(b, " \n\t\r"[roll(4)]);
}

static void
make_string(struct buf *b)
{
	static const char *const parts[] = { "a", "symbol", "\\n", "\\\"", "\\\\", "\\/", "\\u0041", "\\ud83d\\ude00",
		"\\u20ac", "\xc3\xa9", "\xf0\x9f\x98\x80", "longer than eight", " ", "\\b\\f\\r\\t", "\\uD834\\uDD1E" };

	buf_add_char(b, '"');
	for (unsigned n = roll(5); n > 0; n--)
		buf_add_str(b, parts[roll(sizeof(parts) / sizeof(*parts))]);
	buf_add_char(b, '"');
}

static void
make_value(struct buf *b, unsigned depth)
{
	static const char *const scalars[] = { "0", "-0", "1", "-12", "0.5", "85.1", "1e5", "1E-3", "-1.5e+2",
		"1795417206.702866", "true", "false", "null", "123456789012345678" };
	unsigned kind = roll(depth > 0 ? 5 : 3), n = roll(5);

	make_space(b);
	if (kind == 0)
		make_string(b);
	else if (kind <= 2)
		buf_add_str(b, scalars[roll(sizeof(scalars) / sizeof(*scalars))]);
	else {
		buf_add_char(b, kind == 3 ? '[' : '{');
		for (unsigned i = 0; i < n; i++) {
			if (i > 0)
				buf_add_char(b, ',');
			make_space(b);
			if (kind == 4) {
				make_string(b);
				make_space(b);
				buf_add_char(b, ':');
			}
			make_value(b, depth - 1);
		}
		make_space(b);
		buf_add_char(b, kind == 3 ? ']' : '}');
	}
	make_space(b);
}

/* Changes, drops or doubles a few bytes. */
static void
mutate(struct buf *b)
{
	static const char bytes[] = "\"\\{}[]:,0123456789eE.+-truefalsn u\x01\x7f\xc3\xa9\xed\xa0\x80NaI";

	for (unsigned n = 1 + roll(3); n > 0 && b->len > 0; n--) {
		size_t at = roll((unsigned)b->len);

		switch (roll(3)) {
		case 0:
			b->p[at] = bytes[roll(sizeof(bytes) - 1)];
			break;
		case 1:
			memmove(b->p + at, b->p + at + 1, b->len - at - 1);
			b->len--;
			break;
		default:
			buf_add_char(b, b->p[at]);
			break;
		}
	}
}

/* Where we differ and mean it: jansson refuses NUL in keys, reals and integers that do not fit, and Python's words. */
static bool
skip_difference(struct text t, const json_error_t *error)
{
	const char *code = error->text;

	return memmem(t.p, t.n, "NaN", 3) != NULL || memmem(t.p, t.n, "Infinity", 8) != NULL ||
	    memmem(t.p, t.n, "\\u0000", 6) != NULL || strstr(code, "too big") != NULL ||
	    strstr(code, "overflow") != NULL;
}

static void
check_compact(const struct json *j, const json_t *want)
{
	struct buf out = { .max = 0 };
	struct json again = { .n = 0 };
	json_t *got;

	assert_int_equal(json_compact(&out, j, 0), 0);
	got = json_loadb(out.p, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	assert_true(json_equal(got, want));
	/* Compact is compact: scanned again, nothing is loose. */
	assert_int_equal(json_scan(&again, buf_text(&out), 64), JSON_OK);
	for (uint32_t i = 0; i < again.n; i++)
		assert_int_equal(again.tokens[i].flags & JSON_LOOSE, 0);
	json_fini(&again);
	buf_fini(&out);
	json_decref(got);
}

/* Returns 1 if it was accepted. */
static unsigned
compare(struct json *j, struct text t)
{
	json_error_t error;
	json_t *want = json_loadb(t.p, t.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	bool ours = text_utf8_valid(t) && json_scan(j, t, 64) == JSON_OK;

	if (ours != (want != NULL) && !skip_difference(t, &error))
		fail_msg("%s: ours %d (%s), jansson %s", t.p, ours, j->error, want == NULL ? error.text : "ok");
	if (ours && want != NULL)
		check_compact(j, want);
	json_decref(want);
	return ours;
}

static void
test_like_jansson(void **state)
{
	struct json j = { .n = 0 };
	struct buf b = { .max = 0 };
	unsigned accepted = 0;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		char *exact;

		buf_clear(&b);
		make_value(&b, 4);
		if (i % 2 != 0)
			mutate(&b);
		/* A block of its own size, so that a sanitizer sees a step beyond the end. */
		exact = malloc(b.len + 1);
		memcpy(exact, b.p, b.len);
		exact[b.len] = '\0';
		accepted += compare(&j, (struct text){ exact, b.len });
		free(exact);
	}
	assert_in_range(accepted, ROUNDS / 2, ROUNDS - ROUNDS / 10);
	buf_fini(&b);
	json_fini(&j);
}

static void
test_every_prefix(void **state)
{
	static const char whole[] = "{\"a\":[1,-2.5e3,\"x\\u00e9\\ud83d\\ude00\",true,null],\"b\":{\"c\":NaN}}";
	struct json j = { .n = 0 };

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		assert_int_equal(json_scan(&j, (struct text){ whole, n }, 16), JSON_INVALID);
	assert_int_equal(json_scan(&j, TEXT(whole), 16), JSON_OK);
	assert_int_equal(json_scan(&j, TEXT(whole), 2), JSON_OK);
	assert_int_equal(json_scan(&j, TEXT(whole), 1), JSON_TOO_DEEP);
	json_fini(&j);
}

static void
test_unescape(void **state)
{
	char out[64];
	struct text raw = TEXT("\\b\\f\\n\\r\\t\\\"\\\\\\/A\\u00e9\\u20ac\\uD83D\\uDE00");
	size_t n = json_unescape(raw, out);

	(void)state;
	assert_true(text_eq((struct text){ out, n }, TEXT("\b\f\n\r\t\"\\/A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
}

static void
test_tape(void **state)
{
	struct json j = { .n = 0 };

	(void)state;
	assert_int_equal(json_scan(&j, TEXT("{\"a\":[1,2],\"b\": 3}"), 16), JSON_OK);
	assert_int_equal(j.n, 7);
	assert_int_equal(j.tokens[2].type, TOKEN_ARRAY);
	assert_int_equal(j.tokens[2].next, 5);
	assert_int_equal(j.tokens[2].flags, 0);
	assert_int_equal(j.tokens[0].flags, JSON_LOOSE);
	assert_true(text_eq(json_raw(&j, 2), TEXT("[1,2]")));
	assert_true(text_eq(json_inner(&j, 5), TEXT("b")));
	json_shrink(&j, 1000);
	assert_non_null(j.tokens);
	json_shrink(&j, 10);
	assert_null(j.tokens);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_jansson),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_tape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

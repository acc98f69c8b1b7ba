/* test_cluster - what is packed comes out again, and what was never packed is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/cluster.h"

static char long_text[CLUSTER_BODY_MAX + 1];

static struct text
packed(const struct cluster *c)
{
	return (struct text){ (const char *)c->bytes, c->len };
}

/* Of the size that it has, so that AddressSanitizer sees who reads beyond it. */
static int
unpack(struct text bytes, int64_t first, struct clustered out[CLUSTER_EVENTS])
{
	char *copy = malloc(bytes.n + (bytes.n == 0));
	int n;

	assert_non_null(copy);
	memcpy(copy, bytes.p, bytes.n);
	n = cluster_unpack((struct text){ copy, bytes.n }, first, out);
	for (int i = 0; i < n; i++)
		assert_true(out[i].body.p >= copy && out[i].body.p + out[i].body.n <= copy + bytes.n);
	free(copy);
	return n;
}

static void
test_there_and_back(void **state)
{
	static const int64_t numbers[] = { 0, 1, -1, 127, 128, INT64_MAX, INT64_MIN, 1795903824077 };
	const size_t n_numbers = sizeof(numbers) / sizeof(numbers[0]);
	struct cluster c = { .n = 0 };
	struct clustered out[CLUSTER_EVENTS];

	(void)state;
	for (size_t i = 0; i < n_numbers; i++) {
		struct clustered ev = { .seq = (int64_t)i * 4000 + 1,
			.kind = (enum kind)(i % KIND__MAX),
			.time_ms = numbers[i],
			.received_us = numbers[(i + 1) % n_numbers],
			.gap_from_us = numbers[(i + 2) % n_numbers],
			.duplicate_of = numbers[(i + 3) % n_numbers],
			.body = { "{\"n\":1}", i } };

		if (i == 7) /* only its row has it */
			ev.body = (struct text){ long_text, sizeof(long_text) };
		assert_true(cluster_add(&c, &ev));
	}
	assert_int_equal(c.first, 1);
	assert_int_equal(c.last, 28001);
	assert_int_equal(cluster_unpack(packed(&c), c.first, out), n_numbers);
	for (size_t i = 0; i < n_numbers; i++) {
		assert_int_equal(out[i].seq, i * 4000 + 1);
		assert_int_equal(out[i].kind, i % KIND__MAX);
		assert_int_equal(out[i].time_ms, numbers[i]);
		assert_int_equal(out[i].received_us, numbers[(i + 1) % n_numbers]);
		assert_int_equal(out[i].gap_from_us, numbers[(i + 2) % n_numbers]);
		assert_int_equal(out[i].duplicate_of, numbers[(i + 3) % n_numbers]);
		assert_true(text_eq(out[i].body, (struct text){ "{\"n\":1}", i == 7 ? 0 : i }));
	}
}

static void
test_full(void **state)
{
	struct cluster c = { .n = 0 };
	struct clustered ev = { .seq = 1, .body = { long_text, CLUSTER_BODY_MAX } }, out[CLUSTER_EVENTS];

	(void)state;
	/* By bytes … */
	assert_true(cluster_add(&c, &ev));
	ev.seq = 2;
	assert_true(cluster_add(&c, &ev));
	ev.seq = 3;
	assert_false(cluster_add(&c, &ev));
	assert_int_equal(c.n, 2);
	assert_int_equal(c.last, 2);
	assert_int_equal(unpack(packed(&c), 1, out), 2);
	/* … and by events. */
	c = (struct cluster){ .n = 0 };
	ev.body = TEXT("{}");
	for (ev.seq = 1; ev.seq <= CLUSTER_EVENTS; ev.seq++)
		assert_true(cluster_add(&c, &ev));
	assert_false(cluster_add(&c, &ev));
	assert_int_equal(unpack(packed(&c), 1, out), CLUSTER_EVENTS);
	memcpy(c.bytes + c.len, c.bytes + c.len - 9, 9);
	c.len += 9;
	assert_int_equal(unpack(packed(&c), 1, out), -1);
}

static void
test_what_is_none(void **state)
{
	/* clang-format off */
	static const struct { int64_t first; struct text bytes; } rows[] = {
		{ 1, TEXT_INIT("") },
		{ 0, TEXT_INIT("\0\0\0\0\0\0\0") },
		{ -5, TEXT_INIT("\0\0\0\0\0\0\0") },
		{ INT64_MAX, TEXT_INIT("\0\0\0\0\0\0\0") },
		{ 1, TEXT_INIT("\1\0\0\0\0\0\0") }, /* the first with a step */
		{ 1, TEXT_INIT("\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0") }, /* the second without */
		{ INT64_MAX - 1, TEXT_INIT("\0\0\0\0\0\0\0" "\1\0\0\0\0\0\0") }, /* nothing could come after it */
		{ 5, TEXT_INIT("\0\0\0\0\0\0\0" "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\0\0\0\0\0\0") }, /* back */
		{ 1, TEXT_INIT("\0\7\0\0\0\0\0") }, /* of no kind */
		{ 1, TEXT_INIT("\0\0\0\0\0\0") }, /* cut off */
		{ 1, TEXT_INIT("\0\0\0\0\0\0\x80") },
		{ 1, TEXT_INIT("\0\0\0\0\0\0\1") }, /* longer than what is there */
		{ 1, TEXT_INIT("\0\0\0\0\0\0\3xx") },
		{ 1, TEXT_INIT("\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1") },
		{ 1, TEXT_INIT("\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\2") }, /* longer than a number */
	};
	/* clang-format on */
	struct clustered out[CLUSTER_EVENTS];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(unpack(rows[i].bytes, rows[i].first, out), -1);
	assert_int_equal(unpack(TEXT("\0\0\0\0\0\0\0"), 1, out), 1);
}

/* Whatever bytes there are: what comes out lies within them, ascending and of a kind. */
static void
test_any_bytes(void **state)
{
	struct clustered out[CLUSTER_EVENTS];
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char bytes[64];
		size_t n = (size_t)i % sizeof(bytes);
		int events;

		for (size_t k = 0; k < n; k++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			/* Mostly small, or hardly any begins well. */
			bytes[k] = (char)(seed >> 33 & (seed >> 60 == 0 ? 255 : 3));
		}
		if (n > 0)
			bytes[0] = 0;
		events = unpack((struct text){ bytes, n }, 1, out);
		for (int k = 0; k < events; k++)
			assert_true(out[k].kind < KIND__MAX && out[k].seq > (k > 0 ? out[k - 1].seq : 0));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

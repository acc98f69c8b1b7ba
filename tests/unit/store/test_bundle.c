/* test_bundle - what is packed comes out again, and what was never packed is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/bundle.h"

static struct text
packed(const struct bundle *b)
{
	return (struct text){ (const char *)b->bytes, b->len };
}

static void
test_there_and_back(void **state)
{
	/* The largest steps there are, too. */
	static const int64_t steps[] = { 1, 15, 16, 17, 2047, 2048, 4000, 1 << 20, INT64_C(1) << 40, INT64_C(1) << 59 };
	struct place places[BUNDLE_PLACES];

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct bundle b = { .n = 0 }, again;
		int64_t first = (int64_t)i + 1, seq = first;
		unsigned n = 0;

		for (; n < BUNDLE_PLACES && seq <= INT64_MAX - steps[i]; n++, seq += steps[i])
			bundle_add(&b, seq, (enum kind)(n % KIND__MAX));
		assert_int_equal(b.n, n);
		assert_int_equal(b.first, first);
		assert_int_equal(b.last, seq - steps[i]);
		assert_true(b.len <= BUNDLE_BYTES);
		assert_int_equal(bundle_unpack(packed(&b), b.first, places), n);
		for (unsigned k = 0; k < n; k++) {
			assert_int_equal(places[k].seq, first + (int64_t)k * steps[i]);
			assert_int_equal(places[k].kind, k % KIND__MAX);
		}
		assert_int_equal(bundle_load(&again, packed(&b), b.first), 0);
		assert_int_equal(again.n, b.n);
		assert_int_equal(again.last, b.last);
		assert_int_equal(again.kinds, b.kinds);
		assert_int_equal(again.len, b.len);
		assert_memory_equal(again.bytes, b.bytes, b.len);
	}
}

static void
test_what_is_none(void **state)
{
	static char many[BUNDLE_PLACES + 1];
	/* clang-format off */
	static const struct { int64_t first; struct text bytes; } rows[] = {
		{ 1, TEXT_INIT("") },
		{ 0, TEXT_INIT("\x00") },
		{ -5, TEXT_INIT("\x00") },
		{ 1, TEXT_INIT("\x08") }, /* the first with a step */
		{ 1, TEXT_INIT("\x00\x00") }, /* the second without */
		{ 1, TEXT_INIT("\x07") }, /* of no kind */
		{ 1, TEXT_INIT("\x00\x80") }, /* cut off */
		{ 1, TEXT_INIT("\x80") },
		{ 1, TEXT_INIT("\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01") }, /* longer than a number */
		{ 1, TEXT_INIT("\x00\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02") },
		{ INT64_MAX - 1, TEXT_INIT("\x00\x10") }, /* beyond the last seq */
		{ INT64_MAX - 1, TEXT_INIT("\x00\x08") }, /* nothing could come after it */
		{ INT64_MAX, TEXT_INIT("\x00") },
	};
	/* clang-format on */
	struct place places[BUNDLE_PLACES];
	struct bundle b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(bundle_unpack(rows[i].bytes, rows[i].first, places), -1);
		assert_int_equal(bundle_load(&b, rows[i].bytes, rows[i].first), -1);
	}
	memset(many, 8, sizeof(many));
	many[0] = 0;
	assert_int_equal(bundle_unpack((struct text){ many, BUNDLE_PLACES }, 1, places), BUNDLE_PLACES);
	assert_int_equal(bundle_unpack((struct text){ many, BUNDLE_PLACES + 1 }, 1, places), -1);
}

/* Numbers that are written as long as can be leave room for all places. */
static void
test_long_numbers(void **state)
{
	char bytes[(BUNDLE_PLACES - 1) * 10];
	struct place places[BUNDLE_PLACES];
	struct bundle b;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i % 10 == 9 ? 0 : 0x80);
	/* Each a step of one, but the first. */
	for (size_t i = 10; i < sizeof(bytes); i += 10)
		bytes[i] = (char)(0x80 | 8);
	assert_int_equal(bundle_load(&b, (struct text){ bytes, sizeof(bytes) }, 5), 0);
	assert_int_equal(b.n, BUNDLE_PLACES - 1);
	assert_int_equal(b.last, 5 + BUNDLE_PLACES - 2);
	bundle_add(&b, INT64_C(1) << 60, KIND_ALERT);
	assert_true(b.len <= BUNDLE_BYTES);
	assert_int_equal(bundle_unpack(packed(&b), b.first, places), BUNDLE_PLACES);
	assert_int_equal(places[BUNDLE_PLACES - 1].seq, INT64_C(1) << 60);
	assert_int_equal(places[BUNDLE_PLACES - 1].kind, KIND_ALERT);
	/* Emptied, it begins anew. */
	bundle_clear(&b);
	bundle_add(&b, 7, KIND_INDICATOR);
	assert_int_equal(bundle_unpack(packed(&b), b.first, places), 1);
	assert_int_equal(places[0].seq, 7);
	assert_int_equal(b.kinds, KIND_BIT(KIND_INDICATOR));
}

/* Whatever bytes: no more than 64 places, ascending, of kinds that there are. */
static void
test_any_bytes(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct place places[BUNDLE_PLACES];
		char bytes[40];
		int n;

		for (size_t k = 0; k < sizeof(bytes); k++) {
			x = x * 1664525 + 1013904223;
			bytes[k] = (char)(x >> 24 & (x >> 16 & 1 ? 0xff : 0x7f));
		}
		bytes[0] &= 7;
		n = bundle_unpack((struct text){ bytes, x >> 20 & 31 }, 1, places);
		assert_in_range(n + 1, 0, BUNDLE_PLACES + 1);
		for (int k = 0; k < n; k++) {
			assert_true((unsigned)places[k].kind < KIND__MAX);
			assert_true(places[k].seq > (k == 0 ? 0 : places[k - 1].seq));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_long_numbers),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

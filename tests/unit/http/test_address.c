/* Addresses and networks, as lists in the settings and clients have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/address.h"

static void
test_what_is_an_address(void **state)
{
	static const char *const good[] = { "192.0.2.1", "0.0.0.0/0", "10.0.0.0/8", "::1", "2001:db8::/32", "::/0",
		"::1/128", "255.255.255.255/32", "::ffff:192.0.2.1" };
	static const char *const bad[] = { "", "/", "localhost", "192.0.2", "192.0.2.1/33", "192.0.2.1/",
		"192.0.2.1/-1", "::1/129", "192.0.2.1:80", "[::1]", "1.2.3.4.5", " ::1", "::1 ", "192.0.2.1/8/8",
		"fe80::1%eth0", "0x7f.1", "1111111111111111111111111111111111111111111111111" };
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (address_parse(text_of(good[i]), &a) != 0)
			fail_msg("%s is one", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (address_parse(text_of(bad[i]), &a) == 0)
			fail_msg("%s is none", bad[i]);
	assert_int_equal(address_parse(TEXT_NONE, &a), -1);
}

static void
test_what_lies_within(void **state)
{
	static const struct {
		const char *address, *network;
		bool within;
	} rows[] = { { "10.1.2.3", "10.0.0.0/8", true }, { "11.1.2.3", "10.0.0.0/8", false },
		{ "10.1.2.3", "0.0.0.0/0", true }, { "::1", "0.0.0.0/0", false },
		{ "::ffff:10.1.2.3", "10.0.0.0/8", true }, { "192.0.2.129", "192.0.2.128/25", true },
		{ "192.0.2.127", "192.0.2.128/25", false }, { "2001:db8:1::1", "2001:db8::/32", true },
		{ "2001:db9::1", "2001:db8::/32", false }, { "127.0.0.1", "::/0", true },
		{ "127.0.0.1", "127.0.0.1", true }, { "127.0.0.2", "127.0.0.1", false },
		{ "2001:db8::8", "2001:db8::/125", false }, { "2001:db8::7", "2001:db8::/125", true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a, network;

		assert_int_equal(address_parse(text_of(rows[i].address), &a), 0);
		assert_int_equal(address_parse(text_of(rows[i].network), &network), 0);
		if (address_within(&a, &network) != rows[i].within)
			fail_msg("%s in %s", rows[i].address, rows[i].network);
	}
}

static void
test_what_is_loopback(void **state)
{
	static const struct {
		const char *address;
		bool loopback;
	} rows[] = { { "127.0.0.1", true }, { "127.255.0.1", true }, { "::1", true }, { "::ffff:127.0.0.1", true },
		{ "126.255.255.255", false }, { "128.0.0.1", false }, { "::", false }, { "::2", false },
		{ "::127.0.0.1", false }, { "2001:db8::1", false } };
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(address_parse(text_of(rows[i].address), &a), 0);
		assert_int_equal(address_is_loopback(&a), rows[i].loopback);
	}
}

static void
test_what_is_one_client(void **state)
{
	static const struct {
		const char *a, *b;
		bool one;
	} rows[] = { { "2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true },
		{ "2001:db8:0:1::1", "2001:db8:0:2::1", false }, { "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.1", "::ffff:192.0.2.1", true }, { "192.0.2.1", "::", false } };
	struct address a, b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(address_parse(text_of(rows[i].a), &a), 0);
		assert_int_equal(address_parse(text_of(rows[i].b), &b), 0);
		assert_int_equal(text_eq(address_client(&a), address_client(&b)), rows[i].one);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_an_address),
		cmocka_unit_test(test_what_lies_within),
		cmocka_unit_test(test_what_is_loopback),
		cmocka_unit_test(test_what_is_one_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

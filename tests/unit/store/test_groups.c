/* test_groups - each symbol has one place, whatever it is called and however many there are, and they come out in the order of the tables. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/groups.h"

struct counted {
	struct group group;
	int n;
};

static struct counted *
count(struct groups *g, struct text symbol)
{
	struct counted *x = groups_at(g, symbol);

	if (x != NULL)
		x->n++;
	return x;
}

static void
test_many(void **state)
{
	struct groups g;
	char name[16];

	(void)state;
	groups_init(&g, sizeof(struct counted), 0, 1);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 20000; i++) {
			struct text symbol = { name, (size_t)snprintf(name, sizeof(name), "S%d", i * 7919 % 20000) };

			assert_int_equal(count(&g, symbol)->n, round + 1);
		}
	assert_int_equal(g.n, 20000);
	groups_fini(&g);
	/* As new. */
	assert_int_equal(count(&g, TEXT("S1"))->n, 1);
	assert_int_equal(g.n, 1);
	groups_fini(&g);
}

/* As memcmp() has it, which is how SQLite compares texts. */
static void
test_order(void **state)
{
	static const struct text want[] = { TEXT_INIT(""), TEXT_INIT("\0"), TEXT_INIT("A"), TEXT_INIT("A\0"),
		TEXT_INIT("A\0B"), TEXT_INIT("AA"), TEXT_INIT("AAAAAAAA"), TEXT_INIT("AAAAAAAAA"),
		TEXT_INIT("AAAAAAAAB"), TEXT_INIT("B"), TEXT_INIT("\xc3\xa4") };
	const size_t n = sizeof(want) / sizeof(want[0]);
	struct groups g;
	struct group **sorted;

	(void)state;
	groups_init(&g, sizeof(struct counted), 0, 2);
	for (size_t i = 0; i < 2 * n; i++)
		assert_non_null(count(&g, want[i * 5 % n]));
	assert_int_equal(g.n, n);
	sorted = groups_sorted(&g);
	assert_non_null(sorted);
	for (size_t i = 0; i < n; i++) {
		assert_true(text_eq(sorted[i]->symbol, want[i]));
		assert_int_equal(((struct counted *)sorted[i])->n, 2);
	}
	free(sorted);
	groups_fini(&g);
}

static void
test_none(void **state)
{
	struct groups g;
	struct group **sorted;

	(void)state;
	groups_init(&g, sizeof(struct counted), 0, 3);
	sorted = groups_sorted(&g);
	assert_non_null(sorted);
	free(sorted);
	groups_fini(&g);
}

/* What is there already is found when there is no room for more. */
static void
test_bound(void **state)
{
	struct groups g;
	char name[16];
	int i = 0;

	(void)state;
	groups_init(&g, sizeof(struct counted), 100000, 4);
	for (;; i++) {
		struct text symbol = { name, (size_t)snprintf(name, sizeof(name), "S%d", i) };

		if (count(&g, symbol) == NULL)
			break;
	}
	assert_in_range(i, 500, 2500);
	assert_int_equal(g.n, i);
	assert_null(count(&g, TEXT("NEW")));
	assert_int_equal(count(&g, TEXT("S0"))->n, 2);
	groups_fini(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

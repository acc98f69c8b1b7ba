/*
 * Every row of the tables: complete, consistent, and small enough for what is made of them.
 */
#include "feed.h"

#include "event/words.h"

static void
check_member(const struct member *m)
{
	assert_non_null(m->aliases[0]);
	for (size_t a = 1; a < KIND_ALIASES; a++)
		assert_true(m->aliases[a] == NULL || m->aliases[a - 1] != NULL);
	if (m->type == MEMBER_TIMEFRAME)
		assert_string_equal(m->missing, "1min");
}

static void
test_rows(void **state)
{
	(void)state;
	for (int k = 0; k < KIND__MAX; k++) {
		const struct kind_info *info = &kinds[k];
		enum kind found;

		assert_int_equal(kind_by_name(text_of(info->name), &found), 0);
		assert_int_equal(found, k);
		assert_non_null(info->help);
		assert_string_equal(info->sse_event, k == KIND_ERROR ? "system_error" : info->name);
		assert_true(info->n_members <= KIND_MEMBERS);
		assert_true((info->time_member == NULL) == (k == KIND_GAP));
		for (size_t m = 0; m < info->n_members; m++) {
			check_member(&info->members[m]);
			if (info->members[m].type == MEMBER_NAME)
				assert_string_equal(info->name_member, info->members[m].aliases[0]);
			/* find_value() looks in the row before `values`. */
			if (info->members[m].type == MEMBER_VALUES)
				assert_int_equal(info->members[m - 1].type, MEMBER_VALUE);
		}
	}
}

static void
test_names(void **state)
{
	enum severity s;
	enum kind k;

	(void)state;
	assert_int_equal(severity_by_name(TEXT("CRITICAL"), &s), 0);
	assert_int_equal(s, SEVERITY_CRITICAL);
	assert_int_equal(severity_by_name(TEXT("fatal"), &s), -1);
	assert_int_equal(severity_by_name(TEXT(""), &s), -1);
	assert_int_equal(kind_by_name(TEXT("Pattern"), &k), -1);
	assert_null(severity_names[SEVERITY_NONE]);
	for (int i = 0; i < TIME__MAX; i++)
		assert_non_null(time_source_names[i]);
	for (int i = 0; i < REJECT__MAX; i++)
		assert_non_null(reject_names[i]);
	for (int i = 0; i < NOTE__MAX; i++)
		assert_non_null(note_names[i]);
}

static void
test_words(void **state)
{
	struct words *w = malloc(sizeof(*w));

	(void)state;
	assert_int_equal(words_init(w), 0);
	for (size_t i = 0; i < w->n; i++)
		assert_int_equal(words_find(w, w->names[i]), i);
	assert_int_equal(words_find(w, TEXT("metadata")), WORD_NONE);
	assert_int_equal(words_find(w, TEXT("")), WORD_NONE);
	for (size_t i = 0; i < TIME_ALIASES; i++)
		assert_true((w->any_time & WORD_BIT(w->stopped[i])) != 0);
	/* The one name that is an envelope, too. */
	assert_int_equal(w->only_text, WORD_BIT(words_find(w, TEXT("indicator"))));
	free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

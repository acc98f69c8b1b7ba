/* The file of tokens, what it may hold, and how it is looked up while it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/tokens.h"

/* SHA-256 of "abc" is FIPS 180's own example; the other is of "abd". */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABD "A52D159F262B2C6DDB724A61840BEFC36EB30C88877A4030B65CBE86298449C9"

static char path[64];
static struct token_list list;

static int
make(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/tickgate-tokens-XXXXXX");
	if ((fd = mkstemp(path)) < 0)
		return -1;
	return close(fd);
}

static int
drop(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static int
read_text(const char *text, struct err *e)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
	return tokens_read(path, &list, e);
}

static void
test_lines(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(read_text("# who\n\n  feeder\tpublish   " ABC "  \r\nboss admin " ABD, &e), 0);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.tokens[0].name, "feeder");
	assert_int_equal(list.tokens[0].role, ROLE_PUBLISH);
	assert_int_equal(list.tokens[1].role, ROLE_ADMIN);
	assert_int_equal(list.tokens[1].sha256[0], 0xa5);
	assert_int_equal(read_text("", &e), 0);
	assert_int_equal(list.n, 0);
}

static void
test_faulty_lines(void **state)
{
	/* clang-format off */
	static const char *const texts[] = { "a", "a read", "a read 00", "a read " ABC " more", "a write " ABC, "a none " ABC, "a Read " ABC,
		"a read g" ABC, "a read " ABC "0", "\x01 read " ABC, "\xff read " ABC,
		"1234567890123456789012345678901234567890123456789012345678901234567890 read " ABC };
	/* clang-format on */
	char text[256];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(text, sizeof(text), "good read " ABC "\n%s\n", texts[i]);
		e = (struct err){ 0 };
		if (read_text(text, &e) == 0)
			fail_msg("%s was taken", texts[i]);
		if (strstr(e.text, ":2: ") == NULL || strstr(e.text, ABC) != NULL)
			fail_msg("%s: %s", texts[i], e.text);
	}
}

static void
test_files_that_are_not_taken(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(read_text("a read " ABC "\n", &e), 0);
	assert_int_equal(chmod(path, 0646), 0);
	assert_int_equal(tokens_read(path, &list, &e), -1);
	assert_non_null(strstr(e.text, "everybody may write it"));
	assert_int_equal(tokens_read("/tmp", &list, &e), -1);
	assert_int_equal(tokens_read("/tmp/tickgate-no-such-file", &list, &e), -1);
	assert_int_equal(e.code, ERR_MISSING);
}

static void
test_looking_up(void **state)
{
	struct tokens *t = tokens_new(NULL);
	char name[TOKEN_NAME_MAX + 1], long_token[TOKEN_MAX + 2];

	(void)state;
	assert_non_null(t);
	assert_int_equal(tokens_role(t, TEXT("abc"), name), ROLE_NONE);
	assert_int_equal(read_text("a read " ABC "\nb admin " ABD "\n", NULL), 0);
	tokens_set(t, &list);
	assert_int_equal(tokens_role(t, TEXT("abc"), name), ROLE_READ);
	assert_string_equal(name, "a");
	assert_int_equal(tokens_role(t, TEXT("abd"), name), ROLE_ADMIN);
	assert_string_equal(name, "b");
	assert_int_equal(tokens_role(t, TEXT("abe"), name), ROLE_NONE);
	assert_string_equal(name, "");
	assert_int_equal(tokens_role(t, TEXT(ABC), NULL), ROLE_NONE);
	assert_int_equal(tokens_role(t, TEXT(""), NULL), ROLE_NONE);
	memset(long_token, 'a', sizeof(long_token));
	assert_int_equal(tokens_role(t, (struct text){ long_token, TOKEN_MAX + 1 }, NULL), ROLE_NONE);
	/* In a worker it can be read and no more. */
	assert_int_equal(tokens_seal(t, NULL), 0);
	assert_int_equal(tokens_role(t, TEXT("abd"), NULL), ROLE_ADMIN);
	tokens_free(t);
}

static void
test_as_many_as_there_may_be(void **state)
{
	FILE *f = fopen(path, "w");
	struct tokens *t = tokens_new(NULL);
	struct err e;

	(void)state;
	for (int i = 0; i < TOKENS_MAX - 1; i++)
		fprintf(f, "t%d read %064d\n", i, i);
	fputs("last publish " ABC "\n", f);
	fclose(f);
	assert_int_equal(tokens_read(path, &list, &e), 0);
	tokens_set(t, &list);
	assert_int_equal(tokens_role(t, TEXT("abc"), NULL), ROLE_PUBLISH);
	f = fopen(path, "a");
	fputs("one too many " ABD "\n", f);
	fclose(f);
	assert_int_equal(tokens_read(path, &list, &e), -1);
	tokens_free(t);
}

static atomic_bool done;

static void *
look_up(void *arg)
{
	struct tokens *t = arg;
	intptr_t wrong = 0;

	/* Both lists know it, in other places and roles: it is never unknown, and never half of each. */
	while (!done) {
		char name[TOKEN_NAME_MAX + 1];
		enum role role = tokens_role(t, TEXT("abc"), name);

		wrong += !((role == ROLE_READ && strcmp(name, "first") == 0) ||
		    (role == ROLE_ADMIN && strcmp(name, "second") == 0));
	}
	return (void *)wrong;
}

static void
test_a_list_that_changes_under_the_reader(void **state)
{
	static struct token_list one, two;
	struct tokens *t = tokens_new(NULL);
	pthread_t thread;
	void *wrong;

	(void)state;
	assert_int_equal(read_text("first read " ABC "\nx publish " ABD "\n", NULL), 0);
	one = list;
	assert_int_equal(read_text("x publish " ABD "\nsecond admin " ABC "\n", NULL), 0);
	two = list;
	tokens_set(t, &one);
	assert_int_equal(pthread_create(&thread, NULL, look_up, t), 0);
	for (int i = 0; i < 20000; i++)
		tokens_set(t, i % 2 == 0 ? &two : &one);
	done = true;
	pthread_join(thread, &wrong);
	assert_null(wrong);
	tokens_free(t);
}

static void
test_watching_the_file(void **state)
{
	struct tokens *t = tokens_new(NULL);
	struct token_file file;
	struct err e;

	(void)state;
	assert_int_equal(read_text("a read " ABC "\n", NULL), 0);
	assert_int_equal(token_file_open(&file, path, t, &e), 0);
	assert_int_equal(tokens_role(t, TEXT("abc"), NULL), ROLE_READ);
	/* A fault in it changes nothing, what mends it does. */
	read_text("a read nonsense here\n", NULL);
	token_file_check(&file, t);
	assert_int_equal(tokens_role(t, TEXT("abc"), NULL), ROLE_READ);
	assert_int_equal(read_text("a admin " ABC " \n", NULL), 0);
	token_file_check(&file, t);
	assert_int_equal(tokens_role(t, TEXT("abc"), NULL), ROLE_ADMIN);
	/* Gone for a moment, or gone. */
	unlink(path);
	token_file_check(&file, t);
	assert_int_equal(tokens_role(t, TEXT("abc"), NULL), ROLE_ADMIN);
	token_file_check(&file, t);
	assert_int_equal(tokens_role(t, TEXT("abc"), NULL), ROLE_NONE);
	assert_int_equal(read_text("a publish " ABC "\n", NULL), 0);
	token_file_check(&file, t);
	assert_int_equal(tokens_role(t, TEXT("abc"), NULL), ROLE_PUBLISH);
	tokens_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, make, drop),
		cmocka_unit_test_setup_teardown(test_faulty_lines, make, drop),
		cmocka_unit_test_setup_teardown(test_files_that_are_not_taken, make, drop),
		cmocka_unit_test_setup_teardown(test_looking_up, make, drop),
		cmocka_unit_test_setup_teardown(test_as_many_as_there_may_be, make, drop),
		cmocka_unit_test_setup_teardown(test_a_list_that_changes_under_the_reader, make, drop),
		cmocka_unit_test_setup_teardown(test_watching_the_file, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

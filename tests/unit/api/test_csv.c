/* csv: every case under tests/cases/csv. input: a line with the kinds, one with the fields (may be empty), then an event a line. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/csv.h"
#include "event/kinds.h"

#define FIELDS_MAX 60

static struct text
read_file(const char *dir, const char *name, const char *file, char out[16384])
{
	char path[1024];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, name, file);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(out, 1, 16383, f);
	out[n] = '\0';
	fclose(f);
	return (struct text){ out, n };
}

static void
render(struct text input, struct buf *out)
{
	struct text kinds_line, fields_line, line, word, fields[FIELDS_MAX];
	struct text_set set = { fields, 0 };
	struct json json = { 0 };
	unsigned wanted = 0;
	struct csv csv;
	enum kind kind;

	assert_true(text_split(&input, '\n', &kinds_line));
	assert_true(text_split(&input, '\n', &fields_line));
	while (text_split(&kinds_line, ',', &word)) {
		assert_int_equal(kind_by_name(word, &kind), 0);
		wanted |= KIND_BIT(kind);
	}
	while (fields_line.n > 0 && text_split(&fields_line, ',', &word))
		fields[set.n++] = word;
	csv_init(&csv, wanted, &set);
	csv_header(&csv, out);
	while (text_split(&input, '\n', &line)) {
		if (line.n == 0)
			continue;
		assert_int_equal(json_scan(&json, line, 64), JSON_OK);
		csv_row(&csv, out, &json);
	}
	csv_fini(&csv);
	json_fini(&json);
}

static void
test_cases(void **state)
{
	const char *srcdir = getenv("srcdir");
	char dir[1024], input[16384], want[16384];
	struct dirent *d;
	unsigned n = 0;
	DIR *all;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/tests/cases/csv", srcdir == NULL ? "." : srcdir);
	all = opendir(dir);
	assert_non_null(all);
	while ((d = readdir(all)) != NULL) {
		struct buf got = { 0 };

		if (d->d_name[0] == '.')
			continue;
		render(read_file(dir, d->d_name, "input", input), &got);
		read_file(dir, d->d_name, "want", want);
		if (strcmp(buf_cstr(&got), want) != 0)
			fail_msg("%s: got\n%s\nwant\n%s", d->d_name, buf_cstr(&got), want);
		buf_fini(&got);
		n++;
	}
	closedir(all);
	assert_true(n >= 9);
}

/* Every kind alone and all together have room, and the members of the table. */
static void
test_columns_of_all_kinds(void **state)
{
	const struct text_set none = { NULL, 0 };

	(void)state;
	for (unsigned wanted = 1; wanted <= KINDS_ALL; wanted++) {
		struct csv csv;

		csv_init(&csv, wanted, &none);
		assert_true(csv.n < CSV_COLUMNS_MAX);
		assert_true(csv.more);
		assert_true(text_eq(csv.columns[0], TEXT("id")));
		csv_fini(&csv);
	}
}

static void
test_want_of_memory_shows(void **state)
{
	struct text field = TEXT("a");
	const struct text_set one = { &field, 1 };
	struct json json = { 0 };
	struct buf out;
	struct csv csv;

	(void)state;
	buf_init(&out, 8);
	csv_init(&csv, KINDS_ALL, &one);
	assert_int_equal(json_scan(&json, TEXT("{\"a\":\"longer than eight\"}"), 64), JSON_OK);
	csv_row(&csv, &out, &json);
	assert_true(out.failed);
	csv_fini(&csv);
	json_fini(&json);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_columns_of_all_kinds),
		cmocka_unit_test(test_want_of_memory_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Runs tests/cases/messages/NAME.ndjson (`expect` is what the event must contain) and tests/cases/decode/NAME/{input,want}
 * (`want` is everything that comes out, to the byte). Input lines are {"channel":…,"message":…}, where `message` is the text
 * that was published. With UPDATE_CASES set, missing `want` files are written, for reading by a human before they are kept.
 */
#include "feed.h"

#include <dirent.h>
#include <unistd.h>

/* True when `got` has all that `want` has: of objects the named members, of all else everything. */
static bool
contains(const json_t *got, const json_t *want)
{
	const char *key;
	json_t *value;

	if (json_is_number(want) && json_is_number(got))
		return json_number_value(got) == json_number_value(want);
	if (!json_is_object(want))
		return json_equal(got, want) != 0;
	json_object_foreach((json_t *)want, key, value)
	{
		if (strcmp(key, "duplicate_of") == 0)
			continue; /* the log's to give */
		if (!contains(json_object_get(got, key), value))
			return false;
	}
	return true;
}

static void
check_batch(const json_t *expect, const char *lines, size_t n)
{
	const json_t *symbols = json_object_get(expect, "symbols");

	assert_int_equal(n, json_integer_value(json_object_get(expect, "events")));
	for (size_t i = 0; i < n; i++) {
		char want[64];

		snprintf(want, sizeof(want), "\"symbol\":\"%s\"", json_string_value(json_array_get(symbols, i)));
		assert_non_null(strstr(lines, want));
		lines = strchr(lines, '\n') + 1;
	}
}

static void
check_expect(const json_t *expect, char *lines, size_t n)
{
	const char *reject = json_string_value(json_object_get(expect, "reject"));
	json_t *got;

	if (json_object_get(expect, "events") != NULL) {
		check_batch(expect, lines, n);
		return;
	}
	assert_int_equal(n, 1);
	if (reject != NULL) {
		char want[64];

		snprintf(want, sizeof(want), "reject %s", reject);
		if (strncmp(lines, want, strlen(want)) != 0)
			fail_msg("want %s, got %s", want, lines);
		return;
	}
	lines[strcspn(lines, "\t\n")] = '\0';
	got = json_loads(lines, 0, NULL);
	if (!contains(got, expect))
		fail_msg("got %s", lines);
	json_decref(got);
}

static void
run_messages(const char *path)
{
	struct decoder *d = decoder_new(SCALE_AUTO, "inst", NULL);
	char *full = feed_path(path), *save, *line;
	struct buf file = { .max = 0 };
	int64_t seq = 0;
	size_t count = 0;

	feed_read_file(full, &file);
	buf_add_char(&file, '\0');
	for (line = strtok_r(file.p, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		json_t *root = json_loads(line, 0, NULL);
		const char *message = json_string_value(json_object_get(root, "message"));
		struct buf out = { .max = 0 };
		size_t n;

		assert_non_null(message);
		n = feed_message(d, json_string_value(json_object_get(root, "channel")), text_of(message), &seq, &out);
		buf_add_char(&out, '\0');
		check_expect(json_object_get(root, "expect"), out.p, n);
		buf_fini(&out);
		json_decref(root);
		count++;
	}
	assert_true(count >= 5);
	buf_fini(&file);
	free(full);
	decoder_free(d);
}

static void
test_documented(void **state)
{
	(void)state;
	run_messages("tests/cases/messages/documented.ndjson");
}

static void
test_wire(void **state)
{
	(void)state;
	run_messages("tests/cases/messages/wire.ndjson");
}

static enum confidence_scale
scale_of(const json_t *root)
{
	const char *s = json_string_value(json_object_get(root, "confidence_scale"));

	return s == NULL ? SCALE_AUTO : strcmp(s, "percent") == 0 ? SCALE_PERCENT : SCALE_FRACTION;
}

/* Feeds a case's input to one decoder (a second scale begins another) and collects the lines. */
static void
feed_case(char *input, struct buf *out)
{
	struct decoder *d = NULL;
	char *save, *line;
	int64_t seq = 0;

	for (line = strtok_r(input, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		json_t *root = json_loads(line, JSON_ALLOW_NUL, NULL), *message = json_object_get(root, "message");

		if (!json_is_string(message))
			fail_msg("no message in %s", line);
		if (d == NULL || json_object_get(root, "confidence_scale") != NULL) {
			decoder_free(d);
			d = decoder_new(scale_of(root), "inst", NULL);
		}
		feed_message(d, json_string_value(json_object_get(root, "channel")),
		    (struct text){ json_string_value(message), json_string_length(message) }, &seq, out);
		json_decref(root);
	}
	decoder_free(d);
}

static bool
run_folder(const char *folder)
{
	struct buf input = { .max = 0 }, want = { .max = 0 }, out = { .max = 0 }, path = { .max = 0 };
	bool same;

	buf_printf(&path, "%s/input", folder);
	feed_read_file(buf_cstr(&path), &input);
	buf_add_char(&input, '\0');
	feed_case(input.p, &out);
	buf_clear(&path);
	buf_printf(&path, "%s/want", folder);
	if (getenv("UPDATE_CASES") != NULL && access(buf_cstr(&path), F_OK) != 0) {
		FILE *f = fopen(buf_cstr(&path), "w");

		fwrite(out.p, 1, out.len, f);
		fclose(f);
	}
	feed_read_file(buf_cstr(&path), &want);
	same = text_eq(buf_text(&out), buf_text(&want));
	if (!same)
		print_error("%s: got\n%.*swant\n%.*s", folder, TEXT_ARG(buf_text(&out)), TEXT_ARG(buf_text(&want)));
	buf_fini(&input);
	buf_fini(&want);
	buf_fini(&out);
	buf_fini(&path);
	return same;
}

static void
test_folders(void **state)
{
	char *root = feed_path("tests/cases/decode");
	DIR *dir = opendir(root);
	struct dirent *entry;
	size_t count = 0, bad = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		struct buf folder = { .max = 0 };

		if (entry->d_name[0] == '.')
			continue;
		buf_printf(&folder, "%s/%s", root, entry->d_name);
		bad += !run_folder(buf_cstr(&folder));
		buf_fini(&folder);
		count++;
	}
	closedir(dir);
	free(root);
	assert_int_equal(bad, 0);
	assert_true(count >= 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documented),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

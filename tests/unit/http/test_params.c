/* params: every case under tests/cases/params (input: a query; want: its faults, a line each, or the values), and the table itself. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/params.h"
#include "http/reply.h"

#define NOW_US (INT64_C(1795417300) * 1000000)
#define ALL ((UINT64_C(1) << Q__MAX) - 1)

static void
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
	if (n > 0 && out[n - 1] == '\n')
		out[n - 1] = '\0';
	fclose(f);
}

static void
show(struct buf *b, const struct param_values *v, const struct faults *faults)
{
	for (const struct fault *f = faults->first; f != NULL; f = f->next)
		buf_printf(b, "%s %.*s\n", problems[f->code].code, TEXT_ARG(f->param));
	for (int q = 0; faults->n == 0 && q < Q__MAX; q++) {
		const struct param_value *p = &v->v[q];

		if (!p->given)
			continue;
		buf_printf(b, "%s n=%lld real=%g", params[q].name, (long long)p->n, p->real);
		for (size_t i = 0; i < p->n_items; i++)
			buf_printf(b, " [%.*s]", TEXT_ARG(p->items[i]));
		buf_add_str(b, p->relative ? " relative\n" : "\n");
	}
	if (b->len > 0)
		b->len--;
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
	snprintf(dir, sizeof(dir), "%s/tests/cases/params", srcdir == NULL ? "." : srcdir);
	all = opendir(dir);
	assert_non_null(all);
	while ((d = readdir(all)) != NULL) {
		struct param_values v;
		struct faults faults;
		struct pool pool;
		struct buf got = { 0 };

		if (d->d_name[0] == '.')
			continue;
		read_file(dir, d->d_name, "input", input);
		read_file(dir, d->d_name, "want", want);
		pool_init(&pool, 1 << 20);
		faults_init(&faults, &pool);
		assert_int_equal(params_parse(&v, text_of(input), ALL, NOW_US, &pool, &faults), 0);
		show(&got, &v, &faults);
		if (strcmp(buf_cstr(&got), want) != 0)
			fail_msg("%s: got\n%s\nwant\n%s", d->d_name, buf_cstr(&got), want);
		buf_fini(&got);
		pool_fini(&pool);
		n++;
	}
	closedir(all);
	assert_true(n >= 20);
}

static void
test_every_row_takes_its_example(void **state)
{
	(void)state;
	for (int q = 0; q < Q__MAX; q++) {
		struct param_values v;
		struct faults faults;
		struct pool pool;
		struct buf query = { 0 };
		bool first = true;

		assert_non_null(params[q].name);
		assert_non_null(params[q].help);
		params_add_link(&query, &first, (enum param)q, text_of(params[q].example));
		pool_init(&pool, 1 << 20);
		faults_init(&faults, &pool);
		assert_int_equal(
		    params_parse(&v, text_cut(buf_text(&query), 1, query.len), PARAM_BIT(q), NOW_US, &pool, &faults),
		    0);
		assert_int_equal(faults.n, 0);
		assert_true(v.v[q].given);
		assert_true(text_eq(v.v[q].text, text_of(params[q].example)));
		buf_fini(&query);
		pool_fini(&pool);
	}
}

static void
test_memory_is_bounded(void **state)
{
	struct param_values v;
	struct faults faults;
	struct pool pool;

	(void)state;
	pool_init(&pool, 1024);
	faults_init(&faults, &pool);
	assert_int_equal(params_parse(&v, TEXT("symbol=A"), ALL, NOW_US, &pool, &faults), -1);
	pool_fini(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_every_row_takes_its_example),
		cmocka_unit_test(test_memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

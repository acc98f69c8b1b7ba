/*
 * records - what came from a web server, as bytes: whether it is one whole request, and the variables in it.  What http/fcgi_records.h promises.
 */
#include <string.h>

#include "fuzz.h"
#include "http/fcgi_records.h"

/* Each variable is found by its name, in its turn, and ends inside of what came. */
static void
check_vars(struct records *r, const char *p, size_t n)
{
	PROMISE(r->request_id > 0 && r->request_id <= 65535);
	PROMISE(r->n <= RECORDS_VARS_MAX);
	for (unsigned i = 0; i < r->n; i++) {
		const struct records_var *v = &r->vars[i];
		char *name = fuzz_string(v->name);
		unsigned nth = 0;

		PROMISE(v->name.p >= p && v->value.p == v->name.p + v->name.n);
		PROMISE((size_t)(v->value.p - p) + v->value.n < n);
		PROMISE(v->value.p[v->value.n] == '\0');
		for (unsigned k = 0; k < i; k++)
			nth += text_eq(r->vars[k].name, v->name);
		/* A NUL is no part of a name that anybody asks for. */
		if (strlen(name) == v->name.n)
			PROMISE(records_var(r, name, nth) == v->value.p);
		free(name);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *p = malloc(
	    size > 0 ? size : 1); /* they are changed; nothing behind them: whoever reads on meets the sanitizer */
	struct records r;

	PROMISE(p != NULL);
	if (size > 0)
		memcpy(p, data, size);
	if (records_are_whole(p, size) && records_take(p, size, &r) == 1)
		check_vars(&r, p, size);
	free(p);
	return 0;
}

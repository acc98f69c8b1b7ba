/*
 * read - what a list of 50 costs a reader, all in: bench/read DIR [LISTS [SYMBOLS]] over the log in DIR, whose symbols are S0000 and on.
 *
 * One thread, no web server, symbols in turn: this is what callgrind and perf look at. Not a test: it asserts nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/clock.h"
#include "store/read.h"

#define LIMIT 50
#define STRIDE 1597 /* a prime: neighbours share pages, and whoever asks does not ask for neighbours */

static int
add_row(void *arg, const struct event *ev, struct text body)
{
	(void)ev;
	buf_add_text(arg, body);
	buf_add_char(arg, ',');
	return 0;
}

static int
one_list(struct reader *r, long i, struct buf *out, struct err *e)
{
	char name[16];
	struct text symbol = { name, (size_t)snprintf(name, sizeof(name), "S%04ld", i) };
	struct filter filter = FILTER_INIT;
	struct list_query q = { .filter = &filter, .limit = LIMIT, .brief = true };
	struct list_result result;
	struct snapshot snap;
	int rc;

	filter.kinds = KINDS_DEFAULT;
	filter.symbols = (struct text_set){ &symbol, 1 };
	if (read_begin(r, &snap, e) != 0)
		return -1;
	q.bound = snap.head + 1;
	buf_clear(out);
	rc = read_list(r, &snap, &q, add_row, out, &result, e);
	read_end(r);
	return rc == 0 ? result.delivered : -1;
}

static double
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int
main(int argc, char **argv)
{
	long lists = argc > 2 ? atol(argv[2]) : 20000, symbols = argc > 3 ? atol(argv[3]) : 4000, rows = 0;
	struct err e = { .code = ERR_NONE };
	struct buf out = { .p = NULL };
	struct reader *r;
	double from;
	int n = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: read DIR [LISTS [SYMBOLS]]\n");
		return 64;
	}
	r = reader_new(argv[1], &e);
	from = cpu_us();
	for (long i = 0; r != NULL && n >= 0 && i < lists; i++) {
		n = one_list(r, i * STRIDE % symbols, &out, &e);
		rows += n;
	}
	if (r == NULL || n < 0)
		fprintf(stderr, "%s\n", e.text);
	else
		printf("%ld lists, %ld rows: CPU %.1f us a list\n", lists, rows, (cpu_us() - from) / (double)lists);
	buf_fini(&out);
	reader_free(r);
	return n < 0;
}

/*
 * append - what an event costs the store thread, all in: bench/append RECORDING [EVENTS [CAP [BATCH]]] in a temporary directory.
 *
 * A recording of tickgate-sim is decoded and appended round and round until EVENTS messages are in, retention at CAP (0: none), BATCH
 * messages a commit. No Redis, no threads: this is what callgrind and perf look at. Not a test: it asserts nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim/record.h"
#include "store/append.h"

struct message {
	struct source_channel from;
	size_t channel_at, at, n;
};

struct corpus {
	struct buf bytes; /* owned */
	struct message *messages; /* owned */
	long n;
};

/* clang-format off */
static const struct {
	const char *part; /* of the channel's name */
	enum kind kind;
	const char *session_state;
} channels[] = {
	{ "indicators:streaming", KIND_INDICATOR, NULL },
	{ "patterns",             KIND_PATTERN,   NULL },
	{ "alerts",               KIND_ALERT,     NULL },
	{ "health",               KIND_HEALTH,    NULL },
	{ "errors",               KIND_ERROR,     NULL },
	{ "session_started",      KIND_SESSION,   "started" },
	{ "session_stopped",      KIND_SESSION,   "stopped" },
};
/* clang-format on */

static int
keep(struct corpus *c, const char *channel, struct text message)
{
	struct message m = { .channel_at = c->bytes.len, .n = message.n };
	struct message *more = realloc(c->messages, (size_t)(c->n + 1) * sizeof(*more));

	if (more == NULL)
		return -1;
	c->messages = more;
	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
		if (strstr(channel, channels[i].part) == NULL)
			continue;
		m.from.kind = channels[i].kind;
		m.from.session_state = channels[i].session_state;
		break;
	}
	m.from.channel.n = strlen(channel);
	buf_add(&c->bytes, channel, m.from.channel.n);
	m.at = c->bytes.len;
	buf_add_text(&c->bytes, message);
	c->messages[c->n++] = m;
	return c->bytes.failed ? -1 : 0;
}

static int
load(struct corpus *c, const char *path, struct err *e)
{
	struct record r = { .f = NULL };
	int rc;

	if (record_open(&r, path, e) != 0)
		return -1;
	while ((rc = record_read(&r, e)) == 1)
		if (keep(c, buf_cstr(&r.channel), buf_text(&r.message)) != 0)
			break;
	record_close(&r);
	for (long i = 0; i < c->n; i++)
		c->messages[i].from.channel.p = c->bytes.p + c->messages[i].channel_at;
	if (rc != 0 || c->n == 0)
		err_set(e, ERR_INPUT, "no messages in %s", path);
	return rc != 0 || c->n == 0 ? -1 : 0;
}

static int
append_message(struct store *s, struct decoder *d, const struct corpus *c, long i, int64_t now_us, struct err *e)
{
	const struct message *m = &c->messages[i % c->n];
	enum decode_result result;
	struct event ev;
	struct reject rej;

	decode_message(d, &m->from, (struct text){ c->bytes.p + m->at, m->n }, now_us);
	while ((result = decode_next(d, &ev, &rej)) != DECODE_END)
		if (result == DECODE_EVENT && store_append(s, &ev, NULL, e) != 0)
			return -1;
	return 0;
}

static int
run(struct store *s, const struct corpus *c, long n, long batch, struct err *e)
{
	struct decoder *d = decoder_new(SCALE_AUTO, NULL, e);
	int64_t now_us = clock_real_us();
	int rc = -1;

	if (d == NULL)
		return -1;
	for (long i = 0; i < n; i++) {
		if (append_message(s, d, c, i, now_us, e) != 0)
			goto out;
		if (i % batch != batch - 1)
			continue;
		now_us = clock_real_us();
		if (store_commit(s, now_us, e) != 0 || store_tend(s, STORE_LOADED, e) < 0)
			goto out;
	}
	rc = store_commit(s, clock_real_us(), e);
out:
	decoder_free(d);
	return rc;
}

/* Bytes written by system calls, and of them what went to the disk. */
static void
written(double *calls, double *disk)
{
	FILE *f = fopen("/proc/self/io", "r");
	char line[128];

	*calls = *disk = 0;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		sscanf(line, "wchar: %lf", calls);
		sscanf(line, "write_bytes: %lf", disk);
	}
	if (f != NULL)
		fclose(f);
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
	char dir[] = "/tmp/tickgate-bench-XXXXXX", command[80];
	long n = argc > 2 ? atol(argv[2]) : 1000000, batch = argc > 4 ? atol(argv[4]) : 2000;
	struct store_opts opts = { .dir = dir, .dedup_kinds = KIND_BIT(KIND_PATTERN) };
	struct corpus c = { .n = 0 };
	struct store_stats stats;
	struct err e = { .code = ERR_NONE };
	struct store *s = NULL;
	int64_t from_us;
	double from_cpu, calls, disk;
	int rc = 1;

	if (argc < 2) {
		fprintf(stderr, "usage: append RECORDING [EVENTS [CAP [BATCH]]]\n");
		return 64;
	}
	opts.total.events = argc > 3 ? atol(argv[3]) : 200000;
	if (load(&c, argv[1], &e) != 0 || mkdtemp(dir) == NULL || (s = store_open(&opts, &e)) == NULL)
		goto out;
	from_us = clock_mono_us();
	from_cpu = cpu_us();
	if (run(s, &c, n, batch, &e) != 0)
		goto out;
	store_stats(s, &stats);
	written(&calls, &disk);
	printf("%ld messages, %lld events, cap %lld: %.2f us an event, CPU %.2f us, %.0f bytes written, %.0f to disk; "
	       "commit p50 %.2f ms, p99 %.2f ms; %lld kept, file %lld MiB\n",
	    n, (long long)stats.head, (long long)opts.total.events,
	    (double)(clock_mono_us() - from_us) / (double)stats.head, (cpu_us() - from_cpu) / (double)stats.head,
	    calls / (double)stats.head, disk / (double)stats.head, stats.commit_ms_p50, stats.commit_ms_p99,
	    (long long)stats.events, (long long)stats.file_bytes >> 20);
	rc = 0;
out:
	if (rc != 0)
		fprintf(stderr, "%s\n", e.text);
	if (s != NULL && store_close(s, &e) != 0)
		fprintf(stderr, "close: %s\n", e.text);
	free(c.messages);
	buf_fini(&c.bytes);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) != 0 ? 1 : rc;
}

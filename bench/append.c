/*
 * append - how fast the log takes events: bench/append [EVENTS] [CAP] in a temporary directory.
 *
 * EVENTS synthetic indicators and patterns over 4,000 symbols in batches of 500, retention at CAP (0: none). It says how many
 * microseconds an event costs, all in. Not a test: it asserts nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/append.h"

#define SYMBOLS 4000
#define BATCH 500

static const char rest[] =
    ",\"bar_count\":5,\"metadata\":{\"open\":150.0,\"high\":151.0,\"low\":149.5,\"close\":150.2}";

static int
run(struct store *s, long events, struct err *e)
{
	char symbol[16], lead[400];

	for (long i = 0; i < events; i++) {
		struct event ev = EVENT_INIT;
		long at = (i * 2654435761L) % SYMBOLS;

		snprintf(symbol, sizeof(symbol), "S%04ld", at);
		snprintf(lead, sizeof(lead),
		    ",\"kind\":\"indicator\",\"symbol\":\"%s\",\"indicator_name\":\"RSI\",\"timeframe\":\"1min\","
		    "\"value\":"
		    "68.5,\"time\":\"2009-02-13T23:31:30.123Z\",\"channel\":\"tickstock:indicators:streaming\"",
		    symbol);
		ev.kind = i % 5 == 0 ? KIND_PATTERN : KIND_INDICATOR;
		ev.symbol = text_of(symbol);
		ev.name = i % 3 == 0 ? TEXT("rsi") : TEXT("sma5");
		ev.timeframe = TEXT("1min");
		ev.channel = TEXT("tickstock:indicators:streaming");
		ev.confidence = ev.kind == KIND_PATTERN ? 85.5 : (double)NAN;
		ev.received_us = clock_real_us();
		ev.time_ms = ev.received_us / 1000 + i;
		ev.lead = text_of(lead);
		ev.rest = text_of(rest);
		if (store_append(s, &ev, NULL, e) != 0)
			return -1;
		if (i % BATCH == BATCH - 1 && (store_commit(s, ev.received_us, e) != 0 || store_tend(s, false, e) < 0))
			return -1;
	}
	return store_commit(s, clock_real_us(), e);
}

int
main(int argc, char **argv)
{
	char dir[] = "/tmp/tickgate-bench-XXXXXX", command[80];
	long events = argc > 1 ? atol(argv[1]) : 1000000, cap = argc > 2 ? atol(argv[2]) : 200000;
	struct store_opts opts = { .dir = dir, .total = { .events = cap }, .dedup_kinds = KIND_BIT(KIND_PATTERN) };
	struct store_stats stats;
	struct err e = { .code = ERR_NONE };
	struct store *s = NULL;
	int64_t from_us;
	int rc = 1;

	if (mkdtemp(dir) == NULL || (s = store_open(&opts, &e)) == NULL)
		goto out;
	from_us = clock_mono_us();
	if (run(s, events, &e) != 0)
		goto out;
	store_stats(s, &stats);
	printf("%ld events, cap %ld: %.2f us an event; commit p50 %.2f ms, p99 %.2f ms; %lld kept, file %lld MiB\n",
	    events, cap, (double)(clock_mono_us() - from_us) / (double)events, stats.commit_ms_p50, stats.commit_ms_p99,
	    (long long)stats.events, (long long)stats.file_bytes >> 20);
	rc = 0;
out:
	if (rc != 0)
		fprintf(stderr, "%s\n", e.text);
	if (s != NULL && store_close(s, &e) != 0)
		fprintf(stderr, "close: %s\n", e.text);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) != 0 ? 1 : rc;
}

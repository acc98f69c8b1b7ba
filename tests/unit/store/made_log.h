/*
 * made_log - a log for tests of reading, made by SQL alone: in a temporary directory, with as many events as asked for.
 *
 * Event i (from 1): kind i % 3, symbol S<i % symbols>, name n<i % 5>, timeframe 1min or 5min, confidence i % 101, received second i;
 * every tenth repeats the event before it.
 */
#ifndef TESTS_MADE_LOG_H
#define TESTS_MADE_LOG_H

#include <sqlite3.h>
#include <stdint.h>

#define MADE_EPOCH "abcd1234"
#define MADE_START_US INT64_C(1700000000000000)

struct made_log {
	char dir[64];
	char path[128];
	sqlite3 *conn; /* a connection that may write */
};

/* The index by symbol covers seqs up to indexed_to, the tallies up to tallied_to. */
void made_log_init(struct made_log *l, int64_t events, int symbols, int64_t indexed_to, int64_t tallied_to);
void made_log_index(struct made_log *l, int64_t to); /* makes the index by symbol anew; log.indexed_to stays */
void made_log_sql(struct made_log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The numbers that a query gives, at most `max`; how many there were. */
int made_log_numbers(struct made_log *l, int64_t *out, int max, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void made_log_fini(struct made_log *l);

#endif

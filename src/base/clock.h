/*
 * clock - what time it is, and times as text.
 *
 * Instants are microseconds (`_us`) or milliseconds (`_ms`) since 1970-01-01T00:00:00Z without leap seconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

int64_t clock_real_us(void); /* the wall clock: may be set, and so jump */
int64_t clock_mono_us(void); /* since some start: never jumps; for durations and time-outs */

#define CLOCK_RFC3339_SIZE sizeof("2009-02-13T23:31:30.123Z")

/* Writes RFC 3339 in UTC with milliseconds, NUL-terminated. Years 0 to 9999; others are held at the ends. */
void clock_rfc3339(int64_t ms, char out[CLOCK_RFC3339_SIZE]);

enum clock_zone {
	CLOCK_ZONED, /* it ended with Z or an offset */
	CLOCK_NAIVE, /* it had no zone and was read as UTC */
};

/* A time read from text, kept as exact as it was written. */
struct clock_iso {
	int64_t seconds; /* since 1970, rounded down */
	struct text fraction; /* the digits behind the point, borrowed from the input; may be empty */
	enum clock_zone zone;
	bool date_only; /* "2026-11-23": midnight UTC, zone naive */
};

/*
 * Reads ISO 8601 as RFC 3339 profiles it, and what Python's isoformat() and str() write: date, 'T' or one blank, hh:mm:ss,
 * an optional fraction (up to 18 digits), and Z, +hh:mm, +hhmm or nothing; or a date alone. Dates must exist; second 60 is
 * read as the next second. Returns -1 if it is none of these.
 */
int clock_parse_iso(struct text t, struct clock_iso *out);
int64_t clock_iso_ms(const struct clock_iso *iso); /* cut to milliseconds */

#endif

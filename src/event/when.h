/*
 * when - a producer's number or text as an instant, without ever going through a double: 1795417206.702866 keeps its
 * microseconds, and epoch milliseconds have their decimal point moved. Pure; used by decode.c and body.c.
 */
#ifndef EVENT_WHEN_H
#define EVENT_WHEN_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

/*
 * A JSON number, exactly: (-1)^minus * 0.d1d2d3… * 10^point, d1 and the last digit not zero; no digits is zero.
 */
struct decimal {
	bool minus;
	char digits[160]; /* '0'..'9' */
	size_t n;
	int point;
};

/* Reads JSON's grammar (which the scanner has checked). -1: more digits or a larger exponent than anybody means. */
int decimal_parse(struct text number, struct decimal *out);
int decimal_compare(const struct decimal *a, int64_t b); /* <0, 0, >0; |b| < 10^15 */
void decimal_render(struct buf *out, const struct decimal *d); /* as a JSON number, plain where that is short */

/*
 * Epoch seconds or milliseconds (told apart by magnitude, at 1e11), or ISO 8601. Sets *us (rounded down) and appends the epoch seconds
 * to `out` as exactly as they were written. -1: it is none of these, or outside the years 0 to 9999; nothing is appended.
 */
int when_of_number(struct text number, int64_t *us, struct buf *out);
int when_of_text(struct text iso, int64_t *us, bool *naive, struct buf *out);

int64_t when_floor_ms(int64_t us);

/* The last instant written as text: events of one day differ only in the clock's digits. Zero-initialise. */
struct when_text {
	bool made;
	int64_t day;
	char rfc3339[CLOCK_RFC3339_SIZE];
};

/* As clock_rfc3339(), a few times faster for a stream of events; the text is borrowed from `last`. */
struct text when_rfc3339(struct when_text *last, int64_t ms);

/* Epoch seconds with three decimals at most (cut), as `received_at` has them. */
void when_add_seconds(struct buf *out, int64_t us);

#endif

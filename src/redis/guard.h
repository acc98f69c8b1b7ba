/*
 * guard - stands between the socket and hiredis' reader, and bounds what one reply may cost.
 *
 * hiredis would collect a string of any announced length and make arrays of any announced size. The guard follows the framing (RESP2,
 * flat arrays: all that pub/sub uses) and refuses the rest. A string over GUARD_BULK_MAX passes cut to one byte more than that, the rest is
 * skipped: so the decoder refuses it as too large, like any other bad message, and the connection lives. It never looks at
 * what the bytes mean.
 */
#ifndef REDIS_GUARD_H
#define REDIS_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define GUARD_BULK_MAX ((int64_t)4 << 20) /* a message: see messages' size cap in event/decode.h */
#define GUARD_ANNOUNCED_MAX ((int64_t)512 << 20) /* Redis' own proto-max-bulk-len: more is no Redis */
#define GUARD_LINE_MAX 65536
#define GUARD_ELEMENTS_MAX 8

struct guard {
	enum { GUARD_START, GUARD_HEADER, GUARD_LINE, GUARD_BULK, GUARD_SKIP, GUARD_TAIL } state;
	char head[24]; /* of a header split over two reads: held back until it is whole */
	size_t head_n;
	char last; /* byte of a line */
	size_t line_n;
	int64_t keep, skip; /* bytes of the string still to pass, to leave out */
	int tail_n; /* of the CRLF behind it, seen */
	int64_t elements; /* of the array still to come */
	int64_t elements_max; /* that an array may have; 0: GUARD_ELEMENTS_MAX, all that pub/sub needs */
};

/* Feeds what may pass of p[0..n) to `feed`. -1: this is not what Redis says to a subscriber; nothing more may be fed. */
int guard_feed(struct guard *g, const char *p, size_t n, int (*feed)(void *arg, const char *p, size_t n), void *arg,
    struct err *e);

/* True between two replies: all that was fed is whole. */
bool guard_is_between(const struct guard *g);
/* So many of the next bytes, at least one, belong to the reply that has begun, or would. */
size_t guard_within(const struct guard *g);

#endif

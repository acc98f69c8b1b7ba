/*
 * mark - what the publisher puts into every event, so that whoever receives it can tell that nothing is missing, repeated or out of
 * order, and how long it was under way: the member "bench":{"n":NUMBER,"us":TIME}. n counts a symbol's events from 1; us is
 * the monotonic clock, so publisher and receiver must run on one machine.
 */
#ifndef LOAD_MARK_H
#define LOAD_MARK_H

#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"

struct mark {
	int64_t n, us;
};

/* Appends the member, without a comma. */
void mark_put(struct buf *out, int64_t n, int64_t us);

/* Finds the first mark in *t and moves *t behind it. 1: found; 0: there is none. */
int mark_next(struct text *t, struct mark *out);

#endif

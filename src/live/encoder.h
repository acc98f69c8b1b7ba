/*
 * encoder - the events of a view, one after another, as the bytes that its clients get. For source.c only.
 *
 * About one record of them: what does not fit any more begins the next one. Batches are put together here, and of indicators that are
 * conflated only the newest is kept.
 */
#ifndef LIVE_ENCODER_H
#define LIVE_ENCODER_H

#include "base/err.h"
#include "live/blob.h"
#include "live/record.h"
#include "live/view.h"

#define ENCODER_EVENTS_MAX 512

struct encoder;

struct encoder *encoder_new(bool framed, struct err *e);
void encoder_free(struct encoder *n);

void encoder_begin(struct encoder *n, const struct view *v, const char *epoch, int64_t from);

/* `frame` is the event as SSE, its text begins at body_at. False: there is no more room, and it was not added. */
bool encoder_add(struct encoder *n, const struct event *ev, struct text frame, size_t body_at);

/* What was added, as a blob that reaches to `to`. NULL: no memory. */
struct blob *encoder_end(struct encoder *n, int64_t to);

#endif

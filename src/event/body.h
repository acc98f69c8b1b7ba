/*
 * body - the JSON text of an event, exactly as clients get it. Rendered once, when the event is stored.
 */
#ifndef EVENT_BODY_H
#define EVENT_BODY_H

#include "base/buf.h"
#include "event/event.h"

#define EPOCH_SIZE 9 /* 8 characters of [a-z0-9], and NUL */
#define ID_MAX 64

/* "<epoch>-<seq>" */
void body_id(struct buf *out, const char *epoch, int64_t seq);

/*
 * Reads an id. 0: it is well-formed (1..64 of [A-Za-z0-9-]) and of the form <epoch>-<seq> with that epoch, *seq set. 1: well-formed,
 * but of another epoch or another form: the cursor of some other log. -1: malformed.
 */
int body_parse_id(struct text id, const char *epoch, int64_t *seq);

/* The whole text of `ev`, which has its seq and duplicate_of: appended to `out`. */
void body_render(struct buf *out, const struct event *ev, const char *epoch);

/* Why events may be missing; `reason` in a gap event. Names in gap_reason_names[]. */
enum gap_reason { GAP_REDIS_DISCONNECTED, GAP_SUBSCRIBER_DOWN, GAP_OVERFLOW, GAP_CRASH, GAP__MAX };
extern const char *const gap_reason_names[GAP__MAX];

struct gap {
	enum gap_reason reason;
	int64_t from_us, to_us;
	const struct text *channels; /* which channels; borrowed */
	size_t n_channels;
	int64_t dropped; /* messages, for GAP_OVERFLOW; -1: not known, null */
};

/* Fills *ev as a gap event received at `to_us`; its text is built in `text` (cleared first) and borrowed from it. */
void body_gap(struct event *ev, struct buf *text, const struct gap *gap);

#endif

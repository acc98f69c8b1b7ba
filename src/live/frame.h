/*
 * frame - what a stream says, as text: events and control events, in Server-Sent Events or as lines (NDJSON).
 *
 * An event is encoded once, as SSE; its line and its bare text are slices of the same bytes. Pure: api/ makes the first bytes of a stream
 * by it, the live thread the others.
 */
#ifndef LIVE_FRAME_H
#define LIVE_FRAME_H

#include "base/buf.h"
#include "event/event.h"

/*
 * Appends "event: pattern\nid: …\ndata: {…}\n\n"; *body_at is where in it the text begins. The line of NDJSON is what stands from
 * there, up to and with the first newline.
 */
void frame_event(struct buf *out, const char *epoch, const struct event *ev, struct text body, size_t *body_at);

/* A batch of events: "event: batch", with the id of the last one; `bodies` are their texts with commas between. */
void frame_batch(struct buf *out, const char *epoch, int64_t last, uint32_t n, struct text bodies, int64_t now_us);

/* What `hello` says, and `reset` in its place. */
struct frame_hello {
	const char *epoch;
	int64_t cursor, oldest, newest; /* seqs; 0: there is none */
	int64_t heartbeat_ms;
	bool stale;
	const char *reset; /* NULL: hello; else the reason */
	int64_t retry_ms;
};
void frame_hello(struct buf *out, bool ndjson, const struct frame_hello *hello);

/* heartbeat, stale, fresh: an event without members; its id is the position that the client has reached. */
void frame_control(struct buf *out, bool ndjson, const char *name, const char *epoch, int64_t position);

/* Events between the two were removed before the client came to read them. `count`: how many seqs that are, which is at least as many. */
void frame_dropped(struct buf *out, bool ndjson, const char *epoch, int64_t from, int64_t to);

/* bye or overload: the end of the stream, with the time after which to come back. No epoch: a stream that never began. */
void frame_end(struct buf *out, bool ndjson, const char *name, const char *reason, const char *epoch, int64_t position,
    int64_t retry_ms);

/* 2 to 5 seconds, another each time: so that clients do not come back all at once. */
int64_t frame_retry_ms(void);

#endif

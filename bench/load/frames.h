/*
 * frames - what a stream's bytes say: Server-Sent Events, lines of JSON, or Socket.IO over WebSocket.
 *
 * Bytes come in pieces of any size; whole messages go out, borrowed until the callback returns. Only a message that is cut by a read is copied.
 */
#ifndef LOAD_FRAMES_H
#define LOAD_FRAMES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/text.h"

enum framing { FRAMING_SSE, FRAMING_NDJSON, FRAMING_SOCKETIO };

struct frames_to {
	void (*data)(void *arg, struct text message); /* SSE: one data line */
	void (*id)(void *arg, struct text id); /* the id of the event; SSE and NDJSON */
	void (*name)(void *arg, struct text event); /* SSE's event, NDJSON's control */
	void (*end)(void *arg); /* the event is complete */
};

struct frames {
	enum framing framing;
	struct buf carry; /* owned: a message's beginning */
};

int framing_by_name(const char *name, enum framing *out);
void frames_fini(struct frames *f);
void frames_reset(struct frames *f); /* for a new connection */

/* False: the framing is broken, or a message is longer than 4 MiB. */
bool frames_take(struct frames *f, const char *p, size_t n, const struct frames_to *to, void *arg);

/* A short text message from client to server as a WebSocket frame (RFC 6455): at most 125 bytes. */
void frames_websocket(struct buf *out, struct text message);

#endif

/*
 * record - bytes on their way to the web server as FastCGI records.  Walk 3, last step: from client.c, to lighttpd.
 *
 * libfcgi has parsed the request and is gone; what is written now are STDOUT records of at most 16 KiB (lighttpd forwards a record
 * only when it is whole), and at the end always an empty one and END_REQUEST. As a plain CGI program there is no framing: the same bytes, bare.
 */
#ifndef LIVE_RECORD_H
#define LIVE_RECORD_H

#include "base/buf.h"

#define RECORD_CONTENT_MAX \
	16376 /* with its header 16 KiB: one piece for a unix socket, which takes it whole or not at all */

/* Appends `bytes` in as many records as it takes, of request 1. */
void record_stdout(struct buf *out, struct text bytes, bool framed);

/* Ends the request: nothing may follow. */
void record_finish(struct buf *out, bool framed);

/* Rewrites whole records of request 1 to another id. */
void record_set_id(char *records, size_t n, unsigned request_id);

/* What the web server sent on a parked connection: true if the request is to be ended (ABORT, or something that has no place there). */
bool record_is_abort(struct text bytes);

#endif

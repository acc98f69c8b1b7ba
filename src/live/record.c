/* record - see record.h. The one file of this room that knows FastCGI. */
#include "live/record.h"

#include <fastcgi.h>
#include <string.h>

static void
add_header(struct buf *out, unsigned char type, size_t n)
{
	FCGI_Header h = { .version = FCGI_VERSION_1,
		.type = type,
		.requestIdB0 = 1,
		.contentLengthB1 = (unsigned char)(n >> 8),
		.contentLengthB0 = (unsigned char)n };

	buf_add(out, &h, sizeof(h));
}

void
record_stdout(struct buf *out, struct text bytes, bool framed)
{
	if (!framed) {
		buf_add_text(out, bytes);
		return;
	}
	while (bytes.n > 0) {
		size_t n = bytes.n < RECORD_CONTENT_MAX ? bytes.n : RECORD_CONTENT_MAX;

		add_header(out, FCGI_STDOUT, n);
		buf_add(out, bytes.p, n);
		bytes = text_cut(bytes, n, bytes.n);
	}
}

void
record_finish(struct buf *out, bool framed)
{
	FCGI_EndRequestBody end = { .protocolStatus = FCGI_REQUEST_COMPLETE };

	if (!framed)
		return;
	add_header(out, FCGI_STDOUT, 0);
	add_header(out, FCGI_END_REQUEST, sizeof(end));
	buf_add(out, &end, sizeof(end));
}

void
record_set_id(char *records, size_t n, unsigned request_id)
{
	FCGI_Header h;

	for (size_t at = 0; at + sizeof(h) <= n;) {
		memcpy(&h, records + at, sizeof(h));
		h.requestIdB1 = (unsigned char)(request_id >> 8);
		h.requestIdB0 = (unsigned char)request_id;
		memcpy(records + at, &h, sizeof(h));
		at += sizeof(h) + ((size_t)h.contentLengthB1 << 8) + h.contentLengthB0 + h.paddingLength;
	}
}

bool
record_is_abort(struct text bytes)
{
	FCGI_Header h;

	if (bytes.n < sizeof(h))
		return true;
	memcpy(&h, bytes.p, sizeof(h));
	/* STDIN was read to its end before; a repeated end is harmless, everything else has no place here. */
	return h.version != FCGI_VERSION_1 || h.type != FCGI_STDIN;
}

/*
 * feed - what the tests of this room share: messages in, whole JSON texts out, and files of the source tree.
 *
 * Everything is inline: each test is a program of its own.
 */
#ifndef TESTS_UNIT_EVENT_FEED_H
#define TESTS_UNIT_EVENT_FEED_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/body.h"
#include "event/decode.h"
#include "event/kinds.h"

#define FEED_EPOCH "testtest"
#define FEED_NOW_US (INT64_C(1795417300) * 1000000)

/* The channels that are taken by default; anything else is a pattern's. */
static inline struct source_channel
feed_source(const char *channel)
{
	struct source_channel s = { .channel = text_of(channel), .kind = KIND_PATTERN };

	if (strstr(channel, "session_started") != NULL)
		s.session_state = "started";
	if (strstr(channel, "session_stopped") != NULL)
		s.session_state = "stopped";
	if (s.session_state != NULL)
		s.kind = KIND_SESSION;
	else if (strstr(channel, "alert") != NULL)
		s.kind = KIND_ALERT;
	else if (strstr(channel, "indicators") != NULL)
		s.kind = KIND_INDICATOR;
	else if (strstr(channel, "health") != NULL)
		s.kind = KIND_HEALTH;
	else if (strstr(channel, "errors") != NULL)
		s.kind = KIND_ERROR;
	return s;
}

/* Each element as a line: the body (with ids from *seq on) or `reject <reason> <detail>`. Returns how many there were. */
static inline size_t
feed_message(struct decoder *d, const char *channel, struct text message, int64_t *seq, struct buf *out)
{
	struct source_channel from = feed_source(channel);
	struct event ev;
	struct reject rej;
	enum decode_result r;
	size_t n = 0;

	decode_message(d, &from, message, FEED_NOW_US);
	while ((r = decode_next(d, &ev, &rej)) != DECODE_END) {
		n++;
		if (r == DECODE_EVENT) {
			ev.seq = ++*seq;
			body_render(out, &ev, FEED_EPOCH);
			for (int i = 0; i < NOTE__MAX; i++) {
				if (decode_notes(d)[i] > 0)
					buf_printf(out, "\t%s=%u", note_names[i], decode_notes(d)[i]);
			}
		} else {
			buf_printf(out, "reject %s", reject_names[rej.reason]);
			if (rej.detail.n > 0)
				buf_printf(out, " %.*s", TEXT_ARG(rej.detail));
		}
		buf_add_char(out, '\n');
	}
	return n;
}

/* One message to a fresh decoder; the text is the caller's to free. */
static inline char *
feed_once(enum confidence_scale scale, const char *instance, const char *channel, const char *message)
{
	struct decoder *d = decoder_new(scale, instance, NULL);
	struct buf out = { .max = 0 };
	int64_t seq = 0;

	assert_non_null(d);
	feed_message(d, channel, text_of(message), &seq, &out);
	decoder_free(d);
	if (out.len > 0)
		out.len--; /* the last line's end */
	return buf_cstr(&out) == out.p ? out.p : strdup("");
}

/* "<srcdir>/<path>"; the caller's to free. */
static inline char *
feed_path(const char *path)
{
	const char *srcdir = getenv("srcdir");
	struct buf b = { .max = 0 };

	buf_printf(&b, "%s/%s", srcdir == NULL ? "." : srcdir, path);
	buf_cstr(&b);
	return b.p;
}

static inline void
feed_read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "r");
	char chunk[4096];
	size_t n;

	if (f == NULL)
		fail_msg("cannot open %s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	fclose(f);
}

#endif

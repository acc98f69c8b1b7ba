/* frames - see frames.h. */
#include "frames.h"

#include <string.h>

#define MESSAGE_MAX (4u << 20)

int
framing_by_name(const char *name, enum framing *out)
{
	static const char *const names[] = { "sse", "ndjson", "socketio" };

	for (int i = 0; i < 3; i++) {
		if (strcmp(name, names[i]) == 0) {
			*out = (enum framing)i;
			return 0;
		}
	}
	return -1;
}

void
frames_fini(struct frames *f)
{
	buf_fini(&f->carry);
}

void
frames_reset(struct frames *f)
{
	buf_clear(&f->carry);
}

/* ---- lines ---- */

/* Behind "data:" and the like one blank does not count. */
static struct text
field(struct text line, size_t name)
{
	if (line.n > name && line.p[name] == ' ')
		name++;
	return text_cut(line, name, line.n);
}

static void
sse_line(struct text line, const struct frames_to *to, void *arg)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		to->end(arg);
	else if (text_starts(line, TEXT("data:")))
		to->data(arg, field(line, 5));
	else if (text_starts(line, TEXT("id:")))
		to->id(arg, field(line, 3));
	else if (text_starts(line, TEXT("event:")))
		to->name(arg, field(line, 6));
	/* retry: and comments: nothing to us */
}

static void
ndjson_line(struct text line, const struct frames_to *to, void *arg)
{
	static const struct text control = TEXT_INIT("{\"control\":\""), id = TEXT_INIT("{\"id\":\"");
	struct text rest, word;

	if (line.n == 0)
		return;
	if (text_starts(line, control)) {
		rest = text_cut(line, control.n, line.n);
		if (text_split(&rest, '"', &word))
			to->name(arg, word);
	} else if (text_starts(line, id)) {
		rest = text_cut(line, id.n, line.n);
		if (text_split(&rest, '"', &word))
			to->id(arg, word);
	}
	to->data(arg, line);
	to->end(arg);
}

static void
one_line(const struct frames *f, struct text line, const struct frames_to *to, void *arg)
{
	if (f->framing == FRAMING_SSE)
		sse_line(line, to, arg);
	else
		ndjson_line(line, to, arg);
}

static bool
take_lines(struct frames *f, const char *p, size_t n, const struct frames_to *to, void *arg)
{
	const char *end = p + n, *nl;

	while ((nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		if (f->carry.len == 0) {
			one_line(f, (struct text){ p, (size_t)(nl - p) }, to, arg);
		} else {
			buf_add(&f->carry, p, (size_t)(nl - p));
			one_line(f, buf_text(&f->carry), to, arg);
			buf_clear(&f->carry);
		}
		p = nl + 1;
	}
	buf_add(&f->carry, p, (size_t)(end - p));
	return f->carry.len <= MESSAGE_MAX && !f->carry.failed;
}

/* ---- WebSocket ---- */

/* The size of the frame that begins at p and where its payload is; 0: not whole yet; SIZE_MAX: nothing we take. */
static size_t
websocket_frame(const char *p, size_t n, struct text *payload)
{
	const unsigned char *b = (const unsigned char *)p;
	size_t head = 2, size;

	if (n < 2)
		return 0;
	size = b[1];
	if (size > 127)
		return SIZE_MAX; /* a server does not mask */
	if (size == 126) {
		head = 4;
		if (n < head)
			return 0;
		size = (size_t)b[2] << 8 | b[3];
	} else if (size == 127) {
		head = 10;
		if (n < head)
			return 0;
		size = 0;
		for (int i = 2; i < 10; i++)
			size = size << 8 | b[i];
	}
	if (size > MESSAGE_MAX)
		return SIZE_MAX;
	if (n < head + size)
		return 0;
	*payload = (struct text){ p + head, size };
	return head + size;
}

static bool
take_websocket(struct frames *f, const char *p, size_t n, const struct frames_to *to, void *arg)
{
	struct text rest = { p, n }, payload;
	size_t size;

	if (f->carry.len > 0) {
		buf_add(&f->carry, p, n);
		rest = buf_text(&f->carry);
	}
	while ((size = websocket_frame(rest.p, rest.n, &payload)) != 0) {
		if (size == SIZE_MAX)
			return false;
		if ((rest.p[0] & 0x0f) == 1) { /* text; Engine.IO's own pings are texts, too */
			to->data(arg, payload);
			to->end(arg);
		}
		rest = text_cut(rest, size, rest.n);
	}
	if (f->carry.len == 0) {
		buf_add(&f->carry, rest.p, rest.n);
	} else {
		memmove(f->carry.p, rest.p, rest.n);
		f->carry.len = rest.n;
	}
	return !f->carry.failed;
}

void
frames_websocket(struct buf *out, struct text message)
{
	/* Must be masked; by zeros is a mask, too. */
	const char head[6] = { (char)0x81, (char)(0x80 | message.n), 0, 0, 0, 0 };

	buf_add(out, head, sizeof(head));
	buf_add_text(out, message);
}

bool
frames_take(struct frames *f, const char *p, size_t n, const struct frames_to *to, void *arg)
{
	return f->framing == FRAMING_SOCKETIO ? take_websocket(f, p, n, to, arg) : take_lines(f, p, n, to, arg);
}

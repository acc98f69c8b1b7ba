/* frame - see frame.h. */
#include "live/frame.h"

#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "config.h"
#include "event/body.h"
#include "event/kinds.h"

static void
add_id_line(struct buf *out, const char *epoch, int64_t seq)
{
	buf_add_str(out, "id: ");
	body_id(out, epoch, seq);
}

/* A raw line break would end the field, and what follows would be read as another one. JSON has none but between its tokens. */
static void
add_line(struct buf *out, struct text t)
{
	size_t at = out->len;

	buf_add_text(out, t);
	if (out->failed || (memchr(t.p, '\n', t.n) == NULL && memchr(t.p, '\r', t.n) == NULL))
		return;
	for (; at < out->len; at++)
		if (out->p[at] == '\n' || out->p[at] == '\r')
			out->p[at] = ' ';
}

void
frame_event(struct buf *out, const char *epoch, const struct event *ev, struct text body, size_t *body_at)
{
	size_t start = out->len;

	buf_add_str(out, "event: ");
	buf_add_str(out, kinds[ev->kind].sse_event);
	buf_add_char(out, '\n');
	add_id_line(out, epoch, ev->seq);
	buf_add_str(out, "\ndata: ");
	*body_at = out->len - start;
	add_line(out, body);
	buf_add_str(out, "\n\n");
}

static void
add_seconds(struct buf *out, int64_t us)
{
	buf_printf(out, "%" PRId64 ".%03d", us / 1000000, (int)(us / 1000 % 1000));
}

void
frame_batch(struct buf *out, const char *epoch, int64_t last, uint32_t n, struct text bodies, int64_t now_us)
{
	buf_add_str(out, "event: batch\n");
	add_id_line(out, epoch, last);
	buf_printf(out, "\ndata: {\"count\":%u,\"timestamp\":", n);
	add_seconds(out, now_us);
	buf_add_str(out, ",\"data\":[");
	add_line(out, bodies);
	buf_add_str(out, "]}\n\n");
}

static void
add_json_id(struct buf *out, const char *epoch, int64_t seq)
{
	if (epoch == NULL || seq <= 0) {
		buf_add_str(out, "null");
		return;
	}
	buf_add_char(out, '"');
	body_id(out, epoch, seq);
	buf_add_char(out, '"');
}

/* Begins a control event up to the inside of its object. A stream of lines has its cursor in there, having no id beside it. */
static void
open_control(struct buf *out, bool ndjson, const char *name, const char *epoch, int64_t position)
{
	if (ndjson) {
		buf_printf(out, "{\"control\":\"%s\"", name);
		return;
	}
	buf_printf(out, "event: %s\n", name);
	if (epoch != NULL) {
		add_id_line(out, epoch, position);
		buf_add_char(out, '\n');
	}
	buf_add_str(out, "data: {");
}

static void
close_control(struct buf *out, bool ndjson)
{
	buf_add_str(out, ndjson ? "}\n" : "}\n\n");
}

/* Members after the first; the first of a line's follows its `control`. */
static void
add_name(struct buf *out, bool ndjson, bool first, const char *name)
{
	buf_printf(out, "%s\"%s\":", first && !ndjson ? "" : ",", name);
}

/* The id of a place before the first event: it is one to go on from too. */
static void
add_cursor(struct buf *out, const char *epoch, int64_t seq)
{
	buf_add_char(out, '"');
	body_id(out, epoch, seq);
	buf_add_char(out, '"');
}

void
frame_hello(struct buf *out, bool ndjson, const struct frame_hello *hello)
{
	if (!ndjson)
		buf_printf(out, "retry: %" PRId64 "\n", hello->retry_ms);
	open_control(out, ndjson, hello->reset == NULL ? "hello" : "reset", hello->epoch, hello->cursor);
	add_name(out, ndjson, true, "epoch");
	buf_printf(out, "\"%s\"", hello->epoch);
	add_name(out, ndjson, false, "cursor");
	add_cursor(out, hello->epoch, hello->cursor);
	add_name(out, ndjson, false, "oldest");
	add_json_id(out, hello->epoch, hello->oldest);
	add_name(out, ndjson, false, "newest");
	add_json_id(out, hello->epoch, hello->newest);
	buf_printf(out, ",\"heartbeat_ms\":%" PRId64 ",\"stale\":%s,\"server\":\"tickgate/" PACKAGE_VERSION "\"",
	    hello->heartbeat_ms, hello->stale ? "true" : "false");
	if (hello->reset != NULL)
		/* How many were lost cannot be told: what was trimmed may not have matched, and seqs have holes. */
		buf_printf(out, ",\"reason\":\"%s\",\"lost\":null", hello->reset);
	close_control(out, ndjson);
}

void
frame_control(struct buf *out, bool ndjson, const char *name, const char *epoch, int64_t position)
{
	open_control(out, ndjson, name, epoch, position);
	if (ndjson) {
		add_name(out, ndjson, true, "cursor");
		add_cursor(out, epoch, position);
	}
	close_control(out, ndjson);
}

void
frame_dropped(struct buf *out, bool ndjson, const char *epoch, int64_t from, int64_t to)
{
	open_control(out, ndjson, "dropped", epoch, to);
	add_name(out, ndjson, true, "from");
	add_cursor(out, epoch, from);
	add_name(out, ndjson, false, "to");
	add_cursor(out, epoch, to);
	buf_printf(out, ",\"count\":%" PRId64, to - from);
	close_control(out, ndjson);
}

void
frame_end(struct buf *out, bool ndjson, const char *name, const char *reason, const char *epoch, int64_t position,
    int64_t retry_ms)
{
	if (!ndjson)
		buf_printf(out, "retry: %" PRId64 "\n", retry_ms);
	open_control(out, ndjson, name, epoch, position);
	add_name(out, ndjson, true, "reason");
	buf_printf(out, "\"%s\",\"cursor\":", reason);
	if (epoch == NULL)
		buf_add_str(out, "null");
	else
		add_cursor(out, epoch, position);
	buf_printf(out, ",\"retry_ms\":%" PRId64, retry_ms);
	close_control(out, ndjson);
}

int64_t
frame_retry_ms(void)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random = (uint32_t)clock_mono_us();
	return 2000 + random % 3001;
}

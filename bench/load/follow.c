/*
 * follow - --n streams over --symbols symbols, one event loop.
 *
 * Each stream checks by the marks (mark.h) that it gets every event of its symbol once and in order, and by the ids that positions only
 * grow; a stream that ends may come back with Last-Event-ID, and then the same must hold over the break.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "frames.h"
#include "histogram.h"
#include "http.h"
#include "load.h"
#include "mark.h"

#define TURN_MS 20
#define ID_SIZE 72
#define REDIAL_US 50000

enum stream_state { STREAM_DOWN, STREAM_DIALING, STREAM_ASKED, STREAM_OPEN, STREAM_OVER };

enum control {
	CONTROL_HELLO,
	CONTROL_RESET,
	CONTROL_HEARTBEAT,
	CONTROL_DROPPED,
	CONTROL_OVERLOAD,
	CONTROL_BYE,
	CONTROL_GAP,
	CONTROL__MAX
};
static const char *const control_names[CONTROL__MAX] = {
	[CONTROL_HELLO] = "hello",
	[CONTROL_RESET] = "reset",
	[CONTROL_HEARTBEAT] = "heartbeat",
	[CONTROL_DROPPED] = "dropped",
	[CONTROL_OVERLOAD] = "overload",
	[CONTROL_BYE] = "bye",
	[CONTROL_GAP] = "gap",
};

struct stream {
	struct follow *follow;
	int fd;
	enum stream_state state;
	bool was_open, complete;
	unsigned marks; /* in the event that is coming in */
	int64_t next; /* the mark that must come; 0: any */
	int64_t events;
	int64_t seq; /* of the last event's id */
	int64_t dialed_us;
	struct http http;
	struct frames frames;
	char id[ID_SIZE]; /* the last seen */
};

struct follow {
	const struct load_options *o;
	int epoll;
	struct stream *streams;
	char *bytes; /* LOAD_READ_BYTES of it: what a read brings */
	int64_t now_us; /* when the bytes at hand were read */
	int64_t dialing, down, started;
	int64_t opened, refused, bad_status, ended, reconnects, complete, over;
	int64_t deliveries, missing, repeated, disordered, received_bytes;
	int64_t controls[CONTROL__MAX];
	int64_t start_us, ready_us, first_us, last_us, redialed_us;
	bool slow_resumed;
	struct histogram latency, catch_up;
	struct err *e;
};

/* ---- what comes in ---- */

static void
one_mark(struct stream *s, const struct mark *m)
{
	struct follow *f = s->follow;

	s->marks++;
	if (s->next == 0)
		s->next = m->n;
	if (m->n < s->next) {
		f->repeated++;
		return;
	}
	f->missing += m->n - s->next;
	s->next = m->n + 1;
	s->events++;
	f->deliveries++;
	if (f->first_us == 0)
		f->first_us = f->now_us;
	f->last_us = f->now_us;
	histogram_add(&f->latency, f->now_us - m->us);
	if (f->o->events > 0 && s->events == f->o->events) {
		s->complete = true;
		f->complete++;
		histogram_add(&f->catch_up, f->now_us - s->dialed_us);
	}
}

static int64_t
symbol_of(const struct stream *s)
{
	const struct load_options *o = s->follow->o;

	return o->first_symbol + (s - s->follow->streams) % o->symbols;
}

static void open_stream(struct stream *s);
static int say(struct stream *s, struct text bytes);

/* Socket.IO: what the server says before the stream stands, and its pings. */
static void
socketio_talk(struct stream *s, struct text message)
{
	struct buf out = { .p = NULL }, text = { .p = NULL };

	if (message.n > 0 && message.p[0] == '0') {
		frames_websocket(&out, TEXT("40"));
	} else if (message.n > 0 && message.p[0] == '2') {
		frames_websocket(&out, TEXT("3"));
	} else if (text_starts(message, TEXT("40"))) {
		buf_add_str(&text, "42[\"subscribe\",\"");
		load_symbol(&text, symbol_of(s));
		buf_add_str(&text, "\"]");
		frames_websocket(&out, buf_text(&text));
	} else if (text_starts(message, TEXT("42[\"joined\""))) {
		open_stream(s);
	}
	if (out.len > 0)
		say(s, buf_text(&out));
	buf_fini(&out);
	buf_fini(&text);
}

static void
take_data(void *arg, struct text message)
{
	struct stream *s = arg;
	struct mark m;

	if (s->frames.framing == FRAMING_SOCKETIO && !text_starts(message, TEXT("42[\"event\"")))
		socketio_talk(s, message);
	while (mark_next(&message, &m) != 0)
		one_mark(s, &m);
}

static void
take_id(void *arg, struct text id)
{
	struct stream *s = arg;

	if (id.n < sizeof(s->id)) {
		memcpy(s->id, id.p, id.n);
		s->id[id.n] = '\0';
	}
}

static void
take_name(void *arg, struct text name)
{
	struct stream *s = arg;

	for (int i = 0; i < CONTROL__MAX; i++) {
		if (text_eq(name, text_of(control_names[i])))
			s->follow->controls[i]++;
	}
}

/* An event's end: its id, if it has our form, must be above that of the event before. */
static void
take_end(void *arg)
{
	struct stream *s = arg;
	const char *dash = s->marks > 0 ? strrchr(s->id, '-') : NULL;
	int64_t seq;

	s->marks = 0;
	if (dash == NULL || text_int64(text_of(dash + 1), &seq) != 0)
		return;
	if (seq <= s->seq)
		s->follow->disordered++;
	s->seq = seq;
}

static const struct frames_to to_stream = { .data = take_data, .id = take_id, .name = take_name, .end = take_end };

static bool
take_body(void *arg, const char *p, size_t n)
{
	struct stream *s = arg;

	return frames_take(&s->frames, p, n, &to_stream, s);
}

/* ---- a stream's life ---- */

static int
say(struct stream *s, struct text bytes)
{
	return send(s->fd, bytes.p, bytes.n, MSG_NOSIGNAL) == (ssize_t)bytes.n ? 0 : -1;
}

static void
open_stream(struct stream *s)
{
	if (s->state != STREAM_ASKED)
		return;
	s->state = STREAM_OPEN;
	s->follow->dialing--;
	if (!s->was_open)
		s->follow->opened++;
	s->was_open = true;
}

/* Ended, refused or broken. */
static void
close_stream(struct stream *s)
{
	struct follow *f = s->follow;

	if (s->state == STREAM_DIALING || s->state == STREAM_ASKED) {
		f->dialing--;
		f->refused += !s->was_open;
	} else {
		f->ended++;
	}
	close(s->fd);
	s->fd = -1;
	frames_reset(&s->frames);
	s->state = f->o->reconnect && s->was_open && !s->complete ? STREAM_DOWN : STREAM_OVER;
	f->down += s->state == STREAM_DOWN;
	f->over += s->state == STREAM_OVER;
}

static int
dial(struct stream *s)
{
	struct follow *f = s->follow;
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = s };

	s->fd = load_dial(f->o, s - f->streams, f->e);
	if (s->fd < 0)
		return -1;
	if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, s->fd, &ev) != 0) {
		err_sys(f->e, "epoll_ctl");
		return -1;
	}
	s->state = STREAM_DIALING;
	s->dialed_us = clock_mono_us();
	http_begin(&s->http);
	f->dialing++;
	return 0;
}

static int
ask(struct stream *s)
{
	const struct load_options *o = s->follow->o;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
	struct buf out = { .p = NULL };
	const char *id = s->id[0] != '\0' ? s->id : o->last_event_id;
	int rc;

	buf_add_str(&out, "GET ");
	load_path(o, &out, symbol_of(s), 0);
	buf_add_str(&out, " HTTP/1.1\r\nHost: bench\r\n");
	if (s->frames.framing == FRAMING_SOCKETIO)
		buf_add_str(&out,
		    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
	else
		buf_printf(&out, "Accept: %s\r\n",
		    s->frames.framing == FRAMING_SSE ? "text/event-stream" : "application/x-ndjson");
	if (id != NULL)
		buf_printf(&out, "Last-Event-ID: %s\r\n", id);
	buf_add_str(&out, "\r\n");
	rc = say(s, buf_text(&out));
	buf_fini(&out);
	if (rc != 0 || epoll_ctl(s->follow->epoll, EPOLL_CTL_MOD, s->fd, &ev) != 0)
		return -1;
	s->state = STREAM_ASKED;
	return 0;
}

/* Reads once; there will be another turn. */
static void
receive(struct stream *s)
{
	struct follow *f = s->follow;
	ssize_t n = recv(s->fd, f->bytes, LOAD_READ_BYTES, 0);
	bool wanted;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_stream(s);
		return;
	}
	f->now_us = clock_mono_us();
	f->received_bytes += n;
	http_take(&s->http, f->bytes, (size_t)n, take_body, s);
	wanted = s->http.status == (s->frames.framing == FRAMING_SOCKETIO ? 101 : 200);
	f->bad_status += s->http.state != HTTP_HEAD && !wanted;
	if (s->http.state == HTTP_BROKEN || (s->http.state != HTTP_HEAD && !wanted)) {
		close_stream(s);
		return;
	}
	/* On a busy machine the end comes with the beginning. */
	if (s->http.state != HTTP_HEAD && s->frames.framing != FRAMING_SOCKETIO)
		open_stream(s);
	if (s->http.state == HTTP_DONE)
		close_stream(s);
}

static void
serve(struct stream *s, unsigned events)
{
	if (s->state == STREAM_DIALING) {
		if ((events & (EPOLLERR | EPOLLHUP)) != 0 || ask(s) != 0)
			close_stream(s);
	} else if (s->state == STREAM_ASKED || s->state == STREAM_OPEN) {
		receive(s);
	}
}

/* ---- the loop ---- */

static int
start_streams(struct follow *f)
{
	while (f->started < f->o->n && f->dialing < f->o->ramp) {
		struct stream *s = &f->streams[f->started++];

		if (dial(s) != 0)
			return -1;
	}
	if (f->down == 0 || clock_mono_us() - f->redialed_us < REDIAL_US)
		return 0;
	f->redialed_us = clock_mono_us();
	for (int64_t i = 0; i < f->started && f->dialing < f->o->ramp; i++) {
		if (f->streams[i].state != STREAM_DOWN)
			continue;
		f->down--;
		f->reconnects++;
		if (dial(&f->streams[i]) != 0)
			return -1;
	}
	return 0;
}

/* Slow readers are taken out of the loop at "ready" and come back later. */
static void
set_slow(struct follow *f, int op)
{
	for (int64_t i = 0; i < f->o->slow && i < f->o->n; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &f->streams[i] };

		if (f->streams[i].fd >= 0)
			epoll_ctl(f->epoll, op, f->streams[i].fd, &ev);
	}
}

static bool
is_over(const struct follow *f)
{
	const struct load_options *o = f->o;

	return (o->events > 0 && f->complete == o->n) || f->over == o->n || load_stdin_ended() ||
	    (o->seconds > 0 && f->ready_us > 0 && (double)(clock_mono_us() - f->ready_us) > o->seconds * 1e6);
}

static int
run(struct follow *f)
{
	struct epoll_event events[512];
	int64_t look_us = 0;

	f->start_us = clock_mono_us();
	for (;;) {
		int n;

		if (start_streams(f) != 0)
			return -1;
		n = epoll_wait(f->epoll, events, 512, TURN_MS);
		if (n < 0 && errno != EINTR) {
			err_sys(f->e, "epoll_wait");
			return -1;
		}
		for (int i = 0; i < n; i++)
			serve(events[i].data.ptr, events[i].events);
		if (f->ready_us == 0 && f->opened + f->refused == f->o->n) {
			f->ready_us = clock_mono_us();
			set_slow(f, EPOLL_CTL_DEL);
			load_ready();
		}
		if (!f->slow_resumed && f->ready_us > 0 && clock_mono_us() - f->ready_us > f->o->slow_ms * 1000) {
			f->slow_resumed = true;
			set_slow(f, EPOLL_CTL_ADD);
		}
		/* What costs a system call is looked at now and then. */
		if (clock_mono_us() - look_us > 1000) {
			look_us = clock_mono_us();
			if (is_over(f))
				return 0;
		}
	}
}

static void
print(const struct follow *f)
{
	struct buf out = { .p = NULL };

	buf_printf(&out,
	    "{\"streams\":%lld,\"opened\":%lld,\"refused\":%lld,\"bad_status\":%lld,\"ended\":%lld,\"reconnects\":%"
	    "lld,",
	    (long long)f->o->n, (long long)f->opened, (long long)f->refused, (long long)f->bad_status,
	    (long long)f->ended, (long long)f->reconnects);
	buf_printf(&out,
	    "\"complete\":%lld,\"deliveries\":%lld,\"missing\":%lld,\"repeated\":%lld,\"disordered\":%lld,",
	    (long long)f->complete, (long long)f->deliveries, (long long)f->missing, (long long)f->repeated,
	    (long long)f->disordered);
	buf_printf(&out, "\"bytes\":%lld,\"start_us\":%lld,\"ready_us\":%lld,\"first_us\":%lld,\"last_us\":%lld,",
	    (long long)f->received_bytes, (long long)f->start_us, (long long)f->ready_us, (long long)f->first_us,
	    (long long)f->last_us);
	buf_printf(&out, "\"cpu_s\":%.3f,\"controls\":{", load_cpu_seconds());
	for (int i = 0; i < CONTROL__MAX; i++)
		buf_printf(&out, "%s\"%s\":%lld", i == 0 ? "" : ",", control_names[i], (long long)f->controls[i]);
	buf_add_str(&out, "},\"latency\":");
	histogram_json(&f->latency, &out);
	buf_add_str(&out, ",\"catch_up\":");
	histogram_json(&f->catch_up, &out);
	buf_add_char(&out, '}');
	puts(buf_cstr(&out));
	buf_fini(&out);
}

int
follow_command(const struct load_options *o, struct err *e)
{
	struct follow f = { .o = o, .e = e };
	enum framing framing;
	int rc = -1;

	if (framing_by_name(o->framing, &framing) != 0) {
		err_set(e, ERR_USAGE, "--framing takes sse, ndjson or socketio");
		return -1;
	}
	if (load_limits(o->n, e) != 0)
		return -1;
	f.epoll = epoll_create1(EPOLL_CLOEXEC);
	f.streams = calloc((size_t)o->n, sizeof(*f.streams));
	f.bytes = malloc(LOAD_READ_BYTES);
	if (f.epoll < 0 || f.streams == NULL || f.bytes == NULL) {
		err_set(e, ERR_MEMORY, "no memory for %lld streams", (long long)o->n);
		goto out;
	}
	for (int64_t i = 0; i < o->n; i++)
		f.streams[i] =
		    (struct stream){ .follow = &f, .fd = -1, .next = o->first_mark, .frames.framing = framing };
	rc = run(&f);
	if (rc == 0)
		print(&f);
out:
	for (int64_t i = 0; f.streams != NULL && i < o->n; i++) {
		frames_fini(&f.streams[i].frames);
		if (f.streams[i].fd >= 0)
			close(f.streams[i].fd);
	}
	free(f.streams);
	free(f.bytes);
	if (f.epoll >= 0)
		close(f.epoll);
	return rc;
}

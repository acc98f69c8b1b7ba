/*
 * get - asks for --path again and again over --n connections that are kept open, each with one request under way.
 *
 * Symbols and --vary go round, so that every URL is asked as often as any other. With --check every URL is asked once before, and its body must hold
 * that many events of its symbol; with --etags every URL's tag is learnt before, and asked with.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "histogram.h"
#include "http.h"
#include "load.h"

#define TAG_SIZE 96
#define STATUS_MAX 600

struct asker {
	struct get *get;
	int fd;
	bool busy;
	int64_t url, asked_us;
	int64_t bytes;
	struct http http;
	struct buf request;
	struct buf body; /* only while learning */
};

struct get {
	const struct load_options *o;
	int epoll;
	struct asker *askers;
	char *bytes;
	int64_t urls, vary_n;
	int64_t next, busy; /* the next request's number; how many are under way */
	char (*tags)[TAG_SIZE];
	bool learning;
	int64_t statuses[STATUS_MAX];
	int64_t done, wrong, wrong_bodies, redials, body_bytes, body_min, body_max;
	struct histogram latency;
	struct err *e;
};

static int64_t
symbol_of(const struct get *g, int64_t url)
{
	return g->o->first_symbol + url % g->o->symbols;
}

static int
dial(struct asker *a)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = a };

	a->fd = load_dial(a->get->o, a - a->get->askers, a->get->e);
	if (a->fd < 0)
		return -1;
	if (epoll_ctl(a->get->epoll, EPOLL_CTL_ADD, a->fd, &ev) != 0) {
		err_sys(a->get->e, "epoll_ctl");
		return -1;
	}
	return 0;
}

static int
ask(struct asker *a, int64_t url)
{
	struct get *g = a->get;

	buf_clear(&a->request);
	buf_clear(&a->body);
	buf_add_str(&a->request, "GET ");
	load_path(g->o, &a->request, symbol_of(g, url), g->o->vary_from + url / g->o->symbols);
	buf_add_str(&a->request, " HTTP/1.1\r\nHost: bench\r\n");
	if (g->o->etags && g->tags[url][0] != '\0')
		buf_printf(&a->request, "If-None-Match: %s\r\n", g->tags[url]);
	buf_add(&a->request, "\r\n", 2);
	http_begin(&a->http);
	a->url = url;
	a->bytes = 0;
	a->busy = true;
	g->busy++;
	a->asked_us = clock_mono_us();
	/* Not yet connected, or no room in an empty socket's buffer: neither happens to small requests over loopback for long. */
	while (send(a->fd, a->request.p, a->request.len, MSG_NOSIGNAL) != (ssize_t)a->request.len) {
		if (errno != EAGAIN && errno != ENOTCONN && errno != EINTR) {
			err_sys(g->e, "send");
			return -1;
		}
		usleep(100);
	}
	return 0;
}

static bool
take_body(void *arg, const char *p, size_t n)
{
	struct asker *a = arg;

	a->bytes += (int64_t)n;
	if (a->get->learning)
		buf_add(&a->body, p, n);
	return true;
}

/* As many events as wanted, all of the URL's symbol. */
static bool
body_is_right(const struct asker *a)
{
	static const char id[] = "{\"id\":\"";
	struct buf symbol = { .p = NULL };
	struct text rest = buf_text(&a->body), want;
	int64_t events = 0, of_symbol = 0;
	const char *p;

	buf_add_str(&symbol, "\"symbol\":\"");
	load_symbol(&symbol, symbol_of(a->get, a->url));
	buf_add_char(&symbol, '"');
	want = buf_text(&symbol);
	while (rest.n > 0 && (p = memmem(rest.p, rest.n, id, sizeof(id) - 1)) != NULL) {
		events++;
		rest = text_cut(rest, (size_t)(p - rest.p) + 1, rest.n);
	}
	rest = buf_text(&a->body);
	while (rest.n > 0 && (p = memmem(rest.p, rest.n, want.p, want.n)) != NULL) {
		of_symbol++;
		rest = text_cut(rest, (size_t)(p - rest.p) + 1, rest.n);
	}
	buf_fini(&symbol);
	return events == a->get->o->check && of_symbol == events;
}

static void
answered(struct asker *a)
{
	struct get *g = a->get;

	a->busy = false;
	g->busy--;
	if (g->learning) {
		memcpy(g->tags[a->url], a->http.etag, sizeof(a->http.etag));
		if (a->http.status != 200 || (g->o->check > 0 && !body_is_right(a)))
			g->wrong_bodies++;
		return;
	}
	g->done++;
	g->statuses[a->http.status < STATUS_MAX ? a->http.status : 0]++;
	g->wrong += a->http.status != g->o->expect;
	g->body_bytes += a->bytes;
	if (g->done == 1 || a->bytes < g->body_min)
		g->body_min = a->bytes;
	if (a->bytes > g->body_max)
		g->body_max = a->bytes;
	histogram_add(&g->latency, clock_mono_us() - a->asked_us);
}

/* The server ended the connection: fine between two answers. */
static int
redial(struct asker *a)
{
	bool whole = a->busy && http_end(&a->http);

	close(a->fd);
	a->get->redials++;
	if (whole) {
		answered(a);
	} else if (a->busy) {
		a->busy = false;
		a->get->busy--;
		a->get->wrong++;
	}
	return dial(a);
}

static int
receive(struct asker *a)
{
	struct get *g = a->get;
	ssize_t n = recv(a->fd, g->bytes, LOAD_READ_BYTES, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return redial(a);
	if (!a->busy) {
		err_set(g->e, ERR_INPUT, "bytes come that were not asked for");
		return -1;
	}
	if (http_take(&a->http, g->bytes, (size_t)n, take_body, a) != (size_t)n || a->http.state == HTTP_BROKEN) {
		err_set(g->e, ERR_INPUT, "an answer's framing is broken");
		return -1;
	}
	if (a->http.state != HTTP_DONE)
		return 0;
	answered(a);
	return a->http.close ? redial(a) : 0;
}

/* Runs requests `from` … until `count` of them were sent, or the time is over; waits for the last answers. */
static int
run(struct get *g, int64_t count, double seconds)
{
	struct epoll_event events[256];
	int64_t start_us = clock_mono_us(), n_askers = g->o->n, look_us = start_us;
	bool over = false;

	g->next = 0;
	do {
		int n;

		for (int64_t i = 0; !over && g->busy < n_askers && i < n_askers; i++) {
			if (count > 0 && g->next >= count)
				break;
			if (!g->askers[i].busy && ask(&g->askers[i], g->next++ % g->urls) != 0)
				return -1;
		}
		n = epoll_wait(g->epoll, events, 256, 20);
		if (n < 0 && errno != EINTR) {
			err_sys(g->e, "epoll_wait");
			return -1;
		}
		for (int i = 0; i < n; i++) {
			struct asker *a = events[i].data.ptr;

			if (receive(a) != 0)
				return -1;
			if (!a->busy && !over && (count == 0 || g->next < count) && ask(a, g->next++ % g->urls) != 0)
				return -1;
		}
		if (clock_mono_us() - look_us > 1000) {
			look_us = clock_mono_us();
			over = (seconds > 0 && (double)(look_us - start_us) > seconds * 1e6) || load_stdin_ended();
		}
		if (count > 0 && g->next >= count)
			over = true;
	} while (!over || g->busy > 0);
	return 0;
}

static void
print(const struct get *g, int64_t us)
{
	struct buf out = { .p = NULL };
	bool first = true;

	buf_printf(&out, "{\"requests\":%lld,\"seconds\":%.6f,\"rate\":%.1f,\"wrong\":%lld,\"wrong_bodies\":%lld,",
	    (long long)g->done, (double)us / 1e6, (double)g->done * 1e6 / (double)us, (long long)g->wrong,
	    (long long)g->wrong_bodies);
	buf_printf(&out, "\"urls\":%lld,\"redials\":%lld,\"body_bytes\":%lld,\"body_min\":%lld,\"body_max\":%lld,",
	    (long long)g->urls, (long long)g->redials, (long long)g->body_bytes, (long long)g->body_min,
	    (long long)g->body_max);
	buf_printf(&out, "\"cpu_s\":%.3f,\"statuses\":{", load_cpu_seconds());
	for (int i = 0; i < STATUS_MAX; i++) {
		if (g->statuses[i] > 0)
			buf_printf(&out, "%s\"%d\":%lld", first ? "" : ",", i, (long long)g->statuses[i]);
		first = first && g->statuses[i] == 0;
	}
	buf_add_str(&out, "},\"latency\":");
	histogram_json(&g->latency, &out);
	buf_add_char(&out, '}');
	puts(buf_cstr(&out));
	buf_fini(&out);
}

static int
measure(struct get *g)
{
	int64_t from_us;

	for (int64_t i = 0; i < g->o->n; i++) {
		g->askers[i] = (struct asker){ .get = g, .fd = -1 };
		if (dial(&g->askers[i]) != 0)
			return -1;
	}
	g->learning = g->o->etags || g->o->check > 0;
	if (g->learning && run(g, g->urls, 0) != 0)
		return -1;
	g->learning = false;
	load_ready();
	from_us = clock_mono_us();
	if (run(g, g->o->count, g->o->count > 0 ? 0 : g->o->seconds) != 0)
		return -1;
	print(g, clock_mono_us() - from_us);
	return 0;
}

int
get_command(const struct load_options *o, struct err *e)
{
	struct get g = { .o = o, .e = e };
	int rc = -1;

	if (load_limits(o->n, e) != 0)
		return -1;
	g.vary_n = o->vary_to - o->vary_from + 1;
	g.urls = o->symbols * g.vary_n;
	g.epoll = epoll_create1(EPOLL_CLOEXEC);
	g.askers = calloc((size_t)o->n, sizeof(*g.askers));
	g.tags = calloc((size_t)g.urls, TAG_SIZE);
	g.bytes = malloc(LOAD_READ_BYTES);
	if (g.epoll < 0 || g.askers == NULL || g.tags == NULL || g.bytes == NULL)
		err_set(e, ERR_MEMORY, "no memory for %lld connections", (long long)o->n);
	else
		rc = measure(&g);
	for (int64_t i = 0; g.askers != NULL && i < o->n; i++) {
		buf_fini(&g.askers[i].request);
		buf_fini(&g.askers[i].body);
	}
	free(g.askers);
	free(g.tags);
	free(g.bytes);
	return rc;
}

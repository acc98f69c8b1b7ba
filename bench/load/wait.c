/*
 * wait - --n long-polls, all asked before the event comes that answers them; how many were answered, with what, and how long it took.
 *
 * As pollers do, they leave their connections open for the next request: none is closed before all are answered, so what ending a connection costs
 * either side is not part of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "histogram.h"
#include "http.h"
#include "load.h"
#include "mark.h"

struct waiter {
	struct wait *wait;
	int fd;
	bool asked, over;
	int64_t marks;
	struct http http;
	struct buf body;
};

struct wait {
	const struct load_options *o;
	int epoll;
	struct waiter *waiters;
	char *bytes;
	int64_t started, asked, over;
	int64_t answered, empty, wrong, early; /* early: answered before all had asked */
	int64_t ready_us, first_us, last_us;
	struct histogram latency;
	struct err *e;
};

static bool
take_body(void *arg, const char *p, size_t n)
{
	struct waiter *w = arg;

	buf_add(&w->body, p, n);
	return !w->body.failed;
}

static void
finish(struct waiter *w)
{
	struct wait *a = w->wait;
	struct text rest = buf_text(&w->body);
	int64_t now_us = clock_mono_us();
	struct mark m;

	while (mark_next(&rest, &m) != 0) {
		if (w->marks++ == 0)
			histogram_add(&a->latency, now_us - m.us);
	}
	if (w->http.state != HTTP_DONE || w->http.status != 200 || w->marks > 1)
		a->wrong++;
	else if (w->marks == 0)
		a->empty++;
	else
		a->answered++;
	a->early += a->ready_us == 0;
	if (a->first_us == 0)
		a->first_us = now_us;
	a->last_us = now_us;
	if (!w->asked)
		a->asked++;
	w->over = true;
	a->over++;
	buf_fini(&w->body);
}

/* The server has ended the connection, or it broke: before the answer, with it, or since. */
static void
give_up(struct waiter *w)
{
	epoll_ctl(w->wait->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	if (w->over)
		return;
	http_end(&w->http);
	finish(w);
}

static void
ask(struct waiter *w)
{
	struct wait *a = w->wait;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = w };
	int64_t i = w - a->waiters;
	struct buf out = { .p = NULL };

	buf_add_str(&out, "GET ");
	load_path(a->o, &out, a->o->first_symbol + i % a->o->symbols, a->o->vary_from);
	buf_add_str(&out, " HTTP/1.1\r\nHost: bench\r\n\r\n");
	if (send(w->fd, out.p, out.len, MSG_NOSIGNAL) != (ssize_t)out.len ||
	    epoll_ctl(a->epoll, EPOLL_CTL_MOD, w->fd, &ev) != 0) {
		give_up(w);
	} else {
		w->asked = true;
		a->asked++;
	}
	buf_fini(&out);
}

static void
receive(struct waiter *w)
{
	struct wait *a = w->wait;
	ssize_t n = recv(w->fd, a->bytes, LOAD_READ_BYTES, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		give_up(w);
		return;
	}
	if (w->over)
		return;
	http_take(&w->http, a->bytes, (size_t)n, take_body, w);
	if (w->http.state >= HTTP_DONE)
		finish(w);
}

static int
start(struct wait *a)
{
	/* So many connections at a time are asked for, but not yet asked. */
	while (a->started < a->o->n && a->started - a->asked < a->o->ramp) {
		struct waiter *w = &a->waiters[a->started];
		struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = w };

		*w = (struct waiter){ .wait = a };
		http_begin(&w->http);
		w->fd = load_dial(a->o, a->started, a->e);
		if (w->fd < 0)
			return -1;
		if (epoll_ctl(a->epoll, EPOLL_CTL_ADD, w->fd, &ev) != 0) {
			err_sys(a->e, "epoll_ctl");
			return -1;
		}
		a->started++;
	}
	return 0;
}

static int
run(struct wait *a)
{
	struct epoll_event events[512];
	int64_t look_us = 0;

	for (;;) {
		int n;

		if (start(a) != 0)
			return -1;
		n = epoll_wait(a->epoll, events, 512, 20);
		if (n < 0 && errno != EINTR) {
			err_sys(a->e, "epoll_wait");
			return -1;
		}
		for (int i = 0; i < n; i++) {
			struct waiter *w = events[i].data.ptr;

			if (w->asked)
				receive(w);
			else
				ask(w);
		}
		if (a->ready_us == 0 && a->asked == a->o->n) {
			a->ready_us = clock_mono_us();
			load_ready();
		}
		if (a->over == a->o->n)
			return 0;
		if (clock_mono_us() - look_us > 1000) {
			look_us = clock_mono_us();
			if (load_stdin_ended())
				return 0;
		}
	}
}

static void
print(const struct wait *a)
{
	struct buf out = { .p = NULL };

	buf_printf(&out,
	    "{\"waiters\":%lld,\"answered\":%lld,\"empty\":%lld,\"wrong\":%lld,\"early\":%lld,\"unanswered\":%lld,",
	    (long long)a->o->n, (long long)a->answered, (long long)a->empty, (long long)a->wrong, (long long)a->early,
	    (long long)(a->o->n - a->over));
	buf_printf(&out,
	    "\"ready_us\":%lld,\"first_us\":%lld,\"last_us\":%lld,\"cpu_s\":%.3f,\"latency\":", (long long)a->ready_us,
	    (long long)a->first_us, (long long)a->last_us, load_cpu_seconds());
	histogram_json(&a->latency, &out);
	buf_add_char(&out, '}');
	puts(buf_cstr(&out));
	buf_fini(&out);
}

int
wait_command(const struct load_options *o, struct err *e)
{
	struct wait a = { .o = o, .e = e };
	int rc = -1;

	if (load_limits(o->n, e) != 0)
		return -1;
	a.epoll = epoll_create1(EPOLL_CLOEXEC);
	a.waiters = calloc((size_t)o->n, sizeof(*a.waiters));
	a.bytes = malloc(LOAD_READ_BYTES);
	if (a.epoll < 0 || a.waiters == NULL || a.bytes == NULL)
		err_set(e, ERR_MEMORY, "no memory for %lld waiters", (long long)o->n);
	else if ((rc = run(&a)) == 0)
		print(&a);
	for (int64_t i = 0; a.waiters != NULL && i < a.started; i++)
		close(a.waiters[i].fd);
	free(a.waiters);
	free(a.bytes);
	return rc;
}

/*
 * fcgi - see fcgi.h.  Walk 2, step 1: the poll loop of a worker; on to http/fcgi_thread.c.
 *
 * The loop blocks on nothing but epoll_wait(). Events of connections are worked off before the listener's, so that within one
 * batch no event can mean a connection that has been replaced.
 */
#include "http/fcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/fcgi_conns.h"
#include "http/fcgi_thread.h"

#define EVENTS_MAX 64
#define ACCEPTS_A_TURN 64
#define PAUSE_US 50000 /* without descriptors, memory or room: leave connections in the backlog for so long */

struct loop {
	const struct fcgi_opts *opts;
	struct conns conns;
	int epoll;
	bool accepting; /* the listener is in epoll */
	bool stopping;
	int64_t paused_until_us;
	struct log_limit limit;
};

struct thread {
	pthread_t id;
	struct loop *loop;
	struct fcgi_request *request;
	void *context;
};

int
fcgi_init(struct err *e)
{
	/* Read once, in FCGX_Init(): without it a finished request waits up to 2 s for its peer to close. */
	if (setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1) != 0 || FCGX_Init() != 0) {
		err_set(e, ERR_SYSTEM, "cannot initialise libfcgi");
		return -1;
	}
	return 0;
}

static void *
thread_main(void *arg)
{
	struct thread *t = arg;
	int fd;

	while ((fd = conns_take(&t->loop->conns)) >= 0)
		fcgi_answer(t->request, fd, t->loop->opts, t->context);
	return NULL;
}

static int
thread_begin(struct thread *t, struct loop *l, struct err *e)
{
	sigset_t all, old;
	int rc;

	t->loop = l;
	t->request = fcgi_request_new(e);
	if (t->request == NULL)
		return -1;
	t->context = l->opts->thread_start(l->opts->arg, e);
	if (t->context == NULL) {
		fcgi_request_free(t->request);
		return -1;
	}
	/* libfcgi takes an interrupted read for a broken connection. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&t->id, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0)
		return 0;
	errno = rc;
	err_sys(e, "cannot start a request thread");
	l->opts->thread_stop(t->context);
	fcgi_request_free(t->request);
	return -1;
}

static void
threads_end(struct thread *threads, int n, struct loop *l)
{
	conns_close(&l->conns);
	for (int i = 0; i < n; i++) {
		pthread_join(threads[i].id, NULL);
		l->opts->thread_stop(threads[i].context);
		fcgi_request_free(threads[i].request);
	}
}

static int
watch(struct loop *l, int fd, uint32_t events, void *what, struct err *e)
{
	struct epoll_event ev = { .events = events, .data = { .ptr = what } };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0)
		return 0;
	err_sys(e, "cannot watch a descriptor");
	return -1;
}

static void
listener_off(struct loop *l)
{
	if (l->accepting)
		epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->opts->listener, NULL);
	l->accepting = false;
}

/* EPOLLEXCLUSIVE: one connection wakes one worker, not all. */
static int
listener_on(struct loop *l, struct err *e)
{
	if (l->accepting || l->stopping)
		return 0;
	if (watch(l, l->opts->listener, EPOLLIN | EPOLLEXCLUSIVE, l, e) != 0)
		return -1;
	l->accepting = true;
	return 0;
}

static void
pause_accepting(struct loop *l)
{
	listener_off(l);
	l->paused_until_us = clock_mono_us() + PAUSE_US;
}

static void
set_timeouts(int fd, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* Web servers send the request as soon as they are connected: most often it is there by now, and need not be waited for. */
static bool
has_spoken(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void
take_in(struct loop *l, int fd)
{
	struct conn *conn;

	set_timeouts(fd, l->opts->receive_timeout_ms);
	if (has_spoken(fd)) {
		conns_queue(&l->conns, fd);
		return;
	}
	conn = conns_add(&l->conns, fd, clock_mono_us() + l->opts->receive_timeout_ms * 1000);
	if (conn == NULL)
		close(fd);
	else if (watch(l, fd, EPOLLIN | EPOLLRDHUP, conn, NULL) != 0)
		conns_drop(&l->conns, conn);
}

static void
accept_some(struct loop *l)
{
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd;

		/* Full of silent ones: the one that has been silent longest goes. Full of requests: the backlog holds the rest. */
		if (conns_full(&l->conns)) {
			if (l->conns.oldest == NULL) {
				pause_accepting(l);
				return;
			}
			conns_drop(&l->conns, l->conns.oldest);
		}
		fd = accept4(l->opts->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0) {
			take_in(l, fd);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			if (log_allowed(&l->limit, 6, "accept_failed"))
				log_event(LOG_LEVEL_WARNING, "accept_failed", log_str("error", strerror(errno)));
			pause_accepting(l);
			return;
		}
	}
}

static void
expire(struct loop *l)
{
	int64_t now_us = clock_mono_us();

	while (l->conns.oldest != NULL && l->conns.oldest->deadline_us <= now_us)
		conns_drop(&l->conns, l->conns.oldest);
}

/* Milliseconds until something is due, rounded up; -1: nothing is. */
static int
timeout_ms(const struct loop *l)
{
	int64_t due_us = INT64_MAX, now_us = clock_mono_us();

	if (l->conns.oldest != NULL)
		due_us = l->conns.oldest->deadline_us;
	if (!l->accepting && !l->stopping && l->paused_until_us < due_us)
		due_us = l->paused_until_us;
	if (due_us == INT64_MAX)
		return -1;
	return due_us <= now_us ? 0 : (int)((due_us - now_us + 999) / 1000);
}

static void
work_off(struct loop *l, const struct epoll_event *events, int n)
{
	bool may_accept = false;

	for (int i = 0; i < n; i++) {
		void *what = events[i].data.ptr;

		if (what == l) {
			may_accept = true;
		} else if (what == NULL) {
			epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->opts->stop_fd, NULL);
			listener_off(l);
			l->stopping = true;
		} else {
			struct conn *conn = what;

			epoll_ctl(l->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
			conns_ready(&l->conns, conn);
		}
	}
	if (may_accept && !l->stopping)
		accept_some(l);
}

/* After a stop, what was accepted and has not spoken yet is still waited for: its time-out is short. */
static int
run(struct loop *l, struct err *e)
{
	struct epoll_event events[EVENTS_MAX];

	while (!l->stopping || l->conns.n_waiting > 0) {
		int n;

		if (clock_mono_us() >= l->paused_until_us && listener_on(l, e) != 0)
			return -1;
		n = epoll_wait(l->epoll, events, EVENTS_MAX, timeout_ms(l));
		if (n < 0 && errno != EINTR) {
			err_sys(e, "cannot wait for connections");
			return -1;
		}
		work_off(l, events, n);
		expire(l);
	}
	return 0;
}

int
fcgi_serve(const struct fcgi_opts *opts, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));
	struct thread *threads = calloc((size_t)opts->threads, sizeof(*threads));
	int rc = -1, n = 0;

	if (l == NULL || threads == NULL) {
		err_set(e, ERR_MEMORY, "no memory for the request threads");
		goto out;
	}
	l->opts = opts;
	conns_init(&l->conns);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		err_sys(e, "cannot make an epoll");
	else if (watch(l, opts->stop_fd, EPOLLIN, NULL, e) == 0)
		rc = 0;
	for (; rc == 0 && n < opts->threads; n += rc == 0)
		rc = thread_begin(&threads[n], l, e);
	if (rc == 0)
		rc = run(l, e);
	threads_end(threads, n, l);
	conns_fini(&l->conns);
	if (l->epoll >= 0)
		close(l->epoll);
out:
	free(threads);
	free(l);
	return rc;
}

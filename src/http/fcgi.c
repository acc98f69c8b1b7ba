/*
 * fcgi - see fcgi.h.  Walk 2, step 1: the loop of a worker; on to http/fcgi_thread.c.
 *
 * Who leads (fcgi_lead.h) turns the loop: it waits for connections, and answers each as it comes. The loop is the leader's alone, with all that is in it, also the events that
 * were reported and not worked off: a new leader goes on where the one before stopped. So nothing in here is touched after fcgi_answer() without asking lead_keep().
 * Events of connections are worked off before the listener's, so that within one batch no event can mean a connection that has been replaced.
 */
#include "http/fcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "http/fcgi_conns.h"
#include "http/fcgi_lead.h"
#include "http/fcgi_thread.h"

#define EVENTS_MAX 64
#define ACCEPTS_IN_A_ROW 16
#define PAUSE_US 50000 /* without descriptors or memory: leave connections in the backlog for so long */

struct loop {
	const struct fcgi_opts *opts;
	struct lead lead;

	/* The leader's. */
	struct conns conns; /* silent ones */
	struct fresh fresh;
	unsigned look_at; /* so many of the fresh ones, before epoll is asked again */
	int epoll;
	struct epoll_event events[EVENTS_MAX];
	int n_events, next_event; /* those before next_event are worked off */
	bool may_accept; /* somebody is, or may be, at the door */
	bool accepting; /* the listener is in epoll */
	unsigned accepted; /* since it was put there */
	bool stopping;
	int64_t paused_until_us;
	struct err *failure; /* why it ended by itself; the caller's of fcgi_serve() */
	bool failed;
};

struct thread {
	pthread_t id;
	struct loop *loop;
	struct fcgi_thread *self;
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

/*
 * EPOLLEXCLUSIVE: one connection wakes one worker, not all: the first in the listener's queue that waits, and the order is that in which they came into it. So the
 * first would get nearly everything, all streams for example, and the others' caches would stay cold: who has had his share goes to the end of the queue.
 */
static int
listener_on(struct loop *l, struct err *e)
{
	if (l->accepting || l->stopping)
		return 0;
	if (watch(l, l->opts->listener, EPOLLIN | EPOLLEXCLUSIVE, l, e) != 0)
		return -1;
	l->accepting = true;
	l->accepted = 0;
	return 0;
}

static void
pause_accepting(struct loop *l)
{
	listener_off(l);
	l->paused_until_us = clock_mono_us() + PAUSE_US;
}

/* Looked at `looks` times, and silent: if that is often enough, it is to be waited for. */
static void
keep(struct loop *l, int fd, int looks)
{
	struct conn *conn;

	if (fresh_add(&l->fresh, fd, looks))
		return;
	conn = conns_add(&l->conns, fd, clock_mono_us() + l->opts->receive_timeout_ms * 1000);
	if (watch(l, fd, EPOLLIN | EPOLLRDHUP, conn, NULL) != 0)
		conns_drop(&l->conns, conn);
}

/*
 * Web servers send the request as soon as they are connected, but to be connected wakes us, often on their very processor: so they are let on, and looked at
 * again behind what else there is. Half the switches of all requests, against putting each into epoll and taking it out again; a tenth more requests a second.
 */
static void
look_again(struct loop *l, struct fcgi_thread *t)
{
	int looks, fd = fresh_take(&l->fresh, &looks);

	l->look_at--;
	if (looks == 1)
		sched_yield();
	if (!fcgi_answer(t, fd))
		keep(l, fd, looks + 1);
}

/* One, and back to epoll, which then says whether there is another: to be refused by accept4() costs more. */
static void
accept_one(struct loop *l, struct fcgi_thread *t)
{
	int fd = accept4(l->opts->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	l->may_accept = false;
	if (fd >= 0) {
		/* gather() puts it back. */
		if (++l->accepted == ACCEPTS_IN_A_ROW)
			listener_off(l);
		if (!fcgi_answer(t, fd))
			keep(l, fd, 1);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		int why = errno;

		pause_accepting(l);
		fcgi_thread_cannot_accept(t, why);
	}
}

static void
expire(struct loop *l)
{
	int64_t now_us;

	if (l->conns.oldest == NULL)
		return;
	now_us = clock_mono_us();
	while (l->conns.oldest != NULL && l->conns.oldest->deadline_us <= now_us)
		conns_drop(&l->conns, l->conns.oldest);
}

/* Milliseconds until something is due, rounded up; -1: nothing is. */
static int
timeout_ms(const struct loop *l)
{
	int64_t due_us = INT64_MAX, now_us;

	if (l->conns.oldest != NULL)
		due_us = l->conns.oldest->deadline_us;
	if (!l->accepting && !l->stopping && l->paused_until_us < due_us)
		due_us = l->paused_until_us;
	if (due_us == INT64_MAX)
		return -1;
	now_us = clock_mono_us();
	return due_us <= now_us ? 0 : (int)((due_us - now_us + 999) / 1000);
}

static void
work_off(struct loop *l, struct fcgi_thread *t, void *what)
{
	if (what == l) {
		l->may_accept = true;
	} else if (what == NULL) {
		epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->opts->stop_fd, NULL);
		listener_off(l);
		l->stopping = true;
	} else {
		int fd = conns_remove(&l->conns, what);

		epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
		if (!fcgi_answer(t, fd))
			keep(l, fd, FRESH_LOOKS);
	}
}

static int
gather(struct loop *l, struct err *e)
{
	if (!l->accepting && clock_mono_us() >= l->paused_until_us && listener_on(l, e) != 0)
		return -1;
	l->next_event = 0;
	l->look_at = l->fresh.n;
	l->n_events = epoll_wait(l->epoll, l->events, EVENTS_MAX, l->fresh.n > 0 ? 0 : timeout_ms(l));
	/* Also without signals: a process that was stopped and goes on is interrupted here. */
	if (l->n_events >= 0 || errno == EINTR)
		return 0;
	err_sys(e, "cannot wait for connections");
	return -1;
}

/* One step of the loop. False: it is over. After a stop, what was accepted and has not spoken yet is still waited for: its time-out is short. */
static bool
turn(struct loop *l, struct fcgi_thread *t)
{
	if (l->next_event < l->n_events) {
		work_off(l, t, l->events[l->next_event++].data.ptr);
	} else if (l->may_accept && !l->stopping) {
		accept_one(l, t);
	} else if (l->look_at > 0) {
		look_again(l, t);
	} else {
		expire(l);
		if (l->stopping && l->conns.n == 0 && l->fresh.n == 0)
			return false;
		l->failed = gather(l, l->failure) != 0;
		return !l->failed;
	}
	return true;
}

static void *
thread_main(void *arg)
{
	struct thread *t = arg;
	struct loop *l = t->loop;
	struct seat *seat = fcgi_thread_seat(t->self);

	while (lead_take(seat)) {
		do {
			if (!turn(l, t->self)) {
				lead_over(&l->lead);
				return NULL;
			}
		} while (lead_keep(seat));
	}
	return NULL;
}

static int
thread_begin(struct thread *t, struct loop *l, struct err *e)
{
	t->loop = l;
	if ((t->self = fcgi_thread_new(l->opts, &l->lead, e)) == NULL)
		return -1;
	if (thread_start(&t->id, thread_main, t, "a request thread", e) == 0)
		return 0;
	fcgi_thread_free(t->self);
	return -1;
}

static void
threads_end(struct thread *threads, int n)
{
	for (int i = 0; i < n; i++) {
		pthread_join(threads[i].id, NULL);
		fcgi_thread_free(threads[i].self);
	}
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
	l->failure = e;
	lead_init(&l->lead);
	conns_init(&l->conns);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		err_sys(e, "cannot make an epoll");
	else if (watch(l, opts->stop_fd, EPOLLIN, NULL, e) == 0)
		rc = 0;
	for (; rc == 0 && n < opts->threads; n += rc == 0)
		rc = thread_begin(&threads[n], l, e);
	if (rc == 0)
		lead_watch(&l->lead);
	else
		lead_over(&l->lead);
	threads_end(threads, n);
	if (l->failed)
		rc = -1;
	fresh_fini(&l->fresh);
	conns_fini(&l->conns);
	lead_fini(&l->lead);
	if (l->epoll >= 0)
		close(l->epoll);
out:
	free(threads);
	free(l);
	return rc;
}

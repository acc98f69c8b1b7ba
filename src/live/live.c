/*
 * live - see live.h.  Walk 3: the loop that drives follow.c and positions.c.
 *
 * Plain epoll: three kinds of descriptors and one clock need no library, and what must be cheap here (a stream that
 * nothing happens on) is cheapest as one entry in the kernel's table.
 */
#include "live/live.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "live/follow.h"

#define EVENTS_MAX 256
#define INTEREST_US 10000000 /* a position that was asked for keeps the log followed for so long */

struct live {
	struct follow follow;
	struct positions *positions; /* owned */
	int epoll, wake; /* wake: an eventfd; any thread may write it */
	bool started, quit;
	pthread_t thread;
	struct log_limit limit;
};

static void
on_start(void *arg, const struct snapshot *snap)
{
	struct live *l = arg;

	positions_start(l->positions, snap);
}

static void
on_row(void *arg, struct reader *r, const struct row_key *key)
{
	struct live *l = arg;

	(void)r;
	positions_row(l->positions, key);
}

static void
on_advance(void *arg, int64_t head)
{
	struct live *l = arg;

	positions_advance(l->positions, head);
}

static void
on_lost(void *arg, const struct err *why)
{
	struct live *l = arg;

	positions_stop(l->positions);
	if (why->code != ERR_MISSING && log_allowed(&l->limit, 6, "log_not_followed"))
		log_err(LOG_LEVEL_WARNING, "log_not_followed", why);
}

static void
wake(void *arg)
{
	struct live *l = arg;

	/* It fails only when the counter is full, and then it wakes as it is. */
	if (eventfd_write(l->wake, 1) != 0)
		return;
}

static int
watch(struct live *l, int fd, uint32_t events, void *what, struct err *e)
{
	struct epoll_event ev = { .events = events, .data = { .ptr = what } };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0)
		return 0;
	err_sys(e, "cannot watch a descriptor");
	return -1;
}

struct live *
live_new(const struct live_opts *opts, struct err *e)
{
	struct live *l = calloc(1, sizeof(*l));
	struct follow_to to = { on_start, on_row, on_advance, on_lost, l };

	if (l == NULL) {
		err_set(e, ERR_MEMORY, "no memory for the live thread");
		return NULL;
	}
	l->follow.bell = -1;
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->wake < 0 || l->epoll < 0) {
		err_sys(e, "cannot make the live thread's descriptors");
		goto fail;
	}
	if (watch(l, l->wake, EPOLLIN, &l->wake, e) != 0 || (l->positions = positions_new(e)) == NULL ||
	    follow_init(&l->follow, opts->state_dir, opts->run_dir, &to, e) != 0)
		goto fail;
	positions_on_wanted(l->positions, wake, l);
	return l;
fail:
	live_free(l);
	return NULL;
}

void
live_free(struct live *l)
{
	if (l == NULL)
		return;
	follow_fini(&l->follow);
	positions_free(l->positions);
	if (l->wake >= 0)
		close(l->wake);
	if (l->epoll >= 0)
		close(l->epoll);
	free(l);
}

struct positions *
live_positions(struct live *l)
{
	return l->positions;
}

static bool
wanted(struct live *l, int64_t now_us)
{
	int64_t asked_us = positions_asked_us(l->positions);

	return asked_us != 0 && now_us - asked_us < INTEREST_US;
}

static void
follow_some(struct live *l, int64_t now_us)
{
	if (!wanted(l, now_us)) {
		if (l->follow.following) {
			follow_stop(&l->follow);
			positions_stop(l->positions);
		}
		return;
	}
	if (follow_connect(&l->follow, now_us))
		watch(l, l->follow.bell, EPOLLIN, &l->follow, NULL);
	if (now_us >= follow_due_us(&l->follow))
		follow_turn(&l->follow, now_us);
}

/* Milliseconds until something is due, rounded up; -1: only a descriptor wakes us. */
static int
timeout_ms(struct live *l, int64_t now_us)
{
	int64_t due_us;

	if (!wanted(l, now_us))
		return -1;
	due_us = follow_due_us(&l->follow);
	return due_us <= now_us ? 0 : (int)((due_us - now_us + 999) / 1000);
}

static void
work_off(struct live *l, const struct epoll_event *events, int n)
{
	eventfd_t ignored;

	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr == &l->follow)
			follow_heard(&l->follow);
		else if (events[i].data.ptr == &l->wake)
			eventfd_read(l->wake, &ignored);
	}
}

static void *
run(void *arg)
{
	struct live *l = arg;
	struct epoll_event events[EVENTS_MAX];

	while (!__atomic_load_n(&l->quit, __ATOMIC_ACQUIRE)) {
		int n = epoll_wait(l->epoll, events, EVENTS_MAX, timeout_ms(l, clock_mono_us()));

		work_off(l, events, n);
		follow_some(l, clock_mono_us());
	}
	return NULL;
}

int
live_start(struct live *l, struct err *e)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		errno = rc;
		err_sys(e, "cannot start the live thread");
		return -1;
	}
	l->started = true;
	return 0;
}

void
live_stop(struct live *l)
{
	if (!l->started)
		return;
	__atomic_store_n(&l->quit, true, __ATOMIC_RELEASE);
	wake(l);
	pthread_join(l->thread, NULL);
	l->started = false;
}

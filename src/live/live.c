/*
 * live - see live.h.  Walk 3: the loop that drives follow.c, hub.c and serve.c.
 *
 * Plain epoll: a few kinds of descriptors and one wheel of timers need no library, and what must be cheap here (a stream that nothing
 * happens on) is cheapest as one entry in the kernel's table. libevent was looked at: it adds 150 bytes and a heap entry a client, and knows no
 * bound on how long one turn may take.
 */
#include "live/live.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "live/follow.h"
#include "live/serve.h"
#include "store/state.h"

#define EVENTS_MAX 256
#define INTEREST_US 10000000 /* a position that was asked for keeps the log followed for so long */
#define JOINS_A_TURN 64
#define STATE_US 500000 /* how often it is looked whether the service is stale */
#define PACE_FROM_US 1000 /* a turn that took longer makes the next one wait */
#define PACE_FACTOR 2
#define PACE_MAX_US 25000

struct live {
	struct live_opts opts;
	struct follow follow;
	struct hub hub;
	struct serve serve;
	struct positions *positions; /* owned */
	struct state *state; /* owned; the newest copy of the subscriber's */
	char state_path[4096];
	int epoll, wake; /* wake: an eventfd; any thread may write it */
	int64_t state_us; /* when to look at the state next */
	int64_t pace_us; /* no look at the log before */
	bool telling; /* not everybody knows yet that `stale` changed */
	bool started, quit;
	pthread_t thread;
	struct log_limit limit;

	pthread_mutex_t lock; /* guards `queue` */
	struct live_request *queue, **queue_end;
	struct live_request *joining, **joining_end; /* the thread's: taken from the queue */
};

/* ---- what the log brings ---- */

static void
on_start(void *arg, const struct snapshot *snap)
{
	struct live *l = arg;
	int64_t oldest = 0;

	/* Only shown: without it the answer says null. */
	read_oldest_seq(l->follow.reader, &oldest, NULL);
	positions_start(l->positions, snap);
	serve_start(&l->serve, snap, oldest);
	hub_start(&l->hub, snap);
}

static void
not_followed(struct live *l, const struct err *why)
{
	if (why->code != ERR_MISSING && log_allowed(&l->limit, 6, "log_not_followed"))
		log_err(LOG_LEVEL_WARNING, "log_not_followed", why);
}

static int
on_row(void *arg, struct reader *r, const struct row_key *key, struct err *e)
{
	struct live *l = arg;

	if (hub_row(&l->hub, r, key, e) != 0)
		return -1;
	positions_row(l->positions, key);
	return 0;
}

static void
on_event(void *arg, const struct event *ev, struct text body)
{
	struct live *l = arg;
	struct row_key key = { ev->seq, ev->duplicate_of, ev->kind, ev->symbol };

	hub_event(&l->hub, ev, body);
	positions_row(l->positions, &key);
}

static void
on_advance(void *arg, int64_t head, int64_t committed_us)
{
	struct live *l = arg;

	positions_advance(l->positions, head);
	l->serve.committed_us = committed_us;
	hub_advance(&l->hub, head);
}

static void
on_lost(void *arg, const struct err *why)
{
	struct live *l = arg;

	positions_stop(l->positions);
	not_followed(l, why);
}

static void
wake(void *arg)
{
	struct live *l = arg;

	/* It fails only when the counter is full, and then it wakes as it is. */
	if (eventfd_write(l->wake, 1) != 0)
		return;
}

/* ---- requests ---- */

struct live_request *
live_request_new(struct live *l, bool waiter, uint64_t address)
{
	struct live_request *req = calloc(1, sizeof(*req));

	if (req == NULL)
		return NULL;
	req->fd = -1;
	req->live = l;
	req->waiter = waiter;
	req->address = address;
	return req;
}

void
live_request_free(struct live_request *req)
{
	if (req->fd >= 0)
		close(req->fd);
	if (req->live != NULL)
		req->live->opts.on_gone(req->live->opts.arg, req->waiter, req->address);
	buf_fini(&req->key);
	buf_fini(&req->first);
	free(req);
}

void
live_join(struct live_request *req)
{
	struct live *l = req->live;

	req->next = NULL;
	pthread_mutex_lock(&l->lock);
	*l->queue_end = req;
	l->queue_end = &req->next;
	pthread_mutex_unlock(&l->lock);
	wake(l);
}

static void
take_queue(struct live *l)
{
	pthread_mutex_lock(&l->lock);
	if (l->queue != NULL) {
		*l->joining_end = l->queue;
		l->joining_end = l->queue_end;
		l->queue = NULL;
		l->queue_end = &l->queue;
	}
	pthread_mutex_unlock(&l->lock);
}

static void
join_some(struct live *l, int64_t now_us)
{
	/* What has no key or no connection was in need of memory; serve_join() frees it. */
	for (int i = 0; i < JOINS_A_TURN && l->joining != NULL; i++) {
		struct live_request *req = l->joining;

		l->joining = req->next;
		if (l->joining == NULL)
			l->joining_end = &l->joining;
		serve_join(&l->serve, req, now_us);
	}
}

/* ---- making and ending ---- */

static int
watch(struct live *l, int fd, void *what, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data = { .ptr = what } };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0)
		return 0;
	err_sys(e, "cannot watch a descriptor");
	return -1;
}

static int
make_parts(struct live *l, struct err *e)
{
	struct follow_to to = { on_start, on_row, on_event, on_advance, on_lost, l };

	if ((size_t)snprintf(l->state_path, sizeof(l->state_path), "%s/%s", l->opts.run_dir, STATE_FILE) >=
	    sizeof(l->state_path)) {
		err_set(e, ERR_CONFIG, "paths.run_dir is too long");
		return -1;
	}
	if ((l->state = calloc(1, sizeof(*l->state))) == NULL) {
		err_set(e, ERR_MEMORY, "no memory for the subscriber's state");
		return -1;
	}
	if ((l->positions = positions_new(e)) == NULL ||
	    follow_init(&l->follow, l->opts.state_dir, l->opts.run_dir, &to, e) != 0 ||
	    hub_init(&l->hub, l->opts.ring_bytes, e) != 0)
		return -1;
	return serve_init(&l->serve, &l->opts, &l->hub, l->follow.reader, l->epoll, e);
}

struct live *
live_new(const struct live_opts *opts, struct err *e)
{
	struct live *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_set(e, ERR_MEMORY, "no memory for the live thread");
		return NULL;
	}
	l->opts = *opts;
	l->follow.bell = -1;
	l->queue_end = &l->queue;
	l->joining_end = &l->joining;
	pthread_mutex_init(&l->lock, NULL);
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->wake < 0 || l->epoll < 0) {
		err_sys(e, "cannot make the live thread's descriptors");
		goto fail;
	}
	if (watch(l, l->wake, &l->wake, e) != 0 ||
	    (opts->stop_fd >= 0 && watch(l, opts->stop_fd, &l->opts.stop_fd, e) != 0) || make_parts(l, e) != 0)
		goto fail;
	positions_on_wanted(l->positions, wake, l);
	return l;
fail:
	live_free(l);
	return NULL;
}

static void
free_requests(struct live_request *first)
{
	while (first != NULL) {
		struct live_request *next = first->next;

		live_request_free(first);
		first = next;
	}
}

void
live_free(struct live *l)
{
	if (l == NULL)
		return;
	free_requests(l->joining);
	free_requests(l->queue);
	if (l->serve.opts != NULL)
		serve_fini(&l->serve);
	if (l->hub.views != NULL)
		hub_fini(&l->hub);
	follow_fini(&l->follow);
	positions_free(l->positions);
	free(l->state);
	if (l->wake >= 0)
		close(l->wake);
	if (l->epoll >= 0)
		close(l->epoll);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

struct positions *
live_positions(struct live *l)
{
	return l->positions;
}

/* ---- the loop ---- */

static bool
wanted(struct live *l, int64_t now_us)
{
	int64_t asked_us;

	if (l->serve.n > 0 || l->joining != NULL)
		return true;
	asked_us = positions_asked_us(l->positions);
	return asked_us != 0 && now_us - asked_us < INTEREST_US;
}

/* A turn that had much to send makes the next one wait, so that more comes together in one piece for each client. */
static void
pace(struct live *l, int64_t start_us)
{
	int64_t now_us = clock_mono_us(), took_us = now_us - start_us;

	if (took_us < PACE_FROM_US)
		return;
	took_us *= PACE_FACTOR;
	l->pace_us = now_us + (took_us < PACE_MAX_US ? took_us : PACE_MAX_US);
}

static void
follow_some(struct live *l, int64_t now_us)
{
	if (!wanted(l, now_us)) {
		if (l->follow.following || l->follow.bell >= 0) {
			follow_stop(&l->follow);
			positions_stop(l->positions);
		}
		return;
	}
	if (follow_connect(&l->follow, now_us))
		watch(l, l->follow.bell, &l->follow, NULL);
	/* Who joins has seen a head that we may not know of yet. */
	if (l->joining != NULL)
		l->follow.rung = true;
	if (now_us < l->pace_us || now_us < follow_due_us(&l->follow))
		return;
	follow_turn(&l->follow, now_us);
	/* For a while now memory can be believed that says "not modified". */
	if (follow_at_head(&l->follow))
		positions_fresh(l->positions, now_us);
	serve_turn(&l->serve, now_us);
	if (!l->follow.rung)
		pace(l, now_us);
}

/* Joins wait until we know the log as far as they have seen it. At a stop everybody is taken in, to be told so. */
static bool
may_join(const struct live *l)
{
	return l->joining != NULL && ((l->follow.following && !l->follow.rung) || l->serve.stopping);
}

static void
look_at_state(struct live *l, int64_t now_us)
{
	struct err ignored;

	if (l->serve.n == 0 && l->joining == NULL)
		return;
	if (now_us >= l->state_us) {
		bool there = state_read(l->state_path, l->state, &ignored) == 0;

		l->state_us = now_us + STATE_US;
		l->telling = serve_stale(&l->serve, state_is_stale(there ? l->state : NULL, clock_real_us()), now_us);
	} else if (l->telling) {
		l->telling = serve_stale(&l->serve, l->serve.stale, now_us);
	}
}

/* Milliseconds until something is due, rounded up; -1: only a descriptor wakes us. */
static int
timeout_ms(struct live *l, int64_t now_us, bool more)
{
	int64_t due_us = serve_due_us(&l->serve);

	if (more || l->telling || may_join(l))
		return 0;
	if (wanted(l, now_us)) {
		int64_t look_us = follow_due_us(&l->follow);

		if (look_us < l->pace_us)
			look_us = l->pace_us;
		if (look_us < due_us)
			due_us = look_us;
	}
	if (l->serve.n > 0 && l->state_us < due_us)
		due_us = l->state_us;
	if (due_us == INT64_MAX)
		return -1;
	return due_us <= now_us ? 0 : (int)((due_us - now_us + 999) / 1000);
}

static void
begin_stop(struct live *l, int64_t now_us)
{
	if (l->opts.stop_fd >= 0)
		epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->opts.stop_fd, NULL);
	serve_stop(&l->serve, now_us);
}

static void
work_off(struct live *l, const struct epoll_event *events, int n, int64_t now_us)
{
	eventfd_t ignored;

	for (int i = 0; i < n; i++) {
		void *what = events[i].data.ptr;

		if (what == &l->follow)
			follow_heard(&l->follow);
		else if (what == &l->wake)
			eventfd_read(l->wake, &ignored);
		else if (what == &l->opts.stop_fd)
			begin_stop(l, now_us);
		else
			serve_event(&l->serve, what, events[i].events, now_us);
	}
}

static bool
over(struct live *l)
{
	if (!l->opts.alone && !__atomic_load_n(&l->quit, __ATOMIC_ACQUIRE))
		return false;
	/* After `quit` nobody joins any more; who did just before it is still to be told bye. */
	take_queue(l);
	return l->serve.n == 0 && l->joining == NULL;
}

void
live_run(struct live *l)
{
	struct epoll_event events[EVENTS_MAX];
	bool more = false;

	while (!over(l)) {
		int n = epoll_wait(l->epoll, events, EVENTS_MAX, timeout_ms(l, clock_mono_us(), more));
		int64_t now_us = clock_mono_us();

		work_off(l, events, n, now_us);
		if (__atomic_load_n(&l->quit, __ATOMIC_ACQUIRE))
			begin_stop(l, now_us);
		take_queue(l);
		follow_some(l, now_us);
		look_at_state(l, now_us);
		if (may_join(l))
			join_some(l, now_us);
		serve_timers(&l->serve, now_us);
		more = serve_behind(&l->serve, clock_mono_us());
	}
}

static void *
run(void *arg)
{
	live_run(arg);
	return NULL;
}

int
live_start(struct live *l, struct err *e)
{
	if (thread_start(&l->thread, run, l, "the live thread", e) != 0)
		return -1;
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

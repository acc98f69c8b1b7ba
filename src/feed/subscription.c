/*
 * subscription - see subscription.h.  Walk 1, step 1: from Redis, on to feed/queue.c.
 *
 * The receive thread is a loop around one connection: open it, ask for every channel, read until it breaks (receive.c), pause, again.
 */
#include "feed/subscription.h"

#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "feed/glob.h"
#include "feed/receive.h"

#define RECEIVE_NICE (-10)

/* ---- what others see ---- */

static void
tell(struct subscription *s)
{
	if (s->opts.changed != NULL)
		s->opts.changed(s->opts.arg);
}

void
subscription_set_connected(struct subscription *s, bool connected, const char *error)
{
	bool news;

	pthread_mutex_lock(&s->lock);
	news = s->stats.connected != connected || strcmp(s->stats.error, error) != 0;
	if (s->stats.connected != connected)
		s->stats.since_us = clock_real_us();
	s->stats.connected = connected;
	snprintf(s->stats.error, sizeof(s->stats.error), "%s", error);
	pthread_mutex_unlock(&s->lock);
	if (news)
		tell(s);
}

void
subscription_set_row(struct subscription *s, size_t row, bool acknowledged, const char *error)
{
	struct row *r = &s->rows[row];

	pthread_mutex_lock(&s->lock);
	r->acknowledged = acknowledged;
	snprintf(r->error, sizeof(r->error), "%s", error);
	pthread_mutex_unlock(&s->lock);
	tell(s);
}

void
subscription_stats(struct subscription *s, struct subscription_stats *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->stats;
	pthread_mutex_unlock(&s->lock);
	out->last_message_us = atomic_load_explicit(&s->last_message_us, memory_order_relaxed);
}

void
subscription_row_stats(struct subscription *s, size_t row, bool *acknowledged, char error[200], int64_t *messages,
    int64_t *last_message_us)
{
	struct row *r = &s->rows[row];

	pthread_mutex_lock(&s->lock);
	*acknowledged = r->acknowledged;
	memcpy(error, r->error, sizeof(r->error));
	pthread_mutex_unlock(&s->lock);
	*messages = atomic_load_explicit(&r->messages, memory_order_relaxed);
	*last_message_us = atomic_load_explicit(&r->last_message_us, memory_order_relaxed);
}

/* ---- the thread ---- */

static void
report_down(struct subscription *s, const struct err *e, int64_t pause_ms)
{
	subscription_set_connected(s, false, e->text);
	/* Once per cause, not per attempt; a connection that comes and goes is another limit's business. */
	if (strcmp(s->logged, e->text) == 0)
		return;
	memcpy(s->logged, e->text, sizeof(s->logged));
	if (log_allowed(&s->limit, LINES_PER_MINUTE, "redis_down"))
		log_event(LOG_LEVEL_WARNING, "redis_down", log_str("url", s->url), log_str("error", e->text),
		    log_int("retry_ms", pause_ms));
}

/* A connection that lived is tried again at once: what is published meanwhile is lost. */
static int64_t
pause_ms(struct subscription *s, int64_t opened_us)
{
	if (opened_us != 0 && s->settled && !s->denied && clock_mono_us() - opened_us > s->opts.backoff_min_ms * 10000)
		return 0;
	/* A password does not become right within seconds, and Redis logs every attempt. */
	return s->denied ? redis_backoff_slow(&s->backoff) : redis_backoff_next(&s->backoff);
}

/*
 * Redis cuts off whoever lags by 32 MB, and on a machine that is busy with storing the flood this thread, which needs a tenth of a core, would
 * come too late: of 1,000,000 messages flat out on two cores half were lost without this. As a real-time thread it runs as soon as there is something to read; at
 * a mere nice -10 it still waited its turn, a fifth of the time, and some floods were lost. It sleeps whenever it has read all there is, and reading costs less than publishing does;
 * should it never sleep, the kernel leaves others a twentieth of the time (sched(7): real-time throttling, or the fair server of newer ones). Threads that it starts, the resolver's, are no real-time ones. Where
 * neither is permitted (LimitRTPRIO=, LimitNICE=) everything works, but for such floods.
 */
static void
go_first(void)
{
	const struct sched_param lowest = { .sched_priority = 1 };
	const char *got = "real-time";

	/* 0: this thread, not the process: sched_setscheduler(2). */
	if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest) != 0)
		got = setpriority(PRIO_PROCESS, (id_t)gettid(), RECEIVE_NICE) == 0 ? "nice" : "usual";
	log_event(LOG_LEVEL_INFO, "receive_thread", log_str("scheduling", got));
}

static void *
run(void *arg)
{
	struct subscription *s = arg;
	struct pollfd stop = { .fd = s->stop_fd, .events = POLLIN };

	go_first();
	while (!atomic_load(&s->stopping)) {
		struct err e = { .code = ERR_NONE };
		int64_t ms;

		s->opened_us = 0;
		receive_until_broken(s, &e);
		if (atomic_load(&s->stopping))
			break;
		ms = pause_ms(s, s->opened_us);
		report_down(s, &e, ms);
		poll(&stop, 1, (int)ms);
	}
	breaks_end(s);
	return NULL;
}

/* ---- start and stop ---- */

int
subscription_cmp_row(bool a_pattern, struct text a, bool b_pattern, struct text b)
{
	return a_pattern != b_pattern ? (int)a_pattern - (int)b_pattern : text_cmp(a, b);
}

static int
cmp_by_name(const void *a, const void *b, void *arg)
{
	const struct subscription_row *rows = arg;
	const struct subscription_row *x = &rows[*(const size_t *)a], *y = &rows[*(const size_t *)b];

	return subscription_cmp_row(x->pattern, text_of(x->channel), y->pattern, text_of(y->channel));
}

void
subscription_free(struct subscription *s)
{
	if (s == NULL)
		return;
	if (s->stop_fd >= 0)
		close(s->stop_fd);
	pthread_mutex_destroy(&s->lock);
	free(s->rows);
	free(s->by_name);
	free(s->asked);
	free(s);
}

static struct subscription *
subscription_new(const struct subscription_opts *opts, struct err *e)
{
	struct subscription *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ERR_MEMORY, "no memory for the subscription");
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->opts = *opts;
	s->backoff = (struct redis_backoff){ .min_ms = opts->backoff_min_ms, .max_ms = opts->backoff_max_ms };
	redis_target_print(&opts->target, s->url, sizeof(s->url));
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->rows = calloc(opts->n_rows + 1, sizeof(*s->rows));
	s->by_name = calloc(opts->n_rows + 1, sizeof(*s->by_name));
	s->asked = calloc(opts->n_rows + 1, sizeof(*s->asked));
	if (s->stop_fd < 0 || s->rows == NULL || s->by_name == NULL || s->asked == NULL) {
		err_sys(e, "cannot start the subscription");
		subscription_free(s);
		return NULL;
	}
	for (size_t i = 0; i < opts->n_rows; i++)
		s->by_name[i] = i;
	qsort_r(s->by_name, opts->n_rows, sizeof(*s->by_name), cmp_by_name, (void *)(uintptr_t)opts->rows);
	s->start_us = s->break_from_us = clock_real_us();
	s->stats.since_us = s->start_us;
	s->stats.ping_ms = -1;
	s->first = true;
	return s;
}

struct subscription *
subscription_start(const struct subscription_opts *opts, struct err *e)
{
	struct subscription *s = subscription_new(opts, e);

	if (s == NULL)
		return NULL;
	if (thread_start(&s->thread, run, s, "the receive thread", e) != 0) {
		subscription_free(s);
		return NULL;
	}
	return s;
}

void
subscription_stop(struct subscription *s)
{
	atomic_store(&s->stopping, true);
	eventfd_write(s->stop_fd, 1);
	pthread_join(s->thread, NULL);
	queue_end(s->opts.queue);
}

int
subscription_check(const struct subscription_row *rows, size_t n_rows, struct err *e)
{
	for (size_t i = 0; i < n_rows; i++)
		for (size_t j = i + 1; j < n_rows; j++)
			if (glob_overlap(rows[i].channel, rows[i].pattern, rows[j].channel, rows[j].pattern)) {
				err_set(e, ERR_CONFIG,
				    "channels \"%.100s\" and \"%.100s\" overlap: what is published on both would come "
				    "twice",
				    rows[i].channel, rows[j].channel);
				return -1;
			}
	return 0;
}

/*
 * tickgate-subscriber - the only writer of the log.  START HERE for walk 1, a message.
 *
 * Three threads: the receive thread (feed/subscription.c) drains Redis into the bounded queue, the store thread (ingest.c) takes it from
 * there into the log, and this one, the main thread, handles signals and keeps the state file: it must go on telling how things are
 * while the others wait for Redis or for a full disk.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/sandbox.h"
#include "conf/conf.h"
#include "event/kinds.h"
#include "feed/subscription.h"
#include "ingest.h"
#include "publish/herald.h"
#include "run_lock.h"
#include "store/bell.h"
#include "store/state.h"
#include "subscriber_channels.h"

#define STATE_INTERVAL_MS 1000
#define STATE_MIN_INTERVAL_US 50000 /* however often things change */
#define DRAIN_PATIENCE_MS \
	3000 /* of the 10 s that a stop may take: a try that began before that may wait 5 s for a lock, and machines are busy */
#define RATE_SAMPLES 61 /* a minute of seconds, and the one before */

/* Messages of one row, sampled once a second: for rate_1m. */
struct rate {
	int64_t samples[RATE_SAMPLES];
};

struct subscriber {
	const struct conf_program *program;
	int argc;
	char **argv;
	struct conf conf;
	struct redis_target target;
	struct subscription_row rows[STATE_CHANNELS_MAX];
	struct text channels[STATE_CHANNELS_MAX];
	size_t n_rows;
	char instance[INSTANCE_SIZE_HERALD];
	struct herald *herald; /* NULL: nobody is told of our errors */
	char state_path[4096], bell_path[4096];

	struct store_opts store; /* the store thread opens the log with these */
	struct queue *queue;
	struct subscription *subscription;
	struct ingest *ingest;
	int changed_fd, lock_fd;

	struct state *state;
	char state_error[sizeof(((struct err *)NULL)->text)]; /* why the state file could not be written, as logged */
	struct rate *rates;
	int64_t seconds; /* samples taken */
	int64_t written_us;
	char told[512]; /* the status that systemd was told */
};

/* ---- from settings to options ---- */

static struct retention
read_retention(const struct conf *c, enum setting first)
{
	return (struct retention){
		.events = conf_int(c, first),
		.bytes = conf_int(c, first + 1),
		.age_ms = conf_int(c, first + 2),
	};
}

static void
read_retentions(const struct conf *c, struct retention *total, struct retention kind[KIND__MAX])
{
	*total = read_retention(c, SETTING_RETENTION_EVENTS);
	for (int k = 0; k < KIND__MAX; k++)
		kind[k] = read_retention(c, setting_for_kind(k));
}

static int
make_paths(struct subscriber *s, struct err *e)
{
	const char *run_dir = conf_str(&s->conf, SETTING_PATHS_RUN_DIR);

	if ((size_t)snprintf(s->state_path, sizeof(s->state_path), "%s/%s", run_dir, STATE_FILE) >=
		sizeof(s->state_path) ||
	    (size_t)snprintf(s->bell_path, sizeof(s->bell_path), "%s/%s", run_dir, BELL_FILE) >= sizeof(s->bell_path)) {
		err_set(e, ERR_CONFIG, "paths.run_dir is too long");
		return -1;
	}
	return 0;
}

/* What must be put together from several settings, or taken apart. */
static int
read_settings(struct subscriber *s, struct err *e)
{
	if (subscriber_channels(&s->conf, s->rows, STATE_CHANNELS_MAX, &s->n_rows, e) != 0 || make_paths(s, e) != 0)
		return -1;
	for (size_t i = 0; i < s->n_rows; i++)
		s->channels[i] = text_of(s->rows[i].channel);
	return redis_target_parse(&s->target, conf_str(&s->conf, SETTING_REDIS_URL),
	    conf_str(&s->conf, SETTING_REDIS_USERNAME), conf_str(&s->conf, SETTING_REDIS_PASSWORD), e);
}

/* For conf_load(): the same with settings that are not ours yet. */
static int
check_settings(void *arg, const struct conf *c, struct err *e)
{
	struct subscriber *s = calloc(1, sizeof(*s));
	int rc;

	(void)arg;
	if (s == NULL) {
		err_set(e, ERR_MEMORY, "out of memory");
		return -1;
	}
	s->conf = *c; /* borrowed */
	rc = read_settings(s, e);
	free(s);
	return rc;
}

/* ---- the state file ---- */

/* From the other threads: wakes the main one. */
static void
on_change(void *arg)
{
	const struct subscriber *s = arg;
	uint64_t one = 1;

	/* A full counter wakes as well. */
	if (write(s->changed_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_event(LOG_LEVEL_ERROR, "wake_failed", log_str("error", strerror(errno)));
}

static bool
is_listening(void *arg)
{
	struct subscriber *s = arg;
	struct subscription_stats stats;

	if (s->subscription == NULL)
		return false;
	subscription_stats(s->subscription, &stats);
	return stats.listening;
}

static void
fill_channel(struct subscriber *s, size_t i)
{
	const struct rate *rate = &s->rates[i];
	struct state_channel *c = &s->state->channels[i];
	struct ingest_counts counts;
	int64_t span = s->seconds < RATE_SAMPLES - 1 ? s->seconds : RATE_SAMPLES - 1;

	snprintf(c->channel, sizeof(c->channel), "%s", s->rows[i].channel);
	c->kind = s->rows[i].kind;
	subscription_row_stats(s->subscription, i, &c->subscribed, c->error, &c->messages, &c->last_message_us);
	ingest_row_counts(s->ingest, i, &counts);
	c->received = counts.received;
	c->accepted = counts.accepted;
	c->duplicates = counts.duplicates;
	memcpy(c->rejected, counts.rejected, sizeof(c->rejected));
	memcpy(c->notes, counts.notes, sizeof(c->notes));
	if (span > 0)
		c->rate_1m = (double)(rate->samples[s->seconds % RATE_SAMPLES] -
				 rate->samples[(s->seconds - span) % RATE_SAMPLES]) /
		    (double)span;
}

static void
fill_state(struct subscriber *s)
{
	struct state *st = s->state;
	struct subscription_stats feed;
	struct queue_stats queue;
	struct ingest_stats in;

	st->updated_us = clock_real_us();
	subscription_stats(s->subscription, &feed);
	st->redis.connected = feed.connected;
	st->redis.since_us = feed.since_us;
	st->redis.ping_ms = feed.ping_ms;
	st->redis.last_message_us = feed.last_message_us;
	st->redis.reconnects = feed.reconnects;
	snprintf(st->redis.error, sizeof(st->redis.error), "%s", feed.error);
	queue_stats(s->queue, &queue);
	st->queue.bytes = (int64_t)queue.bytes;
	st->queue.limit = (int64_t)queue.limit;
	st->queue.dropped = queue.dropped;
	ingest_stats(s->ingest, &in);
	memcpy(st->epoch, in.store.epoch, sizeof(st->epoch));
	st->head = in.store.head;
	st->store.events = in.store.events;
	st->store.bytes = in.store.bytes;
	st->store.commit_ms_p50 = in.store.commit_ms_p50;
	st->store.commit_ms_p99 = in.store.commit_ms_p99;
	snprintf(st->store.error, sizeof(st->store.error), "%s", in.error);
	st->times.event_age = in.times.event_age;
	st->times.commit_latency = in.times.commit_latency;
	st->times.commit = in.times.commit;
	for (size_t i = 0; i < s->n_rows; i++)
		fill_channel(s, i);
}

/* Said once per cause: it is tried every second. */
static void
put_state(struct subscriber *s)
{
	struct err e = { 0 };

	if (state_write(s->state_path, s->state, &e) == 0) {
		s->state_error[0] = '\0';
		return;
	}
	if (strcmp(s->state_error, e.text) != 0)
		log_err(LOG_LEVEL_ERROR, "state_unwritable", &e);
	memcpy(s->state_error, e.text, sizeof(s->state_error));
}

static void
write_state(struct subscriber *s)
{
	fill_state(s);
	s->written_us = clock_mono_us();
	put_state(s);
}

/* The last word: nobody listens any more. */
static void
write_stopped(struct subscriber *s)
{
	fill_state(s);
	s->state->redis.connected = false;
	snprintf(s->state->redis.error, sizeof(s->state->redis.error), "the subscriber was stopped");
	for (size_t i = 0; i < s->n_rows; i++)
		s->state->channels[i].subscribed = false;
	put_state(s);
}

static void
sample_rates(struct subscriber *s)
{
	bool acknowledged;
	char error[STATE_NAME_MAX];
	int64_t last_us;

	s->seconds++;
	for (size_t i = 0; i < s->n_rows; i++)
		subscription_row_stats(s->subscription, i, &acknowledged, error,
		    &s->rates[i].samples[s->seconds % RATE_SAMPLES], &last_us);
}

/* ---- systemd ---- */

/* What `systemctl status` shows, when it has changed. */
static void
tell_status(struct subscriber *s)
{
	const struct state *st = s->state;
	size_t acknowledged = 0;
	char status[sizeof(s->told)];

	for (size_t i = 0; i < st->n_channels; i++)
		acknowledged += st->channels[i].subscribed ? 1 : 0;
	snprintf(status, sizeof(status), "STATUS=Redis %s, %zu of %zu channels; log %s",
	    st->redis.connected ? "connected" : "not connected", acknowledged, st->n_channels,
	    st->store.error[0] != '\0' ? st->store.error : "writable");
	if (strcmp(status, s->told) == 0)
		return;
	notify_send(status);
	memcpy(s->told, status, sizeof(s->told));
}

/*
 * While the main thread turns and gets the store thread's lock. A store thread that waits for a full disk is no reason
 * to be killed: it would only lose what it holds.
 */
static void
tell_watchdog(int64_t watchdog_us, int64_t *due_us)
{
	int64_t now_us = clock_mono_us();

	if (watchdog_us == 0 || *due_us > now_us)
		return;
	notify_send("WATCHDOG=1");
	*due_us = now_us + watchdog_us;
}

/* ---- signals ---- */

static void
reload(struct subscriber *s)
{
	struct buf restart = { 0 };
	struct retention total, kind[KIND__MAX];
	struct err e = { 0 };

	notify_reloading();
	if (conf_reload(&s->conf, s->program, s->argc, s->argv, &restart, &e) != 0) {
		log_err(LOG_LEVEL_ERROR, "reload_refused", &e);
		buf_fini(&restart);
		notify_send("READY=1");
		return;
	}
	read_retentions(&s->conf, &total, kind);
	ingest_set_retention(s->ingest, &total, kind);
	log_set_level((enum log_level)(LOG_LEVEL_ERROR + conf_int(&s->conf, SETTING_LOG_LEVEL)));
	log_event(LOG_LEVEL_NOTICE, "reloaded", log_text("needs_restart", buf_text(&restart)));
	buf_fini(&restart);
	notify_send("READY=1");
}

/* True when it is time to end. */
static bool
take_signal(struct subscriber *s, int fd)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return false;
	if (si.ssi_signo == SIGHUP) {
		reload(s);
		return false;
	}
	notify_send("STOPPING=1");
	log_event(LOG_LEVEL_NOTICE, "stopping", log_int("signal", si.ssi_signo));
	return true;
}

/* ---- life ---- */

/* Waits for signals, changes and seconds. -1: the store thread has failed. */
static int
run(struct subscriber *s, int signal_fd, struct err *e)
{
	int64_t next_second_us = clock_mono_us() + 1000000;
	int64_t watchdog_us = notify_watchdog_us(), watchdog_due_us = 0;
	bool changed = false;

	for (;;) {
		struct pollfd fds[] = { { signal_fd, POLLIN, 0 }, { s->changed_fd, POLLIN, 0 } };
		int64_t now_us = clock_mono_us(), due_us = next_second_us;
		struct ingest_stats in;
		uint64_t wakes;

		if (changed && s->written_us + STATE_MIN_INTERVAL_US < due_us)
			due_us = s->written_us + STATE_MIN_INTERVAL_US;
		if (poll(fds, 2, due_us <= now_us ? 0 : (int)((due_us - now_us) / 1000) + 1) < 0 && errno != EINTR) {
			err_sys(e, "poll");
			return -1;
		}
		if ((fds[0].revents & POLLIN) != 0 && take_signal(s, signal_fd))
			return 0;
		if ((fds[1].revents & POLLIN) != 0 && read(s->changed_fd, &wakes, sizeof(wakes)) > 0)
			changed = true;
		ingest_stats(s->ingest, &in);
		if (in.failed) {
			*e = in.failure;
			return -1;
		}
		now_us = clock_mono_us();
		if (now_us >= next_second_us) {
			next_second_us += 1000000;
			if (next_second_us <= now_us)
				next_second_us = now_us + 1000000;
			sample_rates(s);
			tell_watchdog(watchdog_us, &watchdog_due_us);
			changed = true;
		}
		if (changed && now_us - s->written_us >= STATE_MIN_INTERVAL_US) {
			write_state(s);
			tell_status(s);
			changed = false;
		}
	}
}

static int
start(struct subscriber *s, struct err *e)
{
	struct store_opts store = {
		.dir = conf_str(&s->conf, SETTING_PATHS_STATE_DIR),
		.bell_path = s->bell_path,
		.dedup_kinds = subscriber_channels_twice(s->rows, s->n_rows),
		.channels = s->channels,
		.n_channels = s->n_rows,
	};
	struct ingest_opts ingest = {
		.rows = s->rows,
		.n_rows = s->n_rows,
		.store = &s->store,
		.scale = (enum confidence_scale)conf_int(&s->conf, SETTING_DECODE_CONFIDENCE_SCALE),
		.instance = s->instance,
		.batch_max = (int)conf_int(&s->conf, SETTING_SUBSCRIBER_BATCH_MAX),
		.listening = is_listening,
		.changed = on_change,
		.arg = s,
	};
	struct subscription_opts feed = {
		.target = s->target,
		.connect_timeout_ms = conf_int(&s->conf, SETTING_REDIS_CONNECT_TIMEOUT),
		.read_timeout_ms = conf_int(&s->conf, SETTING_REDIS_READ_TIMEOUT),
		.ping_interval_ms = conf_int(&s->conf, SETTING_REDIS_PING_INTERVAL),
		.backoff_min_ms = conf_int(&s->conf, SETTING_REDIS_BACKOFF_MIN),
		.backoff_max_ms = conf_int(&s->conf, SETTING_REDIS_BACKOFF_MAX),
		.rows = s->rows,
		.n_rows = s->n_rows,
		.changed = on_change,
		.arg = s,
	};

	read_retentions(&s->conf, &store.total, store.kind);
	s->store = store;
	s->queue = queue_new((size_t)conf_int(&s->conf, SETTING_SUBSCRIBER_QUEUE_LIMIT), e);
	if (s->queue == NULL)
		return -1;
	ingest.queue = feed.queue = s->queue;
	s->subscription = subscription_start(&feed, e);
	if (s->subscription == NULL)
		return -1;
	s->ingest = ingest_start(&ingest, e);
	return s->ingest == NULL ? -1 : 0;
}

/* In the order of the flow: nothing more comes in, what is in gets stored. */
static int
stop(struct subscriber *s, struct err *e)
{
	int rc = 0;

	if (s->subscription != NULL)
		subscription_stop(s->subscription);
	if (s->ingest != NULL && ingest_stop(s->ingest, DRAIN_PATIENCE_MS, e) != 0)
		rc = -1;
	return rc;
}

/* Blocks the signals in this thread and so in all threads started later; they arrive through the descriptor. */
static int
open_signals(struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* hiredis writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		err_sys(e, "signalfd");
	return fd;
}

static int
prepare(struct subscriber *s, struct err *e)
{
	const struct conf *c = &s->conf;

	log_set_level((enum log_level)(LOG_LEVEL_ERROR + conf_int(c, SETTING_LOG_LEVEL)));
	if (read_settings(s, e) != 0)
		return -1;
	sandbox_no_dumps(conf_has_secrets(c)); /* its own errors may go out with another password */
	herald_instance(conf_str(c, SETTING_PATHS_RUN_DIR), s->instance);
	s->lock_fd = run_lock(conf_str(c, SETTING_PATHS_RUN_DIR), e);
	if (s->lock_fd < 0)
		return -1;
	s->state = calloc(1, sizeof(*s->state));
	s->rates = calloc(s->n_rows, sizeof(*s->rates));
	s->changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->state == NULL || s->rates == NULL || s->changed_fd < 0) {
		err_sys(e, "cannot start");
		return -1;
	}
	s->state->pid = getpid();
	s->state->started_us = clock_real_us();
	s->state->n_channels = s->n_rows;
	snprintf(s->state->version, sizeof(s->state->version), "%s", PACKAGE_VERSION);
	redis_target_print(&s->target, s->state->redis.url, sizeof(s->state->redis.url));
	return 0;
}

static int
serve(struct subscriber *s, struct err *e)
{
	struct err stop_err = { 0 };
	int signal_fd = open_signals(e), rc = -1;

	if (signal_fd < 0 || prepare(s, e) != 0 || herald_start(&s->conf, s->instance, &s->herald, e) != 0)
		goto out;
	log_event(LOG_LEVEL_NOTICE, "start", log_str("version", PACKAGE_VERSION), log_str("redis", s->state->redis.url),
	    log_int("channels", (int64_t)s->n_rows));
	if (start(s, e) == 0) {
		/* Not when Redis answers: that is waited for as long as it takes, and told by the status. */
		notify_send("READY=1");
		rc = run(s, signal_fd, e);
	}
	if (stop(s, &stop_err) != 0 && rc == 0) {
		*e = stop_err;
		rc = -1;
	}
	if (s->ingest != NULL)
		write_stopped(s);
	if (rc == 0)
		log_event(LOG_LEVEL_NOTICE, "stopped");
out:
	herald_stop(s->herald);
	ingest_free(s->ingest);
	subscription_free(s->subscription);
	if (s->queue != NULL)
		queue_free(s->queue);
	if (signal_fd >= 0)
		close(signal_fd);
	return rc;
}

int
main(int argc, char **argv)
{
	static const struct conf_program program = {
		.name = "tickgate-subscriber",
		.summary = "keeps TickStock's detections from Redis in tickgate's log",
		.mask = SETTING_FOR_SUBSCRIBER,
		.check = check_settings,
	};
	struct subscriber *s = calloc(1, sizeof(*s));
	struct err e = { 0 };
	enum conf_action action = CONF_DONE;
	int status = EX_OK;

	if (s == NULL)
		return EX_OSERR;
	log_init(LOG_LEVEL_INFO, NULL);
	s->program = &program;
	s->argc = argc;
	s->argv = argv;
	s->changed_fd = s->lock_fd = -1;
	if (conf_load(&s->conf, &program, argc, argv, &action, &e) != 0 || (action == CONF_RUN && serve(s, &e) != 0)) {
		log_err(LOG_LEVEL_ERROR, "failed", &e);
		status = err_exit_status(&e);
	}
	if (s->changed_fd >= 0)
		close(s->changed_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	conf_fini(&s->conf);
	free(s->state);
	free(s->rates);
	free(s);
	return status;
}

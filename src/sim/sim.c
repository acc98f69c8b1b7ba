/*
 * tickgate-sim - plays the producer: START HERE for the simulator.
 *
 * options.c says what is wanted; producer.c (a made-up market) or record.c (a recording) gives message after message, each with
 * the time it is due; this file waits for that time and hands it to publish.c (Redis) and record.c (a file).
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "sim/options.h"
#include "sim/publish.h"
#include "sim/record.h"

#define IN_FLIGHT_MAX 4096
#define QUANTUM_US 1000 /* who has to wait, waits at least so long: at high rates messages leave in small groups */
#define LAG_MAX_US 1000000 /* what is later than this is not caught up with */

struct sim {
	struct options o;
	struct redis_target target;
	struct publisher *pub; /* NULL: no Redis wanted */
	struct record rec; /* .f NULL: nothing is recorded */
	struct record replay;
	struct producer producer;
	bool to_redis, unpaced, virtual_time;
	int signals; /* signalfd: SIGINT and SIGTERM */
	int64_t t0_us, first_at_us, due_us, real0_ms;
	int64_t not_before_us; /* what came late is caught up with at twice the rate at the most */
	int64_t made, confirmed_before; /* messages handed out; confirmed on earlier connections */
	bool stop;
};

static bool
stop_asked(struct sim *s)
{
	struct signalfd_siginfo info;

	if (!s->stop && read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		s->stop = true;
	return s->stop;
}

/* Waits for time, a signal or Redis. */
static int
turn(struct sim *s, int64_t wait_us, struct err *e)
{
	struct pollfd fd = { .fd = s->signals, .events = POLLIN };
	struct timespec wait = { .tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000 };

	if (s->pub != NULL)
		return publish_turn(s->pub, wait_us, s->signals, e);
	if (ppoll(&fd, 1, &wait, NULL) == -1 && errno != EINTR) {
		err_sys(e, "ppoll");
		return -1;
	}
	return 0;
}

static int64_t
confirmed(const struct sim *s)
{
	return s->confirmed_before + (s->pub == NULL ? 0 : publish_confirmed(s->pub));
}

/* The connection is lost. With --count there is no second one: what was to be counted is lost with it. */
static int
reconnect(struct sim *s, struct err *e)
{
	struct redis_backoff backoff = { .min_ms = 1000, .max_ms = 5000 };
	int64_t lost_us = clock_mono_us();

	s->confirmed_before = confirmed(s);
	if (s->o.count > 0 || e->code != ERR_REDIS) {
		publish_close(s->pub);
		s->pub = NULL;
		return -1;
	}
	log_event(LOG_LEVEL_WARNING, "redis_lost", log_int("unconfirmed", publish_in_flight(s->pub)),
	    log_str("error", e->text));
	publish_close(s->pub);
	s->pub = NULL;
	redis_backoff_reset(&backoff);
	while (s->pub == NULL && !stop_asked(s)) {
		if (turn(s, redis_backoff_next(&backoff) * 1000, e) != 0)
			return -1;
		if (!stop_asked(s) && (s->pub = publish_open(&s->target, e)) == NULL)
			log_err(LOG_LEVEL_WARNING, "redis_refused", e);
	}
	if (s->pub != NULL)
		log_event(LOG_LEVEL_NOTICE, "redis_back", log_int("confirmed", s->confirmed_before));
	s->t0_us += clock_mono_us() - lost_us; /* the market stood still meanwhile */
	return 0;
}

/* A turn that survives the loss of the connection. */
static int
turn_or_reconnect(struct sim *s, int64_t wait_us, struct err *e)
{
	if (turn(s, wait_us, e) == 0)
		return 0;
	return s->pub == NULL ? -1 : reconnect(s, e);
}

/* Waits until the message is due and there is room for it; true when the wait was cut short to stop. */
static int
wait_due(struct sim *s, struct err *e)
{
	double gap_us = s->o.rate > 0 ? 500000 / s->o.rate : 0;
	bool at_rate = s->o.rate > 0 && (s->o.rate_given || s->o.replay == NULL);

	while (s->pub != NULL && publish_in_flight(s->pub) >= IN_FLIGHT_MAX) {
		if (turn_or_reconnect(s, QUANTUM_US * 10, e) != 0)
			return -1;
		if (stop_asked(s))
			return 0;
	}
	while (!s->unpaced && !s->stop) {
		int64_t now = clock_mono_us(), at = s->t0_us + s->due_us, wait;

		if (now - at > LAG_MAX_US)
			s->t0_us += now - at - LAG_MAX_US;
		if (at_rate && s->not_before_us > at)
			at = s->not_before_us;
		if (now >= at)
			break;
		wait = at - now < QUANTUM_US ? QUANTUM_US : at - now;
		if (turn_or_reconnect(s, wait > 1000000 ? 1000000 : wait, e) != 0)
			return -1;
		stop_asked(s);
	}
	if (at_rate && !s->unpaced) {
		int64_t floor_us = clock_mono_us() - 5000;

		s->not_before_us = (s->not_before_us < floor_us ? floor_us : s->not_before_us) + (int64_t)gap_us;
	}
	return 0;
}

/* When message number `made` of the market is due, and the times it is to be made with. */
static void
market_times(struct sim *s, int64_t *now_ms, int64_t *elapsed_us)
{
	int64_t real_us = clock_mono_us() - s->t0_us;

	s->due_us = s->o.rate > 0 ? (int64_t)((double)s->made * 1e6 / s->o.rate) : 0;
	*elapsed_us = s->o.rate > 0 ? s->due_us : s->virtual_time ? market_time_us(&s->producer.market) : real_us;
	*now_ms = s->virtual_time ? s->real0_ms + *elapsed_us / 1000 : clock_real_us() / 1000;
}

/* 1: a message; 0: no more. `last` of a market is the session's end. */
static int
next_market(struct sim *s, struct message *m, int64_t *at_us, struct err *e)
{
	bool last = s->o.count >= 2 && s->made == s->o.count - 1;
	int64_t now_ms;

	market_times(s, &now_ms, at_us);
	if (wait_due(s, e) != 0)
		return -1;
	if (!s->virtual_time)
		now_ms = clock_real_us() / 1000;
	if (s->stop || last) {
		if (producer_end(&s->producer, now_ms, m, e) != 0)
			return -1;
		return 1;
	}
	return producer_next(&s->producer, now_ms, *at_us, m, e) == 0 ? 1 : -1;
}

static int
next_replay(struct sim *s, struct message *m, int64_t *at_us, struct err *e)
{
	int rc = record_read(&s->replay, e);

	if (rc != 1) {
		if (rc == -1)
			err_wrap(e, s->o.replay);
		return rc;
	}
	if (s->o.rate_given)
		s->due_us = s->o.rate > 0 ? (int64_t)((double)s->made * 1e6 / s->o.rate) : 0;
	else if (s->replay.at_us >= 0) {
		if (s->first_at_us < 0)
			s->first_at_us = s->replay.at_us;
		s->due_us = s->replay.at_us - s->first_at_us;
	} else if (s->made > 0)
		s->due_us += (int64_t)(1e6 / s->o.rate);
	if (s->due_us < 0)
		s->due_us = 0;
	if (wait_due(s, e) != 0)
		return -1;
	if (s->stop)
		return 0;
	*m = (struct message){ .channel = s->replay.channel.p, .payload = buf_text(&s->replay.message) };
	*at_us = s->due_us;
	return 1;
}

static int
hand_out(struct sim *s, const struct message *m, int64_t at_us, struct err *e)
{
	if (s->rec.f != NULL && record_write(&s->rec, m->channel, m->payload, at_us, e) != 0)
		return -1;
	if (s->rec.f != NULL && !s->unpaced && s->o.rate > 0 && s->o.rate <= 100 && record_flush(&s->rec, e) != 0)
		return -1;
	if (s->pub != NULL && publish_put(s->pub, m->channel, m->payload, e) != 0)
		return -1;
	s->made++;
	/* Flat out: look at the socket every so often, not only when the pipeline is full. */
	if (s->made % 256 == 0 && (stop_asked(s), s->pub != NULL))
		return turn_or_reconnect(s, 0, e);
	return 0;
}

static int
play(struct sim *s, struct err *e)
{
	struct message m;
	int64_t at_us = 0;

	while (s->o.count == 0 || s->made < s->o.count) {
		bool stopping = stop_asked(s);
		int rc = s->o.replay != NULL ? next_replay(s, &m, &at_us, e) : next_market(s, &m, &at_us, e);

		if (rc <= 0)
			return rc;
		stopping = stopping || s->stop;
		if (hand_out(s, &m, at_us, e) != 0)
			return -1;
		if (stopping)
			break;
	}
	return 0;
}

/* The last replies; up to 5 s of silence. */
static int
drain(struct sim *s, struct err *e)
{
	while (s->pub != NULL && publish_in_flight(s->pub) > 0) {
		/* Not woken by signals: the one that ended us is read already, and a second one would only spin. */
		if (publish_turn(s->pub, 100000, -1, e) != 0)
			return -1;
	}
	return s->rec.f != NULL ? record_flush(&s->rec, e) : 0;
}

static int
set_up(struct sim *s, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    (s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) == -1) {
		err_sys(e, "signals");
		return -1;
	}
	s->to_redis = s->o.record == NULL || s->o.redis_given;
	s->unpaced = (!s->to_redis && s->o.count > 0) || (s->o.rate_given && s->o.rate == 0);
	s->virtual_time = !s->to_redis || s->o.start_given;
	s->real0_ms = s->o.start_given ? s->o.start_ms : clock_real_us() / 1000;
	s->first_at_us = -1;
	if (s->to_redis && redis_target_parse(&s->target, s->o.redis, NULL, NULL, e) != 0)
		return -1;
	if (s->o.replay != NULL && record_open(&s->replay, s->o.replay, e) != 0)
		return -1;
	if (s->o.replay == NULL && producer_init(&s->producer, (size_t)s->o.symbols, s->o.seed, s->o.form, e) != 0)
		return -1;
	if (s->o.record != NULL && record_create(&s->rec, s->o.record, e) != 0)
		return -1;
	if (s->to_redis && (s->pub = publish_open(&s->target, e)) == NULL) {
		char url[600];

		redis_target_print(&s->target, url, sizeof(url));
		err_wrap(e, url);
		return -1;
	}
	s->t0_us = clock_mono_us();
	return 0;
}

static void
report(const struct sim *s, int64_t began_us)
{
	double seconds = (double)(clock_mono_us() - began_us) / 1e6;
	int64_t n = s->to_redis ? confirmed(s) : s->made;
	FILE *to = s->o.record != NULL && strcmp(s->o.record, "-") == 0 ? stderr : stdout;

	fprintf(to, "%s %lld messages, receivers at the last: %lld, %.3f s, %.0f messages/s\n",
	    s->to_redis ? "published" : "recorded", (long long)n,
	    s->pub == NULL ? 0LL : (long long)publish_receivers(s->pub), seconds,
	    seconds > 0 ? (double)n / seconds : 0.0);
}

static void
tear_down(struct sim *s)
{
	publish_close(s->pub);
	record_close(&s->rec);
	record_close(&s->replay);
	producer_fini(&s->producer);
	if (s->signals >= 0)
		close(s->signals);
}

static int
run(struct sim *s)
{
	struct err e = { 0 };
	int64_t began_us;
	int rc;

	if (set_up(s, &e) != 0) {
		fprintf(stderr, "tickgate-sim: %s\n", e.text);
		return e.code == ERR_CONFIG ? EX_USAGE : err_exit_status(&e);
	}
	began_us = clock_mono_us();
	rc = play(s, &e);
	if (rc == 0)
		rc = drain(s, &e);
	else {
		struct err ignored;

		drain(s, &ignored); /* what was good before the bad line still arrives */
	}
	if (rc != 0)
		fprintf(stderr, "tickgate-sim: %s; %lld of %lld messages confirmed\n", e.text, (long long)confirmed(s),
		    (long long)s->made);
	else if (!s->o.quiet)
		report(s, began_us);
	return rc == 0 ? EX_OK : err_exit_status(&e);
}

int
main(int argc, char **argv)
{
	struct sim s = { .signals = -1 };
	struct err e = { 0 };
	int status;

	log_init(LOG_LEVEL_NOTICE, "tickgate-sim");
	if (options_parse(&s.o, argc, argv, &e) != 0) {
		fprintf(stderr, "tickgate-sim: %s\n", e.text);
		return EX_USAGE;
	}
	if (s.o.help || s.o.version) {
		fputs(s.o.help ? options_usage : "tickgate-sim " PACKAGE_VERSION "\n", stdout);
		return EX_OK;
	}
	if (s.o.quiet)
		log_set_level(LOG_LEVEL_ERROR);
	status = run(&s);
	tear_down(&s);
	return status;
}

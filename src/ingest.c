/* ingest - see ingest.h. */
#include "ingest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ahead.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "event/body.h"
#include "tempo.h"

#define TEND_INTERVAL_MS 1000
#define ALIVE_INTERVAL_US 5000000
#define GAP_CHANNELS_MAX 256
#define REJECTS_A_MINUTE 10 /* logged; all are counted, and the newest kept */
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000
#define OPEN_PAUSE_US 1000000
#define AGE_MAX_US (3600 * INT64_C(1000000))
#define SLOW_COMMIT_US 50000

struct ingest {
	struct ingest_opts opts;
	pthread_t thread;
	struct ahead *ahead;
	struct decoder *decoder; /* for what is not decoded ahead */
	struct store *store;
	struct buf gap_text;
	struct ingest_counts *batch; /* of the open batch, a row each; added to `counts` when it is committed */
	struct ingest_times batch_times; /* the same */
	int64_t *received; /* of the open batch's messages, each; owned */
	int n_received;
	struct log_limit slow_limit;
	int64_t last_commit_us; /* monotonic */
	int64_t commit_pause_us; /* before the next one */
	struct tempo tempo;
	int64_t last_alive_us; /* the same: when the log last learned that we live */
	int64_t last_received_us; /* of the batch's newest item */
	int64_t retry_ms;
	struct log_limit reject_limit;
	atomic_llong give_up_us; /* monotonic; 0: never */
	int result;
	struct err result_err;

	pthread_mutex_t lock; /* guards what follows */
	struct ingest_counts *counts;
	struct ingest_stats stats;
	bool retention_changed;
	struct retention total, kind[KIND__MAX];
};

/* ---- one item ---- */

static int
take_gap(struct ingest *in, const struct item *item, struct err *e)
{
	struct text names[GAP_CHANNELS_MAX];
	struct gap gap = {
		.reason = item->type == ITEM_OVERFLOW ? GAP_OVERFLOW : GAP_REDIS_DISCONNECTED,
		.from_us = item->from_us,
		.to_us = item->to_us,
		.channels = names,
		.dropped = item->type == ITEM_OVERFLOW ? item->dropped : -1,
	};
	struct event ev = EVENT_INIT;
	enum store_verdict verdict;

	if (item->channel.n > 0)
		names[gap.n_channels++] = item->channel;
	else
		for (size_t i = 0; i < in->opts.n_rows && i < GAP_CHANNELS_MAX; i++)
			names[gap.n_channels++] = text_of(in->opts.rows[i].channel);
	body_gap(&ev, &in->gap_text, &gap);
	return store_append(in->store, &ev, &verdict, e);
}

/* How old an event was when it came. One that does not say, or comes out of an archive, says nothing about the way here. */
static void
note_age(struct ingest *in, const struct event *ev)
{
	int64_t age_us = ev->received_us - ev->time_ms * 1000;

	if (ev->time_source != TIME_RECEIVED && age_us <= AGE_MAX_US)
		histogram_sum_add(&in->batch_times.event_age, age_us);
}

static int
take_event(
    struct ingest *in, struct event *ev, const unsigned notes[NOTE__MAX], struct ingest_counts *counts, struct err *e)
{
	enum store_verdict verdict;

	counts->received++;
	note_age(in, ev);
	if (store_append(in->store, ev, &verdict, e) != 0)
		return -1;
	if (verdict == STORE_DUPLICATE)
		counts->duplicates++;
	else
		counts->accepted++;
	for (size_t i = 0; i < NOTE__MAX; i++)
		counts->notes[i] += notes[i];
	return 0;
}

static int
take_reject(struct ingest *in, const struct item *item, struct text channel, const struct reject *rej,
    struct ingest_counts *counts, struct err *e)
{
	/* Tests and echoes of our own are refused, but nobody did anything wrong. */
	bool harmless = rej->reason == REJECT_TEST_MESSAGE || rej->reason == REJECT_OWN_ECHO;

	counts->received++;
	counts->rejected[rej->reason]++;
	if (log_allowed(&in->reject_limit, REJECTS_A_MINUTE, "rejected"))
		log_event(harmless ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "rejected", log_text("channel", channel),
		    log_str("reason", reject_names[rej->reason]), log_text("detail", rej->detail),
		    log_int("bytes", (int64_t)rej->sample.n));
	return store_reject(in->store, channel, rej, item->received_us, e);
}

/* What the ahead thread made of a message. */
static int
take_decoded(
    struct ingest *in, const struct message *m, struct text channel, struct ingest_counts *counts, struct err *e)
{
	for (int i = 0; i < m->n_elements; i++) {
		const struct element *x = &m->elements[i];
		/* A copy: the log gives it its place, and it may have to be appended again. */
		struct event ev = x->event;
		int rc = x->refused ? take_reject(in, &m->item, channel, &x->reject, counts, e)
				    : take_event(in, &ev, x->notes, counts, e);

		if (rc != 0)
			return -1;
	}
	return 0;
}

static int
take_message(struct ingest *in, const struct message *m, struct err *e)
{
	const struct item *item = &m->item;
	const struct source_channel from = ahead_source(in->opts.rows, item);
	struct ingest_counts *counts = &in->batch[item->row];

	if (m->n_elements > 0)
		return take_decoded(in, m, from.channel, counts, e);
	decode_message(in->decoder, &from, item->payload, item->received_us);
	for (;;) {
		struct event ev = EVENT_INIT;
		struct reject rej;

		switch (decode_next(in->decoder, &ev, &rej)) {
		case DECODE_END:
			return 0;
		case DECODE_EVENT:
			if (take_event(in, &ev, decode_notes(in->decoder), counts, e) != 0)
				return -1;
			break;
		case DECODE_REJECT:
			if (take_reject(in, item, from.channel, &rej, counts, e) != 0)
				return -1;
			break;
		}
	}
}

/* ---- a batch ---- */

static void
add_counts(struct ingest_counts *to, const struct ingest_counts *from)
{
	to->received += from->received;
	to->accepted += from->accepted;
	to->duplicates += from->duplicates;
	for (size_t i = 0; i < REJECT__MAX; i++)
		to->rejected[i] += from->rejected[i];
	for (size_t i = 0; i < NOTE__MAX; i++)
		to->notes[i] += from->notes[i];
}

static void
add_times(struct ingest_times *to, const struct ingest_times *from)
{
	histogram_merge(&to->event_age, &from->event_age);
	histogram_merge(&to->commit_latency, &from->commit_latency);
	histogram_merge(&to->commit, &from->commit);
}

static void
forget_batch(struct ingest *in)
{
	memset(in->batch, 0, in->opts.n_rows * sizeof(*in->batch));
	in->batch_times = (struct ingest_times){ 0 };
	in->n_received = 0;
}

/* What whoever reads of it can do. */
static const char *
advice(const struct err *e)
{
	switch (e->code) {
	case ERR_FULL:
		return "make room there; what comes waits in memory meanwhile";
	case ERR_BUSY:
		return "another program has the log open, which only the subscriber may";
	default:
		return "the log's files must be writable for the subscriber's user; what comes waits in memory "
		       "meanwhile";
	}
}

/* NULL: what was tried went well. Logs the first failure and the end of failing. */
static void
note_result(struct ingest *in, const struct err *e)
{
	bool changed;

	pthread_mutex_lock(&in->lock);
	changed = (in->stats.error[0] == '\0') != (e == NULL);
	if (e == NULL) {
		for (size_t i = 0; i < in->opts.n_rows; i++)
			add_counts(&in->counts[i], &in->batch[i]);
		add_times(&in->stats.times, &in->batch_times);
		in->stats.error[0] = '\0';
	} else {
		memcpy(in->stats.error, e->text, sizeof(in->stats.error) - 1);
	}
	if (in->store != NULL)
		store_stats(in->store, &in->stats.store);
	pthread_mutex_unlock(&in->lock);
	forget_batch(in);
	if (!changed)
		return;
	if (e == NULL)
		log_event(LOG_LEVEL_NOTICE, "store_recovered");
	else
		log_event(LOG_LEVEL_ERROR, "store_failed", log_str("error", e->text),
		    log_str("dir", in->opts.store->dir), log_str("advice", advice(e)));
	in->opts.changed(in->opts.arg);
}

/* Appends what waits. */
static int
fill_batch(struct ingest *in, struct err *e)
{
	const struct batch *batch = ahead_take(in->ahead);

	for (int i = 0; batch != NULL && i < batch->n; i++) {
		const struct message *m = &batch->messages[i];

		if (m->item.received_us > in->last_received_us)
			in->last_received_us = m->item.received_us;
		if (m->item.type == ITEM_MESSAGE)
			in->received[in->n_received++] = m->item.received_us;
		if ((m->item.type == ITEM_MESSAGE ? take_message(in, m, e) : take_gap(in, &m->item, e)) != 0)
			return -1;
	}
	return 0;
}

static void
pause_us(int64_t us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };

	if (us > 0)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* Before a batch is tried again; short once the process is to end. */
static void
pause_before_retry(struct ingest *in)
{
	int64_t waited_ms = 0;

	while (waited_ms < in->retry_ms && (waited_ms == 0 || atomic_load(&in->give_up_us) == 0)) {
		pause_us(RETRY_MIN_MS * 1000);
		waited_ms += RETRY_MIN_MS;
	}
	in->retry_ms = in->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : in->retry_ms * 2;
}

/* What the batch that has just been committed took. */
static void
note_commit(struct ingest *in, int64_t took_us)
{
	int64_t now_us = clock_real_us();

	histogram_sum_add(&in->batch_times.commit, took_us);
	for (int i = 0; i < in->n_received; i++)
		histogram_sum_add(&in->batch_times.commit_latency, now_us - in->received[i]);
	log_slow(&in->slow_limit, "slow_commit", took_us, SLOW_COMMIT_US, log_int("messages", in->n_received));
}

/* One batch, tried once. A failed one is the next to be taken. */
static int
run_batch(struct ingest *in)
{
	struct err e = { 0 };
	int64_t begin_us;

	/* A pause makes the batch larger; where many wait it is as large as it gets. */
	if (!ahead_crowded(in->ahead))
		pause_us(in->last_commit_us + in->commit_pause_us - clock_mono_us());
	if (fill_batch(in, &e) != 0) {
		store_rollback(in->store);
		goto failed;
	}
	begin_us = clock_mono_us();
	if (store_commit(in->store, in->last_received_us, &e) != 0)
		goto failed;
	in->last_commit_us = in->last_alive_us = clock_mono_us();
	in->commit_pause_us = tempo_committed(&in->tempo, in->last_commit_us, in->n_received);
	note_commit(in, in->last_commit_us - begin_us);
	ahead_release(in->ahead);
	note_result(in, NULL);
	in->retry_ms = RETRY_MIN_MS;
	return 0;
failed:
	forget_batch(in);
	note_result(in, &e);
	pause_before_retry(in);
	return -1;
}

/* ---- the thread ---- */

static void
take_over_retention(struct ingest *in)
{
	pthread_mutex_lock(&in->lock);
	if (in->retention_changed)
		store_set_retention(in->store, &in->total, in->kind);
	in->retention_changed = false;
	pthread_mutex_unlock(&in->lock);
}

/* Between batches. `now_us` was read before the queue was seen empty. True if there is more to do at once. */
static bool
tend(struct ingest *in, enum store_load load, int64_t now_us)
{
	bool calm = load == STORE_CALM;
	struct err e = { 0 };
	int more;

	take_over_retention(in);
	/*
	 * A quiet market is not a gap: the log learns now and then that we listened and nothing came. While Redis is away it
	 * does not: should we die then, `subscriber_down` must reach back to where the connection broke.
	 */
	if (calm && clock_mono_us() - in->last_alive_us >= ALIVE_INTERVAL_US && in->opts.listening(in->opts.arg)) {
		in->last_alive_us = clock_mono_us();
		note_result(in, store_alive(in->store, now_us, &e) == 0 ? NULL : &e);
	}
	more = store_tend(in->store, load, &e);
	if (more < 0)
		note_result(in, &e);
	else if (calm && e.text[0] == '\0' && in->stats.error[0] != '\0')
		note_result(in, NULL); /* in a quiet market no commit comes to say so */
	return more > 0;
}

static bool
given_up(struct ingest *in)
{
	int64_t at = atomic_load(&in->give_up_us);

	return at != 0 && clock_mono_us() > at;
}

static int
serve(struct ingest *in, struct err *e)
{
	for (;;) {
		enum store_load load;
		int64_t now_us;
		int rc = ahead_wait(in->ahead, tempo_wait_ms(&in->tempo, TEND_INTERVAL_MS));

		if (rc < 0)
			return 0;
		if (rc > 0 && run_batch(in) != 0 && given_up(in)) {
			err_set(e, ERR_STORE, "stopped with messages that could not be stored");
			return -1;
		}
		now_us = clock_real_us();
		load = tempo_load(&in->tempo, rc > 0, ahead_wait(in->ahead, 0) == 0);
		in->tempo.more = tend(in, load, now_us);
	}
}

static void
fail(struct ingest *in, const struct err *e)
{
	pthread_mutex_lock(&in->lock);
	in->stats.failed = true;
	in->stats.failure = *e;
	if (e->code == ERR_STORE)
		err_wrap(&in->stats.failure, in->opts.store->dir);
	pthread_mutex_unlock(&in->lock);
	in->opts.changed(in->opts.arg);
}

/* A full disk is no reason to end: the subscription fills the queue meanwhile, and room may be made. */
static int
open_store(struct ingest *in, struct err *e)
{
	for (;;) {
		*e = (struct err){ 0 };
		in->store = store_open(in->opts.store, e);
		if (in->store != NULL)
			return 0;
		if (e->code != ERR_FULL || given_up(in))
			return -1;
		note_result(in, e);
		pause_us(OPEN_PAUSE_US);
	}
}

static void *
ingest_main(void *arg)
{
	struct ingest *in = arg;

	if (open_store(in, &in->result_err) != 0) {
		in->result = -1;
		fail(in, &in->result_err);
		return NULL;
	}
	in->last_alive_us = clock_mono_us();
	note_result(in, NULL);
	log_event(LOG_LEVEL_NOTICE, "log_open", log_str("epoch", in->stats.store.epoch),
	    log_int("head", in->stats.store.head), log_int("events", in->stats.store.events));
	in->opts.changed(in->opts.arg);
	in->result = serve(in, &in->result_err);
	/* The subscription has ended, and what it could not receive it has put into the queue as a gap. */
	if (in->result == 0 && store_alive(in->store, clock_real_us(), &in->result_err) != 0)
		in->result = -1;
	/* Whoever gave up waiting must not wait once more, nor call a log clean in which messages are missing. */
	if (in->result != 0)
		store_abandon(in->store);
	else
		in->result = store_close(in->store, &in->result_err);
	in->store = NULL;
	return NULL;
}

/* ---- for the main thread ---- */

void
ingest_free(struct ingest *in)
{
	if (in == NULL)
		return;
	pthread_mutex_destroy(&in->lock);
	ahead_free(in->ahead);
	decoder_free(in->decoder);
	buf_fini(&in->gap_text);
	free(in->batch);
	free(in->counts);
	free(in->received);
	free(in);
}

struct ingest *
ingest_start(const struct ingest_opts *opts, struct err *e)
{
	const struct ahead_opts ahead = { .queue = opts->queue,
		.rows = opts->rows,
		.scale = opts->scale,
		.instance = opts->instance,
		.batch_max = opts->batch_max };
	struct ingest *in = calloc(1, sizeof(*in));

	if (in == NULL) {
		err_set(e, ERR_MEMORY, "out of memory");
		return NULL;
	}
	in->opts = *opts;
	in->retry_ms = RETRY_MIN_MS;
	pthread_mutex_init(&in->lock, NULL);
	in->batch = calloc(opts->n_rows, sizeof(*in->batch));
	in->counts = calloc(opts->n_rows, sizeof(*in->counts));
	in->received = calloc((size_t)opts->batch_max, sizeof(*in->received));
	if (in->batch == NULL || in->counts == NULL || in->received == NULL) {
		err_set(e, ERR_MEMORY, "out of memory");
		goto out;
	}
	in->decoder = decoder_new(opts->scale, opts->instance, e);
	if (in->decoder == NULL)
		goto out;
	in->ahead = ahead_start(&ahead, e);
	if (in->ahead == NULL)
		goto out;
	if (thread_start(&in->thread, ingest_main, in, "the store thread", e) != 0)
		goto out;
	return in;
out:
	ingest_free(in);
	return NULL;
}

int
ingest_stop(struct ingest *in, int64_t patience_ms, struct err *e)
{
	int rc;

	atomic_store(&in->give_up_us, clock_mono_us() + patience_ms * 1000);
	pthread_join(in->thread, NULL);
	rc = in->result;
	if (rc != 0)
		*e = in->result_err;
	return rc;
}

void
ingest_set_retention(struct ingest *in, const struct retention *total, const struct retention kind[KIND__MAX])
{
	pthread_mutex_lock(&in->lock);
	in->total = *total;
	memcpy(in->kind, kind, sizeof(in->kind));
	in->retention_changed = true;
	pthread_mutex_unlock(&in->lock);
}

void
ingest_stats(struct ingest *in, struct ingest_stats *out)
{
	pthread_mutex_lock(&in->lock);
	*out = in->stats;
	pthread_mutex_unlock(&in->lock);
}

void
ingest_row_counts(struct ingest *in, size_t row, struct ingest_counts *out)
{
	pthread_mutex_lock(&in->lock);
	*out = in->counts[row];
	pthread_mutex_unlock(&in->lock);
}

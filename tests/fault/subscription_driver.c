/*
 * subscription_driver - the feed alone: prints what comes out of the queue and the state of the subscription, as JSON lines, until
 * its standard input ends.
 *
 *	subscription_driver URL CONNECT_MS READ_MS PING_MS BACKOFF_MIN_MS BACKOFF_MAX_MS CHANNEL...
 */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "feed/subscription.h"

#define PAYLOAD_SHOWN 2000
#define ROWS_MAX 16

struct driver {
	struct queue *queue;
	struct subscription *subscription;
	struct subscription_row rows[ROWS_MAX];
	size_t n_rows;
	atomic_bool changed;
	pthread_mutex_t lock; /* no look at the subscription once `stopping` */
	bool stopping;
};

static void
print_line(struct buf *b)
{
	buf_add_char(b, '\n');
	fwrite(b->p, 1, b->len, stdout);
	fflush(stdout);
	buf_clear(b);
}

static void
print_item(const struct driver *d, const struct item *item, struct buf *b)
{
	static const char *const types[] = { "message", "disconnected", "overflow" };

	buf_printf(b, "{\"type\":\"%s\",\"row\":%d,\"channel\":", types[item->type], item->row);
	buf_add_json(
	    b, item->type == ITEM_MESSAGE && item->own_channel ? text_of(d->rows[item->row].channel) : item->channel);
	buf_printf(b, ",\"size\":%zu,\"payload\":", item->payload.n);
	buf_add_json(b, text_cut(item->payload, 0, item->payload.n < PAYLOAD_SHOWN ? item->payload.n : PAYLOAD_SHOWN));
	buf_printf(b,
	    ",\"received_us\":%" PRId64 ",\"from_us\":%" PRId64 ",\"to_us\":%" PRId64 ",\"dropped\":%" PRId64 "}",
	    item->received_us, item->from_us, item->to_us, item->dropped);
	print_line(b);
}

static void
print_state(struct driver *d, struct buf *b)
{
	struct subscription_stats st;

	subscription_stats(d->subscription, &st);
	buf_printf(b, "{\"type\":\"state\",\"connected\":%s,\"reconnects\":%" PRId64 ",\"ping_ms\":%f,\"error\":",
	    st.connected ? "true" : "false", st.reconnects, st.ping_ms);
	buf_add_json(b, text_of(st.error));
	buf_add_str(b, ",\"rows\":[");
	for (size_t i = 0; i < d->n_rows; i++) {
		int64_t messages, last_us;
		char error[200];
		bool acknowledged;

		subscription_row_stats(d->subscription, i, &acknowledged, error, &messages, &last_us);
		buf_printf(b, "%s{\"acknowledged\":%s,\"messages\":%" PRId64 ",\"error\":", i > 0 ? "," : "",
		    acknowledged ? "true" : "false", messages);
		buf_add_json(b, text_of(error));
		buf_add_char(b, '}');
	}
	buf_add_str(b, "]}");
	print_line(b);
}

static void
changed(void *arg)
{
	struct driver *d = arg;

	atomic_store(&d->changed, true);
}

static void *
drain(void *arg)
{
	struct driver *d = arg;
	struct buf b = { 0 };
	struct item item;
	int rc;

	while ((rc = queue_wait(d->queue, 10)) >= 0) {
		while (rc == 1 && queue_next(d->queue, &item))
			print_item(d, &item, &b);
		queue_release(d->queue);
		pthread_mutex_lock(&d->lock);
		if (!d->stopping && atomic_exchange(&d->changed, false))
			print_state(d, &b);
		pthread_mutex_unlock(&d->lock);
	}
	buf_fini(&b);
	return NULL;
}

static void
wait_for_end_of_input(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

int
main(int argc, char **argv)
{
	static struct driver d = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct subscription_opts o = { .rows = d.rows, .changed = changed, .arg = &d };
	struct err e = { .code = ERR_NONE };
	pthread_t thread;
	int64_t from_us;

	if (argc < 8 || argc - 7 > ROWS_MAX) {
		fprintf(stderr, "usage: see the head of the source\n");
		return 64;
	}
	log_init(LOG_LEVEL_DEBUG, NULL);
	for (int i = 7; i < argc; i++) {
		snprintf(d.rows[d.n_rows].channel, sizeof(d.rows[0].channel), "%s", argv[i]);
		d.rows[d.n_rows++].pattern = strpbrk(argv[i], "*?[\\") != NULL;
	}
	o.n_rows = d.n_rows;
	o.connect_timeout_ms = atoi(argv[2]);
	o.read_timeout_ms = atoi(argv[3]);
	o.ping_interval_ms = atoi(argv[4]);
	o.backoff_min_ms = atoi(argv[5]);
	o.backoff_max_ms = atoi(argv[6]);
	o.queue = d.queue = queue_new((size_t)64 << 20, &e);
	if (d.queue == NULL || redis_target_parse(&o.target, argv[1], NULL, NULL, &e) != 0 ||
	    subscription_check(d.rows, d.n_rows, &e) != 0 || (d.subscription = subscription_start(&o, &e)) == NULL) {
		log_err(LOG_LEVEL_ERROR, "failed", &e);
		return err_exit_status(&e);
	}
	if (pthread_create(&thread, NULL, drain, &d) != 0)
		return 71;
	wait_for_end_of_input();
	pthread_mutex_lock(&d.lock);
	d.stopping = true;
	pthread_mutex_unlock(&d.lock);
	from_us = clock_mono_us();
	subscription_stop(d.subscription);
	pthread_join(thread, NULL);
	printf("{\"type\":\"stopped\",\"ms\":%" PRId64 "}\n", (clock_mono_us() - from_us) / 1000);
	queue_free(d.queue);
	return 0;
}

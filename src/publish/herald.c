/* herald - see herald.h. */
#include "publish/herald.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "publish/batch.h"

#define WAITING_MAX 16
#define TEXT_SIZE 1024
#define A_MINUTE 6
#define PATIENCE_MS 1000
#define MINUTE_US INT64_C(60000000)

struct word {
	int64_t at_us;
	char text[TEXT_SIZE];
};

struct herald {
	struct connections *connections; /* owned */
	char channel[256], instance[INSTANCE_SIZE_HERALD];
	pthread_t thread;
	int64_t said[A_MINUTE]; /* when the last ones were: a ring. The thread's */
	unsigned n_said;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t more;
	struct word waiting[WAITING_MAX];
	unsigned n_waiting;
	int64_t unsaid; /* that found no place, or came too often */
	bool stop;
};

void
herald_instance(const char *run_dir, char out[INSTANCE_SIZE_HERALD])
{
	char host[256] = "", machine[64] = "", real[4096];
	/* Not the kernel's boot id: where units hide /proc/sys from one program and not from the other, both would take each other for strangers. */
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, machine, sizeof(machine) - 1);
	uint64_t h;

	if (fd >= 0)
		close(fd);
	machine[n < 0 ? 0 : n] = '\0';
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	/* Processes may name the same directory differently. */
	if (realpath(run_dir, real) == NULL)
		snprintf(real, sizeof(real), "%s", run_dir);
	h = text_hash(text_of(real), text_hash(text_of(host), text_hash(text_of(machine), 0)));
	snprintf(out, INSTANCE_SIZE_HERALD, "%016llx", (unsigned long long)h);
}

/* From any thread that logs; our own says nothing about itself. */
static void
on_error(void *arg, struct text line)
{
	struct herald *h = arg;
	struct word *w;

	if (pthread_equal(pthread_self(), h->thread))
		return;
	pthread_mutex_lock(&h->lock);
	if (h->n_waiting == WAITING_MAX) {
		h->unsaid++;
	} else {
		w = &h->waiting[h->n_waiting++];
		w->at_us = clock_real_us();
		snprintf(w->text, sizeof(w->text), "%.*s", (int)(line.n < TEXT_SIZE ? line.n : TEXT_SIZE - 1), line.p);
		pthread_cond_signal(&h->more);
	}
	pthread_mutex_unlock(&h->lock);
}

/* At most A_MINUTE in any minute. */
static bool
is_due(struct herald *h)
{
	int64_t now_us = clock_mono_us(), *oldest = &h->said[h->n_said % A_MINUTE];

	if (h->n_said >= A_MINUTE && now_us - *oldest < MINUTE_US)
		return false;
	*oldest = now_us;
	h->n_said++;
	return true;
}

static void
say(struct herald *h, const struct word *w, int64_t unsaid)
{
	struct buf out = { .max = 16384 }, message = { .max = 2048 };
	int64_t receivers;
	struct text text;
	struct err e = { 0 };

	buf_add_str(&message, w->text);
	if (unsaid > 0)
		buf_printf(&message, " (and %lld more)", (long long)unsaid);
	buf_add_str(&out, "{\"severity\":\"error\",\"message\":");
	buf_add_json(&out, buf_text(&message));
	buf_printf(&out,
	    ",\"component\":\"tickgate\",\"timestamp\":%lld.%06d,\"source\":\"tickgate\",\"instance\":\"%s\"}",
	    (long long)(w->at_us / 1000000), (int)(w->at_us % 1000000), h->instance);
	text = buf_text(&out);
	if (out.failed || batch_publish(h->connections, h->channel, &text, 1, &receivers, &e) != BATCH_PUBLISHED)
		log_event(LOG_LEVEL_INFO, "error_not_published", log_str("error", e.text));
	buf_fini(&message);
	buf_fini(&out);
}

static void *
herald_main(void *arg)
{
	struct herald *h = arg;
	struct word word;

	pthread_mutex_lock(&h->lock);
	for (;;) {
		int64_t unsaid;

		while (h->n_waiting == 0 && !h->stop)
			pthread_cond_wait(&h->more, &h->lock);
		if (h->stop)
			break;
		word = h->waiting[0];
		memmove(h->waiting, h->waiting + 1, --h->n_waiting * sizeof(word));
		if (!is_due(h)) {
			h->unsaid++;
			continue;
		}
		unsaid = h->unsaid;
		h->unsaid = 0;
		pthread_mutex_unlock(&h->lock);
		say(h, &word, unsaid);
		pthread_mutex_lock(&h->lock);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* One connection, and not much patience: whoever stops the herald waits for it. */
static struct connections *
own_connection(const struct conf *conf, struct err *e)
{
	struct connections_opts opts;
	struct connections *made = NULL;

	if (connections_settings(conf, &opts, e) == 0) {
		opts.size = 1;
		opts.name = "tickgate-herald";
		opts.connect_timeout_ms = opts.connect_timeout_ms < PATIENCE_MS ? opts.connect_timeout_ms : PATIENCE_MS;
		opts.command_timeout_ms = opts.command_timeout_ms < PATIENCE_MS ? opts.command_timeout_ms : PATIENCE_MS;
		made = connections_new(&opts, e);
	}
	explicit_bzero(&opts, sizeof(opts));
	return made;
}

int
herald_start(const struct conf *conf, const char *instance, struct herald **out, struct err *e)
{
	struct herald *h;

	*out = NULL;
	if (!connections_wanted(conf))
		return 0;
	h = calloc(1, sizeof(*h));
	if (h == NULL) {
		err_set(e, ERR_MEMORY, "no memory for a herald");
		return -1;
	}
	snprintf(h->channel, sizeof(h->channel), "%s", conf_str(conf, SETTING_PUBLISH_ERRORS_CHANNEL));
	snprintf(h->instance, sizeof(h->instance), "%s", instance);
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->more, NULL);
	if ((h->connections = own_connection(conf, e)) == NULL ||
	    thread_start(&h->thread, herald_main, h, "the herald", e) != 0) {
		connections_free(h->connections);
		free(h);
		return -1;
	}
	log_on_error(on_error, h);
	*out = h;
	return 0;
}

void
herald_stop(struct herald *h)
{
	if (h == NULL)
		return;
	log_on_error(NULL, NULL);
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_signal(&h->more);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	connections_free(h->connections);
	pthread_cond_destroy(&h->more);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

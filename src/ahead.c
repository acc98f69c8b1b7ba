/* ahead - see ahead.h. */
#include "ahead.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

#define BATCH_MAX_BYTES (8u << 20) /* of payload: bounds the transaction whatever the messages' size */
/*
 * So many waiting messages are worth waking a thread for: to decode them takes a millisecond. At 40,000 a second a commit every few milliseconds leaves fewer.
 */
#define CROWD 500
/* Of the decoded: what is more, or does not fit, is left to the store thread, so that no message makes much of little. */
#define MESSAGE_MAX_TO_DECODE (64u << 10)
#define ELEMENTS_A_MESSAGE 2
#define TEXT_A_MESSAGE 1024u
#define TEXT_MIN (256u << 10)
#define TEXT_MAX (8u << 20)

struct decoded {
	struct batch batch;
	struct message *messages; /* owned, batch_max; this and what follows is touched only as far as it is used */
	struct element *elements; /* owned */
	int n_elements;
	char *text; /* owned */
	size_t text_n;
	struct queue_mark end; /* in the queue, behind the last message */
};

struct ahead {
	struct ahead_opts opts;
	int elements_max;
	size_t text_max;
	struct decoded decoded[2];
	pthread_t thread;
	bool started;
	struct decoder *decoder; /* the ahead thread's */

	/* The store thread's. */
	struct decoded *taken; /* not released yet */
	struct decoded *asked; /* the next, which the ahead thread was asked for; NULL: it was not */

	pthread_mutex_t lock;
	pthread_cond_t wanting, done;
	/* Under the lock. */
	struct decoded *
	    wanted; /* to be filled by the ahead thread, whose it is (and the queue's consumer side) until this is NULL again */
	bool ending;
};

struct source_channel
ahead_source(const struct subscription_row *rows, const struct item *item)
{
	const struct subscription_row *row = &rows[item->row];

	return (struct source_channel){
		.channel = item->own_channel ? text_of(row->channel) : item->channel,
		.kind = row->kind,
		.session_state = row->session_state,
	};
}

/* ---- a batch ---- */

static void
gather(struct ahead *a, struct decoded *d)
{
	size_t bytes = 0;

	d->n_elements = 0;
	d->text_n = 0;
	for (d->batch.n = 0; d->batch.n < a->opts.batch_max && bytes < BATCH_MAX_BYTES; d->batch.n++) {
		struct message *m = &d->messages[d->batch.n];

		m->elements = NULL;
		m->n_elements = 0;
		if (!queue_next(a->opts.queue, &m->item))
			break;
		bytes += m->item.payload.n;
	}
	queue_mark(a->opts.queue, &d->end);
}

/* ---- the ahead thread ---- */

static bool
keep(const struct ahead *a, struct decoded *d, struct text *t)
{
	char *p = d->text + d->text_n;

	if (t->p == NULL)
		return true;
	if (t->n > a->text_max - d->text_n)
		return false;
	memcpy(p, t->p, t->n);
	d->text_n += t->n;
	t->p = p;
	return true;
}

/* What the decoder's next call would take away. The channel is the row's or the queue's, a refusal's sample the queue's. */
static bool
keep_texts(const struct ahead *a, struct decoded *d, struct element *x)
{
	struct event *ev = &x->event;

	if (x->refused)
		return keep(a, d, &x->reject.detail);
	return keep(a, d, &ev->symbol) && keep(a, d, &ev->name) && keep(a, d, &ev->timeframe) &&
	    keep(a, d, &ev->component) && keep(a, d, &ev->source) && keep(a, d, &ev->lead) && keep(a, d, &ev->rest);
}

/* All elements of a message, or none. */
static void
decode(struct ahead *a, struct decoded *d, struct message *m)
{
	const struct source_channel from = ahead_source(a->opts.rows, &m->item);
	const int first = d->n_elements;
	const size_t text_n = d->text_n;

	decode_message(a->decoder, &from, m->item.payload, m->item.received_us);
	for (;;) {
		struct event ev = EVENT_INIT;
		struct reject rej;
		struct element *x = &d->elements[d->n_elements];
		enum decode_result rc = decode_next(a->decoder, &ev, &rej);

		if (rc == DECODE_END)
			break;
		if (d->n_elements == a->elements_max)
			goto too_much;
		x->refused = rc == DECODE_REJECT;
		if (x->refused)
			x->reject = rej;
		else
			x->event = ev;
		memcpy(x->notes, decode_notes(a->decoder), sizeof(x->notes));
		if (!keep_texts(a, d, x))
			goto too_much;
		d->n_elements++;
	}
	m->elements = &d->elements[first];
	m->n_elements = d->n_elements - first;
	return;
too_much:
	d->n_elements = first;
	d->text_n = text_n;
}

static void *
ahead_main(void *arg)
{
	struct ahead *a = arg;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		struct decoded *d;

		while (a->wanted == NULL && !a->ending)
			pthread_cond_wait(&a->wanting, &a->lock);
		if (a->ending)
			break;
		d = a->wanted;
		pthread_mutex_unlock(&a->lock);
		gather(a, d);
		for (int i = 0; i < d->batch.n; i++)
			if (d->messages[i].item.type == ITEM_MESSAGE &&
			    d->messages[i].item.payload.n <= MESSAGE_MAX_TO_DECODE)
				decode(a, d, &d->messages[i]);
		pthread_mutex_lock(&a->lock);
		a->wanted = NULL;
		pthread_cond_signal(&a->done);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* ---- for the store thread ---- */

/* Waits until the ahead thread has what it was asked for, if it was: the queue is the store thread's again. */
static void
settle(struct ahead *a)
{
	if (a->asked == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	while (a->wanted != NULL)
		pthread_cond_wait(&a->done, &a->lock);
	pthread_mutex_unlock(&a->lock);
}

static void
ask(struct ahead *a)
{
	a->asked = a->taken == &a->decoded[0] ? &a->decoded[1] : &a->decoded[0];
	pthread_mutex_lock(&a->lock);
	a->wanted = a->asked;
	pthread_mutex_unlock(&a->lock);
	pthread_cond_signal(&a->wanting);
}

int
ahead_wait(struct ahead *a, int timeout_ms)
{
	return a->taken != NULL || a->asked != NULL ? 1 : queue_wait(a->opts.queue, timeout_ms);
}

bool
ahead_crowded(struct ahead *a)
{
	return a->asked != NULL || queue_waiting(a->opts.queue) >= CROWD;
}

const struct batch *
ahead_take(struct ahead *a)
{
	if (a->taken != NULL)
		return &a->taken->batch;
	settle(a);
	a->taken = a->asked;
	a->asked = NULL;
	if (a->taken == NULL) {
		a->taken = &a->decoded[0];
		gather(a, a->taken);
	}
	if (a->taken->batch.n == 0) {
		a->taken = NULL;
		return NULL;
	}
	if (ahead_crowded(a))
		ask(a);
	return &a->taken->batch;
}

void
ahead_release(struct ahead *a)
{
	settle(a);
	queue_release_to(a->opts.queue, &a->taken->end);
	a->taken = NULL;
}

void
ahead_free(struct ahead *a)
{
	if (a == NULL)
		return;
	if (a->started) {
		pthread_mutex_lock(&a->lock);
		a->ending = true;
		pthread_mutex_unlock(&a->lock);
		pthread_cond_signal(&a->wanting);
		pthread_join(a->thread, NULL);
	}
	for (size_t i = 0; i < 2; i++) {
		free(a->decoded[i].messages);
		free(a->decoded[i].elements);
		free(a->decoded[i].text);
	}
	decoder_free(a->decoder);
	pthread_cond_destroy(&a->wanting);
	pthread_cond_destroy(&a->done);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static int
make_room(struct ahead *a, struct decoded *d)
{
	d->messages = calloc((size_t)a->opts.batch_max, sizeof(*d->messages));
	d->elements = calloc((size_t)a->elements_max, sizeof(*d->elements));
	d->text = malloc(a->text_max);
	d->batch.messages = d->messages;
	return d->messages == NULL || d->elements == NULL || d->text == NULL ? -1 : 0;
}

struct ahead *
ahead_start(const struct ahead_opts *opts, struct err *e)
{
	struct ahead *a = calloc(1, sizeof(*a));
	size_t text = (size_t)opts->batch_max * TEXT_A_MESSAGE;

	if (a == NULL) {
		err_set(e, ERR_MEMORY, "out of memory");
		return NULL;
	}
	a->opts = *opts;
	a->elements_max = opts->batch_max * ELEMENTS_A_MESSAGE;
	a->text_max = text < TEXT_MIN ? TEXT_MIN : text > TEXT_MAX ? TEXT_MAX : text;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->wanting, NULL);
	pthread_cond_init(&a->done, NULL);
	if (make_room(a, &a->decoded[0]) != 0 || make_room(a, &a->decoded[1]) != 0) {
		err_set(e, ERR_MEMORY, "out of memory");
		goto out;
	}
	a->decoder = decoder_new(opts->scale, opts->instance, e);
	if (a->decoder == NULL || thread_start(&a->thread, ahead_main, a, "the ahead thread", e) != 0)
		goto out;
	a->started = true;
	return a;
out:
	ahead_free(a);
	return NULL;
}

/* test_ahead - what is decoded ahead is what the decoder says, and waits until it is released. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "base/buf.h"

#define NOW_US INT64_C(1795417000000000)
#define BATCH 1000

static const struct subscription_row rows[] = {
	{ .channel = "patterns", .kind = KIND_PATTERN },
	{ .channel = "ind*", .pattern = true, .kind = KIND_INDICATOR },
	{ .channel = "errors", .kind = KIND_ERROR },
	{ .channel = "started", .kind = KIND_SESSION, .session_state = "started" },
};

static const struct {
	int row;
	const char *channel; /* NULL: the row's own */
	const char *payload;
} samples[] = {
	{ 0, NULL,
	    "{\"pattern_name\":\"Bull_Flag\",\"symbol\":\"aapl\",\"confidence\":0.855,\"detected_at\":1795417000.5,"
	    "\"x\":[1]}" },
	{ 0, NULL,
	    "{\"patterns\":[{\"pattern_name\":\"a\",\"symbol\":\"A\",\"confidence\":NaN},7,{\"symbol\":\"A\"}]}" },
	{ 1, "indicators", "{\"indicator\":\"S M-A\",\"symbol\":\"x\",\"value\":-1.5}" },
	{ 1, "", "{\"indicator\":\"rsi\",\"symbol\":\"Y\",\"value\":1,\"timeframe\":\"1\\u0068\"}" },
	{ 2, NULL, "{\"severity\":\"ERROR\",\"message\":\"m\",\"component\":\"a\\tb\"}" },
	{ 3, NULL, "{\"session\":\"2026-11-28\"}" },
	{ 0, NULL, "{\"pattern_name\":" },
	{ 0, NULL, "\xff" },
	{ 2, NULL, "" },
};

static struct queue *
make_queue(void)
{
	struct err e;
	struct queue *q = queue_new(32 << 20, &e);

	assert_non_null(q);
	return q;
}

static struct ahead *
make(struct queue *q)
{
	const struct ahead_opts opts = { .queue = q, .rows = rows, .batch_max = BATCH };
	struct err e;
	struct ahead *a = ahead_start(&opts, &e);

	assert_non_null(a);
	return a;
}

static void
put(struct queue *q, int row, const char *channel, struct text payload, int64_t at_us)
{
	const struct item item = { .type = ITEM_MESSAGE,
		.row = row,
		.own_channel = channel == NULL,
		.channel = channel == NULL ? TEXT("") : text_of(channel),
		.payload = payload,
		.received_us = at_us };

	assert_true(queue_put(q, &item));
}

static void
put_samples(struct queue *q, int n)
{
	for (int i = 0; i < n; i++) {
		size_t k = (size_t)i % (sizeof(samples) / sizeof(samples[0]));

		put(q, samples[k].row, samples[k].channel, text_of(samples[k].payload), NOW_US + i);
	}
}

static void
same_text(struct text x, struct text y)
{
	assert_int_equal(x.p == NULL, y.p == NULL);
	assert_true(text_eq(x, y));
}

static void
same_event(const struct event *x, const struct event *y)
{
	assert_int_equal(x->kind, y->kind);
	assert_int_equal(x->received_us, y->received_us);
	assert_int_equal(x->time_ms, y->time_ms);
	assert_int_equal(x->time_source, y->time_source);
	assert_int_equal(x->severity, y->severity);
	assert_memory_equal(&x->confidence, &y->confidence, sizeof(x->confidence));
	assert_memory_equal(&x->value, &y->value, sizeof(x->value));
	same_text(x->symbol, y->symbol);
	same_text(x->name, y->name);
	same_text(x->timeframe, y->timeframe);
	same_text(x->channel, y->channel);
	same_text(x->component, y->component);
	same_text(x->source, y->source);
	same_text(x->lead, y->lead);
	same_text(x->rest, y->rest);
}

/* Against the decoder; returns whether it was decoded ahead. */
static bool
check(struct decoder *d, const struct message *m)
{
	const struct source_channel from = ahead_source(rows, &m->item);
	enum decode_result rc;
	struct event ev = EVENT_INIT;
	struct reject rej;
	int n = 0;

	if (m->n_elements == 0)
		return false;
	decode_message(d, &from, m->item.payload, m->item.received_us);
	for (; (rc = decode_next(d, &ev, &rej)) != DECODE_END; n++) {
		const struct element *x = &m->elements[n];

		assert_true(n < m->n_elements);
		assert_int_equal(x->refused, rc == DECODE_REJECT);
		if (x->refused) {
			assert_int_equal(x->reject.reason, rej.reason);
			same_text(x->reject.detail, rej.detail);
			same_text(x->reject.sample, rej.sample);
		} else {
			same_event(&x->event, &ev);
			assert_memory_equal(x->notes, decode_notes(d), sizeof(x->notes));
		}
		ev = (struct event)EVENT_INIT;
	}
	assert_int_equal(n, m->n_elements);
	return true;
}

static void
test_same(void **state)
{
	struct decoder *d = decoder_new(SCALE_AUTO, NULL, NULL);
	struct queue *q = make_queue();
	struct ahead *a = make(q);
	struct queue_stats stats;
	int n = 0, decoded = 0;

	(void)state;
	put_samples(q, 3500);
	while (ahead_wait(a, 0) == 1) {
		const struct batch *b = ahead_take(a);

		assert_non_null(b);
		for (int i = 0; i < b->n; i++, n++) {
			assert_int_equal(b->messages[i].item.received_us, NOW_US + n);
			decoded += check(d, &b->messages[i]);
		}
		/* It could not be committed: the same again. */
		assert_int_equal(ahead_wait(a, 0), 1);
		assert_ptr_equal(ahead_take(a), b);
		assert_int_equal(b->messages[b->n - 1].item.received_us, NOW_US + n - 1);
		ahead_release(a);
	}
	assert_int_equal(n, 3500);
	/* The first was taken by ourselves, and so was what is no crowd. */
	assert_int_equal(decoded, 2500);
	queue_stats(q, &stats);
	assert_int_equal(stats.items, 0);
	queue_end(q);
	assert_int_equal(ahead_wait(a, -1), -1);
	ahead_free(a);
	queue_free(q);
	decoder_free(d);
}

/* Few are left to the store thread, and so is what would make much of little. */
static void
test_left_alone(void **state)
{
	static const struct item gap = { .type = ITEM_DISCONNECTED, .from_us = 1, .to_us = 2 };
	struct decoder *d = decoder_new(SCALE_AUTO, NULL, NULL);
	struct queue *q = make_queue();
	struct ahead *a = make(q);
	struct buf many = { .max = 0 }, large = { .max = 0 };
	const struct batch *b;

	(void)state;
	assert_null(ahead_take(a));
	put_samples(q, 10);
	b = ahead_take(a);
	assert_int_equal(b->n, 10);
	assert_false(ahead_crowded(a));
	for (int i = 0; i < b->n; i++)
		assert_int_equal(b->messages[i].n_elements, 0);
	ahead_release(a);
	buf_add_str(&many, "{\"patterns\":[1");
	for (int i = 1; i < 5000; i++)
		buf_add_str(&many, ",1");
	buf_add_str(&many, "]}");
	buf_add_str(&large, "{\"x\":\"");
	for (int i = 0; i < 70000; i++)
		buf_add_char(&large, 'x');
	buf_add_str(&large, "\"}");
	put_samples(q, BATCH);
	put(q, 0, NULL, buf_text(&many), NOW_US);
	put(q, 0, NULL, buf_text(&large), NOW_US);
	assert_true(queue_put(q, &gap));
	put_samples(q, 600);
	assert_int_equal(ahead_take(a)->n, BATCH);
	ahead_release(a);
	b = ahead_take(a);
	assert_int_equal(b->n, 603);
	for (int i = 0; i < b->n; i++)
		assert_int_equal(check(d, &b->messages[i]), i >= 3);
	assert_int_equal(b->messages[2].item.type, ITEM_DISCONNECTED);
	ahead_free(a);
	queue_free(q);
	decoder_free(d);
	buf_fini(&many);
	buf_fini(&large);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

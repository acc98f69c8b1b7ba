/* The ring: order, wrap-around, overflow, marks, threads, memory; and random sizes against a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "feed/queue.h"

static struct queue *
make(size_t limit)
{
	struct err e;
	struct queue *q = queue_new(limit, &e);

	assert_non_null(q);
	return q;
}

static bool
put(struct queue *q, int64_t at, const char *p, size_t n)
{
	struct item item = { .type = ITEM_MESSAGE,
		.row = (int)(at % 7),
		.channel = TEXT("chan"),
		.payload = { p, n },
		.received_us = at };

	return queue_put(q, &item);
}

static void
test_what_goes_in_comes_out(void **state)
{
	struct queue *q = make(1 << 20);
	struct item gap = { .type = ITEM_DISCONNECTED, .row = -1, .from_us = 5, .to_us = 6 }, item;
	struct item own = { .type = ITEM_MESSAGE, .own_channel = true, .payload = TEXT("x") };
	struct queue_stats st;

	(void)state;
	assert_int_equal(queue_wait(q, 0), 0);
	assert_false(queue_next(q, &item));
	assert_true(put(q, 9, "hello", 5));
	assert_true(put(q, 10, "", 0));
	assert_true(queue_put(q, &own));
	assert_true(queue_put(q, &gap));
	assert_int_equal(queue_wait(q, -1), 1);
	assert_true(queue_next(q, &item));
	assert_int_equal(item.type, ITEM_MESSAGE);
	assert_int_equal(item.row, 2);
	assert_int_equal(item.received_us, 9);
	assert_true(text_eq(item.channel, TEXT("chan")));
	assert_true(text_eq(item.payload, TEXT("hello")));
	assert_true(queue_next(q, &item));
	assert_int_equal(item.payload.n, 0);
	assert_false(item.own_channel);
	assert_true(queue_next(q, &item));
	assert_true(item.own_channel);
	assert_int_equal(item.channel.n, 0);
	assert_true(queue_next(q, &item));
	assert_int_equal(item.type, ITEM_DISCONNECTED);
	assert_int_equal(item.from_us, 5);
	assert_int_equal(item.to_us, 6);
	assert_int_equal(item.channel.n, 0);
	assert_false(queue_next(q, &item));
	queue_stats(q, &st);
	assert_int_equal(st.items, 4); /* looked at is not released */
	assert_true(st.bytes > 0);
	queue_release(q);
	queue_stats(q, &st);
	assert_int_equal(st.items, 0);
	assert_int_equal(st.bytes, 0);
	assert_int_equal(st.limit, 1 << 20);
	queue_free(q);
}

/* Two batches are looked at before the first of them is given back. */
static void
test_marks(void **state)
{
	struct queue *q = make(1 << 20);
	struct queue_mark first, second;
	struct queue_stats st;
	struct item item, kept;

	(void)state;
	for (int64_t i = 1; i <= 5; i++)
		put(q, i, "abcdef" + i, 1);
	assert_int_equal(queue_waiting(q), 5);
	assert_true(queue_next(q, &item));
	assert_true(queue_next(q, &item));
	queue_mark(q, &first);
	assert_true(queue_next(q, &kept));
	assert_true(queue_next(q, &item));
	queue_mark(q, &second);
	assert_int_equal(queue_waiting(q), 1);
	queue_release_to(q, &first);
	queue_stats(q, &st);
	assert_int_equal(st.items, 3);
	assert_int_equal(queue_waiting(q), 1);
	assert_true(text_eq(kept.payload, TEXT("d"))); /* borrowed still */
	queue_end(q);
	assert_int_equal(queue_wait(q, -1), 1);
	assert_true(queue_next(q, &item));
	assert_int_equal(item.received_us, 5);
	queue_release_to(q, &second);
	queue_stats(q, &st);
	assert_int_equal(st.items, 1);
	queue_release(q);
	queue_stats(q, &st);
	assert_int_equal(st.items, 0);
	assert_int_equal(st.bytes, 0);
	assert_int_equal(queue_wait(q, -1), -1);
	queue_free(q);
}

static void
test_overflow_is_told_in_order(void **state)
{
	struct queue *q = make(65536);
	char big[1000] = { 0 };
	struct queue_stats st;
	struct item item;
	int64_t n = 0, first_dropped;

	(void)state;
	while (put(q, 100 + n, big, sizeof(big)))
		n++;
	first_dropped = 100 + n;
	assert_false(put(q, first_dropped + 1, big, sizeof(big)));
	/* It would fit, but what came before it did not: order. */
	for (int64_t i = 0; i < n; i++) {
		assert_true(queue_next(q, &item));
		assert_int_equal(item.received_us, 100 + i);
	}
	assert_false(queue_next(q, &item));
	queue_release(q);
	assert_true(put(q, 1000, "x", 1));
	assert_true(queue_next(q, &item));
	assert_int_equal(item.type, ITEM_OVERFLOW);
	assert_int_equal(item.dropped, 2);
	assert_int_equal(item.from_us, first_dropped);
	assert_int_equal(item.to_us, first_dropped + 1);
	assert_true(queue_next(q, &item));
	assert_int_equal(item.received_us, 1000);
	queue_stats(q, &st);
	assert_int_equal(st.dropped, 2);
	queue_free(q);
}

static void
test_a_break_without_room_widens_the_overflow(void **state)
{
	struct queue *q = make(4096);
	struct item gap = { .type = ITEM_DISCONNECTED, .from_us = 3, .to_us = 900 }, item;
	static char fill[4096 - 64];

	(void)state;
	assert_true(put(q, 10, fill, sizeof(fill)));
	assert_false(queue_put(q, &gap));
	assert_true(queue_next(q, &item));
	queue_release(q);
	assert_true(queue_next(q, &item));
	assert_int_equal(item.type, ITEM_OVERFLOW);
	assert_int_equal(item.dropped, 0);
	assert_int_equal(item.from_us, 3);
	assert_int_equal(item.to_us, 900);
	queue_free(q);
}

static void
test_larger_than_the_arena(void **state)
{
	struct queue *q = make(65536);
	char *huge = calloc(1, 65536);
	struct item item;

	(void)state;
	assert_false(put(q, 7, huge, 65536));
	assert_true(put(q, 8, "x", 1));
	assert_int_equal(queue_wait(q, 0), 1);
	assert_true(queue_next(q, &item));
	assert_int_equal(item.type, ITEM_OVERFLOW);
	assert_int_equal(item.dropped, 1);
	assert_true(queue_next(q, &item));
	assert_int_equal(item.received_us, 8);
	free(huge);
	queue_free(q);
}

/* The model: the numbers that were accepted and not released, in order. Every payload is its number's bytes. */
#define MODEL_MAX 4096

struct model {
	int64_t id[MODEL_MAX];
	size_t n, looked, marked;
	int64_t lost, told;
};

static void
model_take(struct model *m, const struct item *item)
{
	if (item->type == ITEM_OVERFLOW) {
		m->told += item->dropped;
		/* Not in the model, but looked at: remembered as a negative id. */
		memmove(&m->id[m->looked + 1], &m->id[m->looked], (m->n - m->looked) * sizeof(m->id[0]));
		m->id[m->looked] = -item->dropped;
		m->n++;
		m->looked++;
		return;
	}
	assert_true(m->looked < m->n);
	assert_int_equal(item->received_us, m->id[m->looked]);
	for (size_t i = 0; i < item->payload.n; i++)
		assert_int_equal((unsigned char)item->payload.p[i], (unsigned char)item->received_us);
	m->looked++;
}

static void
test_random_sizes_against_a_model(void **state)
{
	static struct model m;
	static char bytes[20000];
	unsigned seed = 20261123;
	struct queue *q = make(65536);
	struct queue_mark mark = { .at = 0 };
	struct item item;

	(void)state;
	for (int64_t id = 1; id < 200000; id++) {
		int dice = rand_r(&seed) % 100;
		size_t n = (size_t)(rand_r(&seed) % (dice < 5 ? 20000 : 700));

		if (dice < 60 && m.n < MODEL_MAX - 2) {
			memset(bytes, (int)(id & 0xff), n);
			if (put(q, id, bytes, n))
				m.id[m.n++] = id;
			else
				m.lost++;
		} else if (dice < 90) {
			for (int k = rand_r(&seed) % 8; k > 0 && queue_next(q, &item); k--)
				model_take(&m, &item);
		} else if (dice < 97) {
			queue_release(q);
			m.n -= m.looked;
			memmove(m.id, m.id + m.looked, m.n * sizeof(m.id[0]));
			m.looked = m.marked = 0;
		} else if (dice < 99) {
			queue_mark(q, &mark);
			m.marked = m.looked;
		} else if (m.marked > 0) {
			queue_release_to(q, &mark);
			m.n -= m.marked;
			m.looked -= m.marked;
			memmove(m.id, m.id + m.marked, m.n * sizeof(m.id[0]));
			m.marked = 0;
		}
	}
	do {
		while (queue_next(q, &item))
			model_take(&m, &item);
		assert_int_equal(m.looked, m.n);
		queue_release(q);
		m.n = m.looked = 0;
	} while (queue_wait(q, 0) == 1);
	assert_true(m.lost > 1000);
	assert_int_equal(m.told, m.lost);
	queue_free(q);
}

#define THREAD_ITEMS 1000000

static void *
produce(void *arg)
{
	struct queue *q = arg;
	char bytes[256];
	int64_t *dropped = calloc(1, sizeof(*dropped));

	memset(bytes, 'x', sizeof(bytes));
	for (int64_t i = 0; i < THREAD_ITEMS; i++)
		*dropped += !put(q, i, bytes, (size_t)(i % 256));
	queue_end(q);
	return dropped;
}

static void
test_two_threads(void **state)
{
	struct queue *q = make(1 << 20);
	int64_t got = 0, told = 0, last = -1, *dropped;
	pthread_t thread;
	struct item item;
	int batch;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, produce, q), 0);
	while (queue_wait(q, -1) == 1) {
		for (batch = 0; batch < 500 && queue_next(q, &item); batch++) {
			if (item.type == ITEM_OVERFLOW) {
				told += item.dropped;
				assert_true(item.from_us > last);
				last = item.to_us;
				continue;
			}
			got++;
			assert_true(item.received_us > last);
			last = item.received_us;
			assert_int_equal(item.payload.n, item.received_us % 256);
		}
		queue_release(q);
	}
	pthread_join(thread, (void **)&dropped);
	assert_int_equal(told, *dropped);
	assert_int_equal(got + told, THREAD_ITEMS);
	free(dropped);
	queue_free(q);
}

static void *
end_it(void *arg)
{
	queue_end(arg);
	return NULL;
}

static void
test_the_end_wakes(void **state)
{
	struct queue *q = make(1 << 20);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, end_it, q), 0);
	assert_int_equal(queue_wait(q, -1), -1);
	pthread_join(thread, NULL);
	queue_free(q);
}

static long
resident_kb(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE) / 1024;
}

/* What a burst needs room for: a message's bytes and 24 more. */
static void
test_a_message_costs_little(void **state)
{
	struct queue *q = make((size_t)1 << 20);
	struct item item = { .type = ITEM_MESSAGE, .row = 3, .received_us = 5, .payload = TEXT("0123456789abcdef") };
	struct queue_stats st;

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(queue_put(q, &item));
	queue_stats(q, &st);
	assert_int_equal(st.bytes, 100 * (16 + 24));
	queue_free(q);
}

/* What may stay when a burst of 100 MiB is over. AddressSanitizer has a byte for every eight, which it keeps, ThreadSanitizer four for each. */
#if defined(__SANITIZE_ADDRESS__)
#define STAYS_KB (8 * 1024 + 100 * 1024 / 8)
#elif defined(__SANITIZE_THREAD__)
#define STAYS_KB (8 * 1024 + 100 * 1024 * 4)
#else
#define STAYS_KB (8 * 1024)
#endif

static void
test_a_burst_gives_its_memory_back(void **state)
{
	struct queue *q = make((size_t)256 << 20);
	char *big = calloc(1, 1 << 20);
	struct item item;
	long before = resident_kb();

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(put(q, i, big, 1 << 20));
	assert_true(resident_kb() - before > 90 * 1024);
	while (queue_next(q, &item))
		;
	queue_release(q);
	assert_true(resident_kb() - before < STAYS_KB);
	/* A calm queue stays where it is warm. */
	for (int i = 0; i < 100000; i++) {
		assert_true(put(q, i, big, 300));
		assert_true(queue_next(q, &item));
		queue_release(q);
	}
	assert_true(resident_kb() - before < STAYS_KB);
	free(big);
	queue_free(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_goes_in_comes_out),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_overflow_is_told_in_order),
		cmocka_unit_test(test_a_message_costs_little),
		cmocka_unit_test(test_a_break_without_room_widens_the_overflow),
		cmocka_unit_test(test_larger_than_the_arena),
		cmocka_unit_test(test_random_sizes_against_a_model),
		cmocka_unit_test(test_two_threads),
		cmocka_unit_test(test_the_end_wakes),
		cmocka_unit_test(test_a_burst_gives_its_memory_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

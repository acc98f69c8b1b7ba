/*
 * queue - see queue.h.  Walk 1, step 2: from feed/subscription.c, on to event/decode.c.
 *
 * A ring of records in one mapping of limit_bytes, of which only the pages that are touched cost memory. A record is never
 * split: when it does not fit behind the last one, a marker sends the reader to the beginning.
 *
 * A mutex, not a lock-free ring: the producer takes it once an item, the consumer once a batch, so it is nearly always
 * free (20 ns), and everything below can be read without knowing a memory model. In exchange the ring can begin again at offset 0
 * whenever it is empty, so that a calm queue stays within a few pages, and pages can be given back without
 * a race. Copies are made under it: the longest wait is one message of 4 MiB.
 */
#include "feed/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define RECORD_ALIGN 8u
#define KEEP_BYTES ((size_t)1 << 20) /* stay mapped in when the queue is empty */
#define TRIM_BYTES ((size_t)4 << 20) /* given back under one hold of the lock: about half a millisecond */

/*
 * Begins every record; `size` covers it and what is behind it: a struct span unless it is a message, the channel, the payload. In a burst
 * hundreds of thousands of them wait, so it is small: 24 bytes where 56 were a fifth of the queue.
 */
struct record {
	uint32_t size; /* 0: a marker, go on at offset 0 */
	uint32_t payload_n;
	int64_t received_us;
	uint16_t channel_n;
	uint8_t type;
	bool own_channel;
	int32_t row;
};

struct span {
	int64_t from_us, to_us, dropped;
};

struct queue {
	char *arena;
	size_t limit;

	pthread_mutex_t lock;
	pthread_cond_t filled;
	/* Under the lock. */
	size_t begin, end; /* of what is not released; equal when empty or full: `used` tells */
	size_t used; /* bytes between them, markers' waste included */
	size_t touched; /* the arena may hold pages up to here */
	int64_t items; /* not released */
	int64_t dropped; /* since the start */
	bool sleeping, ended;
	struct item lost; /* what is to be told: the overflow that found no room yet */
	bool lost_pending;

	/* The consumer's own. */
	size_t look; /* the next record to look at */
	size_t looked_bytes; /* since the last release, with the markers passed */
	int64_t looked; /* items since the last release */
	int64_t seen; /* items known to be there, looked at or not */
	size_t released_bytes; /* since the queue was made; it may wrap */
	int64_t released; /* items */
};

struct queue *
queue_new(size_t limit_bytes, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct queue *q = calloc(1, sizeof(*q));
	pthread_condattr_t attr;

	if (q == NULL) {
		err_set(e, ERR_MEMORY, "no memory for the queue");
		return NULL;
	}
	q->limit = limit_bytes < page ? page : limit_bytes / page * page;
	q->arena = mmap(NULL, q->limit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (q->arena == MAP_FAILED) {
		err_sys(e, "cannot map %zu bytes for the queue", q->limit);
		free(q);
		return NULL;
	}
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->filled, &attr);
	pthread_condattr_destroy(&attr);
	return q;
}

void
queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	pthread_cond_destroy(&q->filled);
	pthread_mutex_destroy(&q->lock);
	munmap(q->arena, q->limit);
	free(q);
}

static size_t
record_size(const struct item *item)
{
	size_t n = sizeof(struct record) + (item->type == ITEM_MESSAGE ? 0 : sizeof(struct span));

	/* What does not fit the header fits no queue. */
	if (item->channel.n > UINT16_MAX || item->payload.n > UINT32_MAX / 2)
		return SIZE_MAX;
	n += item->channel.n + item->payload.n;
	return (n + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

/* Under the lock: whether records of `size` and then `next` bytes (0: none) fit one behind the other. */
static bool
has_room(const struct queue *q, size_t size, size_t next)
{
	const size_t sizes[2] = { size, next };
	size_t end = q->end, used = q->used;
	bool wrapped = used > 0 && end <= q->begin;

	for (size_t i = 0; i < 2; i++) {
		if (sizes[i] == 0)
			continue;
		if (sizes[i] > q->limit)
			return false;
		if (!wrapped && sizes[i] > q->limit - end) {
			end = 0;
			wrapped = true;
		}
		if (wrapped && sizes[i] > q->begin - end)
			return false;
		end += sizes[i];
	}
	return true;
}

/* Under the lock, and has_room() said so. */
static void
place(struct queue *q, const struct item *item, size_t size)
{
	bool wrapped = q->used > 0 && q->end <= q->begin;
	struct record *r;
	char *bytes;

	if (!wrapped && size > q->limit - q->end) {
		/* Everything is a multiple of RECORD_ALIGN: what is left is nothing or holds the marker's size field. */
		if (q->end < q->limit)
			((struct record *)(void *)(q->arena + q->end))->size = 0;
		q->used += q->limit - q->end;
		q->touched = q->limit;
		q->end = 0;
	}
	r = (struct record *)(void *)(q->arena + q->end);
	*r = (struct record){ .size = (uint32_t)size,
		.channel_n = (uint16_t)item->channel.n,
		.payload_n = (uint32_t)item->payload.n,
		.type = (uint8_t)item->type,
		.own_channel = item->own_channel,
		.row = item->row,
		.received_us = item->received_us };
	bytes = (char *)(r + 1);
	if (item->type != ITEM_MESSAGE) {
		*(struct span *)(void *)bytes = (struct span){ item->from_us, item->to_us, item->dropped };
		bytes += sizeof(struct span);
	}
	if (item->channel.n > 0)
		memcpy(bytes, item->channel.p, item->channel.n);
	if (item->payload.n > 0)
		memcpy(bytes + item->channel.n, item->payload.p, item->payload.n);
	q->end += size;
	q->used += size;
	if (q->end > q->touched)
		q->touched = q->end;
	q->items++;
}

/* Under the lock: places the overflow that is owed, if it fits. */
static void
place_lost(struct queue *q)
{
	size_t size = record_size(&q->lost);

	if (!q->lost_pending || !has_room(q, size, 0))
		return;
	q->lost.received_us = q->lost.to_us;
	place(q, &q->lost, size);
	q->lost_pending = false;
}

/* Under the lock: an item is lost. A break that found no room widens the overflow, so that its time is covered all the same. */
static void
drop(struct queue *q, const struct item *item)
{
	bool message = item->type == ITEM_MESSAGE;
	int64_t from = message ? item->received_us : item->from_us, to = message ? item->received_us : item->to_us;
	int64_t n = message ? 1 : item->dropped;

	if (!q->lost_pending) {
		q->lost = (struct item){ .type = ITEM_OVERFLOW, .row = -1, .from_us = from, .to_us = to };
		q->lost_pending = true;
	}
	if (from < q->lost.from_us)
		q->lost.from_us = from;
	if (to > q->lost.to_us)
		q->lost.to_us = to;
	q->lost.dropped += n;
	q->dropped += n;
	/* While something waits, its release will place the overflow: at the edge of a full ring that makes one of many. */
	if (q->items == 0)
		place_lost(q);
}

bool
queue_put(struct queue *q, const struct item *item)
{
	size_t size = record_size(item);
	size_t first;
	bool fits, wake;

	pthread_mutex_lock(&q->lock);
	/* An owed overflow goes first, or the order of what happened would be lost. */
	first = q->lost_pending ? record_size(&q->lost) : 0;
	fits = has_room(q, first, size);
	if (fits) {
		if (first > 0)
			place_lost(q);
		place(q, item, size);
	} else {
		drop(q, item);
	}
	wake = q->sleeping;
	pthread_mutex_unlock(&q->lock);
	if (wake)
		pthread_cond_signal(&q->filled);
	return fits;
}

void
queue_end(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->ended = true;
	pthread_mutex_unlock(&q->lock);
	pthread_cond_broadcast(&q->filled);
}

int
queue_wait(struct queue *q, int timeout_ms)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	if (timeout_ms > 0) {
		int64_t ns = until.tv_nsec + (int64_t)(timeout_ms % 1000) * 1000000;

		until.tv_sec += timeout_ms / 1000 + ns / 1000000000;
		until.tv_nsec = ns % 1000000000;
	}
	pthread_mutex_lock(&q->lock);
	while (q->items == q->looked && !q->ended && rc == 0) {
		q->sleeping = true;
		if (timeout_ms < 0)
			pthread_cond_wait(&q->filled, &q->lock);
		else
			rc = pthread_cond_timedwait(&q->filled, &q->lock, &until);
		q->sleeping = false;
	}
	q->seen = q->items;
	rc = q->items > q->looked ? 1 : q->ended ? -1 : 0;
	pthread_mutex_unlock(&q->lock);
	return rc;
}

bool
queue_next(struct queue *q, struct item *item)
{
	const struct record *r;
	const char *bytes;

	if (q->looked == q->seen) {
		pthread_mutex_lock(&q->lock);
		q->seen = q->items;
		pthread_mutex_unlock(&q->lock);
		if (q->looked == q->seen)
			return false;
	}
	/* Up to `seen` the producer is done with the records: no lock. */
	r = (const struct record *)(const void *)(q->arena + q->look);
	if (q->look == q->limit || r->size == 0) {
		q->looked_bytes += q->limit - q->look;
		q->look = 0;
		r = (const struct record *)(const void *)q->arena;
	}
	bytes = (const char *)(r + 1);
	*item = (struct item){ .type = (enum item_type)r->type,
		.row = r->row,
		.own_channel = r->own_channel,
		.received_us = r->received_us };
	if (item->type != ITEM_MESSAGE) {
		const struct span *span = (const struct span *)(const void *)bytes;

		item->from_us = span->from_us;
		item->to_us = span->to_us;
		item->dropped = span->dropped;
		bytes += sizeof(*span);
	}
	item->channel = (struct text){ bytes, r->channel_n };
	item->payload = (struct text){ bytes + r->channel_n, r->payload_n };
	q->look += r->size;
	q->looked_bytes += r->size;
	q->looked++;
	return true;
}

int64_t
queue_waiting(struct queue *q)
{
	int64_t items;

	pthread_mutex_lock(&q->lock);
	items = q->items;
	pthread_mutex_unlock(&q->lock);
	return items - q->looked;
}

/* Gives pages that a burst touched back, from the top, as long as the producer does not need them again. */
static void
trim(struct queue *q)
{
	bool more;

	do {
		pthread_mutex_lock(&q->lock);
		more = q->used == 0 && q->touched > KEEP_BYTES;
		if (more) {
			size_t from = q->touched - KEEP_BYTES > TRIM_BYTES ? q->touched - TRIM_BYTES : KEEP_BYTES;

			/* Down to a page's beginning: KEEP_BYTES is one, and nothing above it is in use. */
			from -= from % KEEP_BYTES;
			madvise(q->arena + from, q->touched - from, MADV_DONTNEED);
			q->touched = from;
		}
		pthread_mutex_unlock(&q->lock);
	} while (more);
}

void
queue_mark(const struct queue *q, struct queue_mark *out)
{
	*out = (struct queue_mark){
		.at = q->look, .bytes = q->released_bytes + q->looked_bytes, .items = q->released + q->looked
	};
}

void
queue_release_to(struct queue *q, const struct queue_mark *mark)
{
	const int64_t items = mark->items - q->released;
	const size_t bytes = mark->bytes - q->released_bytes;
	bool burst;

	pthread_mutex_lock(&q->lock);
	q->begin = mark->at;
	q->used -= bytes;
	q->items -= items;
	q->looked -= items;
	q->looked_bytes -= bytes;
	q->released += items;
	q->released_bytes += bytes;
	if (q->items == 0) {
		/* Empty: begin again at the beginning, in pages that are warm. */
		q->begin = q->end = q->look = 0;
		q->used = 0;
	}
	burst = q->items == 0 && q->touched > KEEP_BYTES;
	if (!burst)
		place_lost(q);
	q->seen = q->items;
	pthread_mutex_unlock(&q->lock);
	if (!burst)
		return;
	trim(q);
	pthread_mutex_lock(&q->lock);
	place_lost(q);
	pthread_mutex_unlock(&q->lock);
}

void
queue_release(struct queue *q)
{
	struct queue_mark mark;

	queue_mark(q, &mark);
	queue_release_to(q, &mark);
}

void
queue_stats(struct queue *q, struct queue_stats *out)
{
	pthread_mutex_lock(&q->lock);
	*out = (struct queue_stats){ .bytes = q->used, .limit = q->limit, .items = q->items, .dropped = q->dropped };
	pthread_mutex_unlock(&q->lock);
}

/* quota - see quota.h. */
#include "http/quota.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/clock.h"

#define PROBES 64 /* slots that are looked at for one address */
#define SLOTS_MIN 1024

struct quota {
	pthread_mutex_t lock;
	uint64_t seed;
	size_t bytes; /* of all this */
	unsigned n_workers;
	size_t n_slots; /* a power of two */
	uint64_t keys[]; /* n_slots; 0: never used. Behind them n_slots counts for each worker */
};

static uint32_t *
counts_of(const struct quota *q, unsigned worker)
{
	return (uint32_t *)(void *)(uintptr_t)(q->keys + q->n_slots) + worker * q->n_slots;
}

static int
make_lock(struct quota *q)
{
	pthread_mutexattr_t attr;
	int rc;

	pthread_mutexattr_init(&attr);
	rc = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (rc == 0)
		rc = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (rc == 0)
		rc = pthread_mutex_init(&q->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return rc;
}

struct quota *
quota_new(unsigned n_workers, int64_t places, struct err *e)
{
	size_t n_slots = SLOTS_MIN, bytes;
	struct quota *q;

	/* Half full at the most, so that probes are short. */
	while ((int64_t)n_slots < 2 * places)
		n_slots *= 2;
	bytes = sizeof(*q) + n_slots * (sizeof(uint64_t) + n_workers * sizeof(uint32_t));
	q = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (q == MAP_FAILED) {
		err_sys(e, "cannot share memory with the workers");
		return NULL;
	}
	q->bytes = bytes;
	q->n_workers = n_workers;
	q->n_slots = n_slots;
	if (getrandom(&q->seed, sizeof(q->seed), 0) != (ssize_t)sizeof(q->seed))
		q->seed = (uint64_t)clock_real_us();
	errno = make_lock(q);
	if (errno != 0) {
		err_sys(e, "cannot make a lock for all workers");
		quota_free(q);
		return NULL;
	}
	return q;
}

void
quota_free(struct quota *q)
{
	if (q != NULL)
		munmap(q, q->bytes);
}

/* Whoever held it died: what it was counting is in its own column, which its parent clears. */
static void
lock(struct quota *q)
{
	if (pthread_mutex_lock(&q->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&q->lock);
}

static int64_t
total_of(const struct quota *q, size_t slot)
{
	int64_t total = 0;

	for (unsigned w = 0; w < q->n_workers; w++)
		total += counts_of(q, w)[slot];
	return total;
}

/* The slot of `key`, or else the first one on its way that nobody uses any more; n_slots: there is none. */
static size_t
find(const struct quota *q, uint64_t key, int64_t *total)
{
	size_t unused = q->n_slots;

	*total = 0;
	for (size_t i = 0; i < PROBES; i++) {
		size_t slot = (size_t)(key + i) & (q->n_slots - 1);

		if (q->keys[slot] == key) {
			*total = total_of(q, slot);
			return slot;
		}
		if (unused == q->n_slots && total_of(q, slot) == 0)
			unused = slot;
		if (q->keys[slot] == 0)
			break;
	}
	return unused;
}

bool
quota_take(struct quota *q, unsigned worker, struct text address, int64_t max, uint64_t *ticket)
{
	uint64_t key = text_hash(address, q->seed) | 1;
	int64_t total;
	size_t slot;

	*ticket = 0;
	lock(q);
	slot = find(q, key, &total);
	if (slot < q->n_slots && total < max) {
		q->keys[slot] = key;
		counts_of(q, worker)[slot]++;
		*ticket = slot + 1;
	}
	pthread_mutex_unlock(&q->lock);
	return *ticket != 0 || slot == q->n_slots;
}

void
quota_give(struct quota *q, unsigned worker, uint64_t ticket)
{
	if (ticket == 0)
		return;
	lock(q);
	counts_of(q, worker)[ticket - 1]--;
	pthread_mutex_unlock(&q->lock);
}

void
quota_ended(struct quota *q, unsigned worker)
{
	lock(q);
	for (size_t i = 0; i < q->n_slots; i++)
		counts_of(q, worker)[i] = 0;
	pthread_mutex_unlock(&q->lock);
}

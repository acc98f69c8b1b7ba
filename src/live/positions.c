/*
 * positions - see positions.h.  Walk 3, step 3: from live/follow.c; asked by api/ when it makes and compares tags.
 *
 * Between an ask that misses and the learning lies a read of the log, and rows go by meanwhile. So the ask already makes the entry: rows
 * that come after it raise the entry, rows before it are in the reader's snapshot, and learning takes the larger of both.
 */
#include "live/positions.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "live/recent.h"

#define CHAINS 4096 /* at first; doubles while there are more entries */
#define SYMBOL_KINDS (KIND_ALERT + 1) /* the kinds that can have a symbol: others have none of any */

struct entry {
	struct entry *next;
	int64_t visible[SYMBOL_KINDS], any[SYMBOL_KINDS];
	uint8_t known; /* KIND_BIT()s that were learnt */
	uint8_t n;
	char symbol[SYMBOL_MAX];
};

struct positions {
	pthread_mutex_t lock;
	bool following;
	uint64_t ticket; /* changes whenever entries are forgotten; never 0 while following */
	uint64_t seed;
	char epoch[16];
	int64_t head, asked_us;
	int64_t fresh_us; /* when the head of the log was last reached, on the monotonic clock */
	int64_t visible[KIND__MAX], any[KIND__MAX];
	struct entry **chains;
	size_t n_chains, n_entries;
	struct recent recent;
	void (*wake)(void *arg);
	void *wake_arg;
};

struct positions *
positions_new(struct err *e)
{
	struct positions *p = calloc(1, sizeof(*p));

	if (p == NULL || (p->chains = calloc(CHAINS, sizeof(*p->chains))) == NULL) {
		err_set(e, ERR_MEMORY, "no memory for positions");
		free(p);
		return NULL;
	}
	p->n_chains = CHAINS;
	if (getrandom(&p->seed, sizeof(p->seed), 0) != (ssize_t)sizeof(p->seed))
		p->seed = (uint64_t)clock_real_us();
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

static void
forget(struct positions *p)
{
	for (size_t i = 0; i < p->n_chains; i++) {
		while (p->chains[i] != NULL) {
			struct entry *next = p->chains[i]->next;

			free(p->chains[i]);
			p->chains[i] = next;
		}
	}
	p->n_entries = 0;
	p->ticket++;
}

void
positions_free(struct positions *p)
{
	if (p == NULL)
		return;
	forget(p);
	recent_fini(&p->recent);
	free(p->chains);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static uint64_t
hash_of(const struct positions *p, struct text symbol)
{
	return text_hash(symbol, p->seed);
}

static struct entry **
chain_of(struct positions *p, uint64_t hash)
{
	return &p->chains[hash & (p->n_chains - 1)];
}

static struct entry *
find(struct positions *p, struct text symbol, uint64_t hash)
{
	struct entry *at = *chain_of(p, hash);

	while (at != NULL && !text_eq((struct text){ at->symbol, at->n }, symbol))
		at = at->next;
	return at;
}

/* Chains that stay a little longer are no error: no memory, no growing. */
static void
grow(struct positions *p)
{
	struct entry **old = p->chains, **chains = calloc(p->n_chains * 2, sizeof(*chains));
	size_t n = p->n_chains;

	if (chains == NULL)
		return;
	p->chains = chains;
	p->n_chains = n * 2;
	for (size_t i = 0; i < n; i++) {
		for (struct entry *at = old[i], *next; at != NULL; at = next) {
			struct entry **to = chain_of(p, hash_of(p, (struct text){ at->symbol, at->n }));

			next = at->next;
			at->next = *to;
			*to = at;
		}
	}
	free(old);
}

static struct entry *
find_or_add(struct positions *p, struct text symbol)
{
	uint64_t hash = hash_of(p, symbol);
	struct entry *at = find(p, symbol, hash), **chain;

	if (at != NULL || symbol.n == 0 || symbol.n > SYMBOL_MAX)
		return at;
	if (p->n_entries == POSITIONS_SYMBOLS_MAX)
		forget(p);
	if (p->n_entries == p->n_chains)
		grow(p);
	if ((at = calloc(1, sizeof(*at))) == NULL)
		return NULL;
	memcpy(at->symbol, symbol.p, symbol.n);
	at->n = (uint8_t)symbol.n;
	chain = chain_of(p, hash);
	at->next = *chain;
	*chain = at;
	p->n_entries++;
	return at;
}

static void
raise(int64_t *to, int64_t seq)
{
	if (seq > *to)
		*to = seq;
}

/* Of one symbol; the kinds that are not known of it, which are from now on followed. */
static unsigned
ask_symbol(struct positions *p, struct text symbol, unsigned wanted, bool duplicates, int64_t *newest)
{
	struct entry *at = find_or_add(p, symbol);

	if (at == NULL)
		return wanted;
	for (int kind = 0; kind < SYMBOL_KINDS; kind++) {
		if ((wanted & at->known & KIND_BIT(kind)) != 0)
			raise(newest, duplicates ? at->any[kind] : at->visible[kind]);
	}
	return wanted & ~(unsigned)at->known;
}

int
positions_ask(struct positions *p, unsigned of_kinds, const struct text_set *symbols, bool duplicates,
    unsigned *missing, struct position *out)
{
	unsigned of_symbols = of_kinds & (KIND_BIT(SYMBOL_KINDS) - 1);
	uint64_t ticket;
	int known = 1;

	*out = (struct position){ .newest = 0 };
	pthread_mutex_lock(&p->lock);
	ticket = p->ticket;
	p->asked_us = clock_mono_us();
	if (!p->following && p->wake != NULL)
		p->wake(p->wake_arg);
	for (int kind = 0; kind < KIND__MAX && symbols->n == 0; kind++) {
		if ((of_kinds & KIND_BIT(kind)) != 0)
			raise(&out->newest, duplicates ? p->any[kind] : p->visible[kind]);
	}
	for (size_t i = 0; i < symbols->n; i++) {
		unsigned lacks =
		    p->following ? ask_symbol(p, symbols->items[i], of_symbols, duplicates, &out->newest) : of_symbols;

		if (missing != NULL)
			missing[i] = lacks;
		if (lacks != 0)
			known = 0;
	}
	memcpy(out->epoch, p->epoch, sizeof(out->epoch));
	out->gap = p->any[KIND_GAP];
	out->head = p->head;
	/* The table overflowed on the way: entries made before are gone, and one made anew by another ask would not reach back to this one. */
	out->ticket = p->following && p->ticket == ticket ? ticket : 0;
	known = known != 0 && p->following && p->asked_us - p->fresh_us <= POSITIONS_FRESH_US;
	pthread_mutex_unlock(&p->lock);
	return known;
}

void
positions_learn(struct positions *p, uint64_t ticket, struct text symbol, enum kind kind, int64_t visible, int64_t any)
{
	struct entry *at = NULL;

	if ((unsigned)kind >= SYMBOL_KINDS)
		return;
	pthread_mutex_lock(&p->lock);
	if (p->following && ticket == p->ticket)
		at = find(p, symbol, hash_of(p, symbol));
	if (at != NULL) {
		raise(&at->visible[kind], visible);
		raise(&at->any[kind], any);
		at->known |= (uint8_t)KIND_BIT(kind);
	}
	pthread_mutex_unlock(&p->lock);
}

int64_t
positions_recall(void *arg, const char *epoch, struct text symbol, unsigned kinds, int64_t above, int64_t *upto,
    int64_t *seqs, size_t max)
{
	struct positions *p = arg;
	int64_t n = -1, now_us = clock_mono_us();

	pthread_mutex_lock(&p->lock);
	p->asked_us = now_us;
	if (!p->following && p->wake != NULL)
		p->wake(p->wake_arg);
	if (p->following && strcmp(p->epoch, epoch) == 0 && recent_covers(&p->recent, above)) {
		/* Rows are told in order: what came last is known though the head may be told only behind it. */
		int64_t known = p->head > p->recent.newest ? p->head : p->recent.newest;

		if (known < *upto)
			*upto = known;
		n = (int64_t)recent_find(&p->recent, hash_of(p, symbol), kinds, above, *upto, seqs, max);
	}
	pthread_mutex_unlock(&p->lock);
	return n;
}

void
positions_on_wanted(struct positions *p, void (*wake)(void *arg), void *arg)
{
	pthread_mutex_lock(&p->lock);
	p->wake = wake;
	p->wake_arg = arg;
	pthread_mutex_unlock(&p->lock);
}

int64_t
positions_asked_us(struct positions *p)
{
	int64_t us;

	pthread_mutex_lock(&p->lock);
	us = p->asked_us;
	pthread_mutex_unlock(&p->lock);
	return us;
}

void
positions_start(struct positions *p, const struct snapshot *snap)
{
	pthread_mutex_lock(&p->lock);
	forget(p);
	memcpy(p->epoch, snap->epoch, sizeof(p->epoch));
	memcpy(p->any, snap->newest, sizeof(p->any));
	memcpy(p->visible, snap->newest_visible, sizeof(p->visible));
	p->head = snap->head;
	recent_start(&p->recent, snap->head);
	p->fresh_us = clock_mono_us();
	p->following = true;
	pthread_mutex_unlock(&p->lock);
}

void
positions_stop(struct positions *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->following)
		forget(p);
	p->following = false;
	pthread_mutex_unlock(&p->lock);
}

void
positions_row(struct positions *p, const struct row_key *key)
{
	struct entry *at = NULL;
	uint64_t hash;

	pthread_mutex_lock(&p->lock);
	raise(&p->any[key->kind], key->seq);
	if (key->duplicate_of == 0)
		raise(&p->visible[key->kind], key->seq);
	if (key->symbol.n > 0) {
		hash = hash_of(p, key->symbol);
		recent_row(&p->recent, key->seq, key->kind, hash);
		if (key->kind < SYMBOL_KINDS && p->n_entries > 0)
			at = find(p, key->symbol, hash);
	}
	if (at != NULL) {
		raise(&at->any[key->kind], key->seq);
		if (key->duplicate_of == 0)
			raise(&at->visible[key->kind], key->seq);
	}
	pthread_mutex_unlock(&p->lock);
}

void
positions_advance(struct positions *p, int64_t head)
{
	pthread_mutex_lock(&p->lock);
	raise(&p->head, head);
	pthread_mutex_unlock(&p->lock);
}

void
positions_fresh(struct positions *p, int64_t mono_us)
{
	pthread_mutex_lock(&p->lock);
	p->fresh_us = mono_us;
	pthread_mutex_unlock(&p->lock);
}

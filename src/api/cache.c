/* cache - see cache.h.  Walk 2, inside step 5: from collection.c. */
#include "api/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#define CHAINS 4096 /* a power of two: lists are hundreds of bytes and more, so there are not many thousands */
#define SHARE 8 /* one answer may have at most this part of all bytes */
#define DOORS 4096 /* a power of two */
#define AT_A_DOOR 4

struct entry {
	struct cached shown; /* first: a struct cached that was given out is the entry */
	struct entry *next; /* in its chain */
	struct entry *newer, *older; /* by use */
	uint64_t hash;
	unsigned held; /* by how many threads; freed when it is out of the table and 0 */
	bool in_table;
	size_t bytes;
	char epoch[16];
	int64_t newest, gap, head;
	struct text question;
	char memory[]; /* question, data, gaps, incomplete */
};

struct cache {
	pthread_mutex_t lock;
	uint64_t seed; /* questions come from outside */
	size_t bytes_max;
	struct cache_counts counts;
	struct entry *chains[CHAINS];
	struct entry *newest, *oldest; /* by use */
	uint32_t asked[DOORS]
		      [AT_A_DOOR]; /* marks of questions that were answered lately, at each door the newest first */
};

struct cache *
cache_new(size_t bytes_max, struct err *e)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_MEMORY, "no memory for the cache");
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	c->bytes_max = bytes_max;
	if (getrandom(&c->seed, sizeof(c->seed), 0) != (ssize_t)sizeof(c->seed))
		c->seed = (uint64_t)clock_real_us();
	return c;
}

static void
unlink_use(struct cache *c, struct entry *at)
{
	*(at->newer != NULL ? &at->newer->older : &c->newest) = at->older;
	*(at->older != NULL ? &at->older->newer : &c->oldest) = at->newer;
	at->newer = at->older = NULL;
}

static void
link_use(struct cache *c, struct entry *at)
{
	at->older = c->newest;
	*(c->newest != NULL ? &c->newest->newer : &c->oldest) = at;
	c->newest = at;
}

/* Out of the table; memory goes when nobody holds it. */
static void
drop(struct cache *c, struct entry *at)
{
	struct entry **link = &c->chains[at->hash & (CHAINS - 1)];

	while (*link != at)
		link = &(*link)->next;
	*link = at->next;
	unlink_use(c, at);
	c->counts.entries--;
	c->counts.bytes -= at->bytes;
	at->in_table = false;
	if (at->held == 0)
		free(at);
}

void
cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	while (c->oldest != NULL)
		drop(c, c->oldest);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static struct entry *
find(struct cache *c, struct text question, uint64_t hash)
{
	struct entry *at = c->chains[hash & (CHAINS - 1)];

	while (at != NULL && (at->hash != hash || !text_eq(at->question, question)))
		at = at->next;
	return at;
}

static bool
is_right(const struct entry *entry, const struct position *at)
{
	return entry->newest == at->newest && entry->gap == at->gap && entry->head <= at->head &&
	    strcmp(entry->epoch, at->epoch) == 0;
}

const struct cached *
cache_find(struct cache *c, struct text question, const struct position *at)
{
	uint64_t hash = text_hash(question, c->seed);
	struct entry *found;

	pthread_mutex_lock(&c->lock);
	found = find(c, question, hash);
	if (found != NULL && is_right(found, at)) {
		found->held++;
		unlink_use(c, found);
		link_use(c, found);
		c->counts.hits++;
	} else {
		found = NULL;
		c->counts.misses++;
	}
	pthread_mutex_unlock(&c->lock);
	return found != NULL ? &found->shown : NULL;
}

void
cache_release(struct cache *c, const struct cached *held)
{
	struct entry *at = (struct entry *)held;

	pthread_mutex_lock(&c->lock);
	if (--at->held == 0 && !at->in_table)
		free(at);
	pthread_mutex_unlock(&c->lock);
}

/* Copies `t` to *to and moves that behind it. */
static struct text
put(char **to, struct text t)
{
	struct text copy = { *to, t.n };

	if (t.n > 0)
		memcpy(*to, t.p, t.n);
	*to += t.n;
	return copy;
}

static struct entry *
entry_new(uint64_t hash, struct text question, const struct position *at, int64_t head, const struct cached *what,
    size_t bytes)
{
	struct entry *entry = malloc(bytes);
	char *to;

	if (entry == NULL)
		return NULL;
	*entry = (struct entry){
		.hash = hash, .bytes = bytes, .newest = at->newest, .gap = at->gap, .head = head, .in_table = true
	};
	memcpy(entry->epoch, at->epoch, sizeof(entry->epoch));
	to = entry->memory;
	entry->question = put(&to, question);
	entry->shown = (struct cached){ .data = put(&to, what->data), .result = what->result };
	entry->shown.gaps = put(&to, what->gaps);
	entry->shown.incomplete = put(&to, what->incomplete);
	return entry;
}

/*
 * The doorkeeper: whether the question was answered before, as far as 16,384 marks remember. Most lists are never asked again; to keep one
 * costs a copy, fresh memory, and another one's place. The idea is TinyLFU's (Einziger, Friedman and Manes, 2017), whose doorkeeper is a
 * Bloom filter that is emptied now and then; marks that push one another out forget evenly. Two questions with one mark do no harm.
 */
static bool
was_asked(struct cache *c, uint64_t hash)
{
	uint32_t *door = c->asked[hash >> 32 & (DOORS - 1)], mark = (uint32_t)hash | 1;
	size_t at = 0;

	bool asked;

	while (at < AT_A_DOOR - 1 && door[at] != mark)
		at++;
	asked = door[at] == mark;
	memmove(door + 1, door, at * sizeof(*door));
	door[0] = mark;
	return asked;
}

static void
insert(struct cache *c, struct entry *entry)
{
	struct entry *old = find(c, entry->question, entry->hash);
	struct entry **chain = &c->chains[entry->hash & (CHAINS - 1)];

	if (old != NULL)
		drop(c, old);
	while (c->oldest != NULL && c->counts.bytes + entry->bytes > c->bytes_max)
		drop(c, c->oldest);
	entry->next = *chain;
	*chain = entry;
	link_use(c, entry);
	c->counts.entries++;
	c->counts.bytes += entry->bytes;
}

void
cache_keep(struct cache *c, struct text question, const struct position *at, int64_t head, const struct cached *what)
{
	size_t bytes = sizeof(struct entry) + question.n + what->data.n + what->gaps.n + what->incomplete.n;
	uint64_t hash = text_hash(question, c->seed);
	struct entry *entry;
	bool welcome;

	if (bytes > c->bytes_max / SHARE)
		return;
	pthread_mutex_lock(&c->lock);
	welcome = was_asked(c, hash) || find(c, question, hash) != NULL;
	pthread_mutex_unlock(&c->lock);
	/* Copied without the lock. */
	if (!welcome || (entry = entry_new(hash, question, at, head, what, bytes)) == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	insert(c, entry);
	pthread_mutex_unlock(&c->lock);
}

void
cache_count(struct cache *c, struct cache_counts *out)
{
	pthread_mutex_lock(&c->lock);
	*out = c->counts;
	pthread_mutex_unlock(&c->lock);
}

/*
 * duplicates - see duplicates.h.  Called by append.c for every event.
 *
 * Entries lie in a ring in the order they came, chained by hash; a new one takes the place of the oldest. Every change is
 * written to a journal first, so that a rolled back batch is undone backwards. Refused: rereading the log after a rollback, for
 * rollbacks come when the disk is in trouble.
 */
#include "store/duplicates.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NOWHERE 0 /* places count from 1: memory that nobody has touched yet says "empty", and costs nothing */

struct key {
	uint64_t a, b;
};

struct entry {
	struct key key;
	int64_t first, received_us;
	uint64_t channels; /* bits, see `names` */
	uint32_t next; /* place in its chain; NOWHERE ends it */
	bool live;
};

struct change {
	uint32_t place;
	bool took; /* the ring's head moved here */
	struct entry was;
};

struct duplicates {
	unsigned kinds;
	struct key secret[2];
	bool used; /* something was noted since it was empty */
	uint32_t head; /* before the ring's next place */
	struct entry *ring;
	uint32_t *chains; /* the first place of each; NOWHERE */
	struct change *journal;
	size_t n_changes, room;
	char *names[DUPLICATES_CHANNELS];
	int n_names;
};

struct duplicates *
duplicates_new(unsigned kinds, struct err *e)
{
	struct duplicates *d = calloc(1, sizeof(*d));

	if (d != NULL) {
		d->kinds = kinds;
		d->ring = calloc(DUPLICATES_KEYS, sizeof(*d->ring));
		d->chains = calloc(DUPLICATES_KEYS, sizeof(*d->chains));
	}
	if (d == NULL || d->ring == NULL || d->chains == NULL ||
	    getrandom(d->secret, sizeof(d->secret), 0) != (ssize_t)sizeof(d->secret)) {
		err_set(e, ERR_MEMORY, "duplicates: out of memory");
		duplicates_free(d);
		return NULL;
	}
	return d;
}

void
duplicates_free(struct duplicates *d)
{
	if (d == NULL)
		return;
	for (int i = 0; i < d->n_names; i++)
		free(d->names[i]);
	free(d->journal);
	free(d->chains);
	free(d->ring);
	free(d);
}

void
duplicates_clear(struct duplicates *d)
{
	d->n_changes = 0;
	if (!d->used)
		return;
	d->used = false;
	d->head = 0;
	memset(d->ring, 0, DUPLICATES_KEYS * sizeof(*d->ring));
	memset(d->chains, 0, DUPLICATES_KEYS * sizeof(*d->chains));
}

/* ---- the hash: SipHash-1-3 (Aumasson and Bernstein), fed piece by piece, once per half ---- */

struct sip {
	uint64_t v0, v1, v2, v3, word;
	unsigned n;
};

static inline uint64_t
rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static inline void
sip_word(struct sip *s, uint64_t w)
{
	s->v3 ^= w;
	sip_round(s);
	s->v0 ^= w;
}

/* The length goes first, so that ("ab", "c") and ("a", "bc") differ. */
static void
sip_text(struct sip *s, struct text t)
{
	uint64_t w;

	sip_word(s, t.n);
	for (; t.n >= 8; t = text_cut(t, 8, t.n)) {
		memcpy(&w, t.p, 8);
		sip_word(s, w);
	}
	if (t.n > 0) {
		w = 0;
		memcpy(&w, t.p, t.n);
		sip_word(s, w);
	}
}

static uint64_t
hash(const struct key *secret, const struct event *ev)
{
	struct sip s = { .v0 = secret->a ^ 0x736f6d6570736575ULL,
		.v1 = secret->b ^ 0x646f72616e646f6dULL,
		.v2 = secret->a ^ 0x6c7967656e657261ULL,
		.v3 = secret->b ^ 0x7465646279746573ULL };

	sip_word(&s, (uint64_t)ev->kind);
	sip_word(&s, (uint64_t)ev->time_ms);
	sip_text(&s, ev->symbol);
	sip_text(&s, ev->name);
	sip_text(&s, ev->timeframe);
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* ---- the map ---- */

static struct entry *
at_place(struct duplicates *d, uint32_t place)
{
	return &d->ring[place - 1];
}

static uint32_t *
chain_of(struct duplicates *d, const struct entry *x)
{
	return &d->chains[x->key.a % DUPLICATES_KEYS];
}

static void
put_in_chain(struct duplicates *d, uint32_t place)
{
	uint32_t *head = chain_of(d, at_place(d, place));

	at_place(d, place)->next = *head;
	*head = place;
}

static void
take_from_chain(struct duplicates *d, uint32_t place)
{
	uint32_t *p = chain_of(d, at_place(d, place));

	while (*p != place)
		p = &at_place(d, *p)->next;
	*p = at_place(d, place)->next;
}

static uint32_t
find(struct duplicates *d, struct key key)
{
	uint32_t place = d->chains[key.a % DUPLICATES_KEYS];

	while (place != NOWHERE && (at_place(d, place)->key.a != key.a || at_place(d, place)->key.b != key.b))
		place = at_place(d, place)->next;
	return place;
}

/* Room for two more changes, which is what one event makes at most. */
static int
make_room(struct duplicates *d, struct err *e)
{
	size_t room = d->room == 0 ? 1024 : d->room * 2;
	struct change *journal;

	if (d->n_changes + 2 <= d->room)
		return 0;
	journal = realloc(d->journal, room * sizeof(*journal));
	if (journal == NULL) {
		err_set(e, ERR_MEMORY, "duplicates: out of memory");
		return -1;
	}
	d->journal = journal;
	d->room = room;
	return 0;
}

static void
note(struct duplicates *d, uint32_t place, bool took)
{
	d->journal[d->n_changes++] = (struct change){ .place = place, .took = took, .was = *at_place(d, place) };
}

/* The bit of a channel's name; 0 when there are too many. */
static uint64_t
channel_bit(struct duplicates *d, struct text channel)
{
	for (int i = 0; i < d->n_names; i++)
		if (text_eq(text_of(d->names[i]), channel))
			return 1ULL << i;
	if (d->n_names == DUPLICATES_CHANNELS || (d->names[d->n_names] = strndup(channel.p, channel.n)) == NULL)
		return 0;
	return 1ULL << d->n_names++;
}

static void
start_afresh(struct duplicates *d, const struct entry *x)
{
	uint32_t place = d->head + 1;

	d->used = true;
	note(d, place, true);
	if (at_place(d, place)->live)
		take_from_chain(d, place);
	*at_place(d, place) = *x;
	put_in_chain(d, place);
	d->head = place % DUPLICATES_KEYS;
}

int
duplicates_see(struct duplicates *d, const struct event *ev, int64_t *first, struct err *e)
{
	struct entry x = { .first = ev->seq, .received_us = ev->received_us, .live = true };
	uint32_t place;

	*first = 0;
	if ((d->kinds & KIND_BIT(ev->kind)) == 0 || ev->time_source == TIME_RECEIVED || ev->channel.p == NULL ||
	    (x.channels = channel_bit(d, ev->channel)) == 0)
		return 0;
	if (make_room(d, e) != 0)
		return -1;
	x.key = (struct key){ hash(&d->secret[0], ev), hash(&d->secret[1], ev) };
	place = find(d, x.key);
	if (place != NOWHERE) {
		struct entry *seen = at_place(d, place);

		note(d, place, false);
		if ((seen->channels & x.channels) == 0 && ev->received_us - seen->received_us <= DUPLICATES_AGE_US) {
			*first = seen->first;
			seen->channels |= x.channels;
			return 0;
		}
		take_from_chain(d, place);
		seen->live = false;
	}
	start_afresh(d, &x);
	return 0;
}

void
duplicates_keep(struct duplicates *d)
{
	d->n_changes = 0;
	/* A batch of millions is rare: its journal is not kept for ever. */
	if (d->room > 65536) {
		free(d->journal);
		d->journal = NULL;
		d->room = 0;
	}
}

void
duplicates_undo(struct duplicates *d)
{
	while (d->n_changes > 0) {
		const struct change *c = &d->journal[--d->n_changes];

		if (at_place(d, c->place)->live)
			take_from_chain(d, c->place);
		*at_place(d, c->place) = c->was;
		if (c->was.live)
			put_in_chain(d, c->place);
		if (c->took)
			d->head = c->place - 1;
	}
}

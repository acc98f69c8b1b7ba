/* hub - see hub.h.  Walk 3, step 4: from live.c, which is told by follow.c what is new. */
#include "live/hub.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "live/frame.h"

#define TABLE_MIN 256
#define HITS_MIN 256
#define HITS_KEPT 65536 /* a table that grew beyond this is given back */

int
hub_init(struct hub *h, size_t ring_bytes, struct err *e)
{
	*h = (struct hub){ .views_size = TABLE_MIN, .topics_size = TABLE_MIN };
	buf_init(&h->scratch, 0);
	if (getrandom(&h->seed, sizeof(h->seed), 0) != (ssize_t)sizeof(h->seed))
		h->seed = (uint64_t)clock_real_us();
	h->views = calloc(h->views_size, sizeof(struct view *));
	h->topics = calloc(h->topics_size, sizeof(struct topic *));
	if (h->views != NULL && h->topics != NULL)
		return terms_init(&h->terms, h->seed, e) != 0 ? -1 : ring_init(&h->ring, ring_bytes, e);
	err_set(e, ERR_MEMORY, "no memory for the hub");
	return -1;
}

void
hub_fini(struct hub *h)
{
	ring_fini(&h->ring);
	terms_fini(&h->terms);
	free(h->views);
	free(h->topics);
	free(h->hits);
	buf_fini(&h->scratch);
	*h = (struct hub){ .n_hits = 0 };
}

/* ---- topics ---- */

static struct text
symbol_of(const struct topic *t)
{
	return (struct text){ t->symbol, t->n };
}

static struct topic **
topic_chain(const struct hub *h, struct text symbol)
{
	return &h->topics[text_hash(symbol, h->seed) & (h->topics_size - 1)];
}

static struct topic *
find_topic(const struct hub *h, struct text symbol)
{
	struct topic *t = *topic_chain(h, symbol);

	while (t != NULL && !text_eq(symbol_of(t), symbol))
		t = t->next;
	return t;
}

/* No memory, no growing: longer chains are no error. */
static void
grow_topics(struct hub *h)
{
	struct topic **old = h->topics, **table = calloc(h->topics_size * 2, sizeof(struct topic *));
	size_t n = h->topics_size;

	if (table == NULL)
		return;
	h->topics = table;
	h->topics_size = n * 2;
	for (size_t i = 0; i < n; i++) {
		for (struct topic *t = old[i], *next; t != NULL; t = next) {
			struct topic **to = topic_chain(h, symbol_of(t));

			next = t->next;
			t->next = *to;
			*to = t;
		}
	}
	free(old);
}

static struct topic *
take_topic(struct hub *h, struct text symbol)
{
	struct topic *t = find_topic(h, symbol), **chain;

	if (t != NULL || symbol.n > SYMBOL_MAX)
		return t;
	if (h->n_topics == h->topics_size)
		grow_topics(h);
	if ((t = calloc(1, sizeof(*t) + symbol.n)) == NULL)
		return NULL;
	memcpy(t->symbol, symbol.p, symbol.n);
	t->n = (uint8_t)symbol.n;
	chain = topic_chain(h, symbol);
	t->next = *chain;
	*chain = t;
	h->n_topics++;
	return t;
}

static void
drop_topic(struct hub *h, struct topic *t)
{
	struct topic **at = topic_chain(h, symbol_of(t));

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	h->n_topics--;
	free(t);
}

struct topic *
hub_topic(const struct view *v)
{
	return v->symbols.n == 1 ? v->links[0].topic : NULL;
}

static void
unlink_view(struct hub *h, struct view *v)
{
	for (size_t i = 0; i < v->n_links; i++) {
		struct topic_link *link = &v->links[i];

		if (link->at == NULL)
			continue;
		*link->at = link->next;
		if (link->next != NULL)
			link->next->at = link->at;
		if (link->topic != NULL && link->topic->links == NULL)
			drop_topic(h, link->topic);
	}
}

static int
link_view(struct hub *h, struct view *v)
{
	for (size_t i = 0; i < v->n_links; i++) {
		struct topic_link *link = &v->links[i], **list = &h->wild;
		struct topic *t = NULL;

		if (v->symbols.n > 0) {
			if ((t = take_topic(h, v->symbols.items[i])) == NULL)
				return -1;
			list = &t->links;
		}
		*link = (struct topic_link){ .topic = t, .view = v, .next = *list, .at = list };
		if (link->next != NULL)
			link->next->at = &link->next;
		*list = link;
	}
	return 0;
}

/* ---- views ---- */

static void
grow_views(struct hub *h)
{
	struct view **old = h->views, **table = calloc(h->views_size * 2, sizeof(struct view *));
	size_t n = h->views_size;

	if (table == NULL)
		return;
	h->views = table;
	h->views_size = n * 2;
	for (size_t i = 0; i < n; i++) {
		for (struct view *v = old[i], *next; v != NULL; v = next) {
			struct view **to = &table[v->hash & (h->views_size - 1)];

			next = v->next;
			v->next = *to;
			*to = v;
		}
	}
	free(old);
}

struct view *
hub_join(struct hub *h, struct text key)
{
	uint32_t hash = (uint32_t)text_hash(key, h->seed);
	struct view *v = h->views[hash & (h->views_size - 1)], **chain;

	while (v != NULL && !(v->hash == hash && view_has_key(v, key)))
		v = v->next;
	if (v != NULL) {
		v->n_clients++;
		return v;
	}
	if ((v = view_new(&h->terms, key)) == NULL)
		return NULL;
	if (link_view(h, v) != 0) {
		unlink_view(h, v);
		view_free(&h->terms, v);
		return NULL;
	}
	if (h->n_views == h->views_size)
		grow_views(h);
	chain = &h->views[hash & (h->views_size - 1)];
	v->hash = hash;
	v->number = ++h->last_view;
	v->since = h->to;
	v->n_clients = 1;
	v->next = *chain;
	*chain = v;
	h->n_views++;
	return v;
}

static void
undirty(struct hub *h, struct view *v)
{
	struct view **at = &h->dirty;

	while (*at != v)
		at = &(*at)->dirty_next;
	*at = v->dirty_next;
}

void
hub_leave(struct hub *h, struct view *v)
{
	struct view **at;

	if (--v->n_clients > 0)
		return;
	if (v->dirty)
		undirty(h, v);
	unlink_view(h, v);
	for (at = &h->views[v->hash & (h->views_size - 1)]; *at != v;)
		at = &(*at)->next;
	*at = v->next;
	h->n_views--;
	view_free(&h->terms, v);
}

void
hub_start(struct hub *h, const struct snapshot *snap)
{
	memcpy(h->epoch, snap->epoch, sizeof(h->epoch));
	h->from = h->to = snap->head;
	h->unserved = false;
	h->gap = snap->newest[KIND_GAP];
	ring_clear(&h->ring, snap->head);
	for (size_t i = 0; i < h->topics_size; i++)
		for (struct topic *t = h->topics[i]; t != NULL; t = t->next)
			t->newest = 0;
	for (size_t i = 0; i < h->views_size; i++)
		for (struct view *v = h->views[i]; v != NULL; v = v->next)
			v->since = snap->head;
}

/* ---- rows ---- */

static bool
may_want(const struct view *v, const struct row_key *key)
{
	const struct filter *f = &v->terms->filter;

	return (f->kinds & KIND_BIT(key->kind)) != 0 && (f->show_duplicates || key->duplicate_of == 0);
}

static bool
anybody_may_want(const struct hub *h, const struct row_key *key, const struct topic *t)
{
	/* Streams tell every gap, whatever their filter. */
	if (key->kind == KIND_GAP && h->n_views > 0)
		return true;
	for (const struct topic_link *link = h->wild; link != NULL; link = link->next)
		if (may_want(link->view, key))
			return true;
	for (const struct topic_link *link = t == NULL ? NULL : t->links; link != NULL; link = link->next)
		if (may_want(link->view, key))
			return true;
	return false;
}

static bool
room_for_hit(struct hub *h)
{
	uint32_t size = h->hits_size == 0 ? HITS_MIN : h->hits_size * 2;
	struct hit *more;

	if (h->n_hits < h->hits_size)
		return true;
	if ((more = reallocarray(h->hits, size, sizeof(*more))) == NULL)
		return false;
	h->hits = more;
	h->hits_size = size;
	return true;
}

/* `ordinal` 0: the ring could not keep it. The view still learns that something came. */
static void
hit(struct hub *h, struct view *v, enum kind kind, uint64_t ordinal)
{
	if (!v->dirty) {
		v->dirty = true;
		v->urgent = v->lost = false;
		v->hits = v->last_hit = 0;
		v->dirty_next = h->dirty;
		h->dirty = v;
	}
	v->urgent |= kind == KIND_ALERT || kind == KIND_GAP;
	if (ordinal == 0 || !room_for_hit(h)) {
		v->lost = true;
		return;
	}
	h->hits[h->n_hits++] = (struct hit){ .ordinal = ordinal };
	if (v->hits == 0)
		v->hits = h->n_hits;
	else
		h->hits[v->last_hit - 1].next = h->n_hits;
	v->last_hit = h->n_hits;
}

static void
offer(struct hub *h, struct view *v, const struct event *ev, uint64_t ordinal)
{
	if (view_matches(v, ev))
		hit(h, v, ev->kind, ordinal);
}

static void
offer_all(struct hub *h, const struct event *ev, uint64_t ordinal)
{
	/* Every view but those of waiters, which a gap does not release: they have no every_gap. */
	for (size_t i = 0; i < h->views_size && ev->kind == KIND_GAP; i++)
		for (struct view *v = h->views[i]; v != NULL; v = v->next)
			offer(h, v, ev, ordinal);
	if (ev->kind == KIND_GAP)
		return;
	for (struct topic_link *link = h->wild; link != NULL; link = link->next)
		offer(h, link->view, ev, ordinal);
	for (struct topic_link *link = h->topic == NULL ? NULL : h->topic->links; link != NULL; link = link->next)
		offer(h, link->view, ev, ordinal);
}

static bool
anybody_wants(const struct hub *h, const struct event *ev)
{
	if (ev->kind == KIND_GAP)
		return true;
	for (const struct topic_link *link = h->wild; link != NULL; link = link->next)
		if (view_matches(link->view, ev))
			return true;
	for (const struct topic_link *link = h->topic == NULL ? NULL : h->topic->links; link != NULL; link = link->next)
		if (view_matches(link->view, ev))
			return true;
	return false;
}

/* 0: the ring could not take it, and has a hole here: who wants what is above reads it from the log. */
static uint64_t
keep(struct hub *h, const struct event *ev, struct text body)
{
	struct topic *t = h->topic;
	uint64_t ordinal;
	size_t body_at;

	buf_clear(&h->scratch);
	frame_event(&h->scratch, h->epoch, ev, body, &body_at);
	if (h->scratch.failed || ring_add(&h->ring, ev, buf_text(&h->scratch), body_at) == NULL) {
		ring_clear(&h->ring, ev->seq);
		return 0;
	}
	ordinal = h->ring.end - 1;
	if (t != NULL) {
		if (t->newest >= h->ring.first)
			ring_at(&h->ring, t->newest)->next = ordinal;
		t->newest = ordinal;
	}
	return ordinal;
}

/* A read_row_fn. */
static int
take_row(void *arg, const struct event *ev, struct text body)
{
	struct hub *h = arg;

	if (anybody_wants(h, ev))
		offer_all(h, ev, keep(h, ev, body));
	return 0;
}

/* Whether it is of use to anybody, by what is known without reading it. */
static bool
look_at(struct hub *h, const struct row_key *key)
{
	if (key->kind == KIND_GAP)
		h->gap = key->seq;
	h->topic = key->symbol.n > 0 && h->n_topics > 0 ? find_topic(h, key->symbol) : NULL;
	return anybody_may_want(h, key, h->topic);
}

int
hub_row(struct hub *h, struct reader *r, const struct row_key *key, struct err *e)
{
	if (!look_at(h, key))
		return 0;
	return read_event(r, key->seq, take_row, h, e) < 0 ? -1 : 0;
}

void
hub_event(struct hub *h, const struct event *ev, struct text body)
{
	struct row_key key = { ev->seq, ev->duplicate_of, ev->kind, ev->symbol };

	if (look_at(h, &key))
		take_row(h, ev, body);
}

void
hub_advance(struct hub *h, int64_t head)
{
	/* Clients are put back to `from`: never past rows that they were not served. */
	if (!h->unserved)
		h->from = h->to;
	h->to = head;
	h->unserved = h->dirty != NULL;
}

struct view *
hub_next_dirty(struct hub *h)
{
	struct view *v = h->dirty;

	if (v == NULL)
		return NULL;
	h->dirty = v->dirty_next;
	v->dirty = false;
	return v;
}

void
hub_turn_done(struct hub *h)
{
	h->n_hits = 0;
	h->unserved = false;
	if (h->hits_size > HITS_KEPT) {
		free(h->hits);
		h->hits = NULL;
		h->hits_size = 0;
	}
}

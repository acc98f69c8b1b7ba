/* source - see source.h.  Walk 3, step 6: from serve.c; encoder.c makes the bytes. */
#include "live/source.h"

#include <string.h>

#include "live/encoder.h"
#include "live/frame.h"

_Static_assert(SOURCE_KEPT / SOURCE_WAYS == 16, "set_of() gives four bits");

#define RING_LOOKED_AT 4096 /* entries of the ring that are looked at for one blob */

int
source_init(struct source *s, struct hub *hub, struct reader *reader, bool framed, struct err *e)
{
	*s = (struct source){ .hub = hub, .reader = reader, .framed = framed };
	s->encoder = encoder_new(framed, e);
	return s->encoder == NULL ? -1 : 0;
}

void
source_forget(struct source *s)
{
	for (size_t i = 0; i < SOURCE_KEPT; i++) {
		blob_unref(s->kept[i].blob);
		s->kept[i] = (struct source_kept){ 0 };
	}
	tail_fini(&s->tail);
}

void
source_fini(struct source *s)
{
	source_forget(s);
	encoder_free(s->encoder);
	s->encoder = NULL;
}

struct blob *
source_hits(struct source *s, const struct view *v, uint32_t *at, int64_t from)
{
	const struct ring *ring = &s->hub->ring;

	encoder_begin(s->encoder, v, s->hub->epoch, from);
	while (*at != 0) {
		const struct hit *hit = &s->hub->hits[*at - 1];
		const struct ring_entry *entry;

		/* Made room for what came later in this very turn. */
		if (hit->ordinal < ring->first)
			return NULL;
		entry = ring_at(ring, hit->ordinal);
		if (!encoder_add(s->encoder, &entry->ev, entry->frame, entry->body_at))
			return encoder_end(s->encoder, entry->ev.seq - 1);
		*at = hit->next;
	}
	return encoder_end(s->encoder, s->hub->to);
}

/* ---- the ring ---- */

/*
 * From an entry of the view's only symbol the chain leads to the next one. Gaps are in no chain, and streams tell them all: it may be followed
 * only where no gap lies ahead.
 */
static bool
may_follow_chain(const struct source *s, const struct view *v, const struct ring_entry *entry)
{
	return v->symbols.n == 1 && entry->ev.seq > v->since && entry->ev.seq >= s->hub->gap &&
	    text_eq(entry->ev.symbol, v->symbols.items[0]);
}

static uint64_t
after_entry(const struct source *s, const struct view *v, uint64_t ordinal)
{
	const struct ring *ring = &s->hub->ring;
	const struct ring_entry *entry = ring_at(ring, ordinal);

	if (may_follow_chain(s, v, entry))
		return entry->next == 0 ? ring->end : entry->next;
	return ordinal + 1;
}

static uint64_t
first_after(const struct source *s, const struct view *v, int64_t from)
{
	const struct ring *ring = &s->hub->ring;
	uint64_t ordinal = ring_after(ring, from);

	if (ordinal > ring->first && ring_at(ring, ordinal - 1)->ev.seq == from)
		return after_entry(s, v, ordinal - 1);
	return ordinal;
}

static struct blob *
from_ring(struct source *s, const struct view *v, int64_t from)
{
	const struct ring *ring = &s->hub->ring;
	const struct ring_entry *entry;
	int looked_at = 0;

	encoder_begin(s->encoder, v, s->hub->epoch, from);
	for (uint64_t i = first_after(s, v, from); i < ring->end; i = after_entry(s, v, i)) {
		entry = ring_at(ring, i);
		if (view_matches(v, &entry->ev) && !encoder_add(s->encoder, &entry->ev, entry->frame, entry->body_at))
			return encoder_end(s->encoder, entry->ev.seq - 1);
		if (++looked_at == RING_LOOKED_AT)
			return encoder_end(s->encoder, entry->ev.seq);
	}
	return encoder_end(s->encoder, s->hub->to);
}

/* ---- the log ---- */

struct reading {
	struct source *s;
	const struct view *v;
	int64_t full_at; /* 0: everything fitted; else what was examined before the event that did not */
};

/* A read_row_fn. */
static int
add_row(void *arg, const struct event *ev, struct text body)
{
	struct reading *reading = arg;
	struct buf *frame = &reading->s->hub->scratch;
	size_t body_at;

	buf_clear(frame);
	frame_event(frame, reading->s->hub->epoch, ev, body, &body_at);
	if (!frame->failed && encoder_add(reading->s->encoder, ev, buf_text(frame), body_at))
		return 0;
	reading->full_at = ev->seq - 1;
	return 1;
}

/*
 * How far one blob may look. Without symbols: to the end of a page of fixed place, so that clients who began near one another meet at its end and
 * share from there. With symbols the index leads from match to match, as far as it has come.
 */
static int64_t
look_upto(const struct source *s, const struct snapshot *snap, const struct view *v, int64_t from)
{
	int64_t upto = s->hub->to, page = (from / SOURCE_ROWS + 1) * SOURCE_ROWS;

	if (v->symbols.n > 0 && from < snap->indexed_to)
		page = snap->indexed_to;
	return page < upto ? page : upto;
}

/* A read_row_fn, of rows that were picked by their keys alone. */
static int
add_row_if_wanted(void *arg, const struct event *ev, struct text body)
{
	struct reading *reading = arg;

	return view_matches(reading->v, ev) ? add_row(arg, ev, body) : 0;
}

static bool
may_want(const struct view *v, const struct tail_key *key)
{
	const struct filter *f = &v->terms->filter;

	if (key->kind == KIND_GAP && f->every_gap)
		return true;
	return (f->kinds & KIND_BIT(key->kind)) != 0 && (f->show_duplicates || !key->duplicate) && key->n > 0 &&
	    view_has_symbol(v, (struct text){ key->symbol, key->n });
}

/* Where the index by symbol has not come yet. */
static struct blob *
read_tail_page(struct source *s, const struct view *v, int64_t from, struct err *e)
{
	struct reading reading = { .s = s, .v = v };
	const struct tail_page *page;
	bool fresh;

	page = tail_at(&s->tail, s->reader, from, s->hub->to, &fresh, e);
	if (page == NULL)
		return NULL;
	s->rows += fresh ? page->n : 1;
	for (unsigned i = 0; i < page->n && page->keys[i].seq <= s->hub->to; i++) {
		if (page->keys[i].seq <= from || !may_want(v, &page->keys[i]))
			continue;
		s->rows++;
		/* It may be gone by now: retention. */
		if (read_event(s->reader, page->keys[i].seq, add_row_if_wanted, &reading, e) < 0)
			return NULL;
		if (reading.full_at != 0)
			return encoder_end(s->encoder, reading.full_at);
	}
	return encoder_end(s->encoder, page->to < s->hub->to ? page->to : s->hub->to);
}

static struct blob *
read_log(
    struct source *s, const struct view *v, int64_t from, const struct snapshot *snap, int64_t *trimmed, struct err *e)
{
	struct reading reading = { .s = s, .v = v };
	const struct filter *f = &v->terms->filter;
	struct filter whole;
	struct list_query q = { .filter = &whole,
		.order = LIST_OLDEST_FIRST,
		.bound = from,
		.upto = look_upto(s, snap, v, from),
		.limit = SOURCE_ROWS,
		.examine = SOURCE_ROWS };
	int64_t gone_to = read_trimmed(snap, f->kinds | (f->every_gap ? KIND_BIT(KIND_GAP) : 0));
	struct list_result result;

	if (strcmp(snap->epoch, s->hub->epoch) != 0) {
		err_set(e, ERR_BUSY, "the log is another one");
		return NULL;
	}
	if (from < gone_to) {
		*trimmed = gone_to;
		err_set(e, ERR_MISSING, "what comes next was removed");
		return NULL;
	}
	encoder_begin(s->encoder, v, s->hub->epoch, from);
	if (v->symbols.n > 0 && from >= snap->indexed_to)
		return read_tail_page(s, v, from, e);
	view_filter(v, &whole);
	if (read_list(s->reader, snap, &q, add_row, &reading, &result, e) != 0)
		return NULL;
	s->rows += result.examined + 1;
	return encoder_end(s->encoder, reading.full_at != 0 ? reading.full_at : result.position);
}

static struct blob *
from_log(struct source *s, const struct view *v, int64_t from, int64_t *trimmed, struct err *e)
{
	struct snapshot snap;
	struct blob *blob;

	if (read_begin(s->reader, &snap, e) != 0) {
		/* No log is no trimmed log. */
		e->code = ERR_STORE;
		return NULL;
	}
	blob = read_log(s, v, from, &snap, trimmed, e);
	read_end(s->reader);
	return blob;
}

/* Several ways: those who catch up together ask for a few places in turns, and two in one place would have each made anew for everybody. */
static struct source_kept *
set_of(struct source *s, const struct view *v, int64_t from)
{
	uint64_t hash = (uint64_t)from * UINT64_C(0x9e3779b97f4a7c15) ^ v->number * UINT64_C(0xd6e8feb86659fd93);

	return &s->kept[(hash >> 60) * SOURCE_WAYS];
}

struct blob *
source_next(struct source *s, const struct view *v, int64_t from, int64_t *trimmed, struct err *e)
{
	struct source_kept *kept = set_of(s, v, from);
	struct blob *blob;

	*trimmed = 0;
	e->code = ERR_NONE;
	for (int i = 0; i < SOURCE_WAYS; i++)
		if (kept[i].blob != NULL && kept[i].view == v->number && kept[i].blob->from == from)
			return blob_ref(kept[i].blob);
	if (from >= v->since && from >= s->hub->ring.from)
		blob = from_ring(s, v, from);
	else
		blob = from_log(s, v, from, trimmed, e);
	if (blob == NULL) {
		if (e->code == ERR_NONE)
			err_set(e, ERR_MEMORY, "no memory for what comes next");
		return NULL;
	}
	kept += s->next_way++ % SOURCE_WAYS;
	blob_unref(kept->blob);
	*kept = (struct source_kept){ v->number, blob_ref(blob) };
	return blob;
}

/* encoder - see encoder.h.  Walk 3, inside step 6. */
#include "live/encoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "live/frame.h"

#define BATCH_HEAD 160 /* what stands around the texts of a batch */
#define SLOTS 1024 /* for conflation: a power of two, twice the events */

struct piece { /* one event of a batch */
	size_t at, n; /* in `bytes` */
	size_t key_at, key_n; /* in `keys`, of indicators to be conflated */
	bool dead; /* a newer one has taken its place */
};

struct encoder {
	bool framed;
	const struct view *v;
	const char *epoch;
	int64_t from, last;
	uint32_t n; /* events added */
	struct buf bytes; /* frames, lines, or the bare texts of a batch */
	struct buf joined, records;
	struct buf keys; /* symbol, name and timeframe of pieces */
	size_t n_pieces;
	struct piece pieces[ENCODER_EVENTS_MAX];
	uint16_t slots[SLOTS]; /* piece + 1 by hash of its key */
};

struct encoder *
encoder_new(bool framed, struct err *e)
{
	struct encoder *n = calloc(1, sizeof(*n));

	if (n == NULL)
		err_set(e, ERR_MEMORY, "no memory for an encoder");
	else
		n->framed = framed;
	return n;
}

void
encoder_free(struct encoder *n)
{
	if (n == NULL)
		return;
	buf_fini(&n->bytes);
	buf_fini(&n->joined);
	buf_fini(&n->records);
	buf_fini(&n->keys);
	free(n);
}

void
encoder_begin(struct encoder *n, const struct view *v, const char *epoch, int64_t from)
{
	n->v = v;
	n->epoch = epoch;
	n->from = n->last = from;
	n->n = 0;
	n->n_pieces = 0;
	buf_shrink(&n->bytes, 65536);
	buf_clear(&n->joined);
	buf_clear(&n->records);
	buf_clear(&n->keys);
	if (v->terms->form.conflate)
		memset(n->slots, 0, sizeof(n->slots));
}

/* Which indicators are the same is said by symbol, name and timeframe; none of them holds a NUL. */
static void
add_key(struct encoder *n, struct piece *piece, const struct event *ev)
{
	piece->key_at = n->keys.len;
	buf_add_text(&n->keys, ev->symbol);
	buf_add_char(&n->keys, '\0');
	buf_add_text(&n->keys, ev->name);
	buf_add_char(&n->keys, '\0');
	buf_add_text(&n->keys, ev->timeframe);
	piece->key_n = n->keys.len - piece->key_at;
}

static struct text
key_of(const struct encoder *n, const struct piece *piece)
{
	return text_cut(buf_text(&n->keys), piece->key_at, piece->key_at + piece->key_n);
}

/* The newest takes the place in the table; the one before it is not sent. */
static void
conflate(struct encoder *n, size_t i, const struct event *ev)
{
	size_t slot;

	add_key(n, &n->pieces[i], ev);
	slot = (size_t)text_hash(key_of(n, &n->pieces[i]), 0) & (SLOTS - 1);
	for (; n->slots[slot] != 0; slot = (slot + 1) & (SLOTS - 1)) {
		struct piece *other = &n->pieces[n->slots[slot] - 1];

		if (!text_eq(key_of(n, other), key_of(n, &n->pieces[i])))
			continue;
		other->dead = true;
		n->n--;
		break;
	}
	n->slots[slot] = (uint16_t)(i + 1);
}

static bool
add_piece(struct encoder *n, const struct event *ev, struct text body)
{
	size_t i = n->n_pieces;

	if (i == ENCODER_EVENTS_MAX)
		return false;
	n->pieces[i] = (struct piece){ .at = n->bytes.len, .n = body.n };
	if (n->v->terms->form.conflate && ev->kind == KIND_INDICATOR)
		conflate(n, i, ev);
	n->n_pieces++;
	buf_add_text(&n->bytes, body);
	return true;
}

bool
encoder_add(struct encoder *n, const struct event *ev, struct text frame, size_t body_at)
{
	const struct view_form *form = &n->v->terms->form;
	bool pieces = form->conflate || (form->batch && !form->ndjson);
	/* The frame ends with two newlines, a line with one. */
	struct text part = form->ndjson || pieces ? text_cut(frame, body_at, frame.n - (pieces ? 2 : 1)) : frame;

	if (n->n > 0 && n->bytes.len + n->n_pieces + part.n + BATCH_HEAD > RECORD_CONTENT_MAX)
		return false;
	if (!pieces)
		buf_add_text(&n->bytes, part);
	else if (!add_piece(n, ev, part))
		return false;
	n->n++;
	n->last = ev->seq;
	return true;
}

/* The texts that are alive: with commas between for a batch, each a line otherwise. */
static void
join(struct encoder *n)
{
	bool lines = n->v->terms->form.ndjson, first = true;

	for (size_t i = 0; i < n->n_pieces; i++) {
		const struct piece *piece = &n->pieces[i];

		if (piece->dead)
			continue;
		if (!lines && !first)
			buf_add_char(&n->joined, ',');
		first = false;
		buf_add_text(&n->joined, text_cut(buf_text(&n->bytes), piece->at, piece->at + piece->n));
		if (lines)
			buf_add_char(&n->joined, '\n');
	}
}

struct blob *
encoder_end(struct encoder *n, int64_t to)
{
	struct text bytes = buf_text(&n->bytes);
	struct blob *blob = NULL;

	if (n->n_pieces > 0) {
		join(n);
		bytes = buf_text(&n->joined);
	}
	if (n->n_pieces > 0 && !n->v->terms->form.ndjson) {
		/* `bytes` has done its work: the frame of the whole goes there. */
		buf_clear(&n->bytes);
		frame_batch(&n->bytes, n->epoch, n->last, n->n, bytes, clock_real_us());
		bytes = buf_text(&n->bytes);
	}
	if (bytes.n > 0)
		record_stdout(&n->records, bytes, n->framed);
	if (!n->bytes.failed && !n->joined.failed && !n->keys.failed && !n->records.failed)
		blob = blob_new(buf_text(&n->records), n->from, to, n->n);
	return blob;
}

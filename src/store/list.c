/*
 * list - read_list().  Walk 2, inside step 6: merge.c gives the seqs, this fetches and judges their rows, or takes them from where laid.c has them together.
 *
 * Two bounds keep every list short: the rows examined in all, and those looked at behind a full page only to say whether there is
 * more. Whoever gets has_more without a further match has a position to go on from.
 */
#include "store/list.h"
#include "store/laid.h"

#define LOOK_AHEAD 256 /* rows looked at behind a full page before it just says "there may be more" */

struct walk {
	struct reader *r;
	const struct list_query *q;
	read_row_fn row;
	void *arg;
	struct list_result *out;
	enum row_width width;
	struct merge merge;
	int64_t most; /* rows to look at */
	int64_t before; /* the position before the row that is looked at */
	bool full; /* the page is full: only looking ahead */
	int64_t seq; /* where it stands */
	int standing; /* 1: it does; 0: the list has ended; -1: it failed */
	bool is_laid; /* its event is in `ev` and `body`, and has not to be fetched */
	bool is_given; /* the statement that fetches rows has not asked for it yet */
	struct event ev;
	struct text body;
	struct laid *laid;
	bool too_late; /* oldest first: met an event that `until` leaves out */
	int64_t ahead;
};

static int
timeline_bound(struct reader *r, enum sql id, int64_t us, int64_t *seq, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&r->db, id, e);

	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":us", us) != 0)
		return db_fail(&r->db, "timeline", e);
	return row_int(r, st, seq, e);
}

/* The last seq that may be looked at. */
static int64_t
reach(const struct list_query *q, const struct snapshot *snap)
{
	return q->order == LIST_OLDEST_FIRST && q->upto > 0 && q->upto < snap->head ? q->upto : snap->head;
}

/* Turns the order's bound, and receive times by the sparse index, into from <= seq < below. */
static int
find_bounds(struct reader *r, const struct snapshot *snap, const struct list_query *q, int64_t *from, int64_t *below,
    struct err *e)
{
	const struct filter *f = q->filter;
	int64_t seq = 0;

	*from = (q->order == LIST_OLDEST_FIRST ? q->bound : q->above) + 1;
	*below = q->order == LIST_NEWEST_FIRST && q->bound <= snap->head ? q->bound : reach(q, snap) + 1;
	if (f->times_of_event)
		return 0;
	if (f->since_us != INT64_MIN) {
		int rc = timeline_bound(r, SQL_TIMELINE_BEFORE, f->since_us, &seq, e);

		if (rc < 0)
			return -1;
		if (rc == 1 && seq > *from)
			*from = seq;
	}
	if (f->until_us != INT64_MAX) {
		int rc = timeline_bound(r, SQL_TIMELINE_FROM, f->until_us, &seq, e);

		if (rc < 0)
			return -1;
		if (rc == 1 && seq < *below)
			*below = seq;
	}
	return 0;
}

/*
 * Going forth, `until` ends the list rather than being passed over: as an age it moves on, and who follows from here wants what it leaves
 * out today.
 */
static bool
is_too_late(const struct walk *w, const struct event *ev)
{
	const struct filter *f = w->q->filter;

	return w->q->order == LIST_OLDEST_FIRST && !f->times_of_event && ev->received_us >= f->until_us;
}

/* The seq to be looked at next. A row may be gone that its index still holds: it was looked at all the same. */
static int
next_seq(struct walk *w, int64_t *seq, struct err *e)
{
	struct list_result *out = w->out;
	int rc;

	if ((rc = merge_next(&w->merge, seq, e)) != 1)
		return rc;
	/* One is looked at in any case, or whoever goes on from here would not get on. */
	if ((out->examined > 0 && out->examined + w->merge.passed >= w->most) ||
	    (w->full && w->ahead++ >= LOOK_AHEAD)) {
		out->has_more = true;
		return 0;
	}
	out->examined++;
	w->before = out->position;
	out->position = *seq;
	return 1;
}

/* Has the walk stand at the next seq: is_laid says where its event is. 1, 0: there is no more; -1. */
static int
move_on(struct walk *w, struct err *e)
{
	int rc = next_seq(w, &w->seq, e);

	if (rc != 1)
		return rc;
	rc = laid_find(w->laid, w->seq, &w->ev, &w->body, e);
	w->is_laid = rc == 1;
	return rc < 0 ? -1 : 1;
}

/* What the statement that fetches rows asks for: where the walk stands, and on from there until something is laid. */
static int
next_row(void *arg, struct err *e)
{
	struct walk *w = arg;
	int rc = 1;

	if (!w->is_given)
		rc = w->standing = move_on(w, e);
	if (rc != 1 || w->is_laid)
		return rc < 0 ? -1 : 0;
	w->is_given = false;
	return 1;
}

static void
row_seq(void *arg, int column, sqlite3_context *out)
{
	(void)column; /* it has one */
	sqlite3_result_int64(out, ((const struct walk *)arg)->seq);
}

static int
deliver(struct walk *w, sqlite3_stmt *rows, const struct event *ev, int *stop, struct err *e)
{
	if (rows != NULL)
		return rows_deliver(w->r, rows, w->width, ev, w->row, w->arg, stop, e);
	*stop = w->row(w->arg, ev, w->body);
	return 1;
}

/* Looks at one event; `rows` stands at its row, or is NULL when it is laid. 1: the list ends with it; 0: go on; -1. */
static int
examine(struct walk *w, sqlite3_stmt *rows, const struct event *ev, struct err *e)
{
	struct list_result *out = w->out;
	int stop = 0, rc;

	if (is_too_late(w, ev)) {
		w->too_late = true;
		out->position = w->before;
		return 1;
	}
	if (!filter_matches(w->q->filter, ev))
		return 0;
	if (w->full) {
		out->has_more = true;
		out->position = w->before;
		return 1;
	}
	if ((rc = deliver(w, rows, ev, &stop, e)) < 0)
		return -1;
	out->delivered += rc;
	out->has_more = stop != 0;
	w->full = out->delivered >= w->q->limit;
	return stop != 0;
}

/* From where the walk stands, whose event is not laid, to the next that is. 1: there it stands; 0: the list ends; -1. */
static int
walk_rows(struct walk *w, struct err *e)
{
	struct given wanted = { .next = next_row, .column = row_seq, .arg = w };
	sqlite3_stmt *rows = rows_open(w->r, w->width, &wanted, e);
	struct event ev;
	int rc = rows == NULL ? -1 : 0;

	w->is_given = true;
	while (rc == 0 && (rc = rows_next(w->r, rows, w->width, &wanted, &ev, e)) == 1)
		if ((rc = examine(w, rows, &ev, e)) == 1)
			w->standing = 0;
	sqlite3_reset(rows);
	return rc < 0 ? -1 : w->standing;
}

/* The same the other way round. */
static int
walk_laid(struct walk *w, struct err *e)
{
	int rc;

	while ((rc = examine(w, NULL, &w->ev, e)) == 0)
		if ((rc = move_on(w, e)) != 1 || !w->is_laid)
			return rc;
	return rc < 0 ? -1 : 0;
}

static int
walk(struct walk *w, struct err *e)
{
	int rc = w->standing = move_on(w, e);

	while (rc == 1)
		rc = w->standing = w->is_laid ? walk_laid(w, e) : walk_rows(w, e);
	laid_fini(w->laid);
	if (rc == 0 && !w->out->has_more && !w->too_late && w->merge.tail_cut != 0) {
		w->out->has_more = w->out->cut = true;
		w->out->position = w->merge.tail_cut;
	}
	return rc;
}

/* Whether everything up to `end` was before `until`. Receive times do not run backwards. 1, 0, -1. */
static int
reached_end(const struct walk *w, int64_t end, struct err *e)
{
	const struct filter *f = w->q->filter;
	int64_t newest_us;

	if (w->too_late)
		return 0;
	if (f->times_of_event || f->until_us == INT64_MAX)
		return 1;
	if (read_time(w->r, end, &newest_us, e) != 0)
		return -1;
	return newest_us < f->until_us;
}

int
read_list(struct reader *r, const struct snapshot *snap, const struct list_query *q, read_row_fn row, void *arg,
    struct list_result *out, struct err *e)
{
	struct laid laid;
	struct walk w = { .r = r,
		.q = q,
		.laid = &laid,
		.row = row,
		.arg = arg,
		.out = out,
		.most = q->examine > 0 ? q->examine : READ_EXAMINE_MAX };
	bool newest_first = q->order == LIST_NEWEST_FIRST, clustered;
	int64_t from, below;
	int rc = 0;

	/*
	 * When it picks, most of what is looked at is left where it is. When it does not, nearly every row is delivered, and of those behind a full page the first
	 * most often answers whether there is more; only duplicates are read with their texts for nothing, LOOK_AHEAD at most. To open another statement
	 * for these would cost every list about as much as that one row.
	 */
	w.width = filter_is_picky(q->filter) ? ROW_COLUMNS : q->brief ? ROW_BRIEF : ROW_WHOLE;
	clustered = w.width == ROW_BRIEF && newest_first && q->filter->symbols.n == 1;
	laid_init(&laid, r, snap, clustered ? q->filter->symbols.items[0] : TEXT_NONE);
	*out = (struct list_result){ .position = q->bound };
	if (find_bounds(r, snap, q, &from, &below, e) != 0)
		return -1;
	if (from < below) {
		if (merge_init(&w.merge, r, snap, q->filter, newest_first, from, below, e) != 0)
			return -1;
		if (q->tail != NULL)
			merge_use_tail(&w.merge, q->tail, q->tail_symbol);
		rc = walk(&w, e);
		merge_fini(&w.merge);
	}
	/* Everything up to there was looked at, though most of it only in the index. */
	if (rc == 0 && !newest_first && !out->has_more && reach(q, snap) > out->position) {
		rc = reached_end(&w, reach(q, snap), e);
		if (rc == 1)
			out->position = reach(q, snap);
		out->has_more = out->position == reach(q, snap) && out->position < snap->head;
	}
	return rc < 0 ? -1 : 0;
}

int
read_list_through(struct reader *r, const struct snapshot *snap, const struct list_query *q, read_row_fn row, void *arg,
    struct err *e)
{
	struct list_query rest = *q;
	struct list_result result;

	do {
		if (read_list(r, snap, &rest, row, arg, &result, e) != 0)
			return -1;
		rest.bound = result.position;
		rest.limit -= result.delivered;
	} while (result.cut && rest.limit > 0);
	return 0;
}

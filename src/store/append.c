/*
 * append - see append.h.  Walk 1, step 4: from event/decode.c, on to bell.c.
 *
 * Next doors: recover.c opens the log, tend.c does what was put off. A transaction of any kind is writer_begin() … writer_end(); what a batch changes in
 * memory is `s->now` (copied back whole by a rollback), the duplicates (which keep a journal), and rows and counts that a rollback has forgotten.
 */
#include "store/append.h"

#include <string.h>

#include "base/clock.h"
#include "store/index.h"
#include "store/insert.h"
#include "store/news.h"
#include "store/tallies.h"
#include "store/writer.h"

#define REJECTS_KEPT 1000
#define REJECTS_A_SECOND 100
#define REJECT_SAMPLE 512
#define REJECT_DETAIL 200
#define RAISE_MAX_US 60000000LL /* how far a receive time is raised so that it never runs backwards */
#define MARK_EVENTS 256
#define MARK_US 1000000LL
/* Bytes of rows that are written at once: some 500 events, which stay in the CPU's cache. And of memory that is kept for them. */
#define NEWS_AT_ONCE (256u << 10)
#define NEWS_KEPT (4 * NEWS_AT_ONCE)

/* ---- transactions ---- */

int
writer_failed(struct store *s, const struct err *why)
{
	if (why != NULL && why->code == ERR_CORRUPT)
		s->damaged = true;
	store_rollback(s);
	return -1;
}

int
writer_begin(struct store *s, struct err *e)
{
	struct err why = { .code = ERR_NONE };

	if (s->in_batch)
		return 0;
	if (db_run(&s->db, SQL_BEGIN_WRITE, &why) != 0) {
		if (e != NULL)
			*e = why;
		return writer_failed(s, &why);
	}
	s->in_batch = true;
	s->news_whole = true;
	return 0;
}

static int
update_log(struct store *s, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_LOG_UPDATE, e);

	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":next_seq", s->now.next_seq) != 0 ||
	    db_bind_int(st, ":committed_us", s->now.committed_us) != 0 ||
	    db_bind_int(st, ":indexed_to", s->now.indexed_to) != 0 ||
	    db_bind_int(st, ":tallied_to", s->now.tallied_to) != 0)
		return db_fail(&s->db, "log: bind", e);
	return db_step(&s->db, st, e);
}

static int
update_kind(struct store *s, int kind, struct err *e)
{
	const struct held *h = &s->now.kinds[kind];
	sqlite3_stmt *st;

	if (memcmp(h, &s->kept.kinds[kind], sizeof(*h)) == 0)
		return 0;
	st = db_stmt(&s->db, SQL_KIND_UPDATE, e);
	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":kind", kind) != 0 || db_bind_int(st, ":events", h->events) != 0 ||
	    db_bind_int(st, ":bytes", h->bytes) != 0 || db_bind_int(st, ":trimmed_to", h->trimmed_to) != 0 ||
	    db_bind_int(st, ":newest", h->newest) != 0 || db_bind_int(st, ":newest_visible", h->newest_visible) != 0)
		return db_fail(&s->db, "kinds: bind", e);
	return db_step(&s->db, st, e);
}

int
writer_end(struct store *s, struct err *e)
{
	struct err why = { .code = ERR_NONE };
	int rc = update_log(s, &why);

	for (int kind = 0; rc == 0 && kind < KIND__MAX; kind++)
		rc = update_kind(s, kind, &why);
	if (rc == 0)
		rc = db_run(&s->db, SQL_COMMIT, &why);
	if (rc != 0) {
		if (e != NULL)
			*e = why;
		return writer_failed(s, &why);
	}
	s->in_batch = false;
	s->kept = s->now;
	duplicates_keep(s->duplicates);
	return 0;
}

void
store_rollback(struct store *s)
{
	/* SQLite rolls back by itself after some failures. */
	if (s->db.conn != NULL && sqlite3_get_autocommit(s->db.conn) == 0)
		db_run(&s->db, SQL_ROLLBACK, NULL);
	s->in_batch = false;
	s->now = s->kept;
	duplicates_undo(s->duplicates);
	buf_clear(&s->news);
	tallies_forget(s);
	index_forget(s);
}

/* ---- events ---- */

/* Opens the batch: on a new log if the old one was found damaged, and with seqs enough under the lease. */
static int
open_batch(struct store *s, struct err *e)
{
	if (s->in_batch)
		return 0;
	if (s->damaged && recover_replace(s, e) != 0)
		return -1;
	if (s->lease_to - s->now.next_seq < s->lease_seqs / 2 && writer_take_lease(s, e) != 0)
		return -1;
	return writer_begin(s, e);
}

int
writer_flush(struct store *s, struct err *e)
{
	if (s->news.len == 0)
		return 0;
	if (insert_rows(&s->db, buf_text(&s->news), e) != 0)
		return -1;
	/* They will not be there for the ring. */
	buf_shrink(&s->news, NEWS_KEPT);
	s->news_whole = false;
	return 0;
}

/* The row waits for the others of the batch, as far as memory goes. */
static int
insert(struct store *s, const struct event *ev, struct err *e)
{
	news_add(&s->news, ev, buf_text(&s->body));
	if (s->news.failed) {
		err_set(e, ERR_MEMORY, "append: no memory for the rows of a batch");
		return -1;
	}
	return s->news.len < NEWS_AT_ONCE ? 0 : writer_flush(s, e);
}

/* A row of the timeline, now and then: only where time moved on, so that none before it was received at its time. */
static int
mark_time(struct store *s, const struct event *ev, struct err *e)
{
	sqlite3_stmt *st;

	if (ev->received_us <= s->now.last_received_us || ev->received_us - s->now.mark_us < MARK_US ||
	    ev->seq - s->now.mark_seq < MARK_EVENTS)
		return 0;
	st = db_stmt(&s->db, SQL_TIMELINE_INSERT, e);
	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":received_us", ev->received_us) != 0 || db_bind_int(st, ":seq", ev->seq) != 0)
		return db_fail(&s->db, "timeline: bind", e);
	if (db_step(&s->db, st, e) != 0)
		return -1;
	s->now.mark_us = ev->received_us;
	s->now.mark_seq = ev->seq;
	return 0;
}

static int
render(struct store *s, const struct event *ev, struct err *e)
{
	buf_clear(&s->body);
	body_render(&s->body, ev, s->epoch);
	if (s->body.failed) {
		err_set(e, ERR_MEMORY, "append: no memory for an event's text");
		return -1;
	}
	return 0;
}

static void
count(struct store *s, const struct event *ev)
{
	struct held *h = &s->now.kinds[ev->kind];

	h->events++;
	h->bytes += (int64_t)s->body.len;
	h->newest = ev->seq;
	if (ev->duplicate_of == 0)
		h->newest_visible = ev->seq;
	s->now.next_seq = ev->seq + 1;
	if (ev->received_us > s->now.last_received_us)
		s->now.last_received_us = ev->received_us;
}

int
store_append(struct store *s, struct event *ev, enum store_verdict *verdict, struct err *e)
{
	struct err why = { .code = ERR_NONE };
	int64_t last;

	if (open_batch(s, &why) != 0)
		goto fail;
	ev->seq = s->now.next_seq;
	if (ev->seq > s->lease_to) {
		/* A lease is synced, and that cannot be done inside a transaction: the next try takes a larger one first. */
		s->lease_seqs *= 2;
		err_set(&why, ERR_BUSY, "append: the batch is larger than its lease of seqs");
		goto fail;
	}
	last = s->now.last_received_us;
	if (ev->received_us < last && last - ev->received_us <= RAISE_MAX_US)
		ev->received_us = last;
	if (duplicates_see(s->duplicates, ev, &ev->duplicate_of, &why) != 0 || render(s, ev, &why) != 0 ||
	    mark_time(s, ev, &why) != 0 || insert(s, ev, &why) != 0)
		goto fail;
	count(s, ev);
	tallies_see(s, ev);
	index_note(s, ev);
	if (verdict != NULL)
		*verdict = ev->duplicate_of == 0 ? STORE_ACCEPTED : STORE_DUPLICATE;
	return 0;
fail:
	if (why.code == ERR_CORRUPT)
		s->damaged = true;
	if (e != NULL)
		*e = why;
	return -1;
}

/* ---- refusals ---- */

/* Valid UTF-8 of at most `max` bytes of the input. */
static void
clean(struct buf *out, struct text t, size_t max)
{
	t = text_cut(t, 0, max);
	while (t.n > 0) {
		size_t n = text_utf8_next(t, NULL);

		if (n == 0)
			buf_add_str(out, "\xef\xbf\xbd");
		else
			buf_add(out, t.p, n);
		t = text_cut(t, n == 0 ? 1 : n, t.n);
	}
}

static int
trim_rejects(struct store *s, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_REJECTS_TRIM, e);

	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":keep", REJECTS_KEPT) != 0)
		return db_fail(&s->db, "rejects: bind", e);
	return db_step(&s->db, st, e);
}

int
store_reject(struct store *s, struct text channel, const struct reject *rej, int64_t received_us, struct err *e)
{
	struct buf text = { .p = NULL };
	struct err why = { .code = ERR_NONE };
	sqlite3_stmt *st;
	size_t cut, cut2;
	int rc = -1;

	if (received_us / 1000000 == s->now.rejects_second && s->now.rejects_in_second >= REJECTS_A_SECOND)
		return 0;
	clean(&text, channel, REJECT_DETAIL);
	cut = text.len;
	clean(&text, rej->detail, REJECT_DETAIL);
	cut2 = text.len;
	clean(&text, rej->sample, REJECT_SAMPLE);
	if (text.failed) {
		err_set(&why, ERR_MEMORY, "reject: out of memory");
		goto out;
	}
	if (open_batch(s, &why) != 0 || (st = db_stmt(&s->db, SQL_REJECT_INSERT, &why)) == NULL)
		goto out;
	/* An empty buffer has no address, and that would be NULL. */
	if (buf_cstr(&text) == NULL || db_bind_int(st, ":received_us", received_us) != 0 ||
	    db_bind_text(st, ":channel", (struct text){ buf_cstr(&text), cut }) != 0 ||
	    db_bind_int(st, ":reason", (int64_t)rej->reason) != 0 ||
	    db_bind_text(st, ":detail", (struct text){ buf_cstr(&text) + cut, cut2 - cut }) != 0 ||
	    db_bind_int(st, ":bytes", (int64_t)rej->sample.n) != 0 ||
	    db_bind_text(st, ":sample", (struct text){ buf_cstr(&text) + cut2, text.len - cut2 }) != 0) {
		db_fail(&s->db, "reject: bind", &why);
		goto out;
	}
	rc = db_step(&s->db, st, &why);
	sqlite3_clear_bindings(st);
	if (rc == 0)
		rc = trim_rejects(s, &why);
	if (rc != 0)
		goto out;
	if (received_us / 1000000 != s->now.rejects_second)
		s->now.rejects_in_second = 0;
	s->now.rejects_second = received_us / 1000000;
	s->now.rejects_in_second++;
out:
	if (rc != 0 && why.code == ERR_CORRUPT)
		s->damaged = true;
	if (rc != 0 && e != NULL)
		*e = why;
	buf_fini(&text);
	return rc;
}

/* ---- commit ---- */

int
store_commit(struct store *s, int64_t committed_us, struct err *e)
{
	struct bell_ring ring = { .after = s->kept.next_seq - 1 };
	struct err why = { .code = ERR_NONE };
	int64_t from_us = clock_mono_us();

	if (!s->in_batch)
		return 0;
	if (s->damaged) {
		err_set(e, ERR_CORRUPT, "commit: the database is damaged");
		store_rollback(s);
		return -1;
	}
	s->now.committed_us = committed_us;
	if (s->news.len > 0 && insert_rows(&s->db, buf_text(&s->news), &why) != 0)
		goto fail;
	/* What a batch of any size leaves behind is no more than readers look through. */
	if (s->now.next_seq - 1 - s->now.indexed_to > INDEX_LAG_MAX && index_follow(s, &why) != 0)
		goto fail;
	if (writer_end(s, e) != 0)
		return -1;
	s->lease_seqs = LEASE_SEQS;
	s->commit_us[s->commits++ % COMMITS_KEPT] = (int)(clock_mono_us() - from_us);
	if (s->bell != NULL) {
		memcpy(ring.epoch, s->epoch, sizeof(s->epoch));
		ring.head = s->now.next_seq - 1;
		ring.committed_us = clock_mono_us();
		bell_ring(
		    s->bell, &ring, s->news_whole && s->news.len <= NEWS_BYTES_MAX ? buf_text(&s->news) : TEXT_NONE);
	}
	buf_shrink(&s->news, NEWS_KEPT);
	return 0;
fail:
	if (e != NULL)
		*e = why;
	return writer_failed(s, &why);
}

int
store_alive(struct store *s, int64_t committed_us, struct err *e)
{
	if (s->in_batch || s->damaged || committed_us <= s->now.committed_us)
		return 0;
	if (writer_begin(s, e) != 0)
		return -1;
	s->now.committed_us = committed_us;
	return writer_end(s, e);
}

/*
 * follow - see follow.h.  Walk 3, step 1: from the bell that store/append.c rings, on to store/keys.c.
 *
 * What is new is asked of the database, so a ring that was lost, a subscriber that was replaced and a worker that slept are all the same to
 * it. Only rows that came along with the bell, and begin where the last ones ended, are as good as read. A connected bell is not believed to be heard always: after a
 * second of silence it is looked anyway.
 */
#include "live/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RINGS_A_TURN 64
#define LOOK_US 250000 /* without a bell, and after a failure */
#define LOOK_WITH_BELL_US 1000000
#define CONNECT_US 250000
#define PATIENCE_US 1000000 /* so long the log may be unreadable before we no longer say that we know it */

int
follow_init(struct follow *f, const char *state_dir, const char *run_dir, const struct follow_to *to, struct err *e)
{
	*f = (struct follow){ .to = *to, .bell = -1, .version = -1 };
	buf_init(&f->news, FOLLOW_NEWS_BYTES_MAX);
	if ((size_t)snprintf(f->bell_path, sizeof(f->bell_path), "%s/%s", run_dir, BELL_FILE) >= sizeof(f->bell_path)) {
		err_set(e, ERR_CONFIG, "paths.run_dir is too long");
		return -1;
	}
	if ((f->bytes = malloc(BELL_BYTES_MAX)) == NULL) {
		err_set(e, ERR_MEMORY, "no memory for what the bell brings");
		return -1;
	}
	f->reader = reader_new(state_dir, e);
	if (f->reader == NULL)
		return -1;
	reader_set_bell(f->reader, f->bell_path);
	return 0;
}

static void
drop_bell(struct follow *f)
{
	if (f->bell >= 0)
		close(f->bell);
	f->bell = -1;
}

void
follow_fini(struct follow *f)
{
	drop_bell(f);
	reader_free(f->reader);
	f->reader = NULL;
	buf_fini(&f->news);
	free(f->bytes);
	f->bytes = NULL;
}

bool
follow_connect(struct follow *f, int64_t now_us)
{
	if (f->bell >= 0 || now_us < f->connect_us)
		return false;
	f->connect_us = now_us + CONNECT_US;
	f->bell = bell_connect(f->bell_path, NULL);
	/* What was committed before we could hear it. */
	f->rung |= f->bell >= 0;
	return f->bell >= 0;
}

/* True: the rows are kept for the next turn, and nothing is missing before them. */
static bool
keep_news(struct follow *f, const struct bell_ring *ring, struct text rows)
{
	int64_t known = f->news.len > 0 ? f->news_to : f->head;

	if (!f->following || f->rung || rows.n == 0 || strcmp(ring->epoch, f->epoch) != 0 || ring->after > known ||
	    ring->head <= known)
		return false;
	buf_add_text(&f->news, rows);
	f->news_to = ring->head;
	return !f->news.failed;
}

static void
take_ring(struct follow *f, const struct bell_ring *ring, struct text rows)
{
	int64_t known = f->news.len > 0 ? f->news_to : f->head;

	if (ring->head == known && strcmp(ring->epoch, f->epoch) == 0)
		return;
	if (f->committed_us == 0)
		f->committed_us = ring->committed_us;
	if (!keep_news(f, ring, rows)) {
		f->rung = true;
		buf_clear(&f->news);
	}
}

void
follow_heard(struct follow *f)
{
	struct bell_ring ring;
	struct text rows;
	int n = 0, rc = 0;

	while (n < RINGS_A_TURN && (rc = bell_read(f->bell, &ring, f->bytes, &rows)) == 1) {
		take_ring(f, &ring, rows);
		n++;
	}
	if (n > 0 && rc < 0)
		rc = 0; /* what came before is still worth telling; the end is found again next time */
	/* Where several waited, others may have been dropped behind them. */
	f->more |= n > 1;
	if (rc < 0) {
		/* The subscriber is gone or replaced; closing takes it out of any epoll. */
		drop_bell(f);
		f->rung = true;
	}
}

int64_t
follow_due_us(const struct follow *f)
{
	return f->rung || f->news.len > 0 ? 0 : f->look_us;
}

void
follow_stop(struct follow *f)
{
	/* Every row would be sent here, by the thread that commits. */
	if (f->bell >= 0)
		f->connect_us = 0;
	drop_bell(f);
	f->following = false;
	f->committed_us = 0;
	f->look_us = 0;
	f->rung = f->more = false;
	buf_clear(&f->news);
}

static int
on_key(void *arg, const struct row_key *key)
{
	struct follow *f = arg;

	if (f->to.row(f->to.arg, f->reader, key, &f->row_err) != 0) {
		f->row_failed = true;
		return 1;
	}
	f->page_head = key->seq;
	return 0;
}

/* 1: a page was full, so there may be more; 0: at the head; -1. */
static int
read_page(struct follow *f, const struct snapshot *snap, struct err *e)
{
	int n;

	if (!f->following || strcmp(f->epoch, snap->epoch) != 0 || snap->head < f->head ||
	    snap->head - f->head > FOLLOW_FAR) {
		memcpy(f->epoch, snap->epoch, sizeof(f->epoch));
		f->head = snap->head;
		f->following = true;
		f->committed_us = 0;
		f->to.start(f->to.arg, snap);
		return 0;
	}
	if (snap->head == f->head) {
		f->committed_us = 0;
		return 0;
	}
	f->page_head = f->head;
	f->row_failed = false;
	n = read_keys(f->reader, f->head, FOLLOW_PAGE, on_key, f, e);
	/* What was told was told, whatever happened then. */
	f->head = n >= 0 && n < FOLLOW_PAGE && !f->row_failed ? snap->head : f->page_head;
	f->to.advance(f->to.arg, f->head, f->committed_us);
	f->committed_us = 0;
	if (f->row_failed)
		*e = f->row_err;
	return n < 0 || f->row_failed ? -1 : f->head < snap->head;
}

/* What came with the bell. f->rung then: it did not make sense, or was not all, and what is missing has to be read. */
static void
tell_news(struct follow *f)
{
	struct text news = buf_text(&f->news), body;
	int64_t told = f->head;
	struct event ev;
	int rc;

	while ((rc = news_next(&news, &ev, &body)) == 1 && ev.seq <= f->news_to) {
		/* The log may have been read further than when they were sent. */
		if (ev.seq <= told)
			continue;
		f->to.event(f->to.arg, &ev, body);
		told = ev.seq;
	}
	f->rung = rc != 0 || told != f->news_to || f->more;
	f->head = told;
	f->more = false;
	f->to.advance(f->to.arg, f->head, f->committed_us);
	f->committed_us = 0;
	buf_clear(&f->news);
}

/* Whether a turn needs a snapshot at all: without a bell most looks find nothing. */
static bool
changed(struct follow *f)
{
	int64_t version = -1;

	if (!f->following || read_version(f->reader, &version, NULL) != 0 || version != f->version) {
		f->version = version;
		return true;
	}
	return false;
}

/* A moment's lock is nothing to speak of; what lasts is told, once. */
static void
failed(struct follow *f, int64_t now_us, const struct err *why)
{
	f->look_us = now_us + LOOK_US;
	f->version = -1; /* or it would be taken for seen */
	if (f->failing_us == 0)
		f->failing_us = now_us;
	if (f->following && now_us - f->failing_us >= PATIENCE_US) {
		f->following = false;
		f->to.lost(f->to.arg, why);
	}
}

static int64_t
next_look_us(const struct follow *f, int64_t now_us)
{
	return now_us + (f->bell >= 0 ? LOOK_WITH_BELL_US : LOOK_US);
}

bool
follow_turn(struct follow *f, int64_t now_us)
{
	struct snapshot snap;
	struct err e;
	int rc = -1;

	if (!f->rung && f->news.len > 0) {
		tell_news(f);
		/* A look that failed is tried again in its time: only that shows that the log can be read, whatever the bell brings. */
		if (f->failing_us == 0)
			f->look_us = next_look_us(f, now_us);
		else
			f->rung |= now_us >= f->look_us;
		/* What is missing is read next turn, which is due at once: those who wait are served what was told first. */
		return f->rung;
	}
	f->look_us = next_look_us(f, now_us);
	if (!f->rung && !changed(f))
		return false;
	f->rung = f->more = false;
	buf_clear(&f->news);
	if (read_begin(f->reader, &snap, &e) == 0) {
		rc = read_page(f, &snap, &e);
		read_end(f->reader);
	}
	if (rc < 0)
		failed(f, now_us, &e);
	else
		f->failing_us = 0;
	f->rung |= rc == 1;
	return rc == 1;
}

bool
follow_at_head(const struct follow *f)
{
	return f->following && !f->rung && f->news.len == 0 && f->failing_us == 0;
}

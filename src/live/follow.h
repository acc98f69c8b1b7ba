/*
 * follow - the new rows of the log, as they come.  Walk 3, step 1: from the bell, on to store/keys.c.
 *
 * Knows when to look (the bell; without one every 250 ms) and how far it has got; gives each new row's key to whoever is
 * behind it, once, in order, in pages. Rows that come along with the bell, and that nothing is missing before, are given whole and
 * cost no look. It catches up after trouble by the same path. Live thread only.
 */
#ifndef LIVE_FOLLOW_H
#define LIVE_FOLLOW_H

#include "store/bell.h"
#include "store/read.h"

#define FOLLOW_PAGE 512 /* rows a turn */
#define FOLLOW_NEWS_BYTES_MAX \
	(4 * BELL_BYTES_MAX) /* that came with the bell and wait for their turn; more are read from the log */
#define FOLLOW_FAR 65536 /* so far behind, it goes on at the head */

/* Whoever is behind it. None may keep a pointer it was given. */
struct follow_to {
	/* From here on: a first start, another epoch, or a leap to the head. Everything before is to be forgotten. */
	void (*start)(void *arg, const struct snapshot *snap);
	/* A new row; may read it by `r`, whose snapshot is open. -1: it could not; it will be told again. */
	int (*row)(void *arg, struct reader *r, const struct row_key *key, struct err *e);
	/* A new row, whole. */
	void (*event)(void *arg, const struct event *ev, struct text body);
	/*
	 * Every row up to `head` was given; the first commit that brought some of them was done at `committed_us` (clock_mono_us); 0: not known,
	 * since no bell told. Once a turn at most, and the last thing told in it but for `lost`: whoever waits is to be served before the next turn.
	 */
	void (*advance)(void *arg, int64_t head, int64_t committed_us);
	/* The log has not been readable for a second; the next thing told is a start. */
	void (*lost)(void *arg, const struct err *why);
	void *arg;
};

struct follow {
	struct follow_to to;
	struct reader *reader; /* owned */
	char bell_path[4096];
	int bell; /* -1: not connected */
	int64_t committed_us; /* of the oldest ring since the last turn; 0: none said */
	bool rung; /* there is, or may be, something to be read from the log */
	struct buf
	    news; /* rows that came along with the bell since the last turn: the next ones behind what was given */
	int64_t news_to; /* they reach so far */
	bool more; /* behind what came with the bell others may have been dropped */
	char *bytes; /* owned: room for one ring's rows */
	bool following;
	char epoch[16];
	int64_t head; /* given up to here */
	int64_t page_head; /* the same inside a page */
	bool row_failed; /* in this page, and why */
	struct err row_err;
	int64_t look_us, connect_us; /* when to look without a ring, and when to try for the bell again */
	int64_t failing_us; /* since when the log cannot be read; 0: it can */
	int64_t version; /* of the database, when there is no bell */
};

/* Files are opened when they are first needed. -1: no memory, or a path too long. */
int follow_init(
    struct follow *f, const char *state_dir, const char *run_dir, const struct follow_to *to, struct err *e);
void follow_fini(struct follow *f);

/* Tries for the bell if it is due. A new descriptor in f->bell is for the caller to watch; true if there is one. */
bool follow_connect(struct follow *f, int64_t now_us);

/* The bell's descriptor is readable. */
void follow_heard(struct follow *f);

/* When to take a turn, on the monotonic clock. */
int64_t follow_due_us(const struct follow *f);

/* Looks once, a page at most. True: there is more at once. */
bool follow_turn(struct follow *f, int64_t now_us);

/* Whether the last turn left nothing of the log untold. */
bool follow_at_head(const struct follow *f);

/* Nobody wants to know any more: the bell is left (follow_connect() takes it again at once), and the next turn starts anew. */
void follow_stop(struct follow *f);

#endif

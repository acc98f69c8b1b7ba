/*
 * read - answers from the log.  Walk 2, step 6: from api/, on to http/reply.c.
 *
 * A reader is a read-only connection with its statements: one a request thread. Every answer is read inside one snapshot
 * (read_begin … read_end), so that its cursor and its rows belong together; a snapshot never outlives a request. Costs are bounded: a list
 * examines at most READ_EXAMINE_MAX rows and says how far it got; nothing grows with the size of the log.
 */
#ifndef STORE_READ_H
#define STORE_READ_H

#include "base/err.h"
#include "base/pool.h"
#include "event/body.h"
#include "event/filter.h"

#define READ_EXAMINE_MAX 20000

struct reader;

/* Where the log stood when the snapshot was taken. */
struct snapshot {
	char epoch[16];
	int64_t head; /* seq of the newest event; 0: none yet */
	int64_t indexed_to, tallied_to, committed_us;
	int64_t trimmed_to[KIND__MAX];
	int64_t events[KIND__MAX], bytes[KIND__MAX];
	int64_t newest[KIND__MAX], newest_visible[KIND__MAX];
};

/* Connects when first used and again when the file was replaced (another inode). NULL: no memory. */
struct reader *reader_new(const char *dir, struct err *e);
void reader_free(struct reader *r);
/* Where the subscriber listens (bell.h): damage that the reader meets is told there, once a second at most. */
void reader_set_bell(struct reader *r, const char *path);

/*
 * Who follows the log may know by heart which places a symbol has at its end, where the index does not reach to yet: then nobody looks through the log for
 * them. Asked inside a snapshot: the seqs above `above` up to *upto of `symbol` and `kinds` (KIND_BIT()s) in the log of `epoch`, newest first; how many there are, of
 * which `max` at most are stored; -1: not known. *upto is lowered to where knowledge ends, perhaps below `above`. Some may be of others or gone: a list looks at their rows.
 */
typedef int64_t (*read_recall_fn)(void *arg, const char *epoch, struct text symbol, unsigned kinds, int64_t above,
    int64_t *upto, int64_t *seqs, size_t max);
void reader_set_recall(struct reader *r, read_recall_fn recall, void *arg); /* `arg` borrowed as long as r lives */

/*
 * Begins a snapshot. -1: ERR_MISSING, there is no log yet (503 starting); else it cannot be read (503 storage_unavailable).
 * SQLITE_READONLY_RECOVERY and BUSY_RECOVERY are retried for 50 ms.
 */
int read_begin(struct reader *r, struct snapshot *snap, struct err *e);
void read_end(struct reader *r);

struct list_tail;

enum list_order {
	LIST_NEWEST_FIRST, /* from below `bound` downwards */
	LIST_OLDEST_FIRST, /* from above `bound` upwards */
};

struct list_query {
	const struct filter *filter;
	enum list_order order;
	int64_t bound; /* exclusive; newest first: head + 1 for all */
	int64_t above; /* newest first: nothing at or below this either; 0: to the oldest */
	int64_t upto; /* oldest first: nothing above this; 0: to the head */
	int limit; /* rows to deliver */
	bool brief; /* of an event `row` uses no more than kind, seq, symbol, times, duplicate_of and the text */
	int64_t examine; /* at most so many rows are looked at; 0: READ_EXAMINE_MAX */
	const struct list_tail
	    *tail; /* newest first, one symbol: what read_tail() found for this snapshot and the same bound; NULL */
	size_t tail_symbol; /* whose share of it: the symbol's place in the filter it was read for */
};

/* One row; `ev` (without lead and rest) and `body` are borrowed until it returns. Non-zero stops the list after this row. */
typedef int (*read_row_fn)(void *arg, const struct event *ev, struct text body);

struct list_result {
	int delivered;
	int64_t examined; /* rows looked at */
	int64_t
	    position; /* the last position examined: go on from here. Oldest first with nothing left: the head, unless `until` ended it */
	bool has_more; /* there may be more beyond `position`: the limit or the bound on rows was reached */
	bool cut; /* that bound is READ_TAIL_MAX: the index lacks more rows than one list may walk */
};

/* The merge of one index cursor per symbol, or per kind without symbols, newest or oldest first, `since`/`until` by the sparse index. */
int read_list(struct reader *r, const struct snapshot *snap, const struct list_query *q, read_row_fn row, void *arg,
    struct list_result *out, struct err *e);

/*
 * The same for what must not be overlooked, the newest of rare kinds: goes on where a list would be cut, as after the index was made anew. Not where
 * q->examine ends it: so many of a rare kind that all do not match are more than one answer may cost, and what lies behind them is left out, as it is of
 * any list. Without q->tail, which ends where a list is cut.
 */
int read_list_through(struct reader *r, const struct snapshot *snap, const struct list_query *q, read_row_fn row,
    void *arg, struct err *e);

/*
 * What the index does not cover yet, for one list a symbol of `filter`, all newest first from below `below`. Lives until
 * read_end(); NULL: it could not be read.
 */
const struct list_tail *read_tail(
    struct reader *r, const struct snapshot *snap, const struct filter *filter, int64_t below, struct err *e);

/* One event. 1: there, and `row` was called; 0: no such event in the log (check snap for trimmed); -1. */
int read_event(struct reader *r, int64_t seq, read_row_fn row, void *arg, struct err *e);

/* When the log had reached `seq`: the receive time of the event there or of the nearest before it; 0 if there is none. */
int read_time(struct reader *r, int64_t seq, int64_t *received_us, struct err *e);

struct gaps_query {
	int64_t after; /* gaps recorded above this seq */
	int64_t from_us, to_us; /* that ended at from_us or later and began at to_us or earlier */
	int limit; /* if there are more, the newest */
};

/* The gaps that lie or reach into a stretch of the log, oldest first. */
int read_gaps(struct reader *r, const struct snapshot *snap, const struct gaps_query *q, read_row_fn row, void *arg,
    struct err *e);

/*
 * When an `after` position lies below what retention removed of any kind in `kinds`: the largest trimmed_to among them, else 0.
 */
int64_t read_trimmed(const struct snapshot *snap, unsigned kinds);

struct symbol_row {
	struct text symbol;
	int64_t patterns, indicators, alerts, last_seq, last_received_us;
};
typedef int (*read_symbol_fn)(void *arg, const struct symbol_row *row);

struct symbols_query {
	struct text prefix; /* upper case; empty: all */
	struct text after; /* upper case; symbols behind it (by symbol order only); empty: from the start */
	int64_t active_since_us; /* INT64_MIN: all */
	bool by_activity; /* most recently active first, else by symbol */
	int limit;
};
int read_symbols(struct reader *r, const struct snapshot *snap, const struct symbols_query *q, read_symbol_fn row,
    void *arg, struct err *e);

/* 1 if anything of the symbol is kept, 0 if not. */
int read_symbol_known(struct reader *r, const struct snapshot *snap, struct text symbol, struct err *e);

/* The newest event of each (name, timeframe) of one symbol and kind, by name, then timeframe. */
int read_latest(struct reader *r, const struct snapshot *snap, struct text symbol, enum kind kind, read_row_fn row,
    void *arg, struct err *e);

#define SUMMARY_CELLS_MAX 120
#define SUMMARY_TENS 10

/* One value of a facet, such as a pattern's name, and how many there were. */
struct summary_count {
	struct text key; /* names are folded */
	int64_t n;
};
struct summary_counts {
	const struct summary_count *rows; /* the most frequent first, then by key; live until read_end() */
	size_t n;
};

/* What came in within a window, duplicates left out. It counts what was received, whether retention has taken it since or not. */
struct summary {
	int64_t window_s; /* n_cells * step_s */
	int64_t from_s; /* the start of the first cell: a multiple of step_s */
	int step_s; /* 60, or 3600 when the window is more than two hours */
	int n_cells; /* the last one is still running */
	int64_t cells[KIND_ALERT + 1][SUMMARY_CELLS_MAX];
	int64_t totals[KIND_ALERT + 1];
	/* Of patterns only: */
	int64_t tens[SUMMARY_TENS]; /* by confidence: [i] is 10 i <= c < 10 i + 10, and 100 is in the last */
	struct summary_counts names, timeframes, symbols;
	bool truncated; /* there was more than a summary looks at: not everything is counted */
};

/*
 * The last `window_s` seconds (1 to 86,400; rounded up to whole cells), the running cell counted as one: so the window begins up to
 * one cell later than asked for, never earlier. At most SUMMARY_ROWS_MAX cells are read, whatever the size of the log.
 */
#define SUMMARY_ROWS_MAX 200000
int read_summary(struct reader *r, const struct snapshot *snap, int64_t window_s, int64_t now_us, struct summary *out,
    struct err *e);

struct reject_row {
	int64_t received_us, bytes;
	struct text channel, detail, sample;
	int reason; /* enum reject_reason */
};
typedef int (*read_reject_fn)(void *arg, const struct reject_row *row);
int read_rejects(struct reader *r, int limit, read_reject_fn row, void *arg, struct err *e); /* newest first */

/* Receive time of the oldest event held; 0 if none. */
int read_oldest(struct reader *r, int64_t *received_us, struct err *e);

/* What a follower of the log needs to know of a new row before it decides whether to read it. */
struct row_key {
	int64_t seq, duplicate_of;
	enum kind kind;
	struct text symbol; /* borrowed until the callback returns */
};
/* May call read_event(). Non-zero stops after this row. */
typedef int (*read_key_fn)(void *arg, const struct row_key *key);

/* At most `limit` rows above `after`, oldest first; how many were given, or -1. */
int read_keys(struct reader *r, int64_t after, int limit, read_key_fn row, void *arg, struct err *e);

/* A number that changes when the log has changed, without a snapshot: what one polls where there is no bell. -1: it cannot be read. */
int read_version(struct reader *r, int64_t *version, struct err *e);

/* Seq of the oldest event held; 0 if none. */
int read_oldest_seq(struct reader *r, int64_t *seq, struct err *e);

/* How many virtual-machine steps this reader's statements took since read_begin(): what the tests assert costs by. */
int64_t read_steps(const struct reader *r);

#endif

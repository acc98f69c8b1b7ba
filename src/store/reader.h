/*
 * reader - what the files of reading share: the connection, and a row on its way from SQLite to a callback. Private to
 * store/: others include read.h.
 */
#ifndef STORE_READER_H
#define STORE_READER_H

#include <sys/types.h>

#include "store/db.h"
#include "store/given.h"
#include "store/read.h"

#define READ_TAIL_MAX 65536 /* rows of the log's end that one answer looks through, indexed and tallied late */

/* What is newer than the tallies: read once a snapshot, when it is first asked for. */
struct tally_row {
	int64_t seq, received_us, duplicate_of;
	enum kind kind;
	double confidence; /* NAN: none */
	struct text symbol, name, timeframe; /* in the pool */
};

/*
 * How much of an event a list reads at once: one that will probably be delivered with its text; else that stays where it is, which may
 * be far away.
 */
enum row_width {
	ROW_COLUMNS, /* all that filters look at */
	ROW_WHOLE, /* the same, and its text */
	ROW_BRIEF, /* its text, and of the rest kind, symbol, times and duplicate_of */
};

struct reader {
	char path[4096];
	char bell_path[108]; /* empty: none */
	read_recall_fn recall; /* NULL: nobody knows anything by heart */
	void *recall_arg;
	int64_t doubted_us; /* monotonic: when it last said that the log is damaged */
	struct db db;
	bool open, in_snapshot;
	dev_t dev; /* of the file that is open */
	ino_t ino;
	struct pool pool; /* lives as long as the snapshot */
	struct tally_row *tally; /* newest first; NULL until tally_load() */
	size_t n_tally;
	bool tally_loaded;
	const struct tally_row **tally_sorted; /* those with a symbol: by symbol, newest first; NULL until asked */
	size_t n_sorted;
	struct latest_row *latest; /* read_latest()'s, one call at a time, in the pool */
	size_t latest_cap;
	int64_t *seqs; /* what merge.c found at the log's end; owned, grows */
	size_t seqs_cap;
};

/* Makes sure that the file which is open is the one which is there. */
int reader_connect(struct reader *r, struct err *e);

/* The statement that gives the rows of `wanted` (borrowed until the reset) in turn; borrowed. */
sqlite3_stmt *rows_open(struct reader *r, enum row_width width, struct given *wanted, struct err *e);

/*
 * The next row, without lead and rest; its slices live until the next one or the reset. 1: *ev filled; 0: no more, and the statement is
 * reset; -1, reset, too. Rows of kinds from the future are passed over.
 */
int rows_next(
    struct reader *r, sqlite3_stmt *rows, enum row_width width, struct given *wanted, struct event *ev, struct err *e);

/* Gives the row that rows_next() just read, with its text, to `row`; *stop is what that returned. 1, 0 (gone), -1. */
int rows_deliver(struct reader *r, sqlite3_stmt *rows, enum row_width width, const struct event *ev, read_row_fn row,
    void *arg, int *stop, struct err *e);

/* One number of a statement that gives at most one row. 1: *out set; 0: no row; -1. */
int row_int(struct reader *r, sqlite3_stmt *st, int64_t *out, struct err *e);

/* Reads what the tallies do not cover yet, once a snapshot. */
int tally_load(struct reader *r, const struct snapshot *snap, struct err *e);

#endif

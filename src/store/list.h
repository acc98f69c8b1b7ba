/*
 * list - the seqs that a list has to look at, in order: a merge of one index cursor per symbol, or per kind if no symbols are wanted, and of the log's
 * end that the index does not cover yet. Private to store/: read.h says what comes of it.
 *
 * A cursor is a few seqs in a buffer, refilled by one statement that all cursors share: two hundred symbols are 200 small arrays, not 200 open
 * statements. Refused: `symbol IN (...) ORDER BY seq`, which walks a whole kind.
 */
#ifndef STORE_LIST_H
#define STORE_LIST_H

#include "store/reader.h"

#define CURSOR_SEQS 64 /* a bundle's places, too */

struct cursor {
	struct text symbol; /* borrowed from the filter; or a kind's name, see bundle.h */
	unsigned kinds; /* KIND_BIT()s that are wanted of it */
	unsigned at, n; /* seqs[at..n) wait */
	bool dry; /* the index has no more */
	bool fresh; /* nothing was asked for yet */
	bool open_read; /* the symbol's open bundle was taken */
	int64_t from, below; /* what of the index it has not taken yet: from <= seq < below */
	int64_t seqs[CURSOR_SEQS];
};

struct merge {
	struct reader *r;
	bool newest_first;
	int64_t from, below; /* what is left to look at: from <= seq < below */
	int64_t index_to; /* of it, up to here by cursors, above by the tail */
	const int64_t *trimmed_to; /* the snapshot's, by kind: at or below them nothing is left */
	const int64_t *newest; /* the same: above them there is nothing */
	int64_t passed; /* bundles that were passed over since they have no wanted kind: they count as rows examined */
	const struct filter *filter;
	const char *epoch; /* the snapshot's */

	struct cursor *cursors;
	size_t n_cursors;
	struct cursor **heap; /* by the seq in front */
	size_t n_heap;
	bool cursors_open;

	const int64_t *tail; /* seqs of the tail that are wanted, in the list's order; in the reader's buffer */
	size_t tail_at, tail_n;
	bool tail_open;
	int64_t tail_from,
	    tail_below; /* what of the tail was not walked yet: without symbols a list takes it in pieces */
	int tail_rows; /* walked of it */
	int piece_rows; /* of the next piece; 0: the tail was taken whole */
	int64_t
	    tail_cut; /* the tail was longer than READ_TAIL_MAX: nothing beyond this seq may be looked at; 0: it was not */
};

/* Begins a merge over from <= seq < below. Opens nothing yet. -1: no memory. */
int merge_init(struct merge *m, struct reader *r, const struct snapshot *snap, const struct filter *filter,
    bool newest_first, int64_t from, int64_t below, struct err *e);
void merge_fini(struct merge *m);

/*
 * What read_tail() found: for each symbol of its filter the seqs that one of its kinds has, newest first. In the reader's pool.
 */
struct list_tail {
	size_t *start; /* of symbol i: seqs[start[i]] to before seqs[start[i + 1]] */
	int64_t *seqs;
	int64_t cut; /* as merge.tail_cut */
};

/*
 * Whether anybody knows the log's end by heart, from above `above`, and up to where at most `upto`: *upto is lowered to it. What is behind that is short,
 * and for the caller to look through.
 */
bool recall_reaches(
    const struct reader *r, const char *epoch, const struct filter *filter, int64_t above, int64_t *upto);

/*
 * The seqs above `above` up to `upto`, which recall_reaches() said, of a symbol and kinds: newest first. How many, of which `max` at most are stored; -1: it is
 * known no more.
 */
int64_t recall_symbol(const struct reader *r, const char *epoch, struct text symbol, unsigned kinds, int64_t above,
    int64_t upto, int64_t *seqs, size_t max);

/* Has the merge take the share of symbol `at`, instead of looking through the log's end by itself. Newest first only. */
void merge_use_tail(struct merge *m, const struct list_tail *tail, size_t at);

/* The next seq. 1: *seq set; 0: there is no more (or not within reach: see tail_cut); -1. */
int merge_next(struct merge *m, int64_t *seq, struct err *e);

#endif

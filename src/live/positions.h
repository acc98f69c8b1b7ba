/*
 * positions - how far the log has come, by symbol and kind, in a worker's memory.  What answers "has anything changed for this
 * list?" without the database.
 *
 * The live thread follows the log and tells it every new row; request threads ask. It knows every kind as a whole, and of symbols those
 * that were asked about: the first who asks is told what is missing, reads that from the log, and teaches it. Nobody who follows, nothing
 * known: then every question is answered 0, and wakes the live thread so that it begins. Of the newest rows it also keeps which they are, by symbol, for lists that
 * the index does not reach to yet. Bounded; never touches the database.
 */
#ifndef LIVE_POSITIONS_H
#define LIVE_POSITIONS_H

#include "event/filter.h"
#include "store/read.h"

#define POSITIONS_FRESH_US \
	2000000 /* whoever follows looks at least once a second: older than this, it has fallen behind */
#define POSITIONS_SYMBOLS_MAX 32768 /* one more, and what is known of symbols is forgotten */

struct positions;

struct positions *positions_new(struct err *e);
void positions_free(struct positions *p); /* NULL is fine */

/* ---- request threads ---- */

struct position {
	char epoch[16];
	int64_t newest; /* of what was asked about: duplicates left out unless asked for; 0: none ever */
	int64_t gap; /* the newest gap event; 0: none ever */
	int64_t head; /* everything up to here has been seen */
	uint64_t ticket; /* for positions_learn() */
};

/*
 * 1: *out is right, up to the moment before the question. 0: memory does not know, or has not reached the head of the log for a while; `missing` (NULL, or room for symbols->n sets of kinds) tells
 * which kinds of which symbol are to be read, in a snapshot that is begun after this call, and given to positions_learn(). `of_kinds`: KIND_BIT()s.
 */
int positions_ask(struct positions *p, unsigned of_kinds, const struct text_set *symbols, bool duplicates,
    unsigned *missing, struct position *out);

/*
 * The newest event of (symbol, kind) that is no duplicate, and the newest at all; 0: there is none. Ignored if what was known has been
 * forgotten since the ticket; rows that were committed meanwhile are not lost by it.
 */
void positions_learn(
    struct positions *p, uint64_t ticket, struct text symbol, enum kind kind, int64_t visible, int64_t any);

/*
 * A read_recall_fn (store/read.h) of `p`: where at the end of the log a symbol's events are. Asking keeps the log followed, like positions_ask().
 */
int64_t positions_recall(void *p, const char *epoch, struct text symbol, unsigned kinds, int64_t above, int64_t *upto,
    int64_t *seqs, size_t max);

/* ---- the live thread ---- */

/* Called, with the lock held, by an ask that finds nobody following; must not block. */
void positions_on_wanted(struct positions *p, void (*wake)(void *arg), void *arg);
int64_t positions_asked_us(struct positions *p); /* when it was last asked, on the monotonic clock; 0: never */

void positions_start(
    struct positions *p, const struct snapshot *snap); /* follows from snap->head on; forgets the rest */
void positions_stop(struct positions *p); /* forgets everything */
void positions_row(struct positions *p, const struct row_key *key); /* in the order of the log */
void positions_advance(struct positions *p, int64_t head); /* every row up to here was told */
/* All that was committed before `mono_us` was told. A start says so of its own time. */
void positions_fresh(struct positions *p, int64_t mono_us);

#endif

/*
 * cluster - copies of consecutive events of one symbol, packed: what a row of `clusters` holds.
 *
 * The newest events of a symbol lie on as many pages of the log as there are; of those that lie together here, one page has about eleven. Of an event it
 * has what an unpicked list needs: ROW_BRIEF. Both sides use it: lay.c writes, laid.c reads. No allocation, no database.
 */
#ifndef STORE_CLUSTER_H
#define STORE_CLUSTER_H

#include <stdbool.h>

#include "base/text.h"
#include "event/event.h"

/*
 * As much as SQLite keeps of a row of an index's tree at least (489 bytes of a page of 4 KiB) and one page more, less what stands before it: the
 * row costs one page of its own, and that is full.
 */
#define CLUSTER_BYTES 4480
#define CLUSTER_BODY_MAX \
	2048 /* what is longer lies together by itself: its place is kept, its text is read from its row */
#define CLUSTER_EVENTS 64

struct cluster {
	int64_t first, last; /* seqs; of an empty one nothing */
	unsigned n;
	size_t len;
	unsigned char bytes[CLUSTER_BYTES];
};

struct clustered { /* an event as it lies in a cluster */
	int64_t seq, time_ms, received_us, gap_from_us, duplicate_of;
	enum kind kind;
	struct text body; /* borrowed from what was unpacked; empty: only its row has it */
};

/* Adds an event behind the last, whose seq is smaller. False: there is no room for it, and an empty one has room for any. */
bool cluster_add(struct cluster *c, const struct clustered *ev);

/* The events of a row, ascending from `first`, which is the row's: how many, or -1 when it is no cluster (damage). */
int cluster_unpack(struct text packed, int64_t first, struct clustered out[CLUSTER_EVENTS]);

#endif

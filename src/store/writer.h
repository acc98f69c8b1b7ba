/*
 * writer - the inside of struct store, for append.c and its neighbours (recover, index, tallies, retain, duplicates); nobody else includes it.
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include <limits.h>

#include "base/buf.h"
#include "event/body.h"
#include "store/append.h"
#include "store/bell.h"
#include "store/db.h"
#include "store/duplicates.h"
#include "store/recover.h"

/*
 * Each lease waits for the disk, 20 ms where that is busy, and a flood has 100,000 events a second; but a power loss leaves as many seqs unused, and seqs are
 * what readers tell distances by. So a lease is twice the one before if that lasted for less than LEASE_SHORT_US, and else the least.
 */
#define LEASE_SEQS 65536
#define LEASE_SEQS_MAX (1 << 20)
#define LEASE_SHORT_US 10000000
#define INDEX_LAG_MAX 20000
#define COMMITS_KEPT 1024

struct held { /* a row of `kinds` */
	int64_t events, bytes, trimmed_to, newest, newest_visible;
};

/* What changes with every batch, and only with it: a rollback copies it back whole. */
struct standing {
	int64_t next_seq, committed_us, indexed_to, tallied_to;
	int64_t sweep_owed; /* rows of the index that are to be looked at, for those that were made */
	int64_t last_received_us;
	int64_t mark_us, mark_seq; /* newest row of `timeline` */
	int64_t rejects_second, rejects_in_second;
	struct held kinds[KIND__MAX];
};

/* Where the round stands that lays events together: lay.h. Not the writer's to roll back, since laying has transactions of its own. */
struct round {
	bool going;
	bool fills; /* lays what fills no cluster, too */
	int64_t from, filled_from; /* how far the index was when it, and when the last one that fills, began */
	int64_t symbols; /* that it has looked at */
	int64_t ended_us; /* monotonic */
	int64_t paused_us; /* monotonic: nothing is laid before, since it failed; 0: it did not */
	char symbol[SYMBOL_MAX]; /* it goes on behind this one */
	size_t symbol_n;
};

/* Where the sweep through the index by symbol stands: behind this row. Kept over a rollback, for what it left is met in the next round. */
struct broom {
	bool in_open; /* in by_symbol_open, else in by_symbol */
	char symbol[SYMBOL_MAX];
	size_t symbol_n;
	int64_t first;
};

struct store {
	struct db db;
	char dir[PATH_MAX], path[PATH_MAX];
	int lock_fd;
	char epoch[EPOCH_SIZE], boot_id[40];
	struct retention total, kind[KIND__MAX];
	struct bell *bell; /* owned; NULL: none wanted */
	struct duplicates *duplicates; /* owned */
	struct tally *seen; /* owned by tallies.c; NULL until everything was counted once */
	struct noted *noted; /* owned by index.c; NULL until everything was indexed once */
	struct buf body;
	struct buf news; /* the open batch's rows, as far as they are not written into the table */
	bool news_whole; /* none of them is */

	bool in_batch;
	bool damaged; /* SQLite found the file corrupt: the next batch goes to a new log */
	bool aside; /* that file is moved aside already, and the new log could not be made yet */
	bool index_is_bad; /* made no sense where it was met: to be made anew */
	struct standing now, kept; /* with the open batch, and as committed */
	int64_t lease_to;
	int64_t lease_seqs; /* the least that the next one has: it grows when a batch is larger */
	int64_t lease_wide; /* how many the last one had because of those before */
	int64_t leased_us; /* monotonic: when it was taken */

	int wal_pages; /* as of the last commit */
	int written_pages; /* of them, which the kernel was told to write out */
	int64_t indexed_us, tallied_us, swept_us, truncated_us, copied_us, aged_us; /* monotonic: when last done */
	int64_t heard_us, checked_us; /* the same: the bell's peers, and a doubt of theirs that was none */
	struct broom broom;
	struct round round;
	uint64_t seed; /* of hashes */
	int64_t commits;
	int commit_us[COMMITS_KEPT];
};

/* Begin, and all or nothing at the end: log row and kinds ride in every transaction. In append.c. */
int writer_begin(struct store *s, struct err *e);
int writer_end(struct store *s, struct err *e);
/* Notes damage, rolls back. Always -1. */
int writer_failed(struct store *s, const struct err *why);
/* Writes what is appended into the table: before anybody reads events inside an open batch. In append.c. */
int writer_flush(struct store *s, struct err *e);
/* Moves lease_to up by lease_seqs or more, in a synced commit of its own. In recover.c. */
int writer_take_lease(struct store *s, struct err *e);

#endif

/*
 * append - the only writer of the log.  Walk 1, step 4: from event/decode.c, on to the bell.
 *
 * The subscriber's store thread owns the one `struct store`. Events are appended to an open batch and become visible, all at once,
 * at store_commit(); a batch that fails is undone as though it had never been tried, in memory too (duplicates, tallies,
 * seqs), so that its messages can be fed again. Nothing in here waits for a client or for Redis.
 */
#ifndef STORE_APPEND_H
#define STORE_APPEND_H

#include "base/err.h"
#include "event/decode.h"
#include "event/event.h"

struct retention { /* 0: no limit */
	int64_t events, bytes, age_ms;
};

struct store_opts {
	const char *dir; /* where the database lives; the directory exists */
	const char *bell_path; /* unix socket; NULL: no bell */
	struct retention
	    total; /* over all kinds together, oldest first; total.age_ms is the age of kinds that have none of their own */
	struct retention kind[KIND__MAX]; /* each kind's own */
	unsigned dedup_kinds; /* KIND_BIT()s of the kinds that more than one channel feeds */
	const struct text
	    *channels; /* what is subscribed to, for the gaps written at the start; borrowed for store_open() */
	size_t n_channels;
};

struct store;

/* What a message became, for the counters: received = accepted + duplicates + rejected. */
enum store_verdict {
	STORE_ACCEPTED,
	STORE_DUPLICATE,
};

/*
 * Opens or creates the log in `dir`. A file that is damaged, foreign in version, or fails the check after an unclean stop
 * is moved aside with its -wal and -shm (suffix .damaged-<time>) and a new log begins; a copied file (another inode) gets a new epoch.
 * Records `subscriber_down` for the time not running and `crash` after an unclean stop under another boot id. May block for the check. NULL: the
 * directory cannot be used, or another process holds the log (ERR_BUSY).
 */
struct store *store_open(const struct store_opts *opts, struct err *e);

/* Drains what is deferred, checkpoints, says clean, closes. Frees `s` in any case. */
int store_close(struct store *s, struct err *e);

/* Closes without a further write: what could not be stored is given up, and the next start finds the log not clean. Frees `s`. */
void store_abandon(struct store *s);

/*
 * Adds an event to the open batch (opens one if there is none): sets ev->seq and ev->duplicate_of. Gap events too. received_us
 * may be raised by up to a minute so that time never runs backwards in the log. -1: the batch must be given up by store_rollback().
 */
int store_append(struct store *s, struct event *ev, enum store_verdict *verdict, struct err *e);

/* Keeps a refusal, in the same batch: the newest 1,000, at most 100 a second; others are only counted (by the caller). */
int store_reject(struct store *s, struct text channel, const struct reject *rej, int64_t received_us, struct err *e);

/*
 * Commits the open batch, if any, with the time up to which everything received is now kept, and rings the bell. -1: nothing of the
 * batch was kept, it is rolled back already, and may be fed again.
 */
int store_commit(struct store *s, int64_t committed_us, struct err *e);
void store_rollback(struct store *s);

/*
 * Tells the log, in a commit of its own, that everything received up to `committed_us` is kept although nothing came: a quiet market must not
 * look like `subscriber_down` at the next start. No batch may be open.
 */
int store_alive(struct store *s, int64_t committed_us, struct err *e);

/* How much there is to do beside what is put off. */
enum store_load {
	STORE_LOADED, /* messages wait */
	STORE_BUSY, /* none waits, but many come */
	STORE_STEADY, /* none waits, and few come; but one did a moment ago, and whoever waits for the next should not wait for us */
	STORE_CALM,
};

/*
 * Deferred work in small steps: index tail, clusters (lay.h), tallies, retention, checkpoint, new peers of the bell. When calm all that is due gets done, else only
 * what must be (index behind by 20,000 or for 0.1 s, in a flood 0.5 s; retention at its cap, WAL above 128 MiB; if no message waits, above 16 MiB, and 4 if few come). Returns 1 if more
 * is due at once, 0 if not, -1 on failure (retry later; nothing is lost). Call after each commit and at least once a second.
 */
int store_tend(struct store *s, enum store_load load, struct err *e);

/* Changes the retention (SIGHUP). */
void store_set_retention(struct store *s, const struct retention *total, const struct retention kind[KIND__MAX]);

/* For the state file. Safe to copy; filled by the store thread only. */
struct store_stats {
	char epoch[16];
	int64_t head, events, bytes, file_bytes, indexed_to;
	double commit_ms_p50, commit_ms_p99; /* of the last 1,024 commits */
	int64_t commits, bell_peers;
};
void store_stats(const struct store *s, struct store_stats *out);

#endif

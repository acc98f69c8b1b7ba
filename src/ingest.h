/*
 * ingest - the store thread: from the queue through the decoder into the log.  Walk 1, between feed/queue.c and store/append.c.
 *
 * It takes what waits, as one batch; commits when nothing more waits or the batch is full; and gives the messages back to the
 * queue only after the commit, so that a batch that failed (disk full, database locked) is fed again while the queue has room. It counts
 * per subscription row what became of every element: received = accepted + duplicates + rejected.
 */
#ifndef INGEST_H
#define INGEST_H

#include "base/err.h"
#include "base/histogram.h"
#include "event/decode.h"
#include "feed/queue.h"
#include "feed/subscription.h"
#include "store/append.h"

struct ingest_opts {
	struct queue *queue; /* borrowed */
	const struct subscription_row *rows; /* borrowed: what items' `row` means */
	size_t n_rows;
	const struct store_opts *store; /* borrowed: the thread opens the log */
	enum confidence_scale scale;
	const char *instance; /* marks our own errors; borrowed */
	int batch_max; /* messages a commit */
	bool (*listening)(void *arg); /* is the subscription listening now? From the store thread */
	void (*changed)(void *
		arg); /* something in the stats worth telling at once, or the thread has failed; from the store thread */
	void *arg;
};

struct ingest_counts {
	int64_t received, accepted, duplicates;
	int64_t rejected[REJECT__MAX];
	int64_t notes[NOTE__MAX];
};

/* Of what was committed, since the start. */
struct ingest_times {
	struct histogram_sum event_age, commit_latency, commit;
};

struct ingest_stats {
	struct store_stats store;
	struct ingest_times times;
	char error[256]; /* why the last commit failed; "" when it went well */
	bool failed; /* the log could not be opened: the process should end with `failure` */
	struct err failure;
};

struct ingest;

/* Starts the thread. Opening the log, with its check, happens there, while the subscription already fills the queue. */
struct ingest *ingest_start(const struct ingest_opts *opts, struct err *e);

/*
 * After queue_end(): waits until everything that waits is stored and the log is closed, at most about `patience_ms` while commits
 * fail, and a try that had begun. 0: all stored, clean. Stats can still be asked for.
 */
int ingest_stop(struct ingest *in, int64_t patience_ms, struct err *e);
void ingest_free(struct ingest *in); /* of a stopped one, or NULL */

void ingest_set_retention(struct ingest *in, const struct retention *total, const struct retention kind[KIND__MAX]);

/* Any thread. Counts are those of committed batches, since the start. */
void ingest_stats(struct ingest *in, struct ingest_stats *out);
void ingest_row_counts(struct ingest *in, size_t row, struct ingest_counts *out);

#endif

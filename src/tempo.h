/*
 * tempo - how the store thread goes by how fast messages come: the pause between commits, and what is put off.  For ingest.c.
 *
 * In one place, since what makes 1,000 events a second quick makes 10,000 dear. No clock and no thread of its own.
 */
#ifndef TEMPO_H
#define TEMPO_H

#include "store/append.h"

/* A busy log commits no more often than this: fewer, larger batches cost less. Less after a small batch. */
#define TEMPO_PAUSE_US 3000
#define TEMPO_PAUSE_PER_MESSAGE_US 500
/*
 * A log is busy when this many messages come in this time, which is 2,000 a second. With less to do it commits each at once, also those
 * that wait because something else took long: with a pause whoever came behind them waited, too.
 */
#define TEMPO_BUSY_MESSAGES 200
#define TEMPO_WINDOW_US 100000
/*
 * It is calm when nothing has come for so long. Until then what is put off waits although the queue is empty for the moment: at 1,000 messages a
 * second it is after every commit, an index run of one event writes as many pages as that event did, and the streams' workers, woken by the commit,
 * have one core less meanwhile.
 */
#define TEMPO_CALM_MS 100

struct tempo { /* all zeros at first */
	int64_t window_us, messages; /* since when they are counted, on the monotonic clock */
	bool busy; /* by the last window */
	bool calm, more; /* at the last turn: nothing came, and there is something left to do */
};

/* A batch of so many messages is committed: microseconds until the next may be begun. */
int64_t tempo_committed(struct tempo *t, int64_t mono_us, int64_t messages);

/* How long to wait for messages, at most `longest_ms`. */
int tempo_wait_ms(const struct tempo *t, int longest_ms);

/* After that wait: whether any came, and whether the queue is empty now. */
enum store_load tempo_load(struct tempo *t, bool came, bool empty);

#endif

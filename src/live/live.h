/*
 * live - the live thread of a worker: one event loop that follows the log for everybody who waits for news of it.
 *
 * It keeps `positions` up for the request threads. While nobody waits, and nobody has asked a position lately, it reads nothing.
 */
#ifndef LIVE_LIVE_H
#define LIVE_LIVE_H

#include "live/positions.h"

struct live_opts {
	const char *state_dir, *run_dir; /* borrowed */
};

struct live;

struct live *live_new(const struct live_opts *opts, struct err *e);
void live_free(struct live *l); /* NULL is fine; live_stop() first */

/* Starts the thread, with all signals blocked. */
int live_start(struct live *l, struct err *e);
/* Ends it. Blocks until it has. */
void live_stop(struct live *l);

struct positions *live_positions(struct live *l); /* borrowed; for any thread */

#endif

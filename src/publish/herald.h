/*
 * herald - tells TickStock of our own serious errors, on the channel for errors.  Called by the mains; hears the log (base/log.h).
 *
 * What is logged as an error is published as one: component tickgate, and `instance`, by which our own subscriber knows it again and stores nothing, so that an
 * error about storing cannot feed itself. Few a minute, the rest is counted and told with the next. A thread of its own waits for Redis; whoever logs never does, and
 * what is said while Redis is away is lost, but for the log.
 */
#ifndef PUBLISH_HERALD_H
#define PUBLISH_HERALD_H

#include "publish/connections.h"

#define INSTANCE_SIZE_HERALD 17

/* Who we are to ourselves: the same in all processes of this machine that share `run_dir`, also where one cannot see /proc; other installations differ. */
void herald_instance(const char *run_dir, char out[INSTANCE_SIZE_HERALD]);

struct herald;

/*
 * Starts hearing, before other threads log: *out, or NULL in it when nothing is to be published (connections_wanted()). -1: no memory, no thread, or a URL that cannot be
 * used.
 */
int herald_start(const struct conf *conf, const char *instance, struct herald **out, struct err *e);

/* Ends it; what has not been said by then is not. NULL is fine. May block for the time-outs of one exchange. */
void herald_stop(struct herald *h);

#endif

/*
 * batch - several messages to one channel, all of them or none, in order.  Called by api/writes.c and herald.c.
 *
 * MULTI, a PUBLISH for each, EXEC: put together, sent in one go, answered in one go. What cannot be known is said: when EXEC has left and its
 * answer has not come, the messages may be out or not.
 */
#ifndef PUBLISH_BATCH_H
#define PUBLISH_BATCH_H

#include "publish/connections.h"

#define BATCH_MAX CONNECTIONS_COMMANDS_MAX

enum batch_result {
	BATCH_PUBLISHED,
	BATCH_NOT_PUBLISHED, /* none of them: Redis is away, or refused it; trying again does no harm */
	BATCH_UNKNOWN, /* all, some or none of them */
};

/* `n` (1..BATCH_MAX) messages, borrowed. *receivers: how many subscribers the one that had the fewest had. May block for the time-outs. */
enum batch_result batch_publish(struct connections *p, const char *channel, const struct text *messages, size_t n,
    int64_t *receivers, struct err *e);

#endif

/*
 * retain - what leaves the log: by age, by count and by bytes, over all kinds and of each, a little at a time.
 */
#ifndef STORE_RETAIN_H
#define STORE_RETAIN_H

#include <stdbool.h>

#include "base/err.h"

struct store;

/* Whether there is anything to remove; when not `calm`, only whether so much waits that it must be. */
bool retain_due(struct store *s, bool calm);

/* Whether under load half of what makes it due waits already. */
bool retain_soon(struct store *s);

/* Removes one run of events, inside the open transaction. What is not indexed or tallied yet is that first. */
int retain_step(struct store *s, bool calm, struct err *e);

/* Once a minute: what pointed at events that are gone. Inside the open transaction. */
int retain_sweep(struct store *s, struct err *e);

#endif

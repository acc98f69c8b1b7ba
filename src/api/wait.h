/*
 * wait - lists that wait for news (long-poll). Private to api/.
 *
 * A list with `after` and `wait` that has nothing to show is parked with the live thread, and answered like any other list when something that it matches is
 * committed, or its time is over: by the same handler, going on where the client stood (request.h, struct resume).
 */
#ifndef API_WAIT_H
#define API_WAIT_H

#include "api/api.h"
#include "api/query.h"

/* How long the request may wait; 0: not at all. Adds the faults of what is asked. */
int64_t wait_wanted_ms(const struct api *a, struct exchange *x, const struct query *q);

/*
 * Parks it: nothing up to `examined` matches `q`. 1: done, *reply hands the connection over; 0: there is no place (answer at once); -1: no memory.
 */
int wait_park(struct api *a, const struct exchange *x, const struct query *q, const struct snapshot *snap,
    int64_t examined, int64_t wait_ms, struct reply *reply);

#endif

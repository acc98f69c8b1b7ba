/*
 * quota - how many places each client address has taken, over all workers.
 *
 * Made by the parent before it forks, in shared memory, when there is a limit at all. A table of addresses (as hashes under a secret seed) with a
 * count for each worker: what a killed worker had is forgotten with its column. The lock survives its holder.
 */
#ifndef HTTP_QUOTA_H
#define HTTP_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

struct quota;

/* For `places` addresses at once, each with one place. */
struct quota *quota_new(unsigned n_workers, int64_t places, struct err *e);
void quota_free(struct quota *q); /* NULL is fine */

/*
 * One more for `address` with this worker, unless it has `max`. False: it has. *ticket is for quota_give(); 0: the address could not be
 * counted, and may pass.
 */
bool quota_take(struct quota *q, unsigned worker, struct text address, int64_t max, uint64_t *ticket);
void quota_give(struct quota *q, unsigned worker, uint64_t ticket);

/* The parent's, when a worker has ended. */
void quota_ended(struct quota *q, unsigned worker);

#endif

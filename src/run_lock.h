/*
 * run_lock - one subscriber a run directory.
 *
 * The log has a lock of its own, but that is taken late, by the store thread: until then a second subscriber would write over the
 * state file of the one that works.
 */
#ifndef RUN_LOCK_H
#define RUN_LOCK_H

#include "base/err.h"

/* A descriptor, owned, that holds the lock until it is closed or the process ends; -1, with ERR_BUSY when another holds it. */
int run_lock(const char *run_dir, struct err *e);

#endif

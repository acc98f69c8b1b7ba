/*
 * recover - opening the log: creating, locking, noticing what happened since, moving damage aside, leases.
 */
#ifndef STORE_RECOVER_H
#define STORE_RECOVER_H

#include "base/err.h"

struct store;

/* The log was found damaged while running: moves it aside and begins a new one (new epoch). */
int recover_replace(struct store *s, struct err *e);

/* A reader says that the log is damaged: reads all of it, past the cache. -1: it is, and so noted (ERR_CORRUPT), or that failed. May block for long. */
int recover_check(struct store *s, struct err *e);

/* Closes and frees everything. */
void recover_release(struct store *s);

#endif

/*
 * recover - opening the log: creating, locking, noticing what happened since, moving damage aside, leases.
 */
#ifndef STORE_RECOVER_H
#define STORE_RECOVER_H

#include "base/err.h"

struct store;

/* The log was found damaged while running: moves it aside and begins a new one (new epoch). */
int recover_replace(struct store *s, struct err *e);

/* Closes and frees everything. */
void recover_release(struct store *s);

#endif

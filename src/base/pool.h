/*
 * pool - memory that is given back all at once: what one request or one message needs.
 *
 * Allocations live until pool_clear() or pool_fini(); there is no way to free one. The pool never holds more than
 * `max` bytes: a hostile request gets NULL, not the machine's memory.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

#include "base/text.h"

struct pool_block;

struct pool {
	struct pool_block *blocks; /* newest first; the last one stays over pool_clear() */
	size_t used; /* bytes in all blocks */
	size_t max;
};

void pool_init(struct pool *p, size_t max);
void pool_fini(struct pool *p);
void pool_clear(struct pool *p);

/* Zeroed and aligned for anything; NULL when `max` is reached or memory is out. */
void *pool_alloc(struct pool *p, size_t n);
void *pool_array(struct pool *p, size_t count, size_t size); /* the same, count * size checked */

/* A NUL-terminated copy (the NUL is not counted); TEXT_NONE when it fails. */
struct text pool_text(struct pool *p, struct text t);

#endif

/* blob - bytes ready to be sent, made once and shared by all who get them. Live thread only: the count is not atomic. */
#ifndef LIVE_BLOB_H
#define LIVE_BLOB_H

#include <stdint.h>

#include "base/buf.h"

struct blob {
	unsigned refs;
	int64_t from, to; /* whoever has everything up to `from` has everything up to `to` after it */
	uint32_t events; /* how many are in it */
	uint32_t len;
	char bytes[];
};

struct blob *blob_new(
    struct text bytes, int64_t from, int64_t to, uint32_t events); /* with one reference; NULL: no memory */
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b); /* NULL is fine */

#endif

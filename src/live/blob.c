/* blob - see blob.h. */
#include "live/blob.h"

#include <stdlib.h>
#include <string.h>

struct blob *
blob_new(struct text bytes, int64_t from, int64_t to, uint32_t events)
{
	struct blob *b = malloc(sizeof(*b) + bytes.n);

	if (b == NULL || bytes.n > UINT32_MAX) {
		free(b);
		return NULL;
	}
	*b = (struct blob){ .refs = 1, .from = from, .to = to, .events = events, .len = (uint32_t)bytes.n };
	if (bytes.n > 0)
		memcpy(b->bytes, bytes.p, bytes.n);
	return b;
}

struct blob *
blob_ref(struct blob *b)
{
	b->refs++;
	return b;
}

void
blob_unref(struct blob *b)
{
	if (b != NULL && --b->refs == 0)
		free(b);
}

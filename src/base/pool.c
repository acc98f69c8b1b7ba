/* pool - see pool.h. */
#include "base/pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 8192

struct pool_block {
	struct pool_block *next;
	size_t size, used;
	alignas(max_align_t) char bytes[];
};

void
pool_init(struct pool *p, size_t max)
{
	*p = (struct pool){ .max = max };
}

static void
free_after(struct pool *p, struct pool_block *keep)
{
	struct pool_block *b = keep == NULL ? p->blocks : keep->next;

	while (b != NULL) {
		struct pool_block *next = b->next;

		p->used -= b->size;
		free(b);
		b = next;
	}
	if (keep != NULL)
		keep->next = NULL;
	p->blocks = keep;
}

void
pool_fini(struct pool *p)
{
	free_after(p, NULL);
}

/* Keeps one ordinary block, so that a request after the other costs no malloc(). */
void
pool_clear(struct pool *p)
{
	struct pool_block *b = p->blocks;

	if (b == NULL)
		return;
	if (b->size > BLOCK_SIZE) {
		free_after(p, NULL);
		return;
	}
	free_after(p, b);
	b->used = 0;
}

void *
pool_alloc(struct pool *p, size_t n)
{
	struct pool_block *b = p->blocks;
	size_t size;
	void *out;

	if (n > SIZE_MAX / 2)
		return NULL;
	n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (b == NULL || n > b->size - b->used) {
		size = n > BLOCK_SIZE ? n : BLOCK_SIZE;
		if (p->max != 0 && (size > p->max || p->used > p->max - size))
			return NULL;
		b = malloc(sizeof(*b) + size);
		if (b == NULL)
			return NULL;
		*b = (struct pool_block){ .next = p->blocks, .size = size };
		p->blocks = b;
		p->used += size;
	}
	out = b->bytes + b->used;
	b->used += n;
	memset(out, 0, n);
	return out;
}

void *
pool_array(struct pool *p, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / 2 / size)
		return NULL;
	return pool_alloc(p, count * size);
}

struct text
pool_text(struct pool *p, struct text t)
{
	char *copy = pool_alloc(p, t.n + 1);

	if (copy == NULL)
		return TEXT_NONE;
	if (t.n > 0)
		memcpy(copy, t.p, t.n);
	return (struct text){ copy, t.n };
}

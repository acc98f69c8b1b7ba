/* groups - see groups.h.  Called by retain.c between batches, and by unindexed.c as events are appended. */
#include "store/groups.h"

#include <stdlib.h>
#include <string.h>

#define CHAINS_MIN 1024

/* A group with what decides most comparisons beside it: groups lie all over the memory. */
struct ranked {
	uint64_t begin; /* see text_begin() */
	struct group *group;
};

void
groups_init(struct groups *g, size_t size, size_t max_bytes, uint64_t seed)
{
	*g = (struct groups){ .seed = seed, .size = size };
	pool_init(&g->pool, max_bytes);
}

void
groups_fini(struct groups *g)
{
	pool_fini(&g->pool);
	free(g->chains);
	g->chains = NULL;
	g->n_chains = g->n = 0;
}

static int
grow(struct groups *g)
{
	size_t n = g->n_chains == 0 ? CHAINS_MIN : g->n_chains * 4;
	struct group **chains = calloc(n, sizeof(struct group *));

	if (chains == NULL)
		return -1;
	for (size_t i = 0; i < g->n_chains; i++)
		for (struct group *x = g->chains[i], *next; x != NULL; x = next) {
			next = x->next;
			x->next = chains[x->hash % n];
			chains[x->hash % n] = x;
		}
	free(g->chains);
	g->chains = chains;
	g->n_chains = n;
	return 0;
}

void *
groups_at(struct groups *g, struct text symbol)
{
	uint64_t hash = text_hash(symbol, g->seed);
	struct group *x, **chain;
	char *text;

	if (g->n >= g->n_chains && grow(g) != 0)
		return NULL;
	chain = &g->chains[hash % g->n_chains];
	for (x = *chain; x != NULL; x = x->next)
		if (x->hash == hash && text_eq(x->symbol, symbol))
			return x;
	/* What is kept and the text in one piece. */
	x = pool_alloc(&g->pool, g->size + symbol.n);
	if (x == NULL)
		return NULL;
	text = (char *)x + g->size;
	if (symbol.n > 0)
		memcpy(text, symbol.p, symbol.n);
	*x = (struct group){ .next = *chain, .hash = hash, .symbol = { text, symbol.n } };
	*chain = x;
	g->n++;
	return x;
}

static int
by_symbol(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return x->begin != y->begin ? (x->begin < y->begin ? -1 : 1) : text_cmp(x->group->symbol, y->group->symbol);
}

struct group **
groups_sorted(const struct groups *g)
{
	struct ranked *ranked = calloc(g->n + 1, sizeof(*ranked));
	struct group **sorted = calloc(g->n + 1, sizeof(struct group *));
	size_t n = 0;

	if (ranked != NULL && sorted != NULL) {
		for (size_t i = 0; i < g->n_chains; i++)
			for (struct group *x = g->chains[i]; x != NULL; x = x->next)
				ranked[n++] = (struct ranked){ text_begin(x->symbol), x };
		qsort(ranked, n, sizeof(*ranked), by_symbol);
		for (size_t i = 0; i < n; i++)
			sorted[i] = ranked[i].group;
	} else {
		free(sorted);
		sorted = NULL;
	}
	free(ranked);
	return sorted;
}

/* cluster - see cluster.h.  Walk 1 through lay.c, walk 2 through laid.c. */
#include "store/cluster.h"

#include <assert.h>
#include <string.h>

#include "store/varint.h"

#define HEAD_MAX (7 * VARINT_MAX) /* seven numbers stand before each body */

static_assert(CLUSTER_BODY_MAX + HEAD_MAX <= CLUSTER_BYTES, "an empty cluster has room for any event");

bool
cluster_add(struct cluster *c, const struct clustered *ev)
{
	struct text body = ev->body.n <= CLUSTER_BODY_MAX ? ev->body : TEXT_NONE;
	unsigned char head[HEAD_MAX], *p = head;
	size_t n;

	p = varint_put(p, c->n == 0 ? 0 : (uint64_t)(ev->seq - c->last));
	p = varint_put(p, (uint64_t)ev->kind);
	p = varint_put(p, (uint64_t)ev->time_ms);
	p = varint_put(p, (uint64_t)ev->received_us);
	p = varint_put(p, (uint64_t)ev->gap_from_us);
	p = varint_put(p, (uint64_t)ev->duplicate_of);
	p = varint_put(p, body.n);
	n = (size_t)(p - head);
	if (c->n == CLUSTER_EVENTS || c->len + n + body.n > sizeof(c->bytes))
		return false;
	memcpy(c->bytes + c->len, head, n);
	if (body.n > 0)
		memcpy(c->bytes + c->len + n, body.p, body.n);
	c->len += n + body.n;
	if (c->n++ == 0)
		c->first = ev->seq;
	c->last = ev->seq;
	return true;
}

/* NULL: it makes no sense. */
static const unsigned char *
take_event(const unsigned char *p, const unsigned char *end, int64_t before, bool is_first, struct clustered *ev)
{
	uint64_t v[7];

	for (size_t i = 0; i < 7; i++)
		if ((p = varint_take(p, end, &v[i])) == NULL)
			return NULL;
	/* The first is told as no step at all, every other is a step ahead. */
	if ((v[0] == 0) != is_first || v[0] > (uint64_t)(INT64_MAX - 1 - before) || v[1] >= KIND__MAX ||
	    v[6] > (uint64_t)(end - p))
		return NULL;
	*ev = (struct clustered){ .seq = before + (int64_t)v[0],
		.kind = (enum kind)v[1],
		.time_ms = (int64_t)v[2],
		.received_us = (int64_t)v[3],
		.gap_from_us = (int64_t)v[4],
		.duplicate_of = (int64_t)v[5],
		.body = { (const char *)p, (size_t)v[6] } };
	return p + v[6];
}

int
cluster_unpack(struct text packed, int64_t first, struct clustered out[CLUSTER_EVENTS])
{
	const unsigned char *p = (const unsigned char *)packed.p, *end = p + packed.n;
	int64_t seq = first;
	int n = 0;

	if (packed.n == 0 || first < 1 || first == INT64_MAX)
		return -1;
	for (; p < end; n++) {
		if (n == CLUSTER_EVENTS || (p = take_event(p, end, seq, n == 0, &out[n])) == NULL)
			return -1;
		seq = out[n].seq;
	}
	return n;
}

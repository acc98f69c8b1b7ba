/*
 * packed - rows of by_symbol and of clusters, as whoever wrote the file left them.  What store/bundle.h and store/cluster.h promise: whatever the bytes, what is
 * unpacked ascends from the first, lies inside of them, and means the same when it is packed again.
 *
 * The input: eight bytes, the row's first seq, and the packed rest, which is taken for either.
 */
#include <string.h>

#include "fuzz.h"
#include "store/bundle.h"
#include "store/cluster.h"

static bool
inside(struct text t, struct text of)
{
	return t.n == 0 || (t.p >= of.p && t.p + t.n <= of.p + of.n);
}

static void
try_bundle(struct text packed, int64_t first)
{
	struct place places[BUNDLE_PLACES], again[BUNDLE_PLACES];
	int n = bundle_unpack(packed, first, places);
	struct bundle b;

	PROMISE(n == -1 || (n > 0 && n <= BUNDLE_PLACES));
	PROMISE(bundle_load(&b, packed, first) == (n < 0 ? -1 : 0));
	if (n < 0)
		return;
	PROMISE(places[0].seq == first && b.first == first && b.last == places[n - 1].seq && (int)b.n == n);
	PROMISE(b.len <= sizeof(b.bytes) && b.len <= packed.n);
	PROMISE(bundle_unpack((struct text){ (const char *)b.bytes, b.len }, first, again) == n);
	for (int i = 0; i < n; i++) {
		PROMISE(i == 0 || places[i].seq > places[i - 1].seq);
		PROMISE(places[i].seq < INT64_MAX && (unsigned)places[i].kind < KIND__MAX);
		PROMISE((b.kinds & KIND_BIT(places[i].kind)) != 0);
		PROMISE(again[i].seq == places[i].seq && again[i].kind == places[i].kind);
	}
}

static bool
same(const struct clustered *a, const struct clustered *b)
{
	return a->seq == b->seq && a->time_ms == b->time_ms && a->received_us == b->received_us && a->kind == b->kind &&
	    a->gap_from_us == b->gap_from_us && a->duplicate_of == b->duplicate_of && a->body.n == b->body.n &&
	    (a->body.n == 0 || memcmp(a->body.p, b->body.p, a->body.n) == 0);
}

static void
try_cluster(struct text packed, int64_t first)
{
	struct clustered events[CLUSTER_EVENTS], again[CLUSTER_EVENTS];
	int n = cluster_unpack(packed, first, events), added = 0;
	struct cluster c = { .n = 0 };

	PROMISE(n == -1 || (n > 0 && n <= CLUSTER_EVENTS));
	for (int i = 0; i < n; i++) {
		PROMISE(events[i].seq > (i == 0 ? first - 1 : events[i - 1].seq) && events[i].seq < INT64_MAX);
		PROMISE((unsigned)events[i].kind < KIND__MAX && inside(events[i].body, packed));
		/* More than one of ours can hold is a row for readers all the same. */
		if (added == i && events[i].body.n <= CLUSTER_BODY_MAX && cluster_add(&c, &events[i]))
			added++;
	}
	if (n < 0)
		return;
	PROMISE(events[0].seq == first && (int)c.n == added);
	PROMISE(packed.n > sizeof(c.bytes) || events[0].body.n > CLUSTER_BODY_MAX || added > 0);
	if (added == 0)
		return;
	PROMISE(c.first == first && c.last == events[added - 1].seq && c.len <= sizeof(c.bytes));
	PROMISE(cluster_unpack((struct text){ (const char *)c.bytes, c.len }, first, again) == added);
	for (int i = 0; i < added; i++)
		PROMISE(same(&again[i], &events[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text packed = { (const char *)data + sizeof(int64_t), size - sizeof(int64_t) };
	int64_t first;

	if (size < sizeof(first))
		return 0;
	memcpy(&first, data, sizeof(first));
	try_bundle(packed, first);
	try_cluster(packed, first);
	return 0;
}

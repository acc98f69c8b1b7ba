/*
 * source - what a view gets after a position, put together as bytes: from this turn's hits, the ring, or the log.  Walk 3, step 6:
 * from serve.c, by ring.c or store/list.c.
 *
 * Whatever it comes from, a blob says from where to where in the log it brings its client, and has about one record of bytes. The last
 * few are kept: clients who are at the same place share them. Live thread only; reading the log is bounded and blocks little.
 */
#ifndef LIVE_SOURCE_H
#define LIVE_SOURCE_H

#include "live/blob.h"
#include "live/hub.h"
#include "live/tail.h"

#define SOURCE_KEPT 64 /* in sets of SOURCE_WAYS, of which each place in the log has one */
#define SOURCE_WAYS 4
#define SOURCE_ROWS 512 /* rows of the log that are looked at for one blob */

struct source_kept {
	uint64_t view;
	struct blob *blob; /* owned reference; NULL: free */
};

struct encoder;

struct source {
	struct hub *hub; /* borrowed */
	struct reader *reader; /* borrowed */
	bool framed; /* as FastCGI records */
	struct encoder *encoder; /* owned */
	struct tail tail;
	struct source_kept kept[SOURCE_KEPT];
	unsigned next_way; /* to make room in a set */
	int64_t rows; /* looked at since the caller set it to 0 */
};

int source_init(struct source *s, struct hub *hub, struct reader *reader, bool framed, struct err *e);
void source_fini(struct source *s);
void source_forget(struct source *s); /* what is kept is of another log */

/*
 * What comes next for `v` after this turn's beginning, from the hits: call with *at = v->hits and `from` the hub's, again with the last blob's `to`, until
 * *at is 0. The last one reaches to the hub's position. NULL: it cannot be told from the hits (go by source_next()).
 */
struct blob *source_hits(struct source *s, const struct view *v, uint32_t *at, int64_t from);

/*
 * What comes after `from`, which lies below the hub's position: from the ring if that reaches back, else from the log. An own reference. A blob
 * without bytes only moves on. NULL and e->code: the log cannot be read; ERR_MISSING with *trimmed set: what comes next was removed, up to *trimmed.
 */
struct blob *source_next(struct source *s, const struct view *v, int64_t from, int64_t *trimmed, struct err *e);

#endif

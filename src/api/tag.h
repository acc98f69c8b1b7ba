/*
 * tag - which state of the log a list shows, and the ETag that says so. Private to api/.
 *
 * A list can change only by an event that its kinds and symbols can match, by a gap, by `stale`, or by another epoch. So its tag is
 * made of these and of the question, and of nothing that a restart changes: every worker, and the program run as plain CGI, gives the same.
 * That retention took away old events does not change it. The positions come from memory (live/positions.h) where it knows
 * them: then an unchanged list is answered without the database.
 */
#ifndef API_TAG_H
#define API_TAG_H

#include "api/api.h"
#include "api/query.h"
#include "live/positions.h"

/* Whether an answer to `q` stays right until something is committed: not after a cursor, and not where ages move on. */
bool tag_wanted(const struct query *q, const struct exchange *x);

/*
 * The question in one form, whoever asks it how: order, case and names of parameters do not matter, nor does what only concerns links and
 * indentation. Key of the cache too.
 */
void tag_question(struct buf *out, const struct query *q, const struct exchange *x);

/*
 * What memory knows of the positions. 1: *at is right. 0: it does not know; *missing (in `pool`, a set of kinds for each symbol; NULL
 * without symbols) is for tag_read().
 */
int tag_ask(const struct api *a, const struct query *q, struct pool *pool, unsigned **missing, struct position *at);

/*
 * The same from the log, at `snap`, which was begun after tag_ask(); memory is taught what it missed. `missing` NULL: everything is read.
 * At most two short lists a kind and symbol. -1: it could not be read.
 */
int tag_read(struct api *a, const struct query *q, const struct snapshot *snap, const unsigned *missing,
    struct position *at, struct err *e);

/* The tag, W/"…"; how long it is. */
#define TAG_MAX 64
size_t tag_make(char out[TAG_MAX], struct text question, const struct position *at, bool stale);

#endif

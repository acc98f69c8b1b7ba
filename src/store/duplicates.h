/*
 * duplicates - which detections were seen lately, and on which channels.
 *
 * The same detection arrives on several channels. A key is (kind, symbol, folded name, timeframe, time to the millisecond), kept as a
 * 128-bit hash under a secret of this process, for ten minutes or 262,144 keys. What a batch changes is undone with it. In memory only: filled from
 * the log at start.
 */
#ifndef STORE_DUPLICATES_H
#define STORE_DUPLICATES_H

#include "base/err.h"
#include "event/event.h"

#define DUPLICATES_KEYS 262144
#define DUPLICATES_AGE_US 600000000LL
#define DUPLICATES_CHANNELS 64 /* an event from a further channel is never taken for a duplicate */

struct duplicates;

/* `kinds`: KIND_BIT()s of the kinds that are looked at. */
struct duplicates *duplicates_new(unsigned kinds, struct err *e);
void duplicates_free(struct duplicates *d);
void duplicates_clear(struct duplicates *d); /* forgets everything: another log begins */

/*
 * Notes `ev` (with seq and received_us). *first: the seq of the first event of the same detection if this one is a duplicate, else 0.
 * -1: no memory; nothing was noted.
 */
int duplicates_see(struct duplicates *d, const struct event *ev, int64_t *first, struct err *e);

void duplicates_keep(struct duplicates *d); /* the batch was committed */
void duplicates_undo(struct duplicates *d); /* it was rolled back */

#endif

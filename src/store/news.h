/*
 * news - a batch's rows as bytes.  Walk 1, step 4: from append.c, to insert.c, which writes them; step 5: by bell.c; walk 3, step 1: to live/follow.c.
 *
 * A small commit's go along with the bell's ring: to read one new row from the log took each live thread a dozen system calls, and every stream's
 * client waited for them. The bytes are one machine's and one build's, as the ring is. Whoever takes them apart still believes nothing.
 */
#ifndef STORE_NEWS_H
#define STORE_NEWS_H

#include "base/buf.h"
#include "event/event.h"

#define NEWS_BYTES_MAX 65536 /* that go along with a ring; a larger commit is read from the log */

/* Appends a row: its columns, and its text as it is stored. What `news` has no room for, or a text of 4 GiB, has it fail (buf.h). */
void news_add(struct buf *news, const struct event *ev, struct text body);

/*
 * Takes the next row off `news`. 1: *ev (without lead and rest) and *body, which borrow the bytes; 0: there is no more; -1: it makes no sense,
 * nor does what follows.
 */
int news_next(struct text *news, struct event *ev, struct text *body);

#endif

/*
 * say - what is told to clients besides events: heartbeats, stale and fresh, reset, dropped, bye, and the answers of waiters. For serve.c
 * only, of which it is the other half.
 */
#ifndef LIVE_SAY_H
#define LIVE_SAY_H

#include "live/serve.h"

/* Each leaves the client in the list where it belongs then; those that return false left it blocked or gone. */
bool say_heartbeat(struct serve *s, struct client *c, int64_t now_us);
void say_stale(struct serve *s, struct client *c, int64_t now_us); /* or fresh */
void say_reset(struct serve *s, struct client *c, int64_t now_us); /* the log is another one: on from its head */
void say_dropped(
    struct serve *s, struct client *c, int64_t to, int64_t now_us); /* what lay before `to` is no longer there */
/* And ends it; a waiter gets its answer. Only when nothing is half sent. */
void say_bye(struct serve *s, struct client *c, const char *reason, int64_t now_us);
void say_answer(struct serve *s, struct client *c, int64_t now_us); /* to a waiter, which ends */
/* To a web server whose client has gone; the client is gone then, whatever becomes of it. */
void say_farewell(struct serve *s, struct client *c);
void say_forget(struct serve *s); /* what was kept to be shared */

#endif

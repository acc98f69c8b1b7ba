/*
 * crowd - the parked clients as a crowd: how they come in, in which list each is, and how they leave. For serve.c and say.c.
 *
 * A client is always in exactly one list, that of its state. After each attempt to send, crowd_settle() or crowd_end() sees to it that one whose
 * socket is full waits for it, and that one who is gone leaves.
 */
#ifndef LIVE_CROWD_H
#define LIVE_CROWD_H

#include "live/serve.h"

#define PROGRESS_US 120000000 /* a client that takes nothing for so long is closed */

void crowd_move(struct serve *s, struct client *c, enum client_state state);

/* An earlier call is harmless, since it looks what is really due; so a timer is only ever moved forwards. */
void crowd_call_at(struct serve *s, struct client *c, int64_t us);

void crowd_watch_out(struct serve *s, struct client *c, bool out); /* whether to be told when its socket takes more */
void crowd_block(struct serve *s, struct client *c, int64_t now_us, enum client_sent sent);

/* After an attempt to send. False: it is blocked, or gone and freed. */
bool crowd_settle(struct serve *s, struct client *c, enum client_sent sent, int64_t now_us);

/* The same after the last thing it is sent: it leaves, now or when the rest is flushed. If nothing was taken, it has to be said again. */
void crowd_end(struct serve *s, struct client *c, enum client_sent sent, int64_t now_us);

void crowd_gone(struct serve *s, struct client *c); /* closes and frees it */

#endif

/*
 * publish - PUBLISHes by the thousand: one connection, many in flight, every reply looked at.
 *
 * Non-blocking but for connecting. After a failure the publisher is of no more use: close it and open another.
 */
#ifndef SIM_PUBLISH_H
#define SIM_PUBLISH_H

#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "redis/redis.h"

struct publisher;

/* Connects, authenticates and asks for a PONG: at most 5 s each. The error never holds the password. */
struct publisher *publish_open(const struct redis_target *t, struct err *e);
void publish_close(struct publisher *p); /* what is not confirmed is lost */

int publish_put(struct publisher *p, const char *channel, struct text payload, struct err *e);
int64_t publish_in_flight(const struct publisher *p); /* put and not confirmed */
int64_t publish_confirmed(const struct publisher *p);
int64_t publish_receivers(const struct publisher *p); /* of the newest confirmed one */

/*
 * Writes what was put and reads what came, waiting for something to do up to wait_us, or until `wake_fd` can be read. -1: the
 * connection is lost, nothing came for 5 s, or a PUBLISH was refused.
 */
int publish_turn(struct publisher *p, int64_t wait_us, int wake_fd, struct err *e);

#endif

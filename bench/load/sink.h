/*
 * sink - where publications go: Redis, or nchan's publisher location over HTTP. Many under way, every answer looked at.
 */
#ifndef LOAD_SINK_H
#define LOAD_SINK_H

#include "load.h"

struct sink;

/* Redis when o->redis is given, else HTTP to o->server. May block until connected. NULL: failed. */
struct sink *sink_open(const struct load_options *o, struct err *e);
void sink_close(struct sink *s);

/* A PUBLISH or a POST (of `symbol`, by o->path). */
int sink_put(struct sink *s, const char *channel, int64_t symbol, struct text payload, struct err *e);

/* Several PUBLISH commands that are encoded already; Redis only. */
int sink_put_raw(struct sink *s, struct text commands, int64_t n, struct err *e);

/* Writes what was put and takes answers, waiting up to wait_us for something to do. */
int sink_turn(struct sink *s, int64_t wait_us, struct err *e);

int64_t sink_in_flight(const struct sink *s);
int64_t sink_receivers(const struct sink *s); /* Redis: of the newest answer */

#endif

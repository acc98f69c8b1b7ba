/*
 * rest - what a producer sent besides the members that are ours: it passes through unchanged, in its order. Only names that
 * clients know as ours go into an object `extra`.
 */
#ifndef EVENT_REST_H
#define EVENT_REST_H

#include "event/fact.h"

/* Appends to f->out, each member with a comma in front. f->taken says what became ours. */
void rest_render(struct fact *f, const struct members *m, enum kind kind);

#endif

/*
 * pretty - JSON for people: the same text with line breaks and two blanks of indentation a level. For route.c.
 */
#ifndef HTTP_PRETTY_H
#define HTTP_PRETTY_H

#include "base/buf.h"

/* Appends `json`, which is valid and compact, indented, and a line break. Numbers and strings stay as they are, byte by byte. */
void pretty_json(struct buf *out, struct text json);

#endif

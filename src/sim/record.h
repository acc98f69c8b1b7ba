/*
 * record - messages as lines of a file: {"channel":"…","message":"…","at":seconds}, written and read again.
 *
 * `at` is the time since the start; a reader does without it, and other members are ignored.
 */
#ifndef SIM_RECORD_H
#define SIM_RECORD_H

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

#define RECORD_LINE_MAX (12u << 20)

struct record {
	FILE *f; /* owned unless it is stdin or stdout */
	struct buf line;
	int64_t line_no;
	struct buf channel, message; /* of the line read last; `channel` ends with NUL */
	int64_t at_us; /* -1: the line had none */
};

int record_create(struct record *r, const char *path, struct err *e); /* "-" is stdout */
int record_write(struct record *r, const char *channel, struct text message, int64_t at_us, struct err *e);
int record_flush(struct record *r, struct err *e);

int record_open(struct record *r, const char *path, struct err *e); /* "-" is stdin */
int record_read(
    struct record *r, struct err *e); /* 1: a message, 0: the end, -1: ERR_INPUT names the line, or it cannot be read */

void record_close(struct record *r);

#endif

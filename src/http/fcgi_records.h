/*
 * fcgi_records - FastCGI records as bytes: a request that is there as a whole, taken apart; what goes around an answer.
 *
 * Only the plain case is known here, which is what web servers send for a GET: one responder's request without a body. Whatever is anything else is told apart, and
 * left to libfcgi. Every byte is hostile; nothing is read or written outside of what is given. No memory, no descriptors, any thread.
 */
#ifndef HTTP_FCGI_RECORDS_H
#define HTTP_FCGI_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define RECORDS_HEAD 8
#define RECORDS_TAIL 24
#define RECORDS_CONTENT_MAX 65535
#define RECORDS_VARS_MAX 120 /* web servers send some 30 and one for each header */
#define RECORDS_CHAINS 32

struct records_var {
	struct text name, value;
	uint8_t next; /* in its chain, + 1; 0: it is the last */
};

/* The variables of a request, in the order in which they came; found by the length of their names. */
struct records {
	unsigned request_id;
	unsigned n;
	uint8_t first[RECORDS_CHAINS], last[RECORDS_CHAINS]; /* + 1; 0: none */
	struct records_var vars[RECORDS_VARS_MAX];
};

/*
 * True if the `n` bytes at `p` are BEGIN_REQUEST of a responder, PARAMS and their end, and the end of STDIN, all of one request, and nothing behind: what
 * the variables look like is not asked.
 */
bool records_are_whole(const char *p, size_t n);

/*
 * Takes such bytes apart. They are changed: PARAMS of several records are joined, and a NUL put behind each value. *out points into them. 0: there are more variables
 * than have room in *out; -1: a length in them lies. Then *out is of no use.
 */
int records_take(char *p, size_t n, struct records *out);

/* A request_var_fn (request.h) on a struct records. A value ends at its first NUL, as it does for who has it from libfcgi. */
const char *records_var(void *records, const char *name, unsigned nth);

/* Writes the head of a record of STDOUT, or what ends an answer: the end of STDOUT and END_REQUEST. */
void records_stdout(unsigned char out[RECORDS_HEAD], unsigned request_id, size_t content);
void records_tail(unsigned char out[RECORDS_TAIL], unsigned request_id);

#endif

/*
 * cors - which pages of other origins may read the answers (the CORS protocol of the Fetch standard).  Walk 2, behind the handler: from
 * api/api.c.
 *
 * Off unless origins are configured. Nothing here uses cookies, so credentials are never allowed: a token travels in Authorization,
 * which a page has to know by itself.
 */
#ifndef HTTP_CORS_H
#define HTTP_CORS_H

#include <stdint.h>

#include "base/err.h"
#include "http/reply.h"
#include "http/request.h"

struct cors {
	struct text origins; /* words "https://host[:port]", or "*"; borrowed. Empty: off */
	int64_t max_age_s; /* how long a browser may remember a preflight */
};

/* Whether every word of `origins` is "*" or an origin as browsers write it. -1: *e names the word that is not. */
int cors_check(struct text origins, struct err *e);

/* Adds what the request's origin may know to a finished answer, preflights included. */
void cors_apply(const struct cors *cors, const struct request *request, struct reply *reply);

#endif

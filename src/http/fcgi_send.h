/*
 * fcgi_send - a whole answer to the web server: records of STDOUT and the end of the request, in one system call where the socket takes it.
 */
#ifndef HTTP_FCGI_SEND_H
#define HTTP_FCGI_SEND_H

#include <stdint.h>

#include "base/text.h"

struct fcgi_send {
	int fd; /* borrowed */
	unsigned request_id;
	struct text head,
	    body; /* not both empty. They share the first record: Apache sends no head before it has body */
	int64_t patience_ms; /* for a peer that takes nothing */
	void (*lengthy)(void *arg); /* called once, before it blocks */
	void *arg;
};

/* 0: the socket has taken it all. -1: the peer is gone, or takes nothing. Blocks only after lengthy(), however the descriptor is set. */
int fcgi_send(const struct fcgi_send *s);

#endif

/*
 * fcgi_thread - one connection answered by one request thread. For fcgi.c only.
 */
#ifndef HTTP_FCGI_THREAD_H
#define HTTP_FCGI_THREAD_H

#include "http/fcgi.h"

struct fcgi_request; /* what libfcgi keeps between requests */

struct fcgi_request *fcgi_request_new(struct err *e);
void fcgi_request_free(struct fcgi_request *f);

/* Answers the one request on `fd` (taken) and closes it. */
void fcgi_answer(struct fcgi_request *f, int fd, const struct fcgi_opts *opts, void *thread);

#endif

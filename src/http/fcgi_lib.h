/*
 * fcgi_lib - a request read by libfcgi: in pieces, with a body, or odd. For fcgi_thread.c only; blocks.
 */
#ifndef HTTP_FCGI_LIB_H
#define HTTP_FCGI_LIB_H

#include "http/fcgi.h"

struct fcgi_lib; /* what libfcgi keeps between requests */

struct fcgi_lib *fcgi_lib_new(struct err *e);
void fcgi_lib_free(struct fcgi_lib *lib);

/*
 * Reads the request on `fd`, to the end of its body. 1: *request is to be answered and then ended, and the descriptor is the caller's again, blocking, as is the request's id.
 * 0: there is nobody to answer, who broke off what was begun; -1: nothing was begun. Then it is closed.
 */
int fcgi_lib_read(
    struct fcgi_lib *lib, int fd, const struct fcgi_opts *opts, struct request *request, unsigned *request_id);

#endif

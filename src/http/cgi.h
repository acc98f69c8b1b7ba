/*
 * cgi - the same application as a plain CGI program: one request from the environment and stdin, one answer to stdout.
 */
#ifndef HTTP_CGI_H
#define HTTP_CGI_H

#include "base/err.h"
#include "http/reply.h"
#include "http/request.h"

bool cgi_wanted(void); /* GATEWAY_INTERFACE is set and fd 0 is not a listening socket */
int cgi_serve(void (*handle)(void *app, struct request *request, struct reply *reply), void *app, const char *base_path,
    struct err *e);

#endif

/*
 * fcgi_thread - a request thread, and how it answers one connection. For fcgi.c only.
 */
#ifndef HTTP_FCGI_THREAD_H
#define HTTP_FCGI_THREAD_H

#include "http/fcgi.h"
#include "http/fcgi_lead.h"

/* `opts` and `lead` are borrowed. */
struct fcgi_thread *fcgi_thread_new(const struct fcgi_opts *opts, struct lead *lead, struct err *e);
void fcgi_thread_free(struct fcgi_thread *t);

/* Logs, a few times a minute, that accept4() said `error` for want of something. Lengthy: whoever reads our log may not. */
void fcgi_thread_cannot_accept(struct fcgi_thread *t, int error);

struct seat *fcgi_thread_seat(struct fcgi_thread *t);

/*
 * Answers the one request on `fd`, which is non-blocking and watched by nobody, and closes it (or gives it away). False: nothing has come yet, and the descriptor is
 * still the caller's. It may turn out to be lengthy: lead_keep().
 */
bool fcgi_answer(struct fcgi_thread *t, int fd);

#endif

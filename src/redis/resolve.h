/*
 * resolve - a host's addresses, without waiting for ever.
 *
 * getaddrinfo() may block for half a minute and cannot be told to stop. So a name is looked up by a thread of its own, which
 * is left behind when the time is over; it frees what it made when the resolver lets go of it. Addresses written as numbers need no thread.
 */
#ifndef REDIS_RESOLVE_H
#define REDIS_RESOLVE_H

#include <netdb.h>
#include <stdint.h>

#include "base/err.h"

/* Stream addresses in *out, owned (freeaddrinfo). NULL in it and 0 when stop_fd became readable. May block until `until_us` (clock_mono_us). */
int resolve_host(const char *host, int port, int64_t until_us, int stop_fd, struct addrinfo **out, struct err *e);

#endif

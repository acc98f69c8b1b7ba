/*
 * gateway_listener - where tickgate.fcgi gets the socket that it accepts on.
 */
#ifndef GATEWAY_LISTENER_H
#define GATEWAY_LISTENER_H

#include <sys/types.h>

#include "base/err.h"

/*
 * The first there is: fd 3 by LISTEN_PID and LISTEN_FDS (systemd), fd 0 when it listens (spawn-fcgi, lighttpd's bin-path), or a socket made at `where`
 * (a path, or host:port on loopback). Non-blocking and CLOEXEC. -1 with one line that says what is wrong.
 */
int gateway_listener(const char *where, mode_t mode, int backlog, struct err *e);

#endif

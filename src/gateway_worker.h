/* gateway_worker - one worker process of tickgate.fcgi, from fork to its end. Called by gateway.c in the child. */
#ifndef GATEWAY_WORKER_H
#define GATEWAY_WORKER_H

#include <sys/types.h>

#include "conf/conf.h"
#include "http/counters.h"

struct tokens;

/* Serves until SIGTERM or SIGINT (which are blocked, and stay so); returns the exit status. Everything is borrowed. */
int gateway_worker(struct conf *conf, int listener, struct counters *all, struct counters_worker *own,
    struct tokens *tokens, pid_t parent);

#endif

/*
 * gateway_harden - what whoever answers requests gives up before it reads the first one.  Called in each worker and in the CGI program, while there is one
 * thread.
 */
#ifndef GATEWAY_HARDEN_H
#define GATEWAY_HARDEN_H

#include "conf/conf.h"
#include "publish/connections.h"
#include "publish/herald.h"

/*
 * Makes the connections for publishing and, unless `herald` is NULL, who tells of our errors (both owned by the caller; NULL while writes are off), forgets every password but theirs, and enters the sandbox, unless
 * gateway.sandbox is off. `tell`: says in the log how it went; that something is not as it should be is said in any case.
 */
int gateway_harden(struct conf *conf, bool tell, struct connections **publish, struct herald **herald, struct err *e);

#endif

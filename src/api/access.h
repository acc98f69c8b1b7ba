/*
 * access - who may do what: by the client's address and by tokens.  Walk 2, step 3: the gate of http/route.c asks here before any handler runs.
 *
 *	reads		everybody, or with access.read = token whoever has a token of role read or better
 *	admin routes	the addresses in access.admin_addresses, and tokens of role admin
 *	writes		tokens of role publish or admin; nobody while there is no token file
 *	/livez, /readyz	everybody, as often as they want
 */
#ifndef API_ACCESS_H
#define API_ACCESS_H

#include "api/tokens.h"
#include "conf/conf.h"
#include "http/limits.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/route.h"

struct access;

/* Takes what it needs out of the settings. `tokens` (borrowed) may be NULL: nobody has one. -1 inside: it names the word that it does not understand. */
struct access *access_new(const struct conf *conf, const struct tokens *tokens, struct err *e);
void access_free(struct access *a);

/* Whether the settings make sense: for --check-config, before anything is started. */
int access_check(const struct conf *conf, struct err *e);

bool access_writes_on(const struct conf *conf);
bool access_reads_open(const struct access *a); /* else answers are for one client, not for caches between */

/*
 * The gate. False: *reply has become the refusal. request->remote_addr becomes the client's address, also behind trusted proxies. `limits` may be
 * NULL: nobody counts.
 */
bool access_admit(const struct access *a, struct limits *limits, const struct route *route, struct request *request,
    struct reply *reply);

#endif

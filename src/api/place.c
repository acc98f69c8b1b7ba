/*
 * place - the places that streams and waiting requests take up, counted over the whole service.  Walk 3, beside api/stream.c.
 *
 * A place is taken before the connection is handed over, and given back when the client has left, wherever that is noticed (live.h).
 */
#include "api/handlers.h"
#include "http/address.h"

bool
place_take(struct api *a, const struct request *request, bool waiter, uint64_t *address, enum problem *problem)
{
	const struct counters *all = a->shared.counters;
	int64_t max = conf_int(a->conf, waiter ? SETTING_LIVE_MAX_WAITERS : SETTING_LIVE_MAX_STREAMS);
	int64_t share = conf_int(a->conf, SETTING_LIVE_MAX_PER_ADDRESS);
	struct text client = request->remote_addr;
	struct address parsed;

	*address = 0;
	/* A plain CGI program is alone; its server counts processes. */
	if (a->shared.own == NULL)
		return true;
	if (share > 0 && address_parse(client, &parsed) == 0)
		client = address_client(&parsed);
	*problem = PROBLEM_RATE_LIMITED;
	if (all->quota != NULL && share > 0 &&
	    !quota_take(all->quota, counters_index(all, a->shared.own), client, share, address))
		return false;
	*problem = PROBLEM_STREAM_LIMIT;
	if (counters_take(all, a->shared.own, waiter ? GAUGE_WAITERS : GAUGE_STREAMS, max))
		return true;
	if (*address != 0)
		quota_give(all->quota, counters_index(all, a->shared.own), *address);
	return false;
}

void
api_gone(const struct api_shared *shared, bool waiter, uint64_t address)
{
	if (shared->own == NULL)
		return;
	counters_give(shared->own, waiter ? GAUGE_WAITERS : GAUGE_STREAMS);
	if (address != 0)
		quota_give(shared->counters->quota, counters_index(shared->counters, shared->own), address);
}

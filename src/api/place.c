/*
 * place - the places that streams and waiting requests take up, counted over the whole service.  Walk 3, beside api/stream.c.
 *
 * A place is taken before the connection is handed over, and given back when the client has left, wherever that is noticed (live.h).
 */
#include "api/handlers.h"

uint64_t
place_address(const struct request *request)
{
	return text_hash(request->remote_addr, 0);
}

bool
place_take(struct api *a, const struct request *request, bool waiter, enum problem *problem)
{
	enum gauge gauge = waiter ? GAUGE_WAITERS : GAUGE_STREAMS;
	int64_t max = conf_int(a->conf, waiter ? SETTING_LIVE_MAX_WAITERS : SETTING_LIVE_MAX_STREAMS);

	(void)request;
	/* A plain CGI program is alone; its server counts processes. */
	if (a->shared.own == NULL)
		return true;
	*problem = PROBLEM_STREAM_LIMIT;
	return counters_take(a->shared.counters, a->shared.own, gauge, max);
}

void
place_give(struct api *a, const struct request *request, bool waiter)
{
	api_gone(&a->shared, waiter, place_address(request));
}

void
api_gone(const struct api_shared *shared, bool waiter, uint64_t address)
{
	(void)address;
	if (shared->own != NULL)
		counters_give(shared->own, waiter ? GAUGE_WAITERS : GAUGE_STREAMS);
}

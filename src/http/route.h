/*
 * route - from a path to a row of the route table.  Walk 2, step 3: from http/request.c, on to http/params.c.
 *
 * The table itself is in api/routes.c; this file knows only how a row matches. Patterns are matched from the right, since symbols may hold
 * '.' and '/': "/v1/symbols/{symbol}/patterns" takes /v1/symbols/BTC/USD/patterns with symbol BTC/USD.
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <stdint.h>

#include "http/format.h"
#include "http/params.h"
#include "http/reply.h"
#include "http/request.h"

struct route;

/* What a handler gets. `app` is the handler's own context (api/api.h). */
struct exchange {
	const struct route *route;
	const struct request *request;
	struct param_values params;
	struct text symbol; /* {symbol}: upper-cased and valid; TEXT_NONE if the route has none */
	struct text id; /* {id}: as given */
	enum format format; /* that the answer is to have; FORMAT_JSON where there is no choice */
	bool format_by_path, format_by_accept; /* who chose */
	struct faults faults; /* for faults that only the handler can find; answer reply_faults() when there are any */
	int64_t now_us;
};

typedef void (*route_handler)(void *app, struct exchange *x, struct reply *reply);

struct route {
	const char *pattern; /* "/v1/symbols/{symbol}/patterns" */
	unsigned methods; /* METHOD_GET …; HEAD goes with GET, OPTIONS is always there */
	uint64_t params; /* PARAM_BIT()s it takes */
	route_handler handle;
	int64_t arg; /* the handler's: a kind, … */
	unsigned policy; /* ROUTE_… */
	const char *help; /* one sentence: /v1, the manual, OpenAPI */
};

enum {
	ROUTE_ADMIN = 1, /* for admin addresses and tokens only */
	ROUTE_FORMATS = 2, /* a list: CSV and NDJSON too, by suffix, parameter or Accept */
	ROUTE_PUBLIC = 4, /* for everybody, also where reading needs a token */
};

/* True if `path` is of this row; fills the variables (slices of `path`, not checked yet). */
bool route_matches(const struct route *r, struct text path, struct text *symbol, struct text *id);

/*
 * Whether the request may go on to `route` (NULL: there is none for its path). False: *reply has become the refusal. May put right who the client is
 * (request->remote_addr).
 */
typedef bool (*route_admit_fn)(void *app, const struct route *route, struct request *request, struct reply *reply);

/*
 * The one gate: finds the row, checks method (405 with Allow; OPTIONS answered), policy, size, parameters and the symbol,
 * then calls the handler. Whatever happens, *reply is an answer. HEAD is the GET whose body is not sent (by the sender).
 */
void route_dispatch(const struct route *routes, size_t n_routes, void *app, route_admit_fn admit,
    struct request *request, int64_t now_us, struct reply *reply);

#endif

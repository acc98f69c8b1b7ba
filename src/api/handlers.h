/*
 * handlers - the resources, and what they share. Private to api/: the table in routes.c names them, one file a resource.
 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

#include "api/api.h"

#define LIMIT_DEFAULT 100

/* One handler a resource; `app` is a struct api. Collections take a set of kinds in route->arg; 0: the parameter `kinds` says. */
void collection_get(void *app, struct exchange *x, struct reply *reply);
void poll_get(void *app, struct exchange *x, struct reply *reply); /* collections that wait by themselves */
void stream_get(void *app, struct exchange *x, struct reply *reply);
void event_get(void *app, struct exchange *x, struct reply *reply);
void symbols_get(void *app, struct exchange *x, struct reply *reply);
void symbol_get(void *app, struct exchange *x, struct reply *reply);
void snapshot_get(void *app, struct exchange *x, struct reply *reply);
void summary_get(void *app, struct exchange *x, struct reply *reply);
void channels_get(void *app, struct exchange *x, struct reply *reply);
void rejects_get(void *app, struct exchange *x, struct reply *reply);
void health_get(void *app, struct exchange *x, struct reply *reply);
void livez_get(void *app, struct exchange *x, struct reply *reply);
void readyz_get(void *app, struct exchange *x, struct reply *reply);
void openapi_get(void *app, struct exchange *x, struct reply *reply);
void index_get(void *app, struct exchange *x, struct reply *reply);
void metrics_get(void *app, struct exchange *x, struct reply *reply);
void ticks_post(void *app, struct exchange *x, struct reply *reply);
void errors_post(void *app, struct exchange *x, struct reply *reply);

/*
 * stream.c: refuses a stream for the moment. A client that asked for text/event-stream gets a 200 with `overload` and when to come back, `factor` times later than
 * after a restart, since any other status ends an EventSource for good; another one the problem, if *reply is none yet.
 */
#define STREAM_COME_BACK_LATER 5
void stream_refuse(const struct request *request, struct reply *reply, enum problem problem, int factor);

/* ---- shared (api.c) ---- */

/* Says that the request may take long from here on: before the database, Redis, or whatever else can stall. Cheap. */
void api_lengthy(struct api *a);

/* Begins a snapshot, or answers 503 and returns -1. End it with read_end(). */
int api_begin(struct api *a, struct snapshot *snap, struct reply *reply);

/* Answers 503 for a read that failed, and logs the cause. What the reply held is forgotten. */
void api_read_failed(struct api *a, struct reply *reply, const struct err *e);
/* Logs why the log cannot be read, a few times a minute; that there is none yet is not logged. */
void api_unreadable(struct api *a, const struct err *e);

/*
 * The envelope of a single live resource: {"data": …,"cursor":"…","stale":…}, to be followed from `snap`. Between the two the handler adds the
 * value of `data`.
 */
void api_data_open(struct reply *reply, const struct snapshot *snap);
void api_data_close(struct api *a, const struct exchange *x, const struct snapshot *snap, struct reply *reply);

/* The subscriber's state, reread if its file changed; NULL: there is none. Borrowed until the next call. */
const struct state *api_state(struct api *a);
bool api_stale(struct api *a, int64_t now_us);

/* Begins a JSON answer with its Cache-Control. */
void api_json(struct reply *reply, const char *cache_control);
void api_cursor_header(struct reply *reply, const char *epoch, int64_t seq);

/* ---- places for those who wait (place.c) ---- */

/* Counts one more stream or waiter in; *address is for live_request_new() or api_gone(). False: there is no place, and why. */
bool place_take(struct api *a, const struct request *request, bool waiter, uint64_t *address, enum problem *problem);

/* ---- JSON pieces ---- */

void json_id(struct buf *out, const char *epoch, int64_t seq); /* with quotes; null for 0 */
void json_seconds(struct buf *out, int64_t us); /* epoch seconds with milliseconds, as events have them */
void json_time(struct buf *out, int64_t us); /* the same; null for 0 */
void json_age(struct buf *out, int64_t then_us, int64_t now_us); /* seconds since; null for 0 */
void json_retention(struct buf *out, const struct conf *conf); /* index.c */
void json_bool(struct buf *out, bool v);
void json_str(struct buf *out, const char *s); /* null for "" and NULL */

/* A read_row_fn that adds the body to a JSON array. */
struct json_array {
	struct buf *out;
	int64_t n;
	int64_t last_us; /* receive time of the last one */
};
int json_add_row(void *arg, const struct event *ev, struct text body);

/* symbols.c: {"symbol":…,"patterns":[…],"indicators":[…]}, and *n more by the events in it. */
int json_symbol(
    struct api *a, const struct snapshot *snap, struct text symbol, struct buf *out, int64_t *n, struct err *e);

/* ---- links ---- */

enum link {
	LINK_FOLLOW, /* ages stay ages: what is followed moves on */
	LINK_NEXT, /* ages become the times they mean now, or rows would fall out of the window between two pages */
};

/* Adds base path, path and the given parameters of `x` but `after` and `before` to `out`, percent-encoded, and then `q`=`value`. */
void link_add(struct buf *out, const struct exchange *x, enum link link, enum param q, struct text value);

#endif

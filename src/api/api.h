/*
 * api - what the routes answer.  Walk 2, step 5: from http/params.c, on to store/read.c and http/reply.c.
 *
 * A `struct api` is one request thread's context: its reader of the log, and the settings it needs. One file a resource; the table of
 * routes is routes.c.
 */
#ifndef API_API_H
#define API_API_H

#include "api/access.h"
#include "base/log.h"
#include "conf/conf.h"
#include "http/counters.h"
#include "http/route.h"
#include "live/live.h"
#include "publish/connections.h"
#include "store/read.h"
#include "store/state.h"

/* What the request threads of a worker share. All borrowed, all may be NULL. */
struct api_shared {
	const struct counters *counters; /* of all workers; NULL in a plain CGI program, which is alone */
	struct counters_worker *own; /* this worker's; NULL as well */
	struct limits *limits; /* how often who may ask; NULL: as often as he wants */
	struct live *live; /* whom connections are handed to that wait; NULL: nobody may wait */
	const struct tokens *tokens; /* NULL: nobody has one */
	struct connections *publish; /* NULL: writes are off */
};

struct api {
	const struct conf *conf; /* borrowed */
	struct api_shared shared;
	struct access *access; /* owned */
	struct positions *positions; /* what the live thread knows, borrowed; NULL without one */
	struct log_limit slow, unpublished;
	struct cache
	    *cache; /* rendered lists, of all the worker's threads, borrowed; set after api_new(); NULL likewise */
	void (*lengthy)(
	    void *arg); /* told before what may take long; set after api_new(); NULL: nobody wants to know */
	void *lengthy_arg;
	struct reader *reader; /* owned */
	struct state *state; /* the newest copy of the subscriber's state file, owned */
	bool have_state;
	int state_fd; /* of the file it was read from; -1 */
	int64_t state_us; /* when it was looked at last, on the wall clock */
	char state_path[4096];
	struct log_limit unreadable; /* lines about a log that cannot be read */
};

/* `shared` (copied) may be NULL. */
struct api *api_new(const struct conf *conf, const struct api_shared *shared, struct err *e);
void api_free(struct api *a);

/* Answers any request: the whole of walk 2 from route to reply. */
void api_handle(struct api *a, struct request *request, struct reply *reply);

/* What the live thread calls (live.h): the answer to a parked request, by an api of that thread; and that a parked client has left. */
void api_render(struct api *a, struct text ask, const char *epoch, int64_t after, int64_t checked, struct buf *out);
void api_gone(const struct api_shared *shared, bool waiter, uint64_t address);

extern const struct route api_routes[];
extern const size_t api_n_routes;

#endif

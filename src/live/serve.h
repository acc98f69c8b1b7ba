/*
 * serve - what happens to parked clients: they join, are sent what is theirs, wait, and leave.  Walk 3, steps 5 to 7: from hub.c,
 * by source.c and client.c.
 *
 * Live clients of a view get what came in this turn at once, the same bytes all. Whoever is behind stands in a line and is served in turn, a
 * piece each, for about a millisecond, then the log is looked at again; who needs more than one piece stands in a second line, which goes on only as fast
 * as the web server reads (flight.h). Nothing costs in proportion to clients that nothing happens to.
 * Live thread only.
 */
#ifndef LIVE_SERVE_H
#define LIVE_SERVE_H

#include "live/client.h"
#include "live/flight.h"
#include "live/live.h"
#include "live/source.h"

#define SERVE_CONTROLS 3
#define SERVE_ANSWERS 16

/* A control event or an answer that was made lately: those in the same place share it. */
struct serve_kept {
	struct blob *blob; /* owned reference; NULL: free */
	uint64_t view; /* answers: whose */
	int64_t at, to; /* answers: after where, and how far the log was; controls: the position */
	int64_t checked; /* answers: up to where nothing was for them */
};

struct serve {
	const struct live_opts *opts; /* borrowed */
	struct hub *hub; /* borrowed */
	int epoll; /* borrowed */
	struct source source;
	struct wheel wheel;
	struct clients behind, lagging, blocked, ending;
	struct flight flight; /* of those lagging */
	int64_t land_us; /* when to look whether it has landed; INT64_MAX: no need */
	struct client *all; /* newest first */
	struct client *walk; /* who is next to be told that `stale` changed; NULL: nobody */
	size_t n;
	int64_t committed_us; /* when what this turn brings was committed, on the monotonic clock; 0: not known */
	int64_t oldest; /* seq of the oldest event, when the log was begun with */
	bool stale, stopping;
	int64_t stop_us; /* stopping: when those that take nothing are closed */
	struct serve_kept controls[SERVE_CONTROLS][2];
	struct serve_kept answers[SERVE_ANSWERS];
	unsigned next_answer;
	struct buf text, records;
};

int serve_init(
    struct serve *s, const struct live_opts *opts, struct hub *hub, struct reader *reader, int epoll, struct err *e);
void serve_fini(struct serve *s); /* closes whoever is left */

/* Takes a request in (taken; freed). The log is followed, and has come to the request's position. */
void serve_join(struct serve *s, struct live_request *req, int64_t now_us);

/* Sends what this turn brought to the live clients of every view that it is for. */
void serve_turn(struct serve *s, int64_t now_us);

/* Serves those in line, for about a millisecond. True: there are more that can be served now. */
bool serve_behind(struct serve *s, int64_t now_us);

/* The descriptor of a client is ready. */
void serve_event(struct serve *s, struct client *c, uint32_t events, int64_t now_us);

/* Whose time has come. */
void serve_timers(struct serve *s, int64_t now_us);

/* The log begins anew, or is the same but we have lost our place in it. Before hub_start(). `oldest`: seq of the oldest event. */
void serve_start(struct serve *s, const struct snapshot *snap, int64_t oldest);

/* Tells everybody, some at a time; call again while it returns true. */
bool serve_stale(struct serve *s, bool stale, int64_t now_us);

/* Everybody gets an answer or a bye; whoever takes nothing is closed after a few seconds. */
void serve_stop(struct serve *s, int64_t now_us);

/* When serve_timers() is to be called; INT64_MAX: never. */
int64_t serve_due_us(const struct serve *s);

#endif

/*
 * load - what the commands of tickgate-bench share: their options, symbols, connections, and when to end.
 *
 * Every command prints "ready" on a line of its own when what it set up stands, works until it has what it waits for, its time is
 * over, or its standard input ends, and then prints its figures as one line of JSON. Whoever runs a benchmark (bench/run.py) goes by these.
 */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define LOAD_READ_BYTES (256u << 10)

struct load_options {
	const char *command;
	struct sockaddr_in server; /* --connect */
	const char *path; /* --path; {symbol} and {vary} are replaced */
	const char *redis; /* --redis URL */
	const char *framing; /* --framing sse, ndjson or socketio */
	const char *last_event_id; /* --last-event-id */
	const char *replay; /* --replay FILE */
	const char *channel; /* --channel */
	int64_t n; /* --n: streams, waiters or connections */
	int64_t symbols, first_symbol; /* --symbols, --first-symbol: S0000 is the first there is */
	int64_t events; /* --events: wanted of every stream; 0: until the end */
	int64_t first_mark; /* --first-mark: the number of the first; 0: whatever it is */
	int64_t count; /* --count: of messages to publish */
	int64_t sources; /* --sources: connect from so many loopback addresses */
	int64_t ramp; /* --ramp: connections being made at a time */
	int64_t slow, slow_ms; /* --slow N streams stop reading for --slow-ms after "ready" */
	int64_t vary_from, vary_to; /* --vary A-B */
	int64_t expect; /* --expect STATUS */
	int64_t check; /* --check N events in every body, once, before the measuring */
	int64_t window; /* --window: so many publications under way at a time */
	double rate; /* --rate; 0: flat out */
	double seconds; /* --seconds; 0: no limit */
	bool etags; /* --etags: ask with If-None-Match */
	bool reconnect; /* --reconnect with Last-Event-ID when a stream ends */
	bool mixed; /* --mixed kinds of events */
	bool allowances; /* --allowances: publish no more than the newest line of stdin allows in all */
};

int options_parse(struct load_options *o, int argc, char **argv, struct err *e);
extern const char options_usage[];

/* Replaces {symbol} and {vary} in o->path. */
void load_path(const struct load_options *o, struct buf *out, int64_t symbol, int64_t vary);
void load_symbol(struct buf *out, int64_t symbol);

/* As many descriptors as the hard limit allows. */
int load_limits(int64_t wanted, struct err *e);

/* A non-blocking connection to o->server from the loopback address that belongs to the i-th; -1: failed. */
int load_dial(const struct load_options *o, int64_t i, struct err *e);

/* stdin has ended, or something came: the command is to end. Never blocks. */
bool load_stdin_ended(void);

void load_ready(void);
double load_cpu_seconds(void); /* of this process so far */

/* The commands; each prints its own figures. */
int follow_command(const struct load_options *o, struct err *e);
int get_command(const struct load_options *o, struct err *e);
int wait_command(const struct load_options *o, struct err *e);
int publish_command(const struct load_options *o, struct err *e);
int subscribe_command(const struct load_options *o, struct err *e);

#endif

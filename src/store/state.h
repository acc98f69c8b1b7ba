/*
 * state - the subscriber's live state, in a small JSON file beside the bell.
 *
 * It is written by rename, at most once a second and on change, by the subscriber's main thread, and read by every worker: it must be there when
 * the database is full or locked. Whether answers are `stale` comes from it alone.
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/histogram.h"
#include "event/decode.h"

#define STATE_FILE "state.json" /* in paths.run_dir */
#define STATE_STALE_AFTER_US 5000000
#define STATE_CHANNELS_MAX 256
#define STATE_NAME_MAX 200

struct state_channel {
	char channel[STATE_NAME_MAX]; /* as configured: a name or a PSUBSCRIBE pattern */
	enum kind kind;
	bool subscribed; /* acknowledged by Redis on the present connection */
	char error[STATE_NAME_MAX]; /* why not: "NOPERM …"; "" */
	int64_t messages, received, accepted, duplicates;
	int64_t rejected[REJECT__MAX];
	int64_t notes[NOTE__MAX];
	int64_t last_message_us; /* 0: none yet */
	double rate_1m; /* messages a second over the last minute */
};

struct state {
	int64_t pid, started_us, updated_us;
	char version[32];
	char epoch[16];
	int64_t head;
	struct {
		char url[256]; /* without password */
		bool connected;
		int64_t since_us; /* of the present state, connected or not */
		double ping_ms; /* of the last answered PING; negative: none yet */
		int64_t last_message_us, reconnects;
		char error[256]; /* why it is not connected; "" */
	} redis;
	struct {
		int64_t bytes, limit, dropped;
	} queue;
	struct {
		int64_t events, bytes;
		double commit_ms_p50, commit_ms_p99;
		char error[256]; /* "" when the last commit went well */
	} store;
	struct {
		struct histogram_sum event_age; /* at receipt: of events that say when they were */
		struct histogram_sum commit_latency; /* of each message, from its receipt until it was committed */
		struct histogram_sum commit; /* how long commits took */
	} times;
	size_t n_channels;
	struct state_channel channels[STATE_CHANNELS_MAX];
};

/* Replaces `path` (mode 0640 & the directory's group) by rename. */
int state_write(const char *path, const struct state *s, struct err *e);

/* Reads it. ERR_MISSING: no such file; ERR_INPUT: not what a subscriber writes. About 100 KiB: keep *s off small stacks. */
int state_read(const char *path, struct state *s, struct err *e);

/* True if Redis is down, a channel is not acknowledged, or updated_us lies more than STATE_STALE_AFTER_US before now_us. NULL is stale. */
bool state_is_stale(const struct state *s, int64_t now_us);

#endif

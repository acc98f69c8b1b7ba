/*
 * settings - the table of every setting: see settings.c. A new setting is one row there, one ID here, one test case
 * and one line of tickgate.conf(5).
 */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

enum setting {
	SETTING_REDIS_URL,
	SETTING_REDIS_USERNAME,
	SETTING_REDIS_PASSWORD,
	SETTING_REDIS_CONNECT_TIMEOUT,
	SETTING_REDIS_READ_TIMEOUT,
	SETTING_REDIS_PING_INTERVAL,
	SETTING_REDIS_BACKOFF_MIN,
	SETTING_REDIS_BACKOFF_MAX,

	SETTING_CHANNELS_PATTERN,
	SETTING_CHANNELS_INDICATOR,
	SETTING_CHANNELS_ALERT,
	SETTING_CHANNELS_HEALTH,
	SETTING_CHANNELS_ERROR,
	SETTING_CHANNELS_SESSION_STARTED,
	SETTING_CHANNELS_SESSION_STOPPED,

	SETTING_DECODE_CONFIDENCE_SCALE,

	SETTING_PATHS_STATE_DIR,
	SETTING_PATHS_RUN_DIR,

	SETTING_SUBSCRIBER_QUEUE_LIMIT,
	SETTING_SUBSCRIBER_BATCH_MAX,

	SETTING_RETENTION_EVENTS,
	SETTING_RETENTION_BYTES,
	SETTING_RETENTION_AGE,
	/* Three for every kind, in the order of enum kind: see setting_for_kind(). */
	SETTING_RETENTION_PATTERN_EVENTS,
	SETTING_RETENTION_PATTERN_BYTES,
	SETTING_RETENTION_PATTERN_AGE,
	SETTING_RETENTION_INDICATOR_EVENTS,
	SETTING_RETENTION_INDICATOR_BYTES,
	SETTING_RETENTION_INDICATOR_AGE,
	SETTING_RETENTION_ALERT_EVENTS,
	SETTING_RETENTION_ALERT_BYTES,
	SETTING_RETENTION_ALERT_AGE,
	SETTING_RETENTION_HEALTH_EVENTS,
	SETTING_RETENTION_HEALTH_BYTES,
	SETTING_RETENTION_HEALTH_AGE,
	SETTING_RETENTION_SESSION_EVENTS,
	SETTING_RETENTION_SESSION_BYTES,
	SETTING_RETENTION_SESSION_AGE,
	SETTING_RETENTION_ERROR_EVENTS,
	SETTING_RETENTION_ERROR_BYTES,
	SETTING_RETENTION_ERROR_AGE,
	SETTING_RETENTION_GAP_EVENTS,
	SETTING_RETENTION_GAP_BYTES,
	SETTING_RETENTION_GAP_AGE,

	SETTING_GATEWAY_WORKERS,
	SETTING_GATEWAY_THREADS,
	SETTING_GATEWAY_LISTEN,
	SETTING_GATEWAY_BACKLOG,
	SETTING_GATEWAY_SOCKET_MODE,
	SETTING_GATEWAY_BASE_PATH,
	SETTING_GATEWAY_RECEIVE_TIMEOUT,

	SETTING_HEALTH_SILENT_AFTER,
	SETTING_HEALTH_READY_REQUIRES_REDIS,

	SETTING_ACCESS_ADMIN_ADDRESSES,

	SETTING_CORS_ORIGINS,
	SETTING_CORS_MAX_AGE,

	SETTING_LOG_LEVEL,
	SETTING__MAX
};

enum setting_type {
	TYPE_TEXT,
	TYPE_LIST, /* words separated by blanks or commas */
	TYPE_NUMBER,
	TYPE_BOOL, /* yes no true false on off 1 0 */
	TYPE_DURATION, /* 250ms 5s 15m 2h 7d; kept in milliseconds; 0 is "no limit" where the help says so */
	TYPE_SIZE, /* 65536 64KiB 256MiB 1GiB (also k, M, G: powers of 1024); kept in bytes */
	TYPE_MODE, /* octal file mode */
	TYPE_CHOICE, /* one of `choices`, kept as its index */
};

enum {
	SETTING_SECRET = 1, /* never printed */
	SETTING_URL = 2, /* printed without password */
	SETTING_RELOAD = 4, /* taken over on SIGHUP */
	SETTING_FOR_SUBSCRIBER = 8,
	SETTING_FOR_GATEWAY = 16,
};

struct setting_info {
	const char *section, *key;
	enum setting_type type;
	int64_t min, max; /* of the kept value; for TYPE_TEXT and TYPE_LIST of its length in bytes */
	const char *standard; /* the default, as one would write it */
	unsigned flags;
	const char *const *choices; /* NULL-terminated, for TYPE_CHOICE */
	const char *help; /* one sentence or two, with units */
};

extern const struct setting_info settings[SETTING__MAX];

/* The settings retention.<kind>_events, _bytes and _age follow one another: this is the first of `kind`'s three (an enum kind). */
enum setting setting_for_kind(int kind);

#endif

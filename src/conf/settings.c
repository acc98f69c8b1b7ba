/*
 * settings - every setting, one row each. Defaults are written as one would write them in the file; the test
 * tests/unit/conf/test_conf.c reads each of them, and docs/man/tickgate.conf.5 has a line for each.
 */
#include "conf/settings.h"

#include <assert.h>
#include <limits.h>
#include <stddef.h>

static const char *const scales[] = { "auto", "percent", "fraction", NULL };
static const char *const reads[] = { "open", "token", NULL };
static const char *const levels[] = { "error", "warning", "notice", "info", "debug", NULL };

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define TIB (1024 * 1024 * MIB)
#define SUB SETTING_FOR_SUBSCRIBER
#define GATE SETTING_FOR_GATEWAY
#define BOTH (SUB | GATE)
#define LIVE SETTING_RELOAD

/* clang-format off */

/* The three limits of one kind: events, bytes, age. */
#define RETENTION_ROWS(KIND, word, age) \
	[SETTING_RETENTION_##KIND##_EVENTS] = { "retention", word "_events", TYPE_NUMBER, 0, INT64_MAX, "0", BOTH | LIVE, NULL, \
		"Keep at most this many " word " events, the newest; 0: no limit of their own." }, \
	[SETTING_RETENTION_##KIND##_BYTES] = { "retention", word "_bytes", TYPE_SIZE, 0, 1024 * TIB, "0", BOTH | LIVE, NULL, \
		"Keep at most this much JSON text of " word " events; 0: no limit of their own." }, \
	[SETTING_RETENTION_##KIND##_AGE] = { "retention", word "_age", TYPE_DURATION, 0, 36500 * DAY, age, BOTH | LIVE, NULL, \
		"Keep " word " events this long; 0: as retention.age says." }

const struct setting_info settings[SETTING__MAX] = {
	/* ID                                     section     key                type           min      max          default                     flags        choices  help */
	[SETTING_REDIS_URL]                  = { "redis",     "url",             TYPE_TEXT,     1,       1024,        "redis://localhost:6379/0", SUB | SETTING_URL, NULL, "Where Redis is: redis://[user:password@]host[:port][/db] or unix:///path." },
	[SETTING_REDIS_USERNAME]             = { "redis",     "username",        TYPE_TEXT,     0,       255,         "",                         SUB,         NULL,    "User for AUTH; stands over the URL's." },
	[SETTING_REDIS_PASSWORD]             = { "redis",     "password",        TYPE_TEXT,     0,       255,         "",                         SUB | SETTING_SECRET, NULL, "Password for AUTH; stands over the URL's. Better in the environment of the subscriber alone (TICKGATE_REDIS_PASSWORD) than here, since the gateway reads this file, too." },
	[SETTING_REDIS_CONNECT_TIMEOUT]      = { "redis",     "connect_timeout", TYPE_DURATION, 100,     5 * 60000,   "5s",                       SUB,         NULL,    "How long a connection may take to be made." },
	[SETTING_REDIS_READ_TIMEOUT]         = { "redis",     "read_timeout",    TYPE_DURATION, 100,     5 * 60000,   "5s",                       SUB,         NULL,    "How long an answer, also to a PING, may take before the connection counts as dead." },
	[SETTING_REDIS_PING_INTERVAL]        = { "redis",     "ping_interval",   TYPE_DURATION, 1000,    HOUR,        "30s",                      SUB,         NULL,    "How often the subscribed connection is asked whether it lives." },
	[SETTING_REDIS_BACKOFF_MIN]          = { "redis",     "backoff_min",     TYPE_DURATION, 10,      HOUR,        "1s",                       SUB,         NULL,    "The first pause before a new try to connect; it doubles." },
	[SETTING_REDIS_BACKOFF_MAX]          = { "redis",     "backoff_max",     TYPE_DURATION, 10,      HOUR,        "60s",                      SUB,         NULL,    "The longest pause between two tries to connect." },

	[SETTING_CHANNELS_PATTERN]           = { "channels",  "pattern",         TYPE_LIST,     0,       8192,        "tickstock:patterns:streaming tickstock:patterns:detected tickstock.events.patterns", SUB, NULL, "Channels with pattern detections. Any name in this section may be a PSUBSCRIBE pattern." },
	[SETTING_CHANNELS_INDICATOR]         = { "channels",  "indicator",       TYPE_LIST,     0,       8192,        "tickstock:indicators:streaming", SUB,   NULL,    "Channels with indicator values." },
	[SETTING_CHANNELS_ALERT]             = { "channels",  "alert",           TYPE_LIST,     0,       8192,        "tickstock:alerts:indicators tickstock:alerts:critical", SUB, NULL, "Channels with alerts." },
	[SETTING_CHANNELS_HEALTH]            = { "channels",  "health",          TYPE_LIST,     0,       8192,        "tickstock:streaming:health", SUB,       NULL,    "Channels with the producer's health reports." },
	[SETTING_CHANNELS_ERROR]             = { "channels",  "error",           TYPE_LIST,     0,       8192,        "tickstock:errors",         SUB,         NULL,    "Channels with errors." },
	[SETTING_CHANNELS_SESSION_STARTED]   = { "channels",  "session_started", TYPE_LIST,     0,       8192,        "tickstock:streaming:session_started", SUB, NULL, "Channels that say that a session has started." },
	[SETTING_CHANNELS_SESSION_STOPPED]   = { "channels",  "session_stopped", TYPE_LIST,     0,       8192,        "tickstock:streaming:session_stopped", SUB, NULL, "Channels that say that a session has stopped." },

	[SETTING_DECODE_CONFIDENCE_SCALE]    = { "decode",    "confidence_scale", TYPE_CHOICE,  0,       2,           "auto",                     SUB,         scales,  "How producers write confidence: percent, fraction (0 to 1), or auto: values up to 1 are fractions." },

	[SETTING_PATHS_STATE_DIR]            = { "paths",     "state_dir",       TYPE_TEXT,     1,       3900,        "/var/lib/tickgate",        BOTH,        NULL,    "Where the log's database lives. Only the subscriber may write here." },
	[SETTING_PATHS_RUN_DIR]              = { "paths",     "run_dir",         TYPE_TEXT,     1,       90,          "/run/tickgate",            BOTH,        NULL,    "Where the bell (a unix socket) and the state file live." },

	[SETTING_SUBSCRIBER_QUEUE_LIMIT]     = { "subscriber", "queue_limit",    TYPE_SIZE,     MIB,     64 * 1024 * MIB, "256MiB",               SUB,         NULL,    "How many bytes of messages may wait for the database; when full, the newest are dropped, counted, and a gap is recorded." },
	[SETTING_SUBSCRIBER_BATCH_MAX]       = { "subscriber", "batch_max",      TYPE_NUMBER,   1,       100000,      "2000",                     SUB,         NULL,    "At most this many messages in one commit." },

	[SETTING_RETENTION_EVENTS]           = { "retention", "events",          TYPE_NUMBER,   0,       INT64_MAX,   "1000000",                  BOTH | LIVE, NULL,    "Keep at most this many events of all kinds together; the oldest go first. 0: no limit." },
	[SETTING_RETENTION_BYTES]            = { "retention", "bytes",           TYPE_SIZE,     0,       1024 * TIB,  "1GiB",                     BOTH | LIVE, NULL,    "Keep at most this much JSON text of all kinds together (the file is about 1.6 times that, and has up to 40 KB more for each symbol). 0: no limit." },
	[SETTING_RETENTION_AGE]              = { "retention", "age",             TYPE_DURATION, 0,       36500 * DAY, "7d",                       BOTH | LIVE, NULL,    "Keep events this long, unless their kind has an age of its own. 0: no limit." },
	RETENTION_ROWS(PATTERN,   "pattern",   "0"),
	RETENTION_ROWS(INDICATOR, "indicator", "0"),
	RETENTION_ROWS(ALERT,     "alert",     "0"),
	RETENTION_ROWS(HEALTH,    "health",    "30d"),
	RETENTION_ROWS(SESSION,   "session",   "0"),
	RETENTION_ROWS(ERROR,     "error",     "30d"),
	RETENTION_ROWS(GAP,       "gap",       "30d"),

	[SETTING_GATEWAY_WORKERS]            = { "gateway",   "workers",         TYPE_NUMBER,   1,       64,          "2",                        GATE,        NULL,    "How many worker processes answer requests." },
	[SETTING_GATEWAY_THREADS]            = { "gateway",   "threads",         TYPE_NUMBER,   1,       256,         "8",                        GATE,        NULL,    "How many requests a worker works on at once." },
	[SETTING_GATEWAY_LISTEN]             = { "gateway",   "listen",          TYPE_TEXT,     0,       256,         "",                         GATE,        NULL,    "Where to listen for FastCGI when no listener is inherited: a path, or host:port on loopback." },
	[SETTING_GATEWAY_BACKLOG]            = { "gateway",   "backlog",         TYPE_NUMBER,   1,       65535,       "4096",                     GATE,        NULL,    "How many connections may wait to be accepted; the kernel's somaxconn caps it." },
	[SETTING_GATEWAY_SOCKET_MODE]        = { "gateway",   "socket_mode",     TYPE_MODE,     0,       0777,        "0660",                     GATE,        NULL,    "Mode of the socket made for gateway.listen." },
	[SETTING_GATEWAY_BASE_PATH]          = { "gateway",   "base_path",       TYPE_TEXT,     0,       256,         "",                         GATE,        NULL,    "Where the web server mounts the API, such as /tickgate; empty: at the root. What the web server says in TICKGATE_GATEWAY_BASE_PATH stands over it." },
	[SETTING_GATEWAY_RECEIVE_TIMEOUT]    = { "gateway",   "receive_timeout", TYPE_DURATION, 100,     60000,       "2s",                       GATE,        NULL,    "How long a request that has begun may take to come in, and the web server to take the answer." },
	[SETTING_GATEWAY_SANDBOX]            = { "gateway",   "sandbox",         TYPE_BOOL,     0,       1,           "yes",                      GATE,        NULL,    "Whether workers give up, before the first request, all files, programs and networks that they do not need (Landlock)." },
	[SETTING_GATEWAY_CACHE]              = { "gateway",   "cache",           TYPE_SIZE,     0,       64 * 1024 * MIB, "16MiB",                GATE,        NULL,    "How much memory each worker may fill with rendered lists, so that an unchanged one is not read again; 0: none." },

	[SETTING_LIVE_MAX_STREAMS]           = { "live",      "max_streams",     TYPE_NUMBER,   0,       1000000,     "20000",                    GATE,        NULL,    "How many streams may be open, over all workers." },
	[SETTING_LIVE_MAX_WAITERS]           = { "live",      "max_waiters",     TYPE_NUMBER,   0,       1000000,     "10000",                    GATE,        NULL,    "How many requests may wait for news (long-poll), over all workers; further ones are answered at once." },
	[SETTING_LIVE_MAX_PER_ADDRESS]       = { "live",      "max_per_address", TYPE_NUMBER,   0,       1000000,     "0",                        GATE,        NULL,    "How many streams and waiting requests together one client address (of IPv6: one /64) may have. 0: no limit." },
	[SETTING_LIVE_MAX_SYMBOLS]           = { "live",      "max_symbols",     TYPE_NUMBER,   1,       200,         "200",                      GATE,        NULL,    "How many symbols one stream may name." },
	[SETTING_LIVE_MAX_REPLAY]            = { "live",      "max_replay",      TYPE_NUMBER,   0,       INT64_MAX,   "100000",                   GATE,        NULL,    "A stream that begins more events than this behind the newest goes on there instead, and is told so (reset, too_far)." },
	[SETTING_LIVE_MAX_AGE]               = { "live",      "max_age",         TYPE_DURATION, 1000,    DAY,         "1h",                       GATE,        NULL,    "A stream ends after this time, give or take a fifth; clients come back and go on." },
	[SETTING_LIVE_HEARTBEAT]             = { "live",      "heartbeat",       TYPE_DURATION, 5000,    55000,       "15s",                      GATE,        NULL,    "After this much silence a stream is sent a heartbeat, unless its request says another time." },
	[SETTING_LIVE_RING]                  = { "live",      "ring",            TYPE_SIZE,     65536,   1024 * MIB,  "16MiB",                    GATE,        NULL,    "How much memory a worker has for the newest events that somebody waits for; what is older is read from the log." },

	[SETTING_HEALTH_SILENT_AFTER]        = { "health",    "silent_after",    TYPE_DURATION, 1000,    DAY,         "120s",                     GATE,        NULL,    "After this long without a report a producer that used to report counts as silent." },
	[SETTING_HEALTH_READY_REQUIRES_REDIS] = { "health",   "ready_requires_redis", TYPE_BOOL, 0,      1,           "no",                       GATE,        NULL,    "Whether /readyz fails while Redis is down." },

	[SETTING_ACCESS_READ]                = { "access",    "read",            TYPE_CHOICE,   0,       1,           "open",                     GATE,        reads,   "Who may read: open is everybody, token is whoever has one." },
	[SETTING_ACCESS_ADMIN_ADDRESSES]     = { "access",    "admin_addresses", TYPE_LIST,     0,       4096,        "127.0.0.1 ::1",            GATE,        NULL,    "Client addresses that may use admin resources (/v1/rejects) without a token." },
	[SETTING_ACCESS_TRUSTED_PROXIES]     = { "access",    "trusted_proxies", TYPE_LIST,     0,       4096,        "",                         GATE,        NULL,    "Addresses of proxies in front of the web server, whose X-Forwarded-For says who the client is." },
	[SETTING_ACCESS_TOKEN_FILE]          = { "access",    "token_file",      TYPE_TEXT,     0,       1024,        "",                         BOTH,        NULL,    "File with the tokens' hashes (tickgate-token makes it), read again when it changes; empty: no tokens, and no writes." },
	[SETTING_ACCESS_QUERY_TOKEN]         = { "access",    "query_token",     TYPE_BOOL,     0,       1,           "no",                       GATE,        NULL,    "Whether a token may be given as ?token=, for EventSource; it will stand in the web server's logs." },
	[SETTING_ACCESS_RATE]                = { "access",    "rate",            TYPE_NUMBER,   0,       100000,      "0",                        GATE,        NULL,    "How many requests a second one address (of IPv6: one /64) may make; 0: as many as it wants." },
	[SETTING_ACCESS_BURST]               = { "access",    "burst",           TYPE_NUMBER,   1,       10000,       "100",                      GATE,        NULL,    "How many of them may come at once." },

	[SETTING_PUBLISH_URL]                = { "publish",   "url",             TYPE_TEXT,     0,       1024,        "",                         BOTH | SETTING_URL, NULL, "Redis to publish to, in the forms of redis.url; empty: the same, with the same user and password." },
	[SETTING_PUBLISH_USERNAME]           = { "publish",   "username",        TYPE_TEXT,     0,       255,         "",                         BOTH,        NULL,    "User for AUTH when publishing; stands over the URL's." },
	[SETTING_PUBLISH_PASSWORD]           = { "publish",   "password",        TYPE_TEXT,     0,       255,         "",                         BOTH | SETTING_SECRET, NULL, "Password for AUTH when publishing; stands over the URL's." },
	[SETTING_PUBLISH_TICKS_CHANNEL]      = { "publish",   "ticks_channel",   TYPE_TEXT,     1,       256,         "tickstock:market:ticks",   GATE,        NULL,    "Where POST /v1/ticks goes." },
	[SETTING_PUBLISH_ERRORS_CHANNEL]     = { "publish",   "errors_channel",  TYPE_TEXT,     1,       256,         "tickstock:errors",         BOTH,        NULL,    "Where POST /v1/errors and tickgate's own serious errors go." },
	[SETTING_PUBLISH_CONNECTIONS]        = { "publish",   "connections",     TYPE_NUMBER,   1,       64,          "4",                        GATE,        NULL,    "How many connections to Redis a worker publishes over at once." },
	[SETTING_PUBLISH_CONNECT_TIMEOUT]    = { "publish",   "connect_timeout", TYPE_DURATION, 100,     60000,       "2s",                       BOTH,        NULL,    "How long such a connection may take to be made." },
	[SETTING_PUBLISH_COMMAND_TIMEOUT]    = { "publish",   "command_timeout", TYPE_DURATION, 100,     60000,       "5s",                       BOTH,        NULL,    "How long Redis may take to answer, also to a whole batch, and how long a request waits for a free connection." },
	[SETTING_PUBLISH_HEALTH_CHECK]       = { "publish",   "health_check",    TYPE_DURATION, 1000,    HOUR,        "30s",                      GATE,        NULL,    "A connection that was idle for longer is asked whether it lives before it is used." },
	[SETTING_PUBLISH_BACKOFF_MAX]        = { "publish",   "backoff_max",     TYPE_DURATION, 100,     60000,       "5s",                       BOTH,        NULL,    "The longest pause before Redis is tried again; it doubles from 100ms, and meanwhile writes are refused at once." },

	[SETTING_CORS_ORIGINS]               = { "cors",      "origins",         TYPE_LIST,     0,       4096,        "",                         GATE,        NULL,    "Origins (https://charts.example) whose pages may read the API from a browser; * is all of them, nothing is none." },
	[SETTING_CORS_MAX_AGE]               = { "cors",      "max_age",         TYPE_DURATION, 0,       DAY,         "10m",                      GATE,        NULL,    "How long a browser may remember the answer to a preflight." },

	[SETTING_LOG_LEVEL]                  = { "log",       "level",           TYPE_CHOICE,   0,       4,           "info",                     BOTH | LIVE, levels,  "The least important lines that are logged." },
};
/* clang-format on */

static_assert(SETTING_RETENTION_GAP_AGE - SETTING_RETENTION_PATTERN_EVENTS == 7 * 3 - 1, "three rows for each kind");

enum setting
setting_for_kind(int kind)
{
	return (enum setting)(SETTING_RETENTION_PATTERN_EVENTS + 3 * kind);
}

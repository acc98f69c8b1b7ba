/* routes - the table of everything that is answered. /v1 shows it; the manual is checked against it. */
#include "api/handlers.h"

#define PRETTY PARAM_BIT(Q_PRETTY)
#define PLACE (PARAM_BIT(Q_SINCE) | PARAM_BIT(Q_UNTIL) | PARAM_BIT(Q_AFTER) | PARAM_BIT(Q_BEFORE) | PARAM_BIT(Q_LIMIT))
#define FORM \
	(PARAM_BIT(Q_TIME_FIELD) | PARAM_BIT(Q_ON_GAP) | PARAM_BIT(Q_GROUP) | PARAM_BIT(Q_FIELDS) | \
	    PARAM_BIT(Q_FORMAT) | PRETTY)
#define EVERY (PLACE | FORM | PARAM_BIT(Q_CHANNEL) | PARAM_BIT(Q_DUPLICATES) | PARAM_BIT(Q_WAIT) | PARAM_BIT(Q_LINGER))
#define SYMBOLS (PARAM_BIT(Q_SYMBOL) | PARAM_BIT(Q_SYMBOLS))
#define MANY (SYMBOLS | PARAM_BIT(Q_PER_SYMBOL))
#define PATTERNS \
	(PARAM_BIT(Q_PATTERN) | PARAM_BIT(Q_TIMEFRAME) | PARAM_BIT(Q_MIN_CONFIDENCE) | PARAM_BIT(Q_MAX_CONFIDENCE))
#define INDICATORS (PARAM_BIT(Q_INDICATOR) | PARAM_BIT(Q_TIMEFRAME) | PARAM_BIT(Q_MIN_VALUE) | PARAM_BIT(Q_MAX_VALUE))
#define ALERTS PARAM_BIT(Q_ALERT)
#define ERRORS (PARAM_BIT(Q_SEVERITY) | PARAM_BIT(Q_MIN_SEVERITY) | PARAM_BIT(Q_COMPONENT) | PARAM_BIT(Q_SOURCE))
#define MIXED (EVERY | PARAM_BIT(Q_KINDS) | PATTERNS | INDICATORS | ALERTS | ERRORS)
#define FEED \
	(PARAM_BIT(Q_KINDS) | PATTERNS | INDICATORS | ALERTS | ERRORS | PARAM_BIT(Q_CHANNEL) | \
	    PARAM_BIT(Q_DUPLICATES) | PARAM_BIT(Q_AFTER) | PARAM_BIT(Q_LAST_EVENT_ID) | \
	    PARAM_BIT(Q_LAST_EVENT_ID_CAMEL) | PARAM_BIT(Q_REPLAY) | PARAM_BIT(Q_BATCH) | PARAM_BIT(Q_CONFLATE) | \
	    PARAM_BIT(Q_HEARTBEAT) | PARAM_BIT(Q_DRY) | PARAM_BIT(Q_FORMAT) | PRETTY)
#define DIRECTORY \
	(PRETTY | PARAM_BIT(Q_PREFIX) | PARAM_BIT(Q_ACTIVE) | PARAM_BIT(Q_ORDER) | PARAM_BIT(Q_LIMIT) | \
	    PARAM_BIT(Q_AFTER_SYMBOL))

/* clang-format off */
const struct route api_routes[] = {
	/* pattern                           methods     parameters                     handler         kinds                     policy         what it is */
	{ "/v1",                             METHOD_GET, PRETTY,                        index_get,      0,                        0,             "This index." },
	{ "/v1/patterns",                    METHOD_GET, EVERY | MANY | PATTERNS,       collection_get, KIND_BIT(KIND_PATTERN),   ROUTE_FORMATS, "Candlestick and chart patterns that were detected." },
	{ "/v1/indicators",                  METHOD_GET, EVERY | MANY | INDICATORS,     collection_get, KIND_BIT(KIND_INDICATOR), ROUTE_FORMATS, "Indicator values that were calculated." },
	{ "/v1/alerts",                      METHOD_GET, EVERY | MANY | ALERTS,         collection_get, KIND_BIT(KIND_ALERT),     ROUTE_FORMATS, "Alerts that were raised." },
	{ "/v1/errors",                      METHOD_GET, EVERY | SYMBOLS | ERRORS,      collection_get, KIND_BIT(KIND_ERROR),     ROUTE_FORMATS, "Errors that the producer reported." },
	{ "/v1/errors",                      METHOD_POST, PRETTY,                       errors_post,    0,                        0,             "Tells TickStock of an error; it is stored when it comes back." },
	{ "/v1/ticks",                       METHOD_POST, PRETTY,                       ticks_post,     0,                        0,             "Publishes ticks for TickStock, all of them or none, in order." },
	{ "/v1/gaps",                        METHOD_GET, EVERY | SYMBOLS,               collection_get, KIND_BIT(KIND_GAP),       ROUTE_FORMATS, "Stretches of time in which events may be missing." },
	{ "/v1/events",                      METHOD_GET, MIXED | MANY,                  collection_get, 0,                        ROUTE_FORMATS, "Events of several kinds in the order of arrival." },
	{ "/v1/events/{id}",                 METHOD_GET, PRETTY,                        event_get,      0,                        0,             "One event." },
	{ "/v1/poll",                        METHOD_GET, MIXED | MANY,                  poll_get,       0,                        ROUTE_FORMATS, "Waits up to 25 s for events of several kinds." },
	{ "/v1/stream",                      METHOD_GET, FEED | SYMBOLS,                stream_get,     0,                        0,             "Events as they come, as Server-Sent Events or as lines." },
	{ "/v1/symbols",                     METHOD_GET, DIRECTORY,                     symbols_get,    0,                        0,             "The symbols of which something is kept, with counts." },
	{ "/v1/symbols/{symbol}",            METHOD_GET, PRETTY,                        symbol_get,     0,                        0,             "The newest of each pattern and indicator of one symbol." },
	{ "/v1/symbols/{symbol}/patterns",   METHOD_GET, EVERY | PATTERNS,              collection_get, KIND_BIT(KIND_PATTERN),   ROUTE_FORMATS, "Patterns of one symbol." },
	{ "/v1/symbols/{symbol}/indicators", METHOD_GET, EVERY | INDICATORS,            collection_get, KIND_BIT(KIND_INDICATOR), ROUTE_FORMATS, "Indicator values of one symbol." },
	{ "/v1/symbols/{symbol}/alerts",     METHOD_GET, EVERY | ALERTS,                collection_get, KIND_BIT(KIND_ALERT),     ROUTE_FORMATS, "Alerts of one symbol." },
	{ "/v1/symbols/{symbol}/events",     METHOD_GET, MIXED,                         collection_get, 0,                        ROUTE_FORMATS, "Events of several kinds of one symbol." },
	{ "/v1/symbols/{symbol}/poll",       METHOD_GET, MIXED,                         poll_get,       0,                        ROUTE_FORMATS, "Waits up to 25 s for events of one symbol." },
	{ "/v1/symbols/{symbol}/stream",     METHOD_GET, FEED,                          stream_get,     0,                        0,             "Events of one symbol as they come." },
	{ "/v1/snapshot",                    METHOD_GET, SYMBOLS | PRETTY,              snapshot_get,   0,                        0,             "The newest of each pattern and indicator of several symbols, at one moment." },
	{ "/v1/summary",                     METHOD_GET, PARAM_BIT(Q_WINDOW) | PRETTY,  summary_get,    0,                        0,             "How many patterns, indicators and alerts came in of late." },
	{ "/v1/channels",                    METHOD_GET, PRETTY,                        channels_get,   0,                        0,             "The channels listened to, with counters." },
	{ "/v1/rejects",                     METHOD_GET, PARAM_BIT(Q_LIMIT) | PRETTY,   rejects_get,    0,                        ROUTE_ADMIN,   "The newest messages that were refused, and why." },
	{ "/v1/health",                      METHOD_GET, PRETTY,                        health_get,     0,                        0,             "How Redis, the subscriber, the log and the producer are." },
	{ "/v1/health/reports",              METHOD_GET, EVERY | SYMBOLS,               collection_get, KIND_BIT(KIND_HEALTH),    ROUTE_FORMATS, "The producer's health reports." },
	{ "/openapi.json",                   METHOD_GET, PRETTY,                        openapi_get,    0,                        ROUTE_PUBLIC,  "This contract for machines, as OpenAPI 3.1." },
	{ "/metrics",                        METHOD_GET, 0,                             metrics_get,    0,                        0,             "The whole service in the text format of Prometheus." },
	{ "/livez",                          METHOD_GET, PRETTY,                        livez_get,      0,                        ROUTE_PUBLIC,  "The process answers." },
	{ "/readyz",                         METHOD_GET, PARAM_BIT(Q_VERBOSE) | PRETTY, readyz_get,     0,                        ROUTE_PUBLIC,  "The log can be read." },
};
/* clang-format on */

const size_t api_n_routes = sizeof(api_routes) / sizeof(api_routes[0]);

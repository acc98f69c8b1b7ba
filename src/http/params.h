/*
 * params - the table of query parameters, and a query string checked against it.  Walk 2, step 4: from http/route.c, on to api/.
 *
 * Parsing validates everything before any handler runs: types, ranges, duplicates, which parameters the route takes. All faults are collected, so
 * that a client learns them in one answer; unknown names come with the nearest known one.
 */
#ifndef HTTP_PARAMS_H
#define HTTP_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/text.h"

enum param {
	Q_SYMBOL,
	Q_SYMBOLS,
	Q_KINDS,
	Q_PATTERN,
	Q_INDICATOR,
	Q_ALERT,
	Q_TIMEFRAME,
	Q_MIN_CONFIDENCE,
	Q_MAX_CONFIDENCE,
	Q_MIN_VALUE,
	Q_MAX_VALUE,
	Q_SEVERITY,
	Q_MIN_SEVERITY,
	Q_COMPONENT,
	Q_SOURCE,
	Q_CHANNEL,
	Q_DUPLICATES,
	Q_SINCE,
	Q_UNTIL,
	Q_AFTER,
	Q_BEFORE,
	Q_LIMIT,
	Q_PER_SYMBOL,
	Q_PREFIX,
	Q_ACTIVE,
	Q_ORDER,
	Q_AFTER_SYMBOL,
	Q_WINDOW,
	Q_VERBOSE,
	Q_TIME_FIELD,
	Q_ON_GAP,
	Q_GROUP,
	Q_FIELDS,
	Q_FORMAT,
	Q_PRETTY,
	Q_TOKEN,
	Q_LAST_EVENT_ID,
	Q_LAST_EVENT_ID_CAMEL,
	Q_REPLAY,
	Q_BATCH,
	Q_CONFLATE,
	Q_HEARTBEAT,
	Q_DRY,
	Q_WAIT,
	Q_LINGER,
	Q__MAX
};

#define PARAM_BIT(q) (UINT64_C(1) << (q))

enum param_type {
	P_TEXT, /* 1..max characters, printable */
	P_LIST, /* comma list of P_TEXT, at most `max` items, none empty; sorted, each once */
	P_FIELDS, /* the same in the order given */
	P_SYMBOLS, /* comma list of symbols: upper-cased, sorted, each once, at most `max` */
	P_NAMES, /* comma list of names, folded by text_fold_name() */
	P_KINDS, /* comma list of kinds: bits */
	P_INT, /* min..max */
	P_PERCENT, /* a real, 0..100; 0 < x <= 1 is refused with a hint (0 itself is fine) */
	P_REAL, /* finite */
	P_SEVERITY, /* one of ours */
	P_SEVERITIES, /* comma list of them */
	P_TIME, /* RFC 3339 with zone, YYYY-MM-DD (UTC), epoch s or ms, or an age "90s" "15m" "2h" "3d": microseconds since 1970 */
	P_AGE, /* an age only: microseconds; min..max seconds, unless max is 0 */
	P_CURSOR, /* an id, or one of the words in `words`; where there is no `before`, a time or an age too: then `timed` */
	P_ANY, /* whatever it is: judged by the handler */
	P_WORD, /* one of `words`: its index */
	P_FLAG, /* absent, "", "0", "1", "true", "false" */
};

struct param_info {
	const char *name;
	enum param_type type;
	int64_t min, max;
	const char *const *words; /* NULL-terminated */
	const char *example;
	const char *help; /* one sentence */
};
extern const struct param_info params[Q__MAX];

struct param_value {
	bool given;
	struct text text; /* decoded, as given */
	int64_t n; /* int, flag, word index, kind bits, severity, time or age in us */
	double real;
	const struct text *items; /* lists */
	size_t n_items;
	bool relative; /* a time given as an age */
	bool timed; /* a cursor given as a time, in n */
};

enum fault_code { /* problem codes of 400 answers; the gravest one names the answer */
	FAULT_INVALID_PARAMETER,
	FAULT_UNKNOWN_PARAMETER,
	FAULT_CONFLICTING_PARAMETERS,
	FAULT_INVALID_CURSOR,
	FAULT_INVALID_TIME,
	FAULT_INVALID_SYMBOL,
	FAULT_LIMIT_OUT_OF_RANGE,
};

struct fault {
	struct fault *next;
	enum fault_code code;
	struct text param; /* the name as the client wrote it; printable */
	struct text detail; /* what is wrong and what is allowed, one sentence */
};

struct faults {
	struct pool *pool;
	struct fault *first, **last;
	unsigned n;
};
void faults_init(struct faults *f, struct pool *pool);
void fault_add(struct faults *f, enum fault_code code, struct text param, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

struct param_values {
	struct param_value v[Q__MAX];
};

/*
 * Parses `query` (application/x-www-form-urlencoded) against the parameters in `allowed` (PARAM_BIT()s). Values live in `pool`. `now_us` is what ages
 * count from. Faults are added to `faults`; "_" is ignored. -1 only when memory is out.
 */
int params_parse(struct param_values *out, struct text query, uint64_t allowed, int64_t now_us, struct pool *pool,
    struct faults *faults);

/* The decoded value of the first `q` in a query that has not been parsed; TEXT_NONE if there is none, or none that can be decoded. */
struct text params_peek(struct text query, enum param q, struct pool *pool);

/* Appends name=value, percent-encoded, with '?' or '&' before it as `*first` says. For links. */
void params_add_link(struct buf *link, bool *first, enum param q, struct text value);

#endif

/*
 * log - one line an event, on stderr.
 *
 *	2026-11-23T07:01:40.123Z warning redis_refused url=redis://localhost:6379/0 tries=3 error="Connection refused"
 *
 * A line is a slug that never changes (grep for it, alert on it) and fields. Values are escaped here, so anything from
 * outside may be logged: control characters, quotes and bytes that are not UTF-8 leave as \xhh, and a value is cut at 512 bytes. Under
 * systemd (JOURNAL_STREAM names our stderr) the time is left out and the line begins with the syslog priority, "<4>". A line
 * is one write(2): threads and processes do not mix theirs. Secrets are the caller's business: never pass one.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum log_level { /* numbered as in syslog */
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

struct log_field {
	const char *key; /* NULL ends the list */
	enum { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_REAL } type;
	struct text text;
	int64_t n;
	double real;
};

static inline struct log_field
log_text(const char *key, struct text v)
{
	return (struct log_field){ .key = key, .type = LOG_FIELD_TEXT, .text = v };
}

static inline struct log_field
log_str(const char *key, const char *v)
{
	return log_text(key, text_of(v));
}

static inline struct log_field
log_int(const char *key, int64_t v)
{
	return (struct log_field){ .key = key, .type = LOG_FIELD_INT, .n = v };
}

static inline struct log_field
log_real(const char *key, double v)
{
	return (struct log_field){ .key = key, .type = LOG_FIELD_REAL, .real = v };
}

/* What is above `level` is dropped. `program` (kept, not copied) starts each line's fields as program=…; NULL leaves it out. */
void log_init(enum log_level level, const char *program);
void log_set_level(enum log_level level);

/*
 * Somebody who is told of every error that is logged: its slug and fields, as in the log. One at a time, from the thread that logs, which it must not hold up; NULL: nobody. Set while
 * no other thread logs, or expect one more call.
 */
void log_on_error(void (*fn)(void *arg, struct text line), void *arg);

void log_fields(enum log_level level, const char *slug, const struct log_field *fields);

/* log_event(LOG_LEVEL_NOTICE, "subscribed", log_str("channel", name), log_int("of", n)); */
#ifdef __cppcheck__ /* does not know __VA_OPT__ */
#define log_event(level, ...) log_fields_unread((level), __VA_ARGS__)
void log_fields_unread(enum log_level level, const char *slug, ...);
#else
#define log_event(level, slug, ...) \
	log_fields((level), (slug), (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ .key = NULL } })
#endif

/* The usual end of an error: its text as error=…. */
void log_err(enum log_level level, const char *slug, const struct err *e);

/*
 * A limited rate for lines that the outside can provoke: `per_minute` lines, then silence; the first line of a later minute
 * follows one that says how many were left out (suppressed=…). Zero-initialise; one writer thread.
 */
struct log_limit {
	int64_t window_us;
	int in_window;
	int64_t suppressed;
};
bool log_allowed(struct log_limit *l, int per_minute, const char *slug);

/* A line for what took longer than it should, a few a minute: `slug` took_ms=… and one more field. Nothing when it did not. */
void log_slow(struct log_limit *l, const char *slug, int64_t took_us, int64_t over_us, struct log_field more);

#endif

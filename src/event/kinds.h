/*
 * kinds - the table of what there is: for every kind its name, its members in the order clients get them, under which
 * names producers send them, and how its events are announced.
 *
 * One row a kind (kinds.c); decoding, filters, CSV columns, OpenAPI and the manual are made from or checked against it.
 */
#ifndef EVENT_KINDS_H
#define EVENT_KINDS_H

#include "base/text.h"
#include "event/event.h"

#define KIND_ALIASES 4
#define KIND_MEMBERS 5

enum member_type {
	MEMBER_NAME, /* text of 1..64 printable characters */
	MEMBER_SYMBOL, /* text of the symbol alphabet, stored upper-case */
	MEMBER_TIMEFRAME, /* text of 1..32 printable characters, "1min" when missing */
	MEMBER_CONFIDENCE, /* a number, in percent once the scale is applied */
	MEMBER_VALUE, /* a finite number; an object here counts as `values` */
	MEMBER_VALUES, /* an object with members */
	MEMBER_SEVERITY, /* text, stored lower-case */
	MEMBER_TEXT, /* any text */
	MEMBER_STATE, /* not sent: comes from the channel */
};

/* Whether a fact must have it. */
enum need {
	NEED_NOT,
	NEED_THIS,
	NEED_ONE, /* one of the members so marked is enough (value or values; alert_type or message) */
};

/* A member that is the kind's own: it is looked for under `aliases`, in order, and rendered as aliases[0]. */
struct member {
	enum member_type type;
	enum need need;
	const char *aliases[KIND_ALIASES]; /* NULL-terminated unless full */
	const char *missing; /* what stands in when the producer sent none; NULL: JSON null */
};

struct kind_info {
	const char *name; /* "pattern": `kind`, the kinds= parameter, the settings' keys */
	const char *sse_event; /* the name on streams: that of the kind, but "system_error" for errors */
	const char *name_member; /* the member that `name` folds: "pattern_name"; NULL */
	const char *time_member; /* "detected_at", "calculated_at" or "timestamp" */
	const char *batch_member; /* an array of facts in one message: "patterns"; NULL */
	bool has_symbol; /* `symbol` is taken from the fact; else it is null */
	bool symbol_required; /* a fact without symbol is refused */
	struct member members[KIND_MEMBERS]; /* after id, kind, symbol; in order */
	size_t n_members;
	const char *help;
};

/* What every event has, in this order, around the kind's own members: producers' members of these names go under `extra`. */
#define KIND_COMMON 8
extern const char *const kind_common[KIND_COMMON];

/* The names of a symbol, of a time (first found wins; the last two come first for a stopped session), of envelopes, and of discriminators. */
#define SYMBOL_ALIASES 2
#define TIME_ALIASES 8
#define ENVELOPES 9
#define DISCRIMINATORS 3
extern const char *const symbol_aliases[SYMBOL_ALIASES];
extern const char *const time_aliases[TIME_ALIASES];
extern const char *const stopped_aliases[TIME_ALIASES];
extern const char *const envelope_names[ENVELOPES];
extern const char *const discriminators[DISCRIMINATORS];

extern const struct kind_info kinds[KIND__MAX];

int kind_by_name(struct text name, enum kind *out); /* -1: no such kind */
int severity_by_name(struct text name, enum severity *out); /* any case; -1: none of ours */
extern const char *const severity_names[SEVERITY__MAX]; /* NULL for SEVERITY_NONE */
extern const char *const time_source_names[TIME__MAX];

#endif

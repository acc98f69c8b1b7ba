/*
 * event - the noun of the house: one fact, in tickgate's one form.
 *
 * feed/ receives messages, event/decode.c makes events of them, store/append.c gives each its place in the log (`seq`)
 * and keeps it, http/ and live/ hand its JSON text on. Slices are borrowed from whoever made the event and live as long as
 * that one says (decode.h: until the next decode_next(); store/read.h: until the row callback returns).
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Stored in the database: never renumber. Names, channels and members stand in kinds.c. */
enum kind { KIND_PATTERN, KIND_INDICATOR, KIND_ALERT, KIND_HEALTH, KIND_SESSION, KIND_ERROR, KIND_GAP, KIND__MAX };

#define SYMBOL_MAX 32 /* bytes; the alphabet is ASCII */

/* Sets of kinds: bit 1 << kind. */
#define KIND_BIT(kind) (1u << (kind))
#define KINDS_ALL (KIND_BIT(KIND__MAX) - 1)
#define KINDS_DEFAULT (KIND_BIT(KIND_PATTERN) | KIND_BIT(KIND_INDICATOR) | KIND_BIT(KIND_ALERT))

/* Where `time` comes from. Stored: never renumber. */
enum time_source {
	TIME_EVENT, /* a time member of the fact */
	TIME_ENVELOPE, /* one of an envelope around it */
	TIME_RECEIVED, /* ours: it had none that could be used */
	TIME__MAX
};

/* Order matters: min_severity compares. Stored: never renumber. */
enum severity {
	SEVERITY_NONE, /* no severity, or a word that is none of these */
	SEVERITY_DEBUG,
	SEVERITY_INFO,
	SEVERITY_WARNING,
	SEVERITY_ERROR,
	SEVERITY_CRITICAL,
	SEVERITY__MAX
};

struct event {
	enum kind kind;
	int64_t seq; /* place in the log, from 1; 0 until store_append() */
	int64_t received_us;
	int64_t time_ms; /* the event's own time, cut to milliseconds */
	enum time_source time_source;
	int64_t gap_from_us; /* gaps only: the break's start (its end is received_us); else 0 */
	int64_t duplicate_of; /* seq of the first event of the same detection, 0 if this is no duplicate */

	/* What can be filtered on. Absent is TEXT_NONE, NAN or SEVERITY_NONE. */
	struct text symbol; /* upper case */
	struct text name; /* pattern, indicator or alert type, folded by text_fold_name() */
	struct text timeframe; /* verbatim; patterns and indicators only */
	struct text channel; /* the concrete channel, also under a PSUBSCRIBE pattern; absent for gaps */
	struct text component; /* errors only */
	struct text source; /* errors only */
	double confidence; /* percent, patterns only */
	double value; /* scalar value, indicators only */
	enum severity severity; /* errors only; an alert's is only in its text */

	/*
	 * The JSON text but for what the log gives it. The whole is (body.h puts it together):
	 *	{"id":"<epoch>-<seq>"  lead  ["duplicate_of":null | "<epoch>-<seq>"]  rest  }
	 * Both are compact and begin with ','. `duplicate_of` is left out for gaps.
	 */
	struct text lead;
	struct text rest;
};

/* An event that has nothing: zeros would mean "confidence 0". */
#define EVENT_INIT \
	{ \
		.confidence = NAN, .value = NAN \
	}

#endif

/*
 * kinds - see kinds.h. The tables of what producers send and what clients get.
 *
 * Names come in the order in which they are looked for; the first is the one that clients see.
 */
#include "event/kinds.h"

/* clang-format off */
const struct kind_info kinds[KIND__MAX] = {
	[KIND_PATTERN] = {
		.name = "pattern", .sse_event = "pattern", .name_member = "pattern_name", .time_member = "detected_at",
		.batch_member = "patterns", .has_symbol = true, .symbol_required = true,
		.members = {
			/* type               need       names                                            missing */
			{ MEMBER_NAME,        NEED_THIS, { "pattern_name", "pattern_type", "pattern" },   NULL },
			{ MEMBER_TIMEFRAME,   NEED_NOT,  { "timeframe" },                                 "1min" },
			{ MEMBER_CONFIDENCE,  NEED_THIS, { "confidence" },                                NULL },
		},
		.n_members = 3, .help = "A chart pattern was found in a symbol's bars.",
	},
	[KIND_INDICATOR] = {
		.name = "indicator", .sse_event = "indicator", .name_member = "indicator_name", .time_member = "calculated_at",
		.batch_member = "indicators", .has_symbol = true, .symbol_required = true,
		.members = {
			{ MEMBER_NAME,        NEED_THIS, { "indicator_name", "indicator_type", "indicator" }, NULL },
			{ MEMBER_TIMEFRAME,   NEED_NOT,  { "timeframe" },                                 "1min" },
			{ MEMBER_VALUE,       NEED_ONE,  { "value" },                                     NULL },
			{ MEMBER_VALUES,      NEED_ONE,  { "values" },                                    NULL },
		},
		.n_members = 4, .help = "A technical indicator was computed for a symbol.",
	},
	[KIND_ALERT] = {
		.name = "alert", .sse_event = "alert", .name_member = "alert_type", .time_member = "timestamp",
		.has_symbol = true,
		.members = {
			{ MEMBER_NAME,        NEED_ONE,  { "alert_type" },                                NULL },
			{ MEMBER_TEXT,        NEED_NOT,  { "severity" },                                  NULL },
			{ MEMBER_TEXT,        NEED_ONE,  { "message" },                                   NULL },
		},
		.n_members = 3, .help = "Something that a person should look at.",
	},
	[KIND_HEALTH] = {
		.name = "health", .sse_event = "health", .time_member = "timestamp",
		.members = {
			{ MEMBER_TEXT,        NEED_THIS, { "status", "health_status" },                   NULL },
		},
		.n_members = 1, .help = "The producer's report on itself.",
	},
	[KIND_SESSION] = {
		.name = "session", .sse_event = "session", .time_member = "timestamp",
		.members = {
			{ MEMBER_TEXT,        NEED_THIS, { "session_id" },                                NULL },
			{ MEMBER_STATE,       NEED_NOT,  { "state" },                                     NULL },
		},
		.n_members = 2, .help = "The producer's streaming session started or stopped.",
	},
	[KIND_ERROR] = {
		.name = "error", .sse_event = "system_error", .time_member = "timestamp",
		.members = {
			{ MEMBER_SEVERITY,    NEED_THIS, { "severity" },                                  NULL },
			{ MEMBER_TEXT,        NEED_NOT,  { "component" },                                 NULL },
			{ MEMBER_TEXT,        NEED_THIS, { "message", "error_message" },                  NULL },
			{ MEMBER_TEXT,        NEED_NOT,  { "source" },                                    "tickstock" },
		},
		.n_members = 4, .help = "Something went wrong, in the producer or in tickgate.",
	},
	[KIND_GAP] = {
		/* Ours alone: body_gap() writes its members. */
		.name = "gap", .sse_event = "gap", .time_member = NULL,
		.n_members = 0, .help = "Between `from` and `to` messages may have been missed.",
	},
};

const char *const kind_common[KIND_COMMON] = {
	"id", "kind", "symbol", "time", "time_source", "received_at", "channel", "duplicate_of",
};
const char *const symbol_aliases[SYMBOL_ALIASES] = { "symbol", "ticker" };
const char *const time_aliases[TIME_ALIASES] = {
	"detected_at", "calculated_at", "detection_timestamp", "timestamp", "started_at", "stopped_at", "start_time", "stop_time",
};
const char *const stopped_aliases[TIME_ALIASES] = {
	"stopped_at", "stop_time", "detected_at", "calculated_at", "detection_timestamp", "timestamp", "started_at", "start_time",
};
const char *const envelope_names[ENVELOPES] = {
	"detection", "calculation", "indicator", "alert", "health", "session", "payload", "pattern_data", "data",
};
const char *const discriminators[DISCRIMINATORS] = { "type", "event", "event_type" };

const char *const severity_names[SEVERITY__MAX] = {
	[SEVERITY_DEBUG]    = "debug",
	[SEVERITY_INFO]     = "info",
	[SEVERITY_WARNING]  = "warning",
	[SEVERITY_ERROR]    = "error",
	[SEVERITY_CRITICAL] = "critical",
};

const char *const time_source_names[TIME__MAX] = {
	[TIME_EVENT]    = "event",
	[TIME_ENVELOPE] = "envelope",
	[TIME_RECEIVED] = "received",
};
/* clang-format on */

int
kind_by_name(struct text name, enum kind *out)
{
	for (int k = 0; k < KIND__MAX; k++) {
		if (text_eq(name, text_of(kinds[k].name))) {
			*out = (enum kind)k;
			return 0;
		}
	}
	return -1;
}

int
severity_by_name(struct text name, enum severity *out)
{
	for (int s = SEVERITY_DEBUG; s < SEVERITY__MAX; s++) {
		if (text_eq_nocase(name, text_of(severity_names[s]))) {
			*out = (enum severity)s;
			return 0;
		}
	}
	return -1;
}

/* message - see message.h.  From producer.c, on to publish.c and record.c. */
#include "sim/message.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum time_format { T_SECONDS, T_MILLISECONDS, T_ISO_Z, T_ISO_OFFSET, T_ISO_WEST, T_ISO_NAIVE };

enum {
	F_FRACTION = 1, /* confidence 0..1 */
	F_TITLE = 2, /* DojiStar instead of doji_star */
	F_UPPER = 4, /* severity in capitals */
	F_STRINGS = 8, /* the numbers in `values` as text */
	F_VALUES = 16, /* `values` also for a single value */
	F_OUTER_TIME = 32, /* the envelope has the time, the fact has none */
	F_BOTH_TIMES = 64,
	F_NO_FRAME = 128, /* no timeframe: the reader takes 1min */
	F_NAN = 256, /* now and then a bare NaN, as Python writes a slope that there is none of yet */
	F_CRITICAL = 512, /* an alert for tickstock:alerts:critical */
};

struct form {
	const char *discriminator; /* `"type":"streaming_pattern"`, raw; NULL */
	const char *envelope, *envelope2; /* around the fact, outermost first; NULL */
	const char *batch; /* an array of facts (each in `envelope` if there is one); NULL */
	const char *name, *symbol, *time; /* the members' names; `time` of a stopped session: see time_member() */
	enum time_format format;
	unsigned flags;
	const char *channel; /* NULL: the type's own */
};

/* clang-format off */
static const struct form pattern_forms[] = {
	{ NULL, NULL, NULL, NULL, "pattern_name", "symbol", "detected_at", T_SECONDS, 0, NULL },
	{ "\"type\":\"streaming_pattern\"", "detection", NULL, NULL, "pattern", "symbol", "timestamp", T_ISO_OFFSET, F_FRACTION | F_TITLE, NULL },
	{ "\"event\":\"pattern_detected\",\"session_id\":\"sim\"", "detection", NULL, NULL, "pattern_type", "symbol", "timestamp", T_ISO_OFFSET, F_FRACTION | F_TITLE | F_BOTH_TIMES, NULL },
	{ "\"event\":\"pattern_detected\"", NULL, NULL, NULL, "pattern_type", "symbol", "timestamp", T_ISO_WEST, F_FRACTION, NULL },
	{ "\"type\":\"streaming_patterns_batch\"", NULL, NULL, "patterns", "pattern_type", "symbol", "timestamp", T_ISO_Z, F_FRACTION | F_TITLE | F_NO_FRAME, NULL },
	{ "\"event\":\"pattern_detected\",\"source\":\"pattern_detection_engine\",\"version\":\"1.0\"", "payload", NULL, NULL, "pattern", "symbol", "detected_at", T_ISO_Z, F_FRACTION | F_TITLE | F_OUTER_TIME, NULL },
	{ "\"event_type\":\"pattern_detected\",\"source\":\"TickStockPL\"", "data", NULL, NULL, "pattern", "symbol", "timestamp", T_SECONDS, F_FRACTION | F_TITLE | F_BOTH_TIMES, "tickstock.events.patterns" },
	{ "\"event_type\":\"pattern_detected\"", "data", "data", NULL, "pattern", "symbol", "timestamp", T_ISO_NAIVE, F_FRACTION | F_TITLE, "tickstock.events.patterns" },
	{ "\"type\":\"patterns\"", "detection", NULL, "patterns", "pattern_name", "ticker", "detection_timestamp", T_MILLISECONDS, 0, NULL },
	{ "\"type\":\"pattern\"", "pattern_data", NULL, NULL, "pattern_name", "ticker", "detection_timestamp", T_MILLISECONDS, F_FRACTION, NULL },
};
static const struct form indicator_forms[] = {
	{ NULL, NULL, NULL, NULL, "indicator_name", "symbol", "calculated_at", T_SECONDS, 0, NULL },
	{ "\"type\":\"streaming_indicator\"", "calculation", NULL, NULL, "indicator", "symbol", "timestamp", T_ISO_OFFSET, 0, NULL },
	{ "\"event\":\"indicator_calculated\",\"session_id\":\"sim\"", "calculation", NULL, NULL, "indicator_type", "symbol", "timestamp", T_ISO_OFFSET, F_VALUES | F_BOTH_TIMES | F_NAN, NULL },
	{ "\"event\":\"indicator_calculated\"", NULL, NULL, NULL, "indicator_name", "symbol", "timestamp", T_ISO_WEST, F_NAN, NULL },
	{ "\"type\":\"indicator_update\"", "indicator", NULL, NULL, "indicator_type", "ticker", "calculated_at", T_MILLISECONDS, 0, NULL },
	{ "\"type\":\"streaming_indicators_batch\"", NULL, NULL, "indicators", "indicator", "symbol", "timestamp", T_ISO_Z, F_NO_FRAME, NULL },
	{ "\"event_type\":\"indicator\"", "data", NULL, NULL, "indicator", "symbol", "timestamp", T_ISO_NAIVE, F_VALUES | F_STRINGS, NULL },
	{ "\"event\":\"indicator\"", "payload", NULL, NULL, "indicator_name", "symbol", "timestamp", T_SECONDS, F_OUTER_TIME, NULL },
};
static const struct form alert_forms[] = {
	{ NULL, NULL, NULL, NULL, "alert_type", "symbol", "timestamp", T_SECONDS, 0, NULL },
	{ "\"type\":\"indicator_alert\"", "alert", NULL, NULL, "alert_type", "symbol", "timestamp", T_ISO_Z, 0, NULL },
	{ NULL, NULL, NULL, NULL, "type", "symbol", "timestamp", T_ISO_OFFSET, F_UPPER, NULL },
	{ "\"event\":\"critical_alert\"", "alert", NULL, NULL, "alert_type", "symbol", "timestamp", T_SECONDS, F_CRITICAL, "tickstock:alerts:critical" },
};
static const struct form health_forms[] = {
	{ NULL, NULL, NULL, NULL, "status", NULL, "timestamp", T_SECONDS, 0, NULL },
	{ "\"type\":\"streaming_health\"", "health", NULL, NULL, "status", NULL, "timestamp", T_ISO_Z, F_BOTH_TIMES, NULL },
	{ NULL, NULL, NULL, NULL, "health_status", NULL, "timestamp", T_ISO_NAIVE, 0, NULL },
};
static const struct form session_forms[] = {
	{ NULL, NULL, NULL, NULL, NULL, NULL, "started_at", T_SECONDS, 0, NULL },
	{ "\"event\":\"session\"", "data", NULL, NULL, NULL, NULL, "start_time", T_ISO_Z, F_BOTH_TIMES, NULL },
	{ "\"type\":\"streaming_session\"", "session", NULL, NULL, NULL, NULL, "started_at", T_ISO_OFFSET, 0, NULL },
};
static const struct form error_forms[] = {
	{ NULL, NULL, NULL, NULL, "message", NULL, "timestamp", T_SECONDS, 0, NULL },
	{ "\"error_id\":\"sim\",\"error_type\":\"FeedError\",\"category\":\"feed\"", NULL, NULL, NULL, "error_message", NULL, "timestamp", T_ISO_Z, F_UPPER, NULL },
};

#define ROW(table, channel) { table, sizeof(table) / sizeof(table[0]), channel }
static const struct { const struct form *forms; size_t n; const char *channel; } types[FACT__MAX] = {
	[FACT_PATTERN]   = ROW(pattern_forms,   "tickstock:patterns:streaming"),
	[FACT_INDICATOR] = ROW(indicator_forms, "tickstock:indicators:streaming"),
	[FACT_ALERT]     = ROW(alert_forms,     "tickstock:alerts:indicators"),
	[FACT_HEALTH]    = ROW(health_forms,    "tickstock:streaming:health"),
	[FACT_SESSION]   = ROW(session_forms,   "tickstock:streaming:session_started"),
	[FACT_ERROR]     = ROW(error_forms,     "tickstock:errors"),
};
/* clang-format on */

size_t
message_forms(enum fact_type type)
{
	return types[type].n;
}

bool
message_is_batch(enum fact_type type, size_t form)
{
	return types[type].forms[form].batch != NULL;
}

const char *
message_channel(const struct fact *f, size_t form)
{
	if (f->type == FACT_SESSION && f->stopped)
		return "tickstock:streaming:session_stopped";
	if (types[f->type].forms[form].channel != NULL)
		return types[f->type].forms[form].channel;
	return types[f->type].channel;
}

/* `"name":`, with the comma that is due. Names are ours and need no escape. */
static void
add_key(struct buf *out, const char *name)
{
	if (out->len > 0 && out->p[out->len - 1] != '{' && out->p[out->len - 1] != '[')
		buf_add_char(out, ',');
	buf_add_char(out, '"');
	buf_add_str(out, name);
	buf_add_str(out, "\":");
}

static void
add_string(struct buf *out, const char *name, const char *value)
{
	add_key(out, name);
	buf_add_json(out, text_of(value));
}

/* v / 10^digits, without the zeros at the end but for one: 68.5, 150.0. */
static void
add_decimal(struct buf *out, int64_t v, int digits)
{
	int64_t unit = 1, left;

	for (int i = 0; i < digits; i++)
		unit *= 10;
	if (v < 0)
		buf_add_char(out, '-');
	v = v < 0 ? -v : v;
	buf_add_int(out, v / unit);
	buf_add_char(out, '.');
	left = v % unit;
	do {
		unit /= 10;
		buf_add_char(out, (char)('0' + left / unit % 10));
		left %= unit;
	} while (left > 0);
}

static void
add_int(struct buf *out, const char *name, int64_t v)
{
	add_key(out, name);
	buf_add_int(out, v);
}

static void
add_time(struct buf *out, const char *name, int64_t ms, enum time_format format)
{
	static const int64_t west_ms = -4 * 3600 * 1000;
	char iso[CLOCK_RFC3339_SIZE];

	add_key(out, name);
	if (format == T_SECONDS) {
		add_decimal(out, ms, 3);
		return;
	}
	if (format == T_MILLISECONDS) {
		buf_add_int(out, ms);
		return;
	}
	clock_rfc3339(format == T_ISO_WEST ? ms + west_ms : ms, iso);
	buf_add_char(out, '"');
	buf_add(out, iso, strlen(iso) - 1);
	buf_add_str(out,
	    format == T_ISO_Z            ? "Z"
		: format == T_ISO_OFFSET ? "+00:00"
		: format == T_ISO_WEST   ? "-04:00"
					 : "");
	buf_add_char(out, '"');
}

static const char *
time_member(const struct fact *f, const struct form *form)
{
	if (f->type != FACT_SESSION || !f->stopped)
		return form->time;
	return strcmp(form->time, "start_time") == 0 ? "stop_time" : "stopped_at";
}

static void
add_severity(struct buf *out, const struct fact *f, const struct form *form)
{
	char word[16] = "";

	for (size_t i = 0; i < sizeof(word) - 1 && f->severity[i] != '\0'; i++)
		word[i] = (char)(form->flags & F_UPPER ? toupper((unsigned char)f->severity[i]) : f->severity[i]);
	add_string(out, "severity", word);
}

static void
add_price(struct buf *out, const char *name, int64_t cents)
{
	add_key(out, name);
	add_decimal(out, cents, 2);
}

static void
add_pattern(struct buf *out, const struct fact *f, const struct form *form)
{
	add_string(out, form->name, form->flags & F_TITLE ? f->candle->title : f->candle->name);
	add_string(out, form->symbol, f->symbol);
	if (!(form->flags & F_NO_FRAME))
		add_string(out, "timeframe", "1min");
	add_key(out, "confidence");
	add_decimal(out, f->confidence, form->flags & F_FRACTION ? 3 : 1);
	add_int(out, "bar_count", f->candle->bars);
	add_key(out, form->flags & F_FRACTION ? "parameters" : "metadata");
	buf_add_char(out, '{');
	add_price(out, "open", f->bar.open);
	add_price(out, "high", f->bar.high);
	add_price(out, "low", f->bar.low);
	add_price(out, "close", f->bar.close);
	add_int(out, "volume", f->bar.volume);
	buf_add_char(out, '}');
}

static void
add_indicator(struct buf *out, const struct fact *f, const struct form *form)
{
	add_string(out, form->name, f->name);
	add_string(out, form->symbol, f->symbol);
	if (!(form->flags & F_NO_FRAME))
		add_string(out, "timeframe", "1min");
	if (f->n_values == 1) {
		add_key(out, "value");
		add_decimal(out, f->values[0], 4);
	}
	if (f->n_values > 1 || (form->flags & F_VALUES)) {
		add_key(out, "values");
		buf_add_char(out, '{');
		for (size_t i = 0; i < f->n_values; i++) {
			add_key(out, f->value_names[i]);
			buf_add_str(out, form->flags & F_STRINGS ? "\"" : "");
			add_decimal(out, f->values[i], 4);
			buf_add_str(out, form->flags & F_STRINGS ? "\"" : "");
		}
		buf_add_char(out, '}');
	}
	add_key(out, "metadata");
	buf_add_char(out, '{');
	if (f->period > 0)
		add_int(out, "period", f->period);
	add_string(out, "source", "close");
	if ((form->flags & F_NAN) && f->values[0] % 8 == 0) {
		add_key(out, "slope");
		buf_add_str(out, "NaN");
	}
	buf_add_char(out, '}');
}

static void
add_alert(struct buf *out, const struct fact *f, const struct form *form)
{
	add_string(out, form->name, f->name);
	add_string(out, form->symbol, f->symbol);
	add_string(out, "message", f->text);
	add_severity(out, f, form);
	add_key(out, "data");
	buf_add_str(out, "{\"indicator\":\"RSI\",\"value\":");
	add_decimal(out, f->values[0], 4);
	add_key(out, "threshold");
	add_decimal(out, f->values[1], 4);
	buf_add_char(out, '}');
}

static void
add_fact(struct buf *out, const struct fact *f, const struct form *form)
{
	switch (f->type) {
	case FACT_PATTERN:
		add_pattern(out, f, form);
		break;
	case FACT_INDICATOR:
		add_indicator(out, f, form);
		break;
	case FACT_ALERT:
		add_alert(out, f, form);
		break;
	case FACT_HEALTH:
		add_string(out, form->name, f->name);
		add_int(out, "uptime_seconds", f->uptime_s);
		add_int(out, "symbols_processed", f->symbols);
		add_int(out, "patterns_detected", f->patterns);
		add_int(out, "indicators_calculated", f->indicators);
		break;
	case FACT_SESSION:
		add_string(out, "session_id", f->text);
		add_string(out, "symbol_universe_key", "tickgate-sim");
		break;
	case FACT_ERROR:
		add_severity(out, f, form);
		add_string(out, form->name, f->text);
		add_string(out, "component", "TickAggregator");
		break;
	case FACT__MAX:
		break;
	}
	if (!(form->flags & F_OUTER_TIME))
		add_time(out, time_member(f, form), f->time_ms, form->format);
}

/* The fact as an object, in its envelopes if `wrapped`. */
static void
add_object(struct buf *out, const struct fact *f, const struct form *form)
{
	const char *around[] = { form->envelope, form->envelope2 };
	int deep = 0;

	for (size_t i = 0; i < 2 && around[i] != NULL; i++, deep++) {
		add_key(out, around[i]);
		buf_add_char(out, '{');
	}
	add_fact(out, f, form);
	while (deep-- > 0)
		buf_add_char(out, '}');
}

void
message_render(struct buf *out, const struct fact *facts, size_t n, size_t form_no)
{
	const struct form *form = &types[facts->type].forms[form_no];

	buf_add_char(out, '{');
	if (form->discriminator != NULL)
		buf_add_str(out, form->discriminator);
	if (form->flags & (F_OUTER_TIME | F_BOTH_TIMES))
		add_time(out, "timestamp", facts->time_ms, form->format);
	if (form->batch == NULL) {
		add_object(out, facts, form);
		buf_add_char(out, '}');
		return;
	}
	add_key(out, form->batch);
	for (size_t i = 0; i < n; i++) {
		buf_add_str(out, i == 0 ? "[{" : ",{");
		add_object(out, &facts[i], form);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ']');
	add_int(out, "count", (int64_t)n);
	buf_add_char(out, '}');
}

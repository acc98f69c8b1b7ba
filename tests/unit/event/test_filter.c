/*
 * A table: an event, a filter, and whether they match.
 */
#include "feed.h"

#include "event/filter.h"

/* F() gives defaults that its rows override: that is what it is for. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

#define SET(...) \
	{ \
		(const struct text[]){ __VA_ARGS__ }, \
		    sizeof((const struct text[]){ __VA_ARGS__ }) / sizeof(struct text) \
	}
#define T TEXT_INIT
#define F(...) \
	{ \
		.kinds = KINDS_ALL, .min_confidence = NAN, .max_confidence = NAN, .min_value = NAN, .max_value = NAN, \
		.since_us = INT64_MIN, .until_us = INT64_MAX, __VA_ARGS__ \
	}

/* One of each, as the decoder would make them. */
enum { PATTERN, DUPLICATE, INDICATOR, NO_VALUE, ALERT, ERROR, ODD_ERROR, HEALTH, GAP, EVENTS };

/* clang-format off */
static const struct event events[EVENTS] = {
	[PATTERN]   = { .kind = KIND_PATTERN, .symbol = T("AAPL"), .name = T("doji"), .timeframe = T("1min"), .channel = T("p"),
			.confidence = 85.5, .value = NAN, .received_us = 2000000, .time_ms = 1000 },
	[DUPLICATE] = { .kind = KIND_PATTERN, .symbol = T("AAPL"), .name = T("doji"), .timeframe = T("1min"), .channel = T("q"),
			.confidence = 85.5, .value = NAN, .received_us = 2000000, .time_ms = 1000, .duplicate_of = 1 },
	[INDICATOR] = { .kind = KIND_INDICATOR, .symbol = T("MSFT"), .name = T("rsi"), .timeframe = T("1day"), .channel = T("i"),
			.confidence = NAN, .value = -5, .received_us = 2000000, .time_ms = 1000 },
	[NO_VALUE]  = { .kind = KIND_INDICATOR, .symbol = T("MSFT"), .name = T("macd"), .timeframe = T("1day"), .channel = T("i"),
			.confidence = NAN, .value = NAN, .received_us = 2000000, .time_ms = 1000 },
	[ALERT]     = { .kind = KIND_ALERT, .name = T("lost"), .channel = T("a"), .confidence = NAN, .value = NAN,
			.received_us = 2000000, .time_ms = 1000 },
	[ERROR]     = { .kind = KIND_ERROR, .channel = T("e"), .component = T("Loader"), .source = T("tickstock"),
			.severity = SEVERITY_ERROR, .confidence = NAN, .value = NAN, .received_us = 2000000, .time_ms = 1000 },
	[ODD_ERROR] = { .kind = KIND_ERROR, .channel = T("e"), .source = T("x"), .confidence = NAN, .value = NAN,
			.received_us = 2000000, .time_ms = 1000 },
	[HEALTH]    = { .kind = KIND_HEALTH, .channel = T("h"), .confidence = NAN, .value = NAN, .received_us = 2000000, .time_ms = 1000 },
	[GAP]       = { .kind = KIND_GAP, .confidence = NAN, .value = NAN, .received_us = 2000000, .time_ms = 1000 },
};

#define ALL_BUT(...) (ALL & ~(__VA_ARGS__))
#define B(e) (1u << (e))
#define ALL (B(EVENTS) - 1 - B(DUPLICATE)) /* duplicates are hidden unless asked for */

static const struct { const char *what; struct filter f; unsigned want; } cases[] = {
	{ "nothing",           F(.show_duplicates = false),                      ALL },
	{ "duplicates",        F(.show_duplicates = true),                       ALL | B(DUPLICATE) },
	{ "one kind",          F(.kinds = KIND_BIT(KIND_ALERT)),                 B(ALERT) },
	{ "default kinds",     F(.kinds = KINDS_DEFAULT),                        B(PATTERN) | B(INDICATOR) | B(NO_VALUE) | B(ALERT) },
	{ "symbol",            F(.symbols = SET(T("AAPL"))),                     B(PATTERN) },
	{ "symbols",           F(.symbols = SET(T("A"), T("AAPL"), T("MSFT"), T("Z"))), B(PATTERN) | B(INDICATOR) | B(NO_VALUE) },
	{ "no such symbol",    F(.symbols = SET(T("AAP"), T("AAPLX"))),          0 },
	{ "pattern name",      F(.names[KIND_PATTERN] = SET(T("hammer"))),       ALL_BUT(B(PATTERN)) },
	{ "pattern names",     F(.names[KIND_PATTERN] = SET(T("x"), T("doji"))), ALL },
	{ "indicator name",    F(.names[KIND_INDICATOR] = SET(T("rsi"))),        ALL_BUT(B(NO_VALUE)) },
	{ "alert name",        F(.names[KIND_ALERT] = SET(T("other"))),          ALL_BUT(B(ALERT)) },
	{ "timeframe",         F(.timeframes = SET(T("1min"))),                  ALL_BUT(B(INDICATOR) | B(NO_VALUE)) },
	{ "timeframe's case",  F(.timeframes = SET(T("1MIN"))),                  ALL_BUT(B(PATTERN) | B(INDICATOR) | B(NO_VALUE)) },
	{ "confidence at",     F(.min_confidence = 85.5, .max_confidence = 85.5), ALL },
	{ "confidence above",  F(.min_confidence = 85.6),                        ALL_BUT(B(PATTERN)) },
	{ "confidence below",  F(.max_confidence = 85.4),                        ALL_BUT(B(PATTERN)) },
	{ "value at",          F(.min_value = -5, .max_value = -5),              ALL_BUT(B(NO_VALUE)) },
	{ "value above",       F(.min_value = 0),                                ALL_BUT(B(INDICATOR) | B(NO_VALUE)) },
	{ "value below",       F(.max_value = -6),                               ALL_BUT(B(INDICATOR) | B(NO_VALUE)) },
	{ "severity",          F(.severities = SET(T("error"))),                 ALL_BUT(B(ODD_ERROR)) },
	{ "other severity",    F(.severities = SET(T("debug"), T("info"))),      ALL_BUT(B(ERROR) | B(ODD_ERROR)) },
	{ "min severity",      F(.min_severity = SEVERITY_ERROR),                ALL_BUT(B(ODD_ERROR)) },
	{ "min too high",      F(.min_severity = SEVERITY_CRITICAL),             ALL_BUT(B(ERROR) | B(ODD_ERROR)) },
	{ "component",         F(.components = SET(T("Loader"))),                ALL_BUT(B(ODD_ERROR)) },
	{ "component's case",  F(.components = SET(T("loader"))),                ALL_BUT(B(ERROR) | B(ODD_ERROR)) },
	{ "source",            F(.sources = SET(T("x"))),                        ALL_BUT(B(ERROR)) },
	{ "channel",           F(.channels = SET(T("p"), T("q"))),               B(PATTERN) },
	{ "channel, all",      F(.channels = SET(T("q")), .show_duplicates = true), B(DUPLICATE) },
	{ "since, at",         F(.since_us = 2000000),                           ALL },
	{ "since, after",      F(.since_us = 2000001),                           0 },
	{ "until, at",         F(.until_us = 2000000),                           0 },
	{ "until, after",      F(.until_us = 2000001),                           ALL },
	{ "event time",        F(.times_of_event = true, .since_us = 1000000, .until_us = 1000001), ALL },
	{ "event time, not",   F(.times_of_event = true, .since_us = 1000001),   0 },
};
/* clang-format on */

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (unsigned e = 0; e < EVENTS; e++) {
			bool want = (cases[i].want & B(e)) != 0;

			if (filter_matches(&cases[i].f, &events[e]) != want)
				fail_msg("%s: event %u should%s match", cases[i].what, e, want ? "" : " not");
		}
	}
}

static void
test_symbols(void **state)
{
	const struct text items[] = { T("A"), T("AA"), T("B"), T("BRK.B"), T("Z") };

	(void)state;
	for (size_t n = 1; n <= 5; n++) {
		struct filter f = F(.symbols = { items, n });

		for (size_t i = 0; i < 5; i++)
			assert_int_equal(filter_has_symbol(&f, items[i]), i < n);
		assert_false(filter_has_symbol(&f, TEXT("AB")));
		assert_false(filter_has_symbol(&f, TEXT("")));
		assert_false(filter_has_symbol(&f, TEXT_NONE));
	}
}

/* Every condition that picks by more than kind, symbol, time and duplicates has to be known here: who does not pick gets brief rows. */
static void
test_picky(void **state)
{
	const struct text item = TEXT_INIT("x");
	const struct text_set one = { &item, 1 };
	struct filter f = FILTER_INIT;

	(void)state;
	f.kinds = KIND_BIT(KIND_PATTERN);
	f.symbols = one;
	f.show_duplicates = f.every_gap = f.times_of_event = true;
	f.since_us = 1;
	f.until_us = 2;
	assert_false(filter_is_picky(&f));
#define PICKS(member, value) \
	do { \
		struct filter picky = f; \
		picky.member = value; \
		assert_true(filter_is_picky(&picky)); \
	} while (0)
	for (int kind = 0; kind < KIND__MAX; kind++)
		PICKS(names[kind], one);
	PICKS(timeframes, one);
	PICKS(severities, one);
	PICKS(components, one);
	PICKS(sources, one);
	PICKS(channels, one);
	PICKS(min_confidence, 0);
	PICKS(max_confidence, 0);
	PICKS(min_value, 0);
	PICKS(max_value, 0);
	PICKS(min_severity, SEVERITY_DEBUG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_picky),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * filter - which events somebody wants. Made from query parameters (api/), applied to rows (store/) and to live events (live/):
 * the one place that decides whether an event matches.
 *
 * A filter applies to the kinds it is made for and leaves events of other kinds alone; symbols, channel and times apply to
 * all kinds. Pure: no allocation, everything is borrowed from whoever made the filter.
 */
#ifndef EVENT_FILTER_H
#define EVENT_FILTER_H

#include "event/event.h"

/* Any of these; `n` 0 means no condition. */
struct text_set {
	const struct text *items;
	size_t n;
};

struct filter {
	unsigned kinds; /* bits KIND_BIT(); never 0 */
	struct text_set symbols; /* upper case, sorted by text_cmp(), each once */
	struct text_set names[KIND__MAX]; /* folded; for pattern, indicator and alert */
	struct text_set timeframes; /* verbatim; patterns and indicators */
	struct text_set severities; /* lower case, errors: compared with severity_names */
	struct text_set components; /* verbatim, errors */
	struct text_set sources; /* verbatim, errors */
	struct text_set channels; /* verbatim, all kinds */
	double min_confidence, max_confidence; /* percent, patterns; NAN: no condition */
	double min_value, max_value; /* indicators; one without scalar value does not match; NAN: no condition */
	enum severity min_severity; /* errors; SEVERITY_NONE: no condition */
	bool show_duplicates; /* else events with duplicate_of are hidden */
	bool every_gap; /* gaps match whatever else is said: streams tell all of them */
	bool times_of_event; /* since/until look at the event's own time, not at the receive time */
	int64_t since_us, until_us; /* half-open; INT64_MIN and INT64_MAX: no condition */
};

#define FILTER_INIT \
	{ \
		.kinds = KINDS_ALL, .min_confidence = NAN, .max_confidence = NAN, .min_value = NAN, .max_value = NAN, \
		.since_us = INT64_MIN, .until_us = INT64_MAX \
	}

bool text_set_has(const struct text_set *set, struct text t); /* linear; an empty set has everything */
int text_set_at(const struct text_set *set, struct text t); /* its place in a sorted set, by binary search; -1 */
int filter_symbol_at(const struct filter *f, struct text symbol); /* its place among the filter's; -1 */
bool filter_has_symbol(const struct filter *f, struct text symbol); /* no condition has all */

/* Whether it picks among the events of its kinds and symbols, by more than time and duplicates. */
bool filter_is_picky(const struct filter *f);

/* Uses every member of `ev` but lead and rest. */
bool filter_matches(const struct filter *f, const struct event *ev);

#endif

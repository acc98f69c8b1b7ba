/*
 * filter - see filter.h.
 */
#include "event/filter.h"

#include "event/kinds.h"

bool
text_set_has(const struct text_set *set, struct text t)
{
	if (set->n == 0)
		return true;
	for (size_t i = 0; i < set->n; i++) {
		if (t.p != NULL && text_eq(set->items[i], t))
			return true;
	}
	return false;
}

int
text_set_at(const struct text_set *set, struct text t)
{
	size_t low = 0, high = set->n;

	if (t.p == NULL)
		return -1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int d = text_cmp(t, set->items[middle]);

		if (d == 0)
			return (int)middle;
		if (d < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

int
filter_symbol_at(const struct filter *f, struct text symbol)
{
	return text_set_at(&f->symbols, symbol);
}

bool
filter_has_symbol(const struct filter *f, struct text symbol)
{
	return f->symbols.n == 0 || filter_symbol_at(f, symbol) >= 0;
}

bool
filter_is_picky(const struct filter *f)
{
	size_t sets = f->timeframes.n + f->severities.n + f->components.n + f->sources.n + f->channels.n;

	for (int kind = 0; kind < KIND__MAX; kind++)
		sets += f->names[kind].n;
	return sets > 0 || !isnan(f->min_confidence) || !isnan(f->max_confidence) || !isnan(f->min_value) ||
	    !isnan(f->max_value) || f->min_severity != SEVERITY_NONE;
}

/* No bound is met by all; a bound by none that has no number. */
static bool
within(double v, double min, double max)
{
	return (isnan(min) || v >= min) && (isnan(max) || v <= max);
}

static bool
severity_matches(const struct filter *f, const struct event *ev)
{
	const char *name = severity_names[ev->severity];

	return text_set_has(&f->severities, text_of(name)) && ev->severity >= f->min_severity;
}

static bool
time_matches(const struct filter *f, const struct event *ev)
{
	int64_t us = f->times_of_event ? ev->time_ms * 1000 : ev->received_us;

	return us >= f->since_us && us < f->until_us;
}

static bool
kind_matches(const struct filter *f, const struct event *ev)
{
	switch (ev->kind) {
	case KIND_PATTERN:
		return text_set_has(&f->names[KIND_PATTERN], ev->name) && text_set_has(&f->timeframes, ev->timeframe) &&
		    within(ev->confidence, f->min_confidence, f->max_confidence);
	case KIND_INDICATOR:
		return text_set_has(&f->names[KIND_INDICATOR], ev->name) &&
		    text_set_has(&f->timeframes, ev->timeframe) && within(ev->value, f->min_value, f->max_value);
	case KIND_ALERT:
		return text_set_has(&f->names[KIND_ALERT], ev->name);
	case KIND_ERROR:
		return severity_matches(f, ev) && text_set_has(&f->components, ev->component) &&
		    text_set_has(&f->sources, ev->source);
	case KIND_HEALTH:
	case KIND_SESSION:
	case KIND_GAP:
	case KIND__MAX:
		break;
	}
	return true;
}

bool
filter_matches(const struct filter *f, const struct event *ev)
{
	if (f->every_gap && ev->kind == KIND_GAP)
		return true;
	return (f->kinds & KIND_BIT(ev->kind)) != 0 && (f->show_duplicates || ev->duplicate_of == 0) &&
	    filter_has_symbol(f, ev->symbol) && text_set_has(&f->channels, ev->channel) && time_matches(f, ev) &&
	    kind_matches(f, ev);
}

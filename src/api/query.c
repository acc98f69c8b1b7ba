/* query - see query.h.  Walk 2, inside step 5: from collection.c. */
#include "api/query.h"

#include "api/handlers.h"
#include "event/kinds.h"
#include "http/param_values.h"

const char *const reset_names[] = {
	[RESET_NONE] = NULL,
	[RESET_TRIMMED] = "trimmed",
	[RESET_EPOCH_CHANGED] = "epoch_changed",
	[RESET_UNKNOWN_CURSOR] = "unknown_cursor",
	[RESET_TOO_FAR] = "too_far",
};

static struct text_set
set_of(const struct exchange *x, enum param q)
{
	return (struct text_set){ x->params.v[q].items, x->params.v[q].n_items };
}

/* A parameter that is one text, as a set. */
static struct text_set
set_of_one(const struct exchange *x, enum param q)
{
	return (struct text_set){ &x->params.v[q].text, x->params.v[q].given ? 1 : 0 };
}

static void
set_severities(struct query *q, const struct exchange *x)
{
	size_t n = 0;

	for (int severity = SEVERITY_NONE + 1; severity < SEVERITY__MAX; severity++) {
		if ((x->params.v[Q_SEVERITY].n & (INT64_C(1) << severity)) != 0)
			q->severities[n++] = text_of(severity_names[severity]);
	}
	q->filter.severities = (struct text_set){ q->severities, n };
}

static double
real_of(const struct exchange *x, enum param q)
{
	return x->params.v[q].given ? x->params.v[q].real : (double)NAN;
}

static void
set_symbols(struct query *q, const struct exchange *x)
{
	const struct param_value *v = x->params.v;

	if (x->symbol.p != NULL) {
		q->symbol = x->symbol;
		q->filter.symbols = (struct text_set){ &q->symbol, 1 };
	} else {
		q->filter.symbols = set_of(x, v[Q_SYMBOL].given ? Q_SYMBOL : Q_SYMBOLS);
	}
}

static void
set_times(struct query *q, const struct exchange *x)
{
	const struct param_value *since = &x->params.v[Q_SINCE], *until = &x->params.v[Q_UNTIL];

	if (since->given)
		q->filter.since_us = since->n;
	if (until->given)
		q->filter.until_us = until->n;
}

void
query_filter(struct query *q, const struct exchange *x, unsigned route_kinds)
{
	const struct param_value *v = x->params.v;
	struct filter *f = &q->filter;

	*q = (struct query){ .filter = FILTER_INIT };
	q->list.filter = f;
	q->list.brief = true; /* rows.c makes everything of the text */
	f->kinds = route_kinds != 0 ? route_kinds : v[Q_KINDS].given ? (unsigned)v[Q_KINDS].n : KINDS_DEFAULT;
	set_symbols(q, x);
	f->names[KIND_PATTERN] = set_of(x, Q_PATTERN);
	f->names[KIND_INDICATOR] = set_of(x, Q_INDICATOR);
	f->names[KIND_ALERT] = set_of(x, Q_ALERT);
	f->timeframes = set_of(x, Q_TIMEFRAME);
	f->min_confidence = real_of(x, Q_MIN_CONFIDENCE);
	f->max_confidence = real_of(x, Q_MAX_CONFIDENCE);
	f->min_value = real_of(x, Q_MIN_VALUE);
	f->max_value = real_of(x, Q_MAX_VALUE);
	set_severities(q, x);
	f->components = set_of_one(x, Q_COMPONENT);
	f->sources = set_of_one(x, Q_SOURCE);
	f->channels = set_of_one(x, Q_CHANNEL);
	if (v[Q_MIN_SEVERITY].given)
		f->min_severity = (enum severity)v[Q_MIN_SEVERITY].n;
	/* A channel that only repeats another one would look empty otherwise; who says hide gets that. */
	f->show_duplicates = v[Q_DUPLICATES].given ? text_eq(v[Q_DUPLICATES].text, TEXT("show")) : v[Q_CHANNEL].given;
	set_times(q, x);
	f->times_of_event = v[Q_TIME_FIELD].n == 1;
	q->list.limit = v[Q_LIMIT].given ? (int)v[Q_LIMIT].n : LIMIT_DEFAULT;
	q->per_symbol = v[Q_PER_SYMBOL].given ? (int)v[Q_PER_SYMBOL].n : 0;
	q->after = v[Q_AFTER].given || x->request->resume != NULL;
	q->before = v[Q_BEFORE].given;
}

/* What an id is to this log. The parameters were checked: it has the form of one. */
enum whose { OURS, OURS_ABOVE_HEAD, ANOTHERS };

static enum whose
whose_id(struct text id, const struct snapshot *snap, int64_t *seq)
{
	struct text epoch;

	if (body_parse_id(id, snap->epoch, seq) == 0)
		return *seq <= snap->head ? OURS : OURS_ABOVE_HEAD;
	/* Of our epoch but not read: more than any seq can be. */
	return param_id_ok(id, &epoch) && text_eq(epoch, text_of(snap->epoch)) ? OURS_ABOVE_HEAD : ANOTHERS;
}

enum reset_reason
query_judge(struct text id, const struct snapshot *snap, unsigned kinds_wanted, int64_t *seq)
{
	struct text epoch;

	*seq = 0;
	if (!param_id_ok(id, &epoch))
		return RESET_UNKNOWN_CURSOR;
	switch (whose_id(id, snap, seq)) {
	case OURS:
		return *seq < read_trimmed(snap, kinds_wanted) ? RESET_TRIMMED : RESET_NONE;
	case OURS_ABOVE_HEAD:
		return RESET_UNKNOWN_CURSOR;
	case ANOTHERS:
		break;
	}
	return RESET_EPOCH_CHANGED;
}

static void
place_after(struct query *q, struct text id, const struct snapshot *snap)
{
	int64_t seq = 0;

	q->list.order = LIST_OLDEST_FIRST;
	q->list.bound = 0;
	if (text_eq(id, TEXT("oldest")))
		return;
	if (text_eq(id, TEXT("now"))) {
		q->list.bound = snap->head;
		return;
	}
	q->reset = query_judge(id, snap, q->filter.kinds, &seq);
	if (q->reset == RESET_NONE)
		q->list.bound = seq;
}

/* Where it was parked, or where it has got to since. */
static void
place_resumed(struct query *q, const struct resume *resume, const struct snapshot *snap)
{
	q->list.order = LIST_OLDEST_FIRST;
	q->list.bound = 0;
	if (resume->after < 0 || !text_eq(text_of(resume->epoch), text_of(snap->epoch)) || resume->checked > snap->head)
		q->reset = RESET_EPOCH_CHANGED;
	else if (resume->checked < read_trimmed(snap, q->filter.kinds))
		q->reset = RESET_TRIMMED;
	else
		q->list.bound = resume->checked;
	q->gaps_after = q->reset == RESET_NONE && resume->after < q->list.bound ? resume->after : q->list.bound;
}

static void
place_before(struct query *q, struct text id, const struct snapshot *snap)
{
	int64_t seq = 0;

	switch (whose_id(id, snap, &seq)) {
	case OURS:
		q->list.bound = seq;
		break;
	case OURS_ABOVE_HEAD:
		q->reset = RESET_UNKNOWN_CURSOR;
		break;
	case ANOTHERS:
		q->expired = true;
		break;
	}
}

void
query_place(struct query *q, const struct exchange *x, const struct snapshot *snap)
{
	q->reset = RESET_NONE;
	q->expired = false;
	q->list.order = LIST_NEWEST_FIRST;
	q->list.bound = snap->head + 1;
	if (x->request->resume != NULL)
		place_resumed(q, x->request->resume, snap);
	else if (q->after)
		place_after(q, x->params.v[Q_AFTER].text, snap);
	else if (q->before)
		place_before(q, x->params.v[Q_BEFORE].text, snap);
	if (x->request->resume == NULL)
		q->gaps_after = q->list.bound;
}

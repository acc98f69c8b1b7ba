/* tag - see tag.h.  Walk 2, inside step 5: from collection.c, on to live/positions.c or store/list.c. */
#include "api/tag.h"

#include <string.h>

#define TAG_SEED UINT64_C(0x7469636b67617465) /* any, but for ever the same */
#define KINDS_OF_SYMBOLS (KIND_BIT(KIND_PATTERN) | KIND_BIT(KIND_INDICATOR) | KIND_BIT(KIND_ALERT))

bool
tag_wanted(const struct query *q, const struct exchange *x)
{
	return !q->after && !x->params.v[Q_SINCE].relative && !x->params.v[Q_UNTIL].relative;
}

/* Counted, so that nothing which a text holds can look like what comes next. */
static void
add_set(struct buf *out, const struct text *items, size_t n)
{
	buf_add(out, &n, sizeof(n));
	for (size_t i = 0; i < n; i++) {
		buf_add(out, &items[i].n, sizeof(items[i].n));
		buf_add_text(out, items[i]);
	}
}

/* Bytes, not words: it is made for every poll, and nobody reads it. */
void
tag_question(struct buf *out, const struct query *q, const struct exchange *x)
{
	const struct filter *f = &q->filter;
	const struct param_value *fields = &x->params.v[Q_FIELDS], *before = &x->params.v[Q_BEFORE];
	const int64_t numbers[] = { x->format, x->params.v[Q_GROUP].given, f->show_duplicates, f->times_of_event,
		f->kinds, q->list.limit, q->per_symbol, f->min_severity, f->since_us, f->until_us };
	const double bounds[] = { f->min_confidence, f->max_confidence, f->min_value, f->max_value };
	const struct text_set sets[] = { f->symbols, f->names[KIND_PATTERN], f->names[KIND_INDICATOR],
		f->names[KIND_ALERT], f->timeframes, f->severities, f->components, f->sources, f->channels,
		{ fields->items, fields->n_items }, { &before->text, before->given } };

	buf_add(out, numbers, sizeof(numbers));
	buf_add(out, bounds, sizeof(bounds));
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		add_set(out, sets[i].items, sets[i].n);
}

int
tag_ask(const struct api *a, const struct query *q, struct pool *pool, unsigned **missing, struct position *at)
{
	const struct text_set *symbols = &q->filter.symbols;

	*missing = NULL;
	if (a->positions == NULL)
		return 0;
	if (symbols->n > 0 && (*missing = pool_array(pool, symbols->n, sizeof(**missing))) == NULL)
		return 0;
	if (positions_ask(a->positions, q->filter.kinds, symbols, q->filter.show_duplicates, *missing, at) == 0)
		return 0;
	/* Rows are told in the order of the log, the head only behind a page of them: all up to the newest has been seen. */
	if (at->newest > at->head)
		at->head = at->newest;
	if (at->gap > at->head)
		at->head = at->gap;
	return 1;
}

static int
keep_seq(void *arg, const struct event *ev, struct text body)
{
	int64_t *seq = arg;

	(void)body;
	*seq = ev->seq;
	return 1;
}

/* The newest of one kind of one symbol that is no duplicate, and the newest at all; 0: there is none. */
static int
read_newest(struct reader *r, const struct snapshot *snap, struct list_query *list, struct filter *filter,
    int64_t *visible, int64_t *any, struct err *e)
{
	struct list_result result;

	*visible = *any = 0;
	list->filter = filter;
	filter->show_duplicates = true;
	if (read_list(r, snap, list, keep_seq, any, &result, e) != 0)
		return -1;
	filter->show_duplicates = false;
	return read_list(r, snap, list, keep_seq, visible, &result, e);
}

static void
raise(int64_t *to, int64_t seq)
{
	if (seq > *to)
		*to = seq;
}

static int
read_symbols_newest(struct api *a, const struct query *q, const struct snapshot *snap, const unsigned *missing,
    uint64_t ticket, int64_t *newest, struct err *e)
{
	struct text_set symbols = q->filter.symbols;
	unsigned wanted = q->filter.kinds & KINDS_OF_SYMBOLS;
	struct filter filter = FILTER_INIT;
	struct list_query list = { .order = LIST_NEWEST_FIRST, .bound = snap->head + 1, .limit = 1 };

	if ((list.tail = read_tail(a->reader, snap, &q->filter, list.bound, e)) == NULL)
		return -1;
	for (size_t i = 0; i < symbols.n; i++) {
		filter.symbols = (struct text_set){ &symbols.items[i], 1 };
		list.tail_symbol = i;
		for (int kind = 0; kind < KIND__MAX; kind++) {
			int64_t visible, any;

			if ((wanted & KIND_BIT(kind)) == 0)
				continue;
			filter.kinds = KIND_BIT(kind);
			if (read_newest(a->reader, snap, &list, &filter, &visible, &any, e) != 0)
				return -1;
			raise(newest, q->filter.show_duplicates ? any : visible);
			if (missing != NULL && (missing[i] & KIND_BIT(kind)) != 0)
				positions_learn(a->positions, ticket, symbols.items[i], (enum kind)kind, visible, any);
		}
	}
	return 0;
}

int
tag_read(struct api *a, const struct query *q, const struct snapshot *snap, const unsigned *missing,
    struct position *at, struct err *e)
{
	/* Memory may not have heard yet that the log was replaced: of the new one it must learn nothing. */
	uint64_t ticket = strcmp(at->epoch, snap->epoch) == 0 ? at->ticket : 0;

	*at = (struct position){ .gap = snap->newest[KIND_GAP], .head = snap->head };
	memcpy(at->epoch, snap->epoch, sizeof(at->epoch));
	if (q->filter.symbols.n > 0)
		return read_symbols_newest(a, q, snap, missing, ticket, &at->newest, e);
	for (int kind = 0; kind < KIND__MAX; kind++) {
		if ((q->filter.kinds & KIND_BIT(kind)) != 0)
			raise(&at->newest, q->filter.show_duplicates ? snap->newest[kind] : snap->newest_visible[kind]);
	}
	return 0;
}

static char *
add_hex(char *to, uint64_t v)
{
	int digits = 1;

	while (digits < 16 && v >> (4 * digits) != 0)
		digits++;
	for (int i = digits - 1; i >= 0; i--)
		*to++ = "0123456789abcdef"[v >> (4 * i) & 15];
	return to;
}

size_t
tag_make(char out[TAG_MAX], struct text question, const struct position *at, bool stale)
{
	char *to = out;

	memcpy(to, "W/\"", 3);
	to = add_hex(to + 3, text_hash(question, text_hash(text_of(at->epoch), TAG_SEED)));
	*to++ = '.';
	to = add_hex(to, (uint64_t)at->newest);
	*to++ = '.';
	to = add_hex(to, (uint64_t)at->gap);
	if (stale) {
		*to++ = '.';
		*to++ = 's';
	}
	*to++ = '"';
	return (size_t)(to - out);
}

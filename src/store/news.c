/* news - see news.h. */
#include "store/news.h"

#include <string.h>

#define ABSENT UINT32_MAX /* as a length: a column that is NULL */

enum { SYMBOL, NAME, TIMEFRAME, CHANNEL, COMPONENT, SOURCE, TEXTS };

/* Before each row's texts. Lies wherever the row before it ended, so it is copied and not looked at in its place. */
struct head {
	int64_t seq, received_us, time_ms, gap_from_us, duplicate_of;
	double confidence, value;
	uint32_t body_n;
	uint32_t n[TEXTS];
	uint8_t kind, time_source, severity, zeros[1]; /* no byte is left as it was in memory */
};

void
news_add(struct buf *news, const struct event *ev, struct text body)
{
	const struct text texts[TEXTS] = { ev->symbol, ev->name, ev->timeframe, ev->channel, ev->component,
		ev->source };
	struct head h = { .seq = ev->seq,
		.received_us = ev->received_us,
		.time_ms = ev->time_ms,
		.gap_from_us = ev->gap_from_us,
		.duplicate_of = ev->duplicate_of,
		.confidence = ev->confidence,
		.value = ev->value,
		.kind = (uint8_t)ev->kind,
		.time_source = (uint8_t)ev->time_source,
		.severity = (uint8_t)ev->severity };

	/* What cannot be said here makes the whole of no use. */
	news->failed |= body.n > UINT32_MAX;
	for (int i = 0; i < TEXTS; i++) {
		news->failed |= texts[i].n >= ABSENT;
		h.n[i] = texts[i].p == NULL ? ABSENT : (uint32_t)texts[i].n;
	}
	if (news->failed)
		return;
	h.body_n = (uint32_t)body.n;
	buf_add(news, &h, sizeof(h));
	for (int i = 0; i < TEXTS; i++)
		buf_add_text(news, texts[i]);
	buf_add_text(news, body);
}

static bool
take(struct text *news, size_t n, struct text *out)
{
	if (n > news->n)
		return false;
	*out = text_cut(*news, 0, n);
	*news = text_cut(*news, n, news->n);
	return true;
}

int
news_next(struct text *news, struct event *ev, struct text *body)
{
	struct text bytes, texts[TEXTS] = { TEXT_NONE };
	struct head h;

	if (news->n == 0)
		return 0;
	if (!take(news, sizeof(h), &bytes))
		return -1;
	memcpy(&h, bytes.p, sizeof(h));
	for (int i = 0; i < TEXTS; i++)
		if (h.n[i] != ABSENT && !take(news, h.n[i], &texts[i]))
			return -1;
	if (!take(news, h.body_n, body))
		return -1;
	/* What follows indexes tables by these, and has places of that size. */
	if (h.seq <= 0 || h.kind >= KIND__MAX || h.time_source >= TIME__MAX || h.severity >= SEVERITY__MAX ||
	    texts[SYMBOL].n > SYMBOL_MAX)
		return -1;
	*ev = (struct event){ .kind = (enum kind)h.kind,
		.seq = h.seq,
		.received_us = h.received_us,
		.time_ms = h.time_ms,
		.time_source = (enum time_source)h.time_source,
		.gap_from_us = h.gap_from_us,
		.duplicate_of = h.duplicate_of,
		.symbol = texts[SYMBOL],
		.name = texts[NAME],
		.timeframe = texts[TIMEFRAME],
		.channel = texts[CHANNEL],
		.component = texts[COMPONENT],
		.source = texts[SOURCE],
		.confidence = h.confidence,
		.value = h.value,
		.severity = (enum severity)h.severity };
	return 1;
}

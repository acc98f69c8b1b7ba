/*
 * news - rows that came along with the bell.  What store/news.h promises: whatever the bytes, each row taken off lies inside of them, and can be told.
 */
#include "store/news.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text news = { (const char *)data, size }, body;
	const char *at = news.p;
	struct event ev;

	while (news_next(&news, &ev, &body) == 1) {
		const struct text texts[] = { ev.symbol, ev.name, ev.timeframe, ev.channel, ev.component, ev.source,
			body };

		for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
			PROMISE(texts[i].p == NULL || (texts[i].p >= at && texts[i].p + texts[i].n <= news.p));
		PROMISE(news.p > at && news.p + news.n == (const char *)data + size);
		PROMISE((unsigned)ev.kind < KIND__MAX && (unsigned)ev.severity < SEVERITY__MAX &&
		    ev.symbol.n <= SYMBOL_MAX);
		at = news.p;
	}
	return 0;
}

/* producer - see producer.h.  From market.c, on to message.c. */
#include "sim/producer.h"

#include <stdio.h>
#include <string.h>

#define HEALTH_US 10000000
#define COPIED_FROM 800 /* tenths of a percent: patterns this sure are also published on patterns:detected */

int
producer_init(struct producer *p, size_t n_symbols, uint64_t seed, enum producer_form form, struct err *e)
{
	*p = (struct producer){ .form = form, .seed = seed };
	for (int i = 0; i < FACT__MAX; i++)
		p->turn[i] = 1;
	return market_init(&p->market, n_symbols, seed, e);
}

void
producer_fini(struct producer *p)
{
	market_fini(&p->market);
	buf_fini(&p->text);
}

static struct fact *
add(struct producer *p, enum fact_type type, const char *name)
{
	struct fact *f = &p->facts[p->n++];

	*f = (struct fact){ .type = type, .name = name };
	return f;
}

static int64_t
scaled(double v)
{
	return (int64_t)(v * 10000 + (v < 0 ? -0.5 : 0.5));
}

static struct fact *
add_indicator(struct producer *p, const struct market_symbol *s, const char *name, int period, double value)
{
	struct fact *f = add(p, FACT_INDICATOR, name);

	f->symbol = s->name;
	f->period = period;
	f->n_values = 1;
	f->values[0] = scaled(value);
	f->value_names[0] = "value";
	p->indicators++;
	return f;
}

static void
add_three(struct fact *f, const char *const names[3], double b, double c)
{
	f->n_values = 3;
	f->values[1] = scaled(b);
	f->values[2] = scaled(c);
	memcpy(f->value_names, names, sizeof(f->value_names));
}

static void
add_alert(struct producer *p, const struct market_symbol *s)
{
	bool over = s->rsi_before < 70 && s->rsi.value >= 70, under = s->rsi_before > 30 && s->rsi.value <= 30;
	struct fact *f;

	if (!over && !under)
		return;
	f = add(p, FACT_ALERT, over ? "RSI_OVERBOUGHT" : "RSI_OVERSOLD");
	f->symbol = s->name;
	f->severity = "medium";
	f->values[0] = scaled(s->rsi.value);
	f->values[1] = over ? 700000 : 300000;
	snprintf(
	    f->text, sizeof(f->text), "%s: RSI %.1f crossed %s", s->name, s->rsi.value, over ? "above 70" : "below 30");
}

static void
add_lost_ticks(struct producer *p, const struct market_symbol *s, const struct bar *bar)
{
	int lost = MARKET_TICKS - bar->ticks;
	struct fact *f;

	if (lost == 0)
		return;
	f = add(p, FACT_ERROR, NULL);
	f->severity = lost < 5 ? "warning" : lost < 13 ? "error" : "critical";
	snprintf(f->text, sizeof(f->text), "%s: bar closed with %d of %d ticks", s->name, bar->ticks, MARKET_TICKS);
	p->troubled = true;
}

/* One bar, and everything that is to be said about it. */
static void
close_bar(struct producer *p)
{
	static const char *const macd_names[3] = { "macd", "signal", "histogram" };
	static const char *const band_names[3] = { "upper", "middle", "lower" };
	const struct market_symbol *s = market_next(&p->market);
	const struct bar *bar = &s->bars[MARKET_BARS - 1];
	struct candle_found found[CANDLE__MAX];
	size_t n = candles_find(s->bars, found);
	struct bands bands = sma_bands(&s->sma, 2);
	struct fact *f;

	p->bars++;
	p->next = p->n = 0;
	for (size_t i = 0; i < n; i++) {
		f = add(p, FACT_PATTERN, NULL);
		f->symbol = s->name;
		f->candle = &candles[found[i].id];
		f->confidence = found[i].confidence;
		f->bar = *bar;
		p->patterns++;
	}
	add_indicator(p, s, "RSI", 14, s->rsi.value);
	add_indicator(p, s, "SMA", 20, s->sma.value);
	add_indicator(p, s, "EMA", 20, s->ema.value);
	add_three(add_indicator(p, s, "MACD", 0, s->macd.value), macd_names, s->macd.signal.value, s->macd.histogram);
	add_three(add_indicator(p, s, "BollingerBands", 20, bands.upper), band_names, bands.middle, bands.lower);
	add_alert(p, s);
	add_lost_ticks(p, s, bar);
}

static size_t
choose_form(struct producer *p, enum fact_type type)
{
	size_t form;

	p->odd = !p->odd;
	if (p->form == PRODUCER_DOCUMENTED || (p->form == PRODUCER_MIXED && p->odd))
		return 0;
	form = p->turn[type]++;
	if (p->turn[type] == message_forms(type))
		p->turn[type] = 1;
	return form;
}

static int
say(struct producer *p, const struct fact *facts, size_t n, size_t form, struct message *out, struct err *e)
{
	buf_clear(&p->text);
	message_render(&p->text, facts, n, form);
	if (p->text.failed) {
		err_set(e, ERR_MEMORY, "no memory for a message");
		return -1;
	}
	out->channel = message_channel(facts, form);
	out->payload = buf_text(&p->text);
	return 0;
}

/* Says the next fact, or several in one message if its form is a batch; remembers the sure patterns among them. */
static int
say_next(struct producer *p, int64_t now_ms, struct message *out, struct err *e)
{
	struct fact *first = &p->facts[p->next];
	size_t form = choose_form(p, first->type), n = 0;

	p->n_copied = 0;
	do {
		first[n].time_ms = now_ms;
		if (first[n].type == FACT_PATTERN && first[n].confidence >= COPIED_FROM)
			p->copied[p->n_copied++] = first[n];
		n++;
	} while (message_is_batch(first->type, form) && p->next + n < p->n && first[n].type == first->type);
	p->next += n;
	p->copied_form = form;
	return say(p, first, n, form, out, e);
}

/* The copies on patterns:detected: the same detection and the same time, in the same words; a batch stays one. */
static int
say_copy(struct producer *p, struct message *out, struct err *e)
{
	int rc = say(p, p->copied, p->n_copied, p->copied_form, out, e);

	p->n_copied = 0;
	out->channel = "tickstock:patterns:detected";
	return rc;
}

static void
report_health(struct producer *p, int64_t elapsed_us)
{
	struct fact *f;

	p->next = p->n = 0;
	f = add(p, FACT_HEALTH, p->troubled ? "degraded" : "healthy");
	f->uptime_s = elapsed_us / 1000000;
	f->symbols = p->bars;
	f->patterns = p->patterns;
	f->indicators = p->indicators;
	p->troubled = false;
	p->next_health_us = elapsed_us - elapsed_us % HEALTH_US + HEALTH_US;
}

static void
note_session(struct producer *p, bool stopped)
{
	struct fact *f;

	p->next = p->n = 0;
	f = add(p, FACT_SESSION, NULL);
	f->stopped = stopped;
	snprintf(f->text, sizeof(f->text), "sim-%llu", (unsigned long long)p->seed);
}

int
producer_next(struct producer *p, int64_t now_ms, int64_t elapsed_us, struct message *out, struct err *e)
{
	if (p->n_copied > 0)
		return say_copy(p, out, e);
	if (p->next == p->n) {
		if (!p->started)
			note_session(p, false);
		else if (elapsed_us >= p->next_health_us)
			report_health(p, elapsed_us);
		else
			close_bar(p);
		p->started = true;
	}
	return say_next(p, now_ms, out, e);
}

int
producer_end(struct producer *p, int64_t now_ms, struct message *out, struct err *e)
{
	note_session(p, true);
	return say_next(p, now_ms, out, e);
}

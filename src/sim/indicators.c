/* indicators - see indicators.h.  From market.c, on to producer.c. */
#include "sim/indicators.h"

#include <math.h>

void
rsi_init(struct rsi *r, int period)
{
	*r = (struct rsi){ .period = period };
}

static double
rsi_of(double gain, double loss)
{
	if (loss ==
	    0) /* Wilder: no losses at all are 100; a price that never moved has neither, and 50 is the middle */
		return gain == 0 ? 50 : 100;
	return 100 - 100 / (1 + gain / loss);
}

void
rsi_add(struct rsi *r, double close)
{
	double change = close - r->last, up = change > 0 ? change : 0, down = change < 0 ? -change : 0, n = r->period;

	r->last = close;
	if (r->seen == 0) {
		r->seen = 1;
		return;
	}
	if (r->ready) {
		r->gain = (r->gain * (n - 1) + up) / n;
		r->loss = (r->loss * (n - 1) + down) / n;
	} else {
		r->gain += up;
		r->loss += down;
		if (++r->seen <= r->period)
			return;
		r->gain /= n;
		r->loss /= n;
		r->ready = true;
	}
	r->value = rsi_of(r->gain, r->loss);
}

void
sma_init(struct sma *s, int period)
{
	*s = (struct sma){ .period = period < SMA_PERIOD_MAX ? period : SMA_PERIOD_MAX };
}

void
sma_add(struct sma *s, double close)
{
	double sum = 0;

	s->closes[s->next] = close;
	s->next = (s->next + 1) % s->period;
	if (s->seen < s->period)
		s->seen++;
	/* Added up anew each time: a running sum would drift away over millions of bars. */
	for (int i = 0; i < s->seen; i++)
		sum += s->closes[i];
	s->value = sum / s->seen;
	s->ready = s->seen == s->period;
}

struct bands
sma_bands(const struct sma *s, double deviations)
{
	double sum = 0, wide;

	for (int i = 0; i < s->seen; i++)
		sum += (s->closes[i] - s->value) * (s->closes[i] - s->value);
	wide = s->seen == 0 ? 0 : deviations * sqrt(sum / s->seen);
	return (struct bands){ .upper = s->value + wide, .middle = s->value, .lower = s->value - wide };
}

void
ema_init(struct ema *m, int period)
{
	*m = (struct ema){ .period = period };
}

void
ema_add(struct ema *m, double close)
{
	double k = 2.0 / (m->period + 1);

	if (m->ready) {
		m->value = close * k + m->value * (1 - k);
		return;
	}
	m->value += close;
	if (++m->seen == m->period) {
		m->value /= m->period;
		m->ready = true;
	}
}

void
macd_init(struct macd *m)
{
	*m = (struct macd){ 0 };
	ema_init(&m->fast, 12);
	ema_init(&m->slow, 26);
	ema_init(&m->signal, 9);
}

void
macd_add(struct macd *m, double close)
{
	ema_add(&m->fast, close);
	ema_add(&m->slow, close);
	if (!m->slow.ready)
		return;
	m->value = m->fast.value - m->slow.value;
	ema_add(&m->signal, m->value);
	m->ready = m->signal.ready;
	if (m->ready)
		m->histogram = m->value - m->signal.value;
}

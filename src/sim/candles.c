/* candles - see candles.h.  From market.c, on to producer.c. */
#include "sim/candles.h"

#include <stdbool.h>

static double
range_of(const struct bar *b)
{
	return (double)(b->high - b->low);
}

static double
body_of(const struct bar *b)
{
	return (double)(b->close > b->open ? b->close - b->open : b->open - b->close);
}

static double
upper_shadow(const struct bar *b)
{
	return (double)(b->high - (b->close > b->open ? b->close : b->open));
}

static double
lower_shadow(const struct bar *b)
{
	return (double)((b->close < b->open ? b->close : b->open) - b->low);
}

static bool
rose(const struct bar *b)
{
	return b->close > b->open;
}

static bool
fell(const struct bar *b)
{
	return b->close < b->open;
}

static double
held(double x)
{
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* The mean range of the bars before b: what is a big bar and what a small one here. */
static double
usual_range(const struct bar *b)
{
	double sum = 0;

	for (int i = 1; i <= 6; i++)
		sum += range_of(b - i);
	return sum / 6;
}

/* Did the closes before b go down (-1) or up (1) over three bars? */
static int
trend_before(const struct bar *b)
{
	int64_t now = b[-1].close, then = b[-4].close;

	return now < then ? -1 : now > then;
}

/* Most of the bar is its body. */
static bool
solid(const struct bar *b)
{
	return range_of(b) > 0 && body_of(b) >= 0.5 * range_of(b);
}

/* Open and close nearly the same, in a bar that is not just small. */
static double
fit_doji(const struct bar *b)
{
	double range = range_of(b);

	if (range <= 0 || range < 0.5 * usual_range(b) || body_of(b) > 0.1 * range)
		return 0;
	return 0.05 + 0.95 * held(1 - body_of(b) / (0.1 * range));
}

/* A small body at one end, the shadow at the other at least twice as long, after a move towards that shadow. */
static double
fit_pin(const struct bar *b, double shadow, double other, int trend)
{
	double range = range_of(b), body = body_of(b);

	if (range <= 0 || range < 0.5 * usual_range(b) || trend_before(b) != trend)
		return 0;
	if (body < 0.02 * range || shadow < 2 * body || other > 0.15 * range)
		return 0;
	return 0.6 * held((shadow / body - 2) / 2) + 0.4 * held(1 - other / (0.15 * range));
}

static double
fit_hammer(const struct bar *b)
{
	return fit_pin(b, lower_shadow(b), upper_shadow(b), -1);
}

static double
fit_shooting_star(const struct bar *b)
{
	return fit_pin(b, upper_shadow(b), lower_shadow(b), 1);
}

/* A body that holds the whole body before it, and goes the other way. */
static double
fit_engulfing(const struct bar *b)
{
	const struct bar *p = b - 1;
	double body = body_of(b), before = body_of(p);
	int64_t top = b->open > b->close ? b->open : b->close, bottom = b->open + b->close - top;

	if (before < 0.3 * range_of(p) || before <= 0 || body <= before)
		return 0;
	if (top < (p->open > p->close ? p->open : p->close) || bottom > (p->open < p->close ? p->open : p->close))
		return 0;
	return 0.7 * held((body / before - 1) / 1.5) + 0.3 * held(body / (0.9 * range_of(b)));
}

static double
fit_bullish_engulfing(const struct bar *b)
{
	return rose(b) && fell(b - 1) ? fit_engulfing(b) : 0;
}

static double
fit_bearish_engulfing(const struct bar *b)
{
	return fell(b) && rose(b - 1) ? fit_engulfing(b) : 0;
}

/* The opposite: a small body within the big one before it. */
static double
fit_harami(const struct bar *b)
{
	const struct bar *p = b - 1;
	double body = body_of(b), before = body_of(p);
	int64_t top = b->open > b->close ? b->open : b->close, bottom = b->open + b->close - top;

	if (!solid(p) || before < 0.6 * usual_range(p) || body > 0.6 * before)
		return 0;
	if (top > (p->open > p->close ? p->open : p->close) || bottom < (p->open < p->close ? p->open : p->close))
		return 0;
	return 0.6 * held(1 - body / (0.6 * before)) + 0.4 * held(before / (1.5 * usual_range(p)));
}

static double
fit_bullish_harami(const struct bar *b)
{
	return rose(b) && fell(b - 1) ? fit_harami(b) : 0;
}

static double
fit_bearish_harami(const struct bar *b)
{
	return fell(b) && rose(b - 1) ? fit_harami(b) : 0;
}

/* A big body, a small one (the star), and a big one back, beyond the first one's middle. */
static double
fit_star(const struct bar *b)
{
	const struct bar *first = b - 2, *star = b - 1;
	double body = body_of(first), small = body_of(star);
	int64_t back = rose(b) ? b->close - first->close : first->close - b->close;

	if (!solid(first) || !solid(b) || body < 0.6 * usual_range(first))
		return 0;
	if (small > 0.4 * body || (double)back < 0.5 * body)
		return 0;
	return 0.5 * held(1 - small / (0.4 * body)) + 0.5 * held((double)back / body - 0.5);
}

static double
fit_morning_star(const struct bar *b)
{
	return rose(b) && fell(b - 2) ? fit_star(b) : 0;
}

static double
fit_evening_star(const struct bar *b)
{
	return fell(b) && rose(b - 2) ? fit_star(b) : 0;
}

/* Three solid bodies one way, each opening within the one before and closing beyond it, with little shadow ahead. */
static double
fit_three(const struct bar *b, bool up)
{
	double fit = 0;

	for (int i = -2; i <= 0; i++) {
		double range = range_of(b + i), ahead = up ? upper_shadow(b + i) : lower_shadow(b + i);

		if ((up ? !rose(b + i) : !fell(b + i)) || !solid(b + i) || ahead > 0.3 * range)
			return 0;
		fit += held(1 - ahead / (0.3 * range)) / 6 + held(body_of(b + i) / range * 2 - 1) / 6;
	}
	for (int i = -1; i <= 0; i++) {
		const struct bar *p = b + i - 1;

		/* A tick behind the last close counts as within: there are no gaps to speak of. */
		if (up ? b[i].close <= p->close || b[i].open < p->open : b[i].close >= p->close || b[i].open > p->open)
			return 0;
	}
	return fit;
}

static double
fit_three_white_soldiers(const struct bar *b)
{
	return fit_three(b, true);
}

static double
fit_three_black_crows(const struct bar *b)
{
	return fit_three(b, false);
}

/* clang-format off */
const struct candle candles[CANDLE__MAX] = {
	[CANDLE_DOJI]                 = { "doji",                 "Doji",               1, fit_doji },
	[CANDLE_HAMMER]               = { "hammer",               "Hammer",             1, fit_hammer },
	[CANDLE_SHOOTING_STAR]        = { "shooting_star",        "ShootingStar",       1, fit_shooting_star },
	[CANDLE_BULLISH_ENGULFING]    = { "bullish_engulfing",    "BullishEngulfing",   2, fit_bullish_engulfing },
	[CANDLE_BEARISH_ENGULFING]    = { "bearish_engulfing",    "BearishEngulfing",   2, fit_bearish_engulfing },
	[CANDLE_BULLISH_HARAMI]       = { "bullish_harami",       "BullishHarami",      2, fit_bullish_harami },
	[CANDLE_BEARISH_HARAMI]       = { "bearish_harami",       "BearishHarami",      2, fit_bearish_harami },
	[CANDLE_MORNING_STAR]         = { "morning_star",         "MorningStar",        3, fit_morning_star },
	[CANDLE_EVENING_STAR]         = { "evening_star",         "EveningStar",        3, fit_evening_star },
	[CANDLE_THREE_WHITE_SOLDIERS] = { "three_white_soldiers", "ThreeWhiteSoldiers", 3, fit_three_white_soldiers },
	[CANDLE_THREE_BLACK_CROWS]    = { "three_black_crows",    "ThreeBlackCrows",    3, fit_three_black_crows },
};
/* clang-format on */

size_t
candles_find(const struct bar bars[MARKET_BARS], struct candle_found out[CANDLE__MAX])
{
	size_t n = 0;

	for (int id = 0; id < CANDLE__MAX; id++) {
		double fit = candles[id].fit(&bars[MARKET_BARS - 1]);

		if (fit <= 0)
			continue;
		out[n++] =
		    (struct candle_found){ .id = (enum candle_id)id, .confidence = 500 + (int)(490 * fit + 0.5) };
	}
	return n;
}

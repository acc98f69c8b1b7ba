/*
 * candles - candlestick patterns, found in bars.
 *
 * One row a pattern: its names, how many bars it is made of, and the function that measures how well the newest bars have
 * its shape. Shapes as in Steve Nison, Japanese Candlestick Charting Techniques (1991), without the gaps between bars that a
 * continuous market does not have. Pure; called by producer.c, which only says what is found here.
 */
#ifndef SIM_CANDLES_H
#define SIM_CANDLES_H

#include <stddef.h>

#include "sim/market.h"

enum candle_id {
	CANDLE_DOJI,
	CANDLE_HAMMER,
	CANDLE_SHOOTING_STAR,
	CANDLE_BULLISH_ENGULFING,
	CANDLE_BEARISH_ENGULFING,
	CANDLE_BULLISH_HARAMI,
	CANDLE_BEARISH_HARAMI,
	CANDLE_MORNING_STAR,
	CANDLE_EVENING_STAR,
	CANDLE_THREE_WHITE_SOLDIERS,
	CANDLE_THREE_BLACK_CROWS,
	CANDLE__MAX
};

struct candle {
	const char *name; /* "bullish_engulfing": the documented form */
	const char *title; /* "BullishEngulfing": as it is seen on the wire; the same name when folded */
	int bars; /* what it is made of */
	/* How well the bars ending at *b have the shape: 0 (not at all) to 1. At least MARKET_BARS bars lie up to b. */
	double (*fit)(const struct bar *b);
};
extern const struct candle candles[CANDLE__MAX];

struct candle_found {
	enum candle_id id;
	int confidence; /* in tenths of a percent: 500 for a shape that just passes, 990 for a perfect one */
};

/* All patterns that end with the newest of MARKET_BARS bars (oldest first), in the table's order; returns how many. */
size_t candles_find(const struct bar bars[MARKET_BARS], struct candle_found out[CANDLE__MAX]);

#endif

/*
 * indicators - what is computed from closing prices, one close at a time.
 *
 * Definitions, as published:
 *   RSI   J. Welles Wilder, New Concepts in Technical Trading Systems (1978): 100 - 100 / (1 + average gain / average loss);
 *         the first averages are plain means of n changes, later ones (before * (n - 1) + this) / n.
 *   SMA   the mean of the last n closes.
 *   EMA   close * k + before * (1 - k) with k = 2 / (n + 1); begins with the SMA of the first n closes.
 *   MACD  Gerald Appel (1979): EMA(12) - EMA(26); signal: EMA(9) of that; histogram: MACD - signal.
 *   Bands John Bollinger, Bollinger on Bollinger Bands (2001): SMA(20) and two deviations to each side, the deviation being
 *         that of the population (divided by n).
 *
 * Pure: no allocation, no clock. A value counts only when `ready`. Called by market.c.
 */
#ifndef SIM_INDICATORS_H
#define SIM_INDICATORS_H

#include <stdbool.h>

#define SMA_PERIOD_MAX 50

struct rsi {
	int period, seen; /* closes seen, held at period + 1 */
	double last, gain, loss; /* while not ready, gain and loss are sums */
	double value; /* 0..100 */
	bool ready;
};
void rsi_init(struct rsi *r, int period);
void rsi_add(struct rsi *r, double close);

struct sma {
	double closes[SMA_PERIOD_MAX];
	int period, seen, next;
	double value;
	bool ready;
};
void sma_init(struct sma *s, int period); /* period is at most SMA_PERIOD_MAX */
void sma_add(struct sma *s, double close);

struct bands {
	double upper, middle, lower;
};
struct bands sma_bands(const struct sma *s, double deviations); /* of the closes that the average is made of */

struct ema {
	int period, seen;
	double value; /* while not ready, the sum */
	bool ready;
};
void ema_init(struct ema *m, int period);
void ema_add(struct ema *m, double close);

struct macd {
	struct ema fast, slow, signal;
	double value, histogram; /* `value` is the MACD line; the signal line is signal.value */
	bool ready; /* the signal line is */
};
void macd_init(struct macd *m);
void macd_add(struct macd *m, double close);

#endif

/*
 * market - a made-up market: symbols whose prices walk at random, tick by tick, and the bars of one minute they leave.
 *
 * The same seed and the same symbol give the same bars, whatever the number of symbols beside it: each symbol has its own
 * generator. Prices are whole cents, so that bars are exact. The market knows no wall clock: its time is simulated, one bar
 * of one symbol after the other, evenly spread over the minute. Called by producer.c; never prints, never waits.
 */
#ifndef SIM_MARKET_H
#define SIM_MARKET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sim/indicators.h"

#define MARKET_SYMBOLS_MAX 10000
#define MARKET_BARS 12 /* how many bars of a symbol are kept for candles.c */
#define MARKET_TICKS 16 /* ticks in a whole bar */
#define MARKET_NAME_SIZE 12

/* xoshiro256**, by Blackman and Vigna (public domain): small, fast, and the same everywhere. */
struct rng {
	uint64_t s[4];
};
void rng_init(struct rng *r, uint64_t seed, uint64_t stream); /* streams of one seed are independent */
uint64_t rng_next(struct rng *r);
double rng_unit(struct rng *r); /* 0 <= x < 1 */
double rng_normal(struct rng *r); /* mean 0, deviation 1, within ±6; no libm, so the same on every machine */

/* low <= open, close <= high; in cents. */
struct bar {
	int64_t open, high, low, close, volume;
	int ticks; /* of MARKET_TICKS; fewer: the feed lost some */
};

struct market_symbol {
	char name[MARKET_NAME_SIZE];
	struct rng rng;
	int64_t start_cents, price_cents;
	double volatility; /* deviation of one tick, as a fraction of the price */
	double drift; /* mean of one tick of the trend that runs now */
	int trend_bars; /* how long it still runs */
	double tick_volume;
	struct bar bars[MARKET_BARS]; /* oldest first, the newest is the last */
	struct rsi rsi;
	struct sma sma;
	struct ema ema;
	struct macd macd;
	double rsi_before; /* the value one bar ago: what a crossing is measured against */
};

struct market {
	struct market_symbol *symbols; /* owned */
	size_t n_symbols;
	int64_t bars_closed; /* of all symbols; the next one closed is symbol bars_closed % n_symbols */
};

/* n_symbols is 1..MARKET_SYMBOLS_MAX. Each symbol has lived long enough already for all its indicators to be ready. */
int market_init(struct market *m, size_t n_symbols, uint64_t seed, struct err *e);
void market_fini(struct market *m);

/* Closes the next bar and counts it into its symbol's indicators. Borrowed until the next call. */
const struct market_symbol *market_next(struct market *m);

/* Simulated time since the start at which the next bar closes. */
int64_t market_time_us(const struct market *m);

#endif

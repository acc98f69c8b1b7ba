/*
 * market - see market.h.  The simulator's walk: market.c (bars) -> candles.c and indicators.c (what is in them) ->
 * producer.c (what is said about it) -> message.c (in which words) -> publish.c and record.c (where to).
 */
#include "sim/market.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP_BARS 40 /* MACD's signal line is the slowest: 26 + 9 - 1 bars */
#define LOST_TICKS_ONE_IN 1500 /* bars */

/* What people look for first. Later names are made up: see make_name(). */
static const char *const tickers[] = { "AAPL", "MSFT", "NVDA", "GOOGL", "AMZN", "TSLA", "BRK.B", "META", "AVGO", "LLY",
	"JPM", "V", "UNH", "XOM", "MA", "COST", "HD", "PG", "JNJ", "ABBV", "NFLX", "BAC", "CRM", "ORCL", "CVX", "MRK",
	"KO", "AMD", "PEP", "ADBE", "WMT", "TMO", "LIN", "MCD", "CSCO", "ACN", "ABT", "GE", "INTU", "DHR", "TXN",
	"QCOM", "VZ", "AMGN", "PFE", "DIS", "PM", "IBM", "CAT", "NOW", "UBER", "INTC", "GS", "SPGI", "BF.B", "T", "HON",
	"LOW", "BKNG", "SPY", "QQQ", "IWM" };
#define N_TICKERS (sizeof(tickers) / sizeof(tickers[0]))

static uint64_t
splitmix64(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void
rng_init(struct rng *r, uint64_t seed, uint64_t stream)
{
	uint64_t x = seed, y;

	y = splitmix64(&x) + stream;
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix64(&y);
}

static uint64_t
rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t
rng_next(struct rng *r)
{
	uint64_t *s = r->s, out = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

double
rng_unit(struct rng *r)
{
	return (double)(rng_next(r) >> 11) * 0x1.0p-53;
}

/* Irwin and Hall: the sum of twelve uniform numbers, 16 bits each, less six. Exact in doubles. */
double
rng_normal(struct rng *r)
{
	uint64_t sum = 0;

	for (int i = 0; i < 3; i++) {
		uint64_t x = rng_next(r);

		sum += (x & 0xffff) + (x >> 16 & 0xffff) + (x >> 32 & 0xffff) + (x >> 48);
	}
	return (double)sum / 65536.0 - 6.0;
}

/*
 * Names behind the real tickers: a consonant, a vowel, a consonant and a vowel give 11,025 names that can be read, none of them
 * twice. The few that are real tickers have no vowel at the end.
 */
static void
make_name(size_t i, char out[MARKET_NAME_SIZE])
{
	static const char consonants[] = "BCDFGHJKLMNPQRSTVWXYZ", vowels[] = "AEIOU";
	size_t n = i * 4093 % 11025; /* a step without a factor in common: neighbours do not look alike */

	snprintf(out, MARKET_NAME_SIZE, "%c%c%c%c", consonants[n % 21], vowels[n / 21 % 5], consonants[n / 105 % 21],
	    vowels[n / 2205]);
}

static int64_t
walk(struct market_symbol *s, double step)
{
	/* Prices are pulled back to where they began: a market that runs for weeks must neither vanish nor explode. */
	double pull = (double)(s->start_cents - s->price_cents) / (double)s->start_cents * 2e-4;
	double moved = (double)s->price_cents * (1 + s->drift + pull + s->volatility * step);
	int64_t cents = (int64_t)(moved + 0.5), low = s->start_cents / 10, high = s->start_cents * 10;

	return cents < low ? low : cents > high ? high : cents;
}

/* A new trend now and then: up, down or none, and a new calm or unrest. */
static void
turn(struct market_symbol *s)
{
	double strength = rng_normal(&s->rng);

	s->trend_bars = 8 + (int)(rng_next(&s->rng) % 40);
	s->volatility = 2e-4 + 6e-4 * rng_unit(&s->rng);
	s->drift = strength * s->volatility * 0.08;
}

static struct bar
make_bar(struct market_symbol *s)
{
	struct bar b = { .ticks = MARKET_TICKS };

	if (s->trend_bars-- <= 0)
		turn(s);
	if (rng_next(&s->rng) % LOST_TICKS_ONE_IN == 0)
		b.ticks -= 1 + (int)(rng_next(&s->rng) % (MARKET_TICKS - 1));
	for (int i = 0; i < b.ticks; i++) {
		double step = rng_normal(&s->rng), size = step < 0 ? -step : step;
		int64_t price = s->price_cents = walk(s, step);

		if (i == 0)
			b.open = b.high = b.low = price;
		b.high = price > b.high ? price : b.high;
		b.low = price < b.low ? price : b.low;
		b.close = price;
		b.volume += 1 + (int64_t)(s->tick_volume * (0.2 + size) * (0.5 + rng_unit(&s->rng)));
	}
	return b;
}

static void
close_bar(struct market_symbol *s)
{
	struct bar b = make_bar(s);
	double close = (double)b.close / 100;

	memmove(s->bars, s->bars + 1, sizeof(s->bars) - sizeof(s->bars[0]));
	s->bars[MARKET_BARS - 1] = b;
	s->rsi_before = s->rsi.value;
	rsi_add(&s->rsi, close);
	sma_add(&s->sma, close);
	ema_add(&s->ema, close);
	macd_add(&s->macd, close);
}

static void
symbol_init(struct market_symbol *s, size_t i, uint64_t seed)
{
	if (i < N_TICKERS)
		snprintf(s->name, sizeof(s->name), "%s", tickers[i]);
	else
		make_name(i - N_TICKERS, s->name);
	rng_init(&s->rng, seed, i + 1);
	/* 20 to 520 dollars, more of the cheap ones. */
	s->start_cents = 2000 + (int64_t)(50000 * rng_unit(&s->rng) * rng_unit(&s->rng));
	s->price_cents = s->start_cents;
	s->tick_volume = 50 + 5000 * rng_unit(&s->rng) * rng_unit(&s->rng);
	rsi_init(&s->rsi, 14);
	sma_init(&s->sma, 20);
	ema_init(&s->ema, 20);
	macd_init(&s->macd);
	for (int bar = 0; bar < WARM_UP_BARS; bar++)
		close_bar(s);
}

int
market_init(struct market *m, size_t n_symbols, uint64_t seed, struct err *e)
{
	*m = (struct market){ .n_symbols = n_symbols };
	if (n_symbols < 1 || n_symbols > MARKET_SYMBOLS_MAX) {
		err_set(e, ERR_USAGE, "a market has 1 to %d symbols", MARKET_SYMBOLS_MAX);
		return -1;
	}
	m->symbols = calloc(n_symbols, sizeof(*m->symbols));
	if (m->symbols == NULL) {
		err_set(e, ERR_MEMORY, "no memory for %zu symbols", n_symbols);
		return -1;
	}
	for (size_t i = 0; i < n_symbols; i++)
		symbol_init(&m->symbols[i], i, seed);
	return 0;
}

void
market_fini(struct market *m)
{
	free(m->symbols);
	*m = (struct market){ 0 };
}

const struct market_symbol *
market_next(struct market *m)
{
	struct market_symbol *s = &m->symbols[(size_t)m->bars_closed % m->n_symbols];

	close_bar(s);
	m->bars_closed++;
	return s;
}

int64_t
market_time_us(const struct market *m)
{
	int64_t n = (int64_t)m->n_symbols;

	/* Whole minutes apart from the rest of one: the product would overflow after a few years of a big market. */
	return (m->bars_closed + 1) / n * 60000000 + (m->bars_closed + 1) % n * 60000000 / n;
}

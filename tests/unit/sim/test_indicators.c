/* indicators against the worked examples of StockCharts' ChartSchool, and MACD against its definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/indicators.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define NEAR(got, want, by) assert_true(fabs((got) - (want)) <= (by))

static const double intc[] = { 22.27, 22.19, 22.08, 22.17, 22.18, 22.13, 22.23, 22.43, 22.24, 22.29, 22.15, 22.39,
	22.38, 22.61, 23.36, 24.05, 23.75, 23.83, 23.95, 23.63, 23.82, 23.87, 23.65, 23.19, 23.10, 23.33, 22.68, 23.10,
	22.40, 22.17 };

static void
test_rsi(void **state)
{
	static const double closes[] = { 44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245,
		45.8433, 46.0826, 45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222,
		45.6439, 46.2122 };
	static const double want[] = { 70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93 };
	struct rsi r;

	(void)state;
	rsi_init(&r, 14);
	for (size_t i = 0; i < N(closes); i++) {
		rsi_add(&r, closes[i]);
		assert_int_equal(r.ready, i >= 14);
		if (i >= 14)
			NEAR(r.value, want[i - 14], 0.011);
	}
}

static void
test_ema(void **state)
{
	static const double want[] = { 22.22, 22.21, 22.24, 22.27, 22.33, 22.52, 22.80, 22.97, 23.13, 23.28, 23.34,
		23.43, 23.51, 23.54, 23.47, 23.40, 23.39, 23.26, 23.23, 23.08, 22.92 };
	struct ema m;

	(void)state;
	ema_init(&m, 10);
	for (size_t i = 0; i < N(intc); i++) {
		ema_add(&m, intc[i]);
		assert_int_equal(m.ready, i >= 9);
		if (i >= 9)
			NEAR(m.value, want[i - 9], 0.011);
	}
}

static void
test_bands(void **state)
{
	static const double closes[] = { 86.16, 89.09, 88.78, 90.32, 89.07, 91.15, 89.44, 89.18, 86.93, 87.68, 86.96,
		89.43, 89.32, 88.72, 87.45, 87.26, 89.50, 87.90, 89.13, 90.70 };
	struct bands b;
	struct sma s;

	(void)state;
	sma_init(&s, 20);
	for (size_t i = 0; i < N(closes); i++) {
		assert_false(s.ready);
		sma_add(&s, closes[i]);
	}
	b = sma_bands(&s, 2);
	assert_true(s.ready);
	NEAR(b.middle, 88.71, 0.011);
	NEAR(b.upper, 91.29, 0.02);
	NEAR(b.lower, 86.12, 0.02);
}

static void
test_macd(void **state)
{
	struct ema fast, slow, signal;
	struct macd m;

	(void)state;
	macd_init(&m);
	ema_init(&fast, 12);
	ema_init(&slow, 26);
	ema_init(&signal, 9);
	for (int i = 0; i < 60; i++) {
		double close = intc[i % 30];

		macd_add(&m, close);
		ema_add(&fast, close);
		ema_add(&slow, close);
		if (i >= 25)
			ema_add(&signal, fast.value - slow.value);
		assert_int_equal(m.ready, i >= 33);
	}
	NEAR(m.value, fast.value - slow.value, 1e-12);
	NEAR(m.histogram, fast.value - slow.value - signal.value, 1e-12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rsi),
		cmocka_unit_test(test_ema),
		cmocka_unit_test(test_bands),
		cmocka_unit_test(test_macd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

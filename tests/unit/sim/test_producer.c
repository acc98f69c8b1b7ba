/* The made-up market: the same for a seed, coherent, and valid JSON in every form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "event/decode.h"
#include "sim/producer.h"

static enum kind
kind_of(const char *channel)
{
	return strstr(channel, "alerts")   ? KIND_ALERT
	    : strstr(channel, "patterns")  ? KIND_PATTERN
	    : strstr(channel, "indicator") ? KIND_INDICATOR
	    : strstr(channel, "health")    ? KIND_HEALTH
	    : strstr(channel, "errors")    ? KIND_ERROR
					   : KIND_SESSION;
}

static void
test_same_seed(void **state)
{
	struct producer a, b, c;
	struct err e;
	int differ = 0;

	(void)state;
	assert_int_equal(producer_init(&a, 20, 7, PRODUCER_MIXED, &e), 0);
	assert_int_equal(producer_init(&b, 20, 7, PRODUCER_MIXED, &e), 0);
	assert_int_equal(producer_init(&c, 20, 8, PRODUCER_MIXED, &e), 0);
	for (int i = 0; i < 5000; i++) {
		struct message x, y, z;

		assert_int_equal(producer_next(&a, 1000 + i, i * 50000, &x, &e), 0);
		assert_int_equal(producer_next(&b, 1000 + i, i * 50000, &y, &e), 0);
		assert_int_equal(producer_next(&c, 1000 + i, i * 50000, &z, &e), 0);
		assert_string_equal(x.channel, y.channel);
		assert_true(text_eq(x.payload, y.payload));
		differ += !text_eq(x.payload, z.payload);
	}
	assert_true(differ > 4000);
	producer_fini(&a);
	producer_fini(&b);
	producer_fini(&c);
}

static void
test_bars_and_shapes(void **state)
{
	int found[CANDLE__MAX] = { 0 };
	struct market m;
	struct err e;

	(void)state;
	assert_int_equal(market_init(&m, 100, 3, &e), 0);
	for (int i = 0; i < 20000; i++) {
		const struct market_symbol *s = market_next(&m);
		const struct bar *b = &s->bars[MARKET_BARS - 1];
		struct candle_found c[CANDLE__MAX];
		size_t n = candles_find(s->bars, c);

		assert_true(b->low > 0 && b->low <= b->open && b->low <= b->close);
		assert_true(b->high >= b->open && b->high >= b->close && b->volume > 0);
		assert_true(s->macd.ready && s->rsi.ready && s->rsi.value >= 0 && s->rsi.value <= 100);
		while (n-- > 0) {
			found[c[n].id]++;
			assert_in_range(c[n].confidence, 500, 990);
		}
	}
	for (int i = 0; i < CANDLE__MAX; i++)
		assert_true(found[i] > 0);
	market_fini(&m);
}

/* jansson knows no NaN: the text with null in its place. True if there was one. */
static bool
without_nan(struct text t, struct buf *out)
{
	const char *nan = memmem(t.p, t.n, ":NaN", 4);

	buf_clear(out);
	if (nan == NULL) {
		buf_add_text(out, t);
		return false;
	}
	buf_add(out, t.p, (size_t)(nan - t.p));
	buf_add_str(out, ":null");
	buf_add_text(out, text_cut(t, (size_t)(nan - t.p) + 4, t.n));
	return true;
}

static void
test_forms_are_json(void **state)
{
	struct buf text = { 0 };
	int nans = 0, critical = 0;
	struct producer p;
	struct message m;
	struct err e;

	(void)state;
	assert_int_equal(producer_init(&p, 200, 1, PRODUCER_WIRE, &e), 0);
	for (int i = 0; i < 30000; i++) {
		json_t *j;

		assert_int_equal(producer_next(&p, 1795417300123, i * 10000, &m, &e), 0);
		nans += without_nan(m.payload, &text);
		critical += strcmp(m.channel, "tickstock:alerts:critical") == 0;
		j = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
		assert_true(json_is_object(j));
		json_decref(j);
	}
	/* Now and then: neither never nor often. */
	assert_in_range(nans, 30, 3000);
	assert_in_range(critical, 1, 3000);
	buf_fini(&text);
	producer_fini(&p);
}

/* What the simulator says, the decoder must take: every form, every kind, with the time it was made at. */
static void
test_forms_decode(void **state)
{
	static const int64_t made_ms = 1795417300123;
	int64_t elements[KIND__MAX] = { 0 }, nulls = 0;
	struct decoder *d;
	struct producer p;
	struct message m;
	struct err e;

	(void)state;
	assert_int_equal(producer_init(&p, 200, 1, PRODUCER_WIRE, &e), 0);
	d = decoder_new(SCALE_AUTO, NULL, &e);
	assert_non_null(d);
	for (int i = 0; i < 30000; i++) {
		struct event ev = EVENT_INIT;
		enum decode_result got;
		struct reject rej;

		assert_int_equal(producer_next(&p, made_ms, i * 10000, &m, &e), 0);
		decode_message(d, &(struct source_channel){ text_of(m.channel), kind_of(m.channel), "started" },
		    m.payload, made_ms * 1000);
		while ((got = decode_next(d, &ev, &rej)) != DECODE_END) {
			if (got != DECODE_EVENT || ev.time_ms != made_ms || ev.time_source == TIME_RECEIVED)
				fail_msg("%.*s", TEXT_ARG(m.payload));
			elements[ev.kind]++;
			nulls += decode_notes(d)[NOTE_NULL_NUMBER];
			if (ev.kind == KIND_PATTERN)
				assert_true(ev.confidence >= 50 && ev.confidence <= 99);
		}
	}
	for (int kind = 0; kind < KIND_GAP; kind++)
		assert_true(elements[kind] > 0);
	assert_true(nulls > 0);
	decoder_free(d);
	producer_fini(&p);
}

static void
set(struct bar *b, int64_t open, int64_t high, int64_t low, int64_t close)
{
	*b = (struct bar){ .open = open, .high = high, .low = low, .close = close, .ticks = MARKET_TICKS };
}

static bool
finds(const struct bar *bars, enum candle_id id)
{
	struct candle_found c[CANDLE__MAX];
	size_t n = candles_find(bars, c);

	while (n-- > 0) {
		if (c[n].id == id)
			return true;
	}
	return false;
}

static void
test_shapes_by_hand(void **state)
{
	struct bar b[MARKET_BARS], *last = &b[MARKET_BARS - 1];

	(void)state;
	for (int i = 0; i < MARKET_BARS; i++) /* a fall of 100 a bar */
		set(&b[i], 5000 - 100 * i, 5010 - 100 * i, 4890 - 100 * i, 4900 - 100 * i);
	assert_true(finds(b, CANDLE_THREE_BLACK_CROWS));
	assert_false(finds(b, CANDLE_THREE_WHITE_SOLDIERS));
	set(last, 3900, 3960, 3840, 3901);
	assert_true(finds(b, CANDLE_DOJI));
	set(last, 3900, 3925, 3800, 3920);
	assert_true(finds(b, CANDLE_HAMMER));
	assert_false(finds(b, CANDLE_SHOOTING_STAR));
	set(last, 3890, 4060, 3885, 4050);
	assert_true(finds(b, CANDLE_BULLISH_ENGULFING));
	assert_false(finds(b, CANDLE_BEARISH_ENGULFING));
	set(last, 3920, 3960, 3910, 3950);
	assert_true(finds(b, CANDLE_BULLISH_HARAMI));
	set(last - 1, 3990, 4010, 3970, 3995);
	set(last, 3995, 4085, 3990, 4080);
	assert_true(finds(b, CANDLE_MORNING_STAR));
	assert_false(finds(b, CANDLE_EVENING_STAR));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_seed),
		cmocka_unit_test(test_bars_and_shapes),
		cmocka_unit_test(test_forms_are_json),
		cmocka_unit_test(test_forms_decode),
		cmocka_unit_test(test_shapes_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

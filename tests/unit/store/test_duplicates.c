/* test_duplicates - which events are taken for one detection: by themselves, and through the log. */
#include "written_log.h"

struct seen {
	struct duplicates *d;
	int64_t seq, at_us;
};

static struct seen
begin(void)
{
	struct err e = { .code = ERR_NONE };
	struct seen x = { .d = duplicates_new(KIND_BIT(KIND_PATTERN), &e), .at_us = 1000000000000 };

	assert_non_null(x.d);
	return x;
}

/* The seq of the first one, or 0; the event's own is x->seq. */
static int64_t
see_event(struct seen *x, struct event *ev)
{
	struct err e = { .code = ERR_NONE };
	int64_t first = -1;

	ev->seq = ++x->seq;
	ev->received_us = x->at_us;
	assert_int_equal(duplicates_see(x->d, ev, &first, &e), 0);
	return first;
}

static int64_t
see(struct seen *x, const char *channel, int64_t time_ms)
{
	struct event ev = log_event_of(KIND_PATTERN, "AAPL", channel, time_ms);

	return see_event(x, &ev);
}

static void
test_both_orders(void **state)
{
	struct seen x = begin();

	(void)state;
	assert_int_equal(see(&x, "a", 1), 0); /* 1 */
	assert_int_equal(see(&x, "b", 1), 1);
	assert_int_equal(see(&x, "b", 2), 0); /* 3 */
	assert_int_equal(see(&x, "a", 2), 3);
	/* A third channel. */
	assert_int_equal(see(&x, "c", 1), 1);
	assert_int_equal(see(&x, "c", 2), 3);
	duplicates_free(x.d);
}

static void
test_same_channel(void **state)
{
	struct seen x = begin();

	(void)state;
	assert_int_equal(see(&x, "a", 1), 0); /* 1 */
	assert_int_equal(see(&x, "b", 1), 1);
	assert_int_equal(see(&x, "a", 1), 0); /* 3: the detection was sent once more */
	assert_int_equal(see(&x, "b", 1), 3);
	assert_int_equal(see(&x, "b", 1), 0); /* 5 */
	assert_int_equal(see(&x, "a", 1), 5);
	duplicates_free(x.d);
}

/* Each part of the key tells events apart. */
static void
test_key(void **state)
{
	struct seen x = begin();
	struct event ev;

	(void)state;
	assert_int_equal(see(&x, "a", 1), 0);
	ev = log_event_of(KIND_PATTERN, "AAP", "b", 1);
	assert_int_equal(see_event(&x, &ev), 0);
	ev = log_event_of(KIND_PATTERN, "AAPL", "b", 1);
	ev.name = TEXT("hammer");
	assert_int_equal(see_event(&x, &ev), 0);
	ev = log_event_of(KIND_PATTERN, "AAPL", "b", 1);
	ev.timeframe = TEXT("5min");
	assert_int_equal(see_event(&x, &ev), 0);
	/* The same bytes, cut elsewhere. */
	ev = log_event_of(KIND_PATTERN, "AAPLd", "b", 1);
	ev.name = TEXT("oji");
	assert_int_equal(see_event(&x, &ev), 0);
	ev = log_event_of(KIND_PATTERN, "AAPL", "b", 2);
	assert_int_equal(see_event(&x, &ev), 0);
	assert_int_equal(see(&x, "b", 1), 1);
	duplicates_free(x.d);
}

static void
test_not_looked_at(void **state)
{
	struct seen x = begin();
	struct event ev;

	(void)state;
	assert_int_equal(see(&x, "a", 1), 0);
	/* A time of ours is nobody's key. */
	ev = log_event_of(KIND_PATTERN, "AAPL", "b", 1);
	ev.time_source = TIME_RECEIVED;
	assert_int_equal(see_event(&x, &ev), 0);
	ev.time_source = TIME_ENVELOPE;
	assert_int_equal(see_event(&x, &ev), 1);
	for (int i = 0; i < 2; i++) {
		ev = log_event_of(KIND_INDICATOR, "AAPL", i == 0 ? "a" : "b", 1);
		assert_int_equal(see_event(&x, &ev), 0);
	}
	duplicates_free(x.d);
}

static void
test_ten_minutes(void **state)
{
	struct seen x = begin();

	(void)state;
	assert_int_equal(see(&x, "a", 1), 0);
	x.at_us += DUPLICATES_AGE_US;
	assert_int_equal(see(&x, "b", 1), 1);
	/* From the first one on, not from the last one. */
	x.at_us++;
	assert_int_equal(see(&x, "c", 1), 0); /* 3 */
	assert_int_equal(see(&x, "b", 1), 3);
	duplicates_free(x.d);
}

static void
test_evicted(void **state)
{
	struct seen x = begin();

	(void)state;
	for (int64_t i = 0; i < DUPLICATES_KEYS; i++) {
		assert_int_equal(see(&x, "a", i), 0);
		duplicates_keep(x.d);
	}
	assert_int_equal(see(&x, "b", 0), 1); /* all of them are there */
	assert_int_equal(see(&x, "a", -1), 0); /* one more: the oldest goes */
	assert_int_equal(see(&x, "c", 0), 0); /* and the second oldest for this one */
	assert_int_equal(see(&x, "b", 1), 0);
	assert_int_equal(see(&x, "b", 3), 4);
	/* Undone, they are back. */
	duplicates_undo(x.d);
	assert_int_equal(see(&x, "c", 0), 1);
	assert_int_equal(see(&x, "c", 1), 2);
	duplicates_free(x.d);
}

/* More channels than bits: what comes from those is an event of its own. */
static void
test_many_channels(void **state)
{
	struct seen x = begin();
	char channel[16];

	(void)state;
	for (int i = 0; i < DUPLICATES_CHANNELS + 5; i++) {
		snprintf(channel, sizeof(channel), "c%d", i);
		assert_int_equal(see(&x, channel, 1), i == 0 || i >= DUPLICATES_CHANNELS ? 0 : 1);
	}
	duplicates_free(x.d);
}

/* Whatever is undone, the answers are those of one that never saw it. */
static void
test_undo(void **state)
{
	struct seen x = begin(), y = begin();
	static const char *const channels[] = { "a", "b", "c" };

	(void)state;
	srandom(1);
	for (int i = 0; i < 400; i++) {
		bool undo = i % 3 == 1;
		int64_t seq = x.seq;

		for (int j = 0; j < 20; j++) {
			const char *channel = channels[random() % 3];
			int64_t time_ms = random() % 40, first = see(&x, channel, time_ms);

			if (!undo)
				assert_int_equal(see(&y, channel, time_ms), first);
		}
		if (undo) {
			duplicates_undo(x.d);
			x.seq = seq;
		} else {
			duplicates_keep(x.d);
			duplicates_keep(y.d);
		}
	}
	duplicates_free(x.d);
	duplicates_free(y.d);
}

/* ---- through the log ---- */

static int64_t
append_at(struct store *s, const char *channel, int64_t time_ms, int64_t received_us)
{
	struct event ev = log_event_of(KIND_PATTERN, "AAPL", channel, time_ms);

	ev.received_us = received_us;
	log_append(s, &ev);
	log_commit(s);
	return ev.duplicate_of;
}

static struct store *
again(struct store *s)
{
	log_close(s);
	return log_open();
}

static void
test_refilled(void **state)
{
	struct store *s = log_open();
	int64_t now = clock_real_us();

	(void)state;
	append_at(s, "a", 1, now); /* 1 */
	assert_int_equal(append_at(s, "b", 1, now), 1);
	append_at(s, "a", 2, now); /* 3 */
	s = again(s);
	/* Which channels it was on is known, too. */
	assert_int_equal(append_at(s, "b", 1, now), 0); /* 5 */
	assert_int_equal(append_at(s, "b", 2, now), 3);
	assert_int_equal(append_at(s, "c", 1, now), 5);
	log_close(s);
	log_check();
	assert_log("SELECT body LIKE '%\"duplicate_of\":\"' || epoch || '-1\"%' FROM log, events WHERE seq = 2", "1");
	assert_log("SELECT body LIKE '%\"duplicate_of\":null%' FROM events WHERE seq = 5", "1");
}

/* Ten minutes are ten minutes, whether or not there was a start in between; a duplicate begins nothing. */
static void
test_refilled_late(void **state)
{
	struct store *s = log_open();
	int64_t now = clock_real_us() - 2 * DUPLICATES_AGE_US, late = now + DUPLICATES_AGE_US * 9 / 10;

	(void)state;
	append_at(s, "x", 0, now - 5000000);
	append_at(s, "a", 1, now);
	for (int i = 0; i < 300; i++) {
		struct event ev = log_event_of(KIND_ALERT, "AAPL", "a", i);

		ev.received_us = now + 2000000;
		log_append(s, &ev);
	}
	log_commit(s);
	append_at(s, "y", 0, now + 4000000); /* a mark of the timeline, behind the first and before the duplicate */
	assert_int_equal(append_at(s, "b", 1, late), 2);
	append_at(s, "a", 9, now + 5000000 + DUPLICATES_AGE_US);
	assert_log("SELECT group_concat(seq) FROM timeline", "303");
	s = again(s);
	assert_int_equal(append_at(s, "c", 1, late + DUPLICATES_AGE_US / 2), 0);
	log_close(s);
	log_check();
}

static void
test_first_trimmed(void **state)
{
	struct store_opts opts = { .kind[KIND_PATTERN] = { .events = 1 } };
	struct store *s = log_open_with(opts);
	int64_t now = clock_real_us();

	(void)state;
	append_at(s, "a", 1, now);
	append_at(s, "b", 1, now);
	log_tend(s, true);
	s = again(s);
	assert_int_equal(append_at(s, "c", 1, now), 0);
	log_close(s);
	log_check();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_orders),
		cmocka_unit_test(test_same_channel),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_not_looked_at),
		cmocka_unit_test(test_ten_minutes),
		cmocka_unit_test(test_evicted),
		cmocka_unit_test(test_many_channels),
		cmocka_unit_test(test_undo),
		cmocka_unit_test_setup_teardown(test_refilled, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_refilled_late, log_setup, log_teardown),
		cmocka_unit_test_setup_teardown(test_first_trimmed, log_setup, log_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

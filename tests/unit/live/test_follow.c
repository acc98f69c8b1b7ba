/* test_follow - new rows once and in order, from the bell or without one, over leaps, another log and trouble. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../store/made_log.h"
#include "base/buf.h"
#include "live/follow.h"
#include "store/bell.h"

static struct made_log made;
static struct follow f;
static struct buf told;
static int64_t now_us, failing;

static void
on_start(void *arg, const struct snapshot *snap)
{
	(void)arg;
	buf_printf(&told, "start %s %lld\n", snap->epoch, (long long)snap->head);
}

static int
add_body(void *arg, const struct event *ev, struct text body)
{
	(void)ev;
	buf_add_text(arg, body);
	return 0;
}

static int
on_row(void *arg, struct reader *r, const struct row_key *key, struct err *e)
{
	(void)arg;
	if (key->seq == failing) {
		err_set(e, ERR_BUSY, "not now");
		return -1;
	}
	if (told.len < 400) {
		buf_printf(&told, "%lld %d %.*s %lld ", (long long)key->seq, key->kind, TEXT_ARG(key->symbol),
		    (long long)key->duplicate_of);
		assert_int_equal(read_event(r, key->seq, add_body, &told, e), 1);
		buf_add_char(&told, '\n');
	}
	return 0;
}

static void
on_event(void *arg, const struct event *ev, struct text body)
{
	(void)arg;
	buf_printf(
	    &told, "came %lld %d %.*s %.*s\n", (long long)ev->seq, ev->kind, TEXT_ARG(ev->symbol), TEXT_ARG(body));
}

static int64_t committed; /* what is to be told */
static int advances;

static void
on_advance(void *arg, int64_t head, int64_t committed_us)
{
	(void)arg;
	advances++;
	assert_int_equal(committed_us, committed);
	buf_printf(&told, "to %lld\n", (long long)head);
}

static void
on_lost(void *arg, const struct err *why)
{
	(void)arg;
	buf_printf(&told, "lost %d\n", why->code);
}

static int
setup(void **state)
{
	struct follow_to to = { on_start, on_row, on_event, on_advance, on_lost, NULL };
	struct err e;

	(void)state;
	now_us = 1000000000;
	failing = 0;
	made_log_init(&made, 10, 2, 10, 10);
	return follow_init(&f, made.dir, made.dir, &to, &e);
}

static int
teardown(void **state)
{
	(void)state;
	follow_fini(&f);
	buf_fini(&told);
	made_log_fini(&made);
	return 0;
}

#define assert_told(want) \
	do { \
		assert_string_equal(buf_cstr(&told), want); \
		buf_clear(&told); \
	} while (0)

static void
add_events(long long from, long long to)
{
	made_log_sql(&made,
	    "INSERT INTO events WITH RECURSIVE n(i) AS (SELECT %lld UNION ALL SELECT i + 1 FROM n WHERE i < %lld) "
	    "SELECT i, i %% 3, 'A', 'x', '1min', 1, NULL, 0, NULL, NULL, 'c', 1, 0, i, 0, i %% 2, '{}' FROM n;"
	    "UPDATE log SET next_seq = %lld",
	    from, to, to + 1);
}

/* As though the time for a look had come. */
static bool
look(void)
{
	now_us += 300000;
	return follow_turn(&f, now_us);
}

static void
test_once_in_order(void **state)
{
	(void)state;
	assert_false(look());
	assert_told("start " MADE_EPOCH " 10\n");
	assert_false(look());
	assert_told("");
	assert_true(follow_at_head(&f));
	add_events(11, 12);
	assert_false(look());
	assert_told("11 2 A 1 {}\n12 0 A 0 {}\nto 12\n");
	assert_false(look());
	assert_told("");
	assert_true(follow_due_us(&f) > now_us);
}

static void
test_pages(void **state)
{
	(void)state;
	look();
	add_events(11, 10 + FOLLOW_PAGE + 1);
	assert_true(look());
	assert_false(follow_at_head(&f));
	assert_non_null(strstr(buf_cstr(&told), "to 522\n"));
	assert_int_equal(follow_due_us(&f), 0);
	buf_clear(&told);
	assert_false(follow_turn(&f, now_us));
	assert_told("523 1 A 1 {}\nto 523\n");
	assert_true(follow_at_head(&f));
}

static void
test_leaps_when_far_behind(void **state)
{
	(void)state;
	look();
	buf_clear(&told);
	add_events(11, 10 + FOLLOW_FAR + 1);
	look();
	assert_told("start " MADE_EPOCH " 65547\n");
	add_events(65548, 65548);
	look();
	assert_told("65548 1 A 0 {}\nto 65548\n");
}

static void
test_another_log(void **state)
{
	(void)state;
	look();
	buf_clear(&told);
	made_log_sql(&made, "UPDATE log SET epoch = 'zzzz9999'");
	look();
	assert_told("start zzzz9999 10\n");
	made_log_sql(&made, "UPDATE log SET next_seq = 5");
	look();
	assert_told("start zzzz9999 4\n");
}

static void
test_unreadable(void **state)
{
	char moved[200];

	(void)state;
	look();
	buf_clear(&told);
	snprintf(moved, sizeof(moved), "%s.away", made.path);
	assert_int_equal(rename(made.path, moved), 0);
	look();
	assert_told("");
	look();
	look();
	look();
	assert_told("");
	look();
	assert_told("lost 11\n");
	look();
	assert_told("");
	assert_int_equal(rename(moved, made.path), 0);
	look();
	assert_told("start " MADE_EPOCH " 10\n");
}

static void
test_a_row_that_cannot_be_read(void **state)
{
	(void)state;
	look();
	buf_clear(&told);
	add_events(11, 13);
	failing = 12;
	look();
	assert_told("11 2 A 1 {}\nto 11\n");
	assert_false(follow_at_head(&f));
	failing = 0;
	look();
	assert_true(follow_at_head(&f));
	assert_told("12 0 A 0 {}\n13 1 A 1 {}\nto 13\n");
}

static void
test_stopped(void **state)
{
	(void)state;
	look();
	follow_stop(&f);
	assert_false(follow_at_head(&f));
	buf_clear(&told);
	assert_true(follow_due_us(&f) <= now_us);
	look();
	assert_told("start " MADE_EPOCH " 10\n");
}

static void
test_bell(void **state)
{
	struct bell_ring ring = { .epoch = MADE_EPOCH, .head = 10 };
	struct bell *bell;
	struct err e;

	(void)state;
	assert_false(follow_connect(&f, now_us));
	bell = bell_open(f.bell_path, &e);
	assert_non_null(bell);
	/* Not tried again so soon. */
	assert_false(follow_connect(&f, now_us));
	now_us += 300000;
	assert_true(follow_connect(&f, now_us));
	assert_false(follow_connect(&f, now_us));
	assert_int_equal(follow_due_us(&f), 0);
	follow_turn(&f, now_us);
	buf_clear(&told);
	assert_true(follow_due_us(&f) > now_us);
	bell_ring(bell, &ring, TEXT_NONE);
	follow_heard(&f);
	/* Known already. */
	assert_true(follow_due_us(&f) > now_us);
	add_events(11, 11);
	/* Of two that wait the time of the first. */
	ring.head = 11;
	ring.committed_us = committed = 7;
	bell_ring(bell, &ring, TEXT_NONE);
	ring.committed_us = 8;
	bell_ring(bell, &ring, TEXT_NONE);
	follow_heard(&f);
	assert_int_equal(follow_due_us(&f), 0);
	follow_turn(&f, now_us);
	assert_told("11 2 A 1 {}\nto 11\n");
	committed = 0;
	bell_close(bell);
	follow_heard(&f);
	assert_int_equal(f.bell, -1);
	assert_int_equal(follow_due_us(&f), 0);
}

/* ---- rows that come with the bell; the log has others, so that it shows which of them were told ---- */

static struct bell *bell;
static struct buf rows;

/* Follows the log up to 10, and hears. */
static void
hear(void)
{
	struct err e;

	committed = 0;
	bell = bell_open(f.bell_path, &e);
	assert_non_null(bell);
	assert_true(follow_connect(&f, now_us));
	follow_turn(&f, now_us);
	bell_accept(bell);
	buf_clear(&told);
}

static void
ring_with(const char *epoch, long long after, long long head)
{
	struct bell_ring ring = { .after = after, .head = head };

	strcpy(ring.epoch, epoch);
	buf_clear(&rows);
	for (long long seq = after + 1; seq <= head; seq++) {
		struct event ev = EVENT_INIT;

		ev.kind = KIND_ALERT;
		ev.seq = seq;
		ev.symbol = TEXT("B");
		news_add(&rows, &ev, TEXT("{b}"));
	}
	bell_ring(bell, &ring, buf_text(&rows));
}

static void
heard_and_turn(void)
{
	follow_heard(&f);
	assert_false(follow_turn(&f, now_us));
	assert_true(follow_at_head(&f));
}

/* What came is told in one turn, and what the log has besides in the next, at once: whoever waits is served in between. */
static void
heard_and_turn_twice(void)
{
	follow_heard(&f);
	advances = 0;
	assert_true(follow_turn(&f, now_us));
	assert_int_equal(advances, 1);
	assert_false(follow_at_head(&f));
	assert_int_equal(follow_due_us(&f), 0);
	assert_false(follow_turn(&f, now_us));
	assert_in_range(advances, 1, 2);
	assert_true(follow_at_head(&f));
}

static void
silence(void)
{
	bell_close(bell);
	buf_fini(&rows);
}

static void
test_news(void **state)
{
	(void)state;
	hear();
	add_events(11, 14);
	ring_with(MADE_EPOCH, 10, 11);
	follow_heard(&f);
	assert_false(follow_at_head(&f));
	assert_int_equal(follow_due_us(&f), 0);
	/* The turn comes later, after another ring. */
	ring_with(MADE_EPOCH, 11, 13);
	follow_heard(&f);
	assert_false(follow_turn(&f, now_us));
	assert_told("came 11 2 B {b}\ncame 12 2 B {b}\ncame 13 2 B {b}\nto 13\n");
	assert_true(follow_at_head(&f));
	assert_true(follow_due_us(&f) > now_us);
	/* Told already, but for one: the log was read meanwhile. */
	ring_with(MADE_EPOCH, 12, 14);
	heard_and_turn();
	assert_told("came 14 2 B {b}\nto 14\n");
	silence();
}

/* Nothing is sent to who does not want it; who wants it again need not wait. */
static void
test_stopped_leaves_the_bell(void **state)
{
	(void)state;
	hear();
	assert_int_equal(bell_peers(bell), 1);
	follow_stop(&f);
	assert_int_equal(f.bell, -1);
	ring_with(MADE_EPOCH, 10, 11);
	assert_int_equal(bell_peers(bell), 0);
	add_events(11, 11);
	assert_true(follow_connect(&f, now_us));
	assert_false(follow_turn(&f, now_us));
	assert_told("start " MADE_EPOCH " 11\n");
	add_events(12, 12);
	ring_with(MADE_EPOCH, 11, 12);
	heard_and_turn();
	assert_told("came 12 2 B {b}\nto 12\n");
	/* Where there is none it is not tried more often for that. */
	silence();
	follow_heard(&f);
	now_us += 300000;
	assert_false(follow_connect(&f, now_us));
	follow_stop(&f);
	bell = bell_open(f.bell_path, NULL);
	assert_false(follow_connect(&f, now_us));
	silence();
}

/* Whatever lacks something before it, or is not ours, is read from the log. */
static void
test_news_that_are_not_next(void **state)
{
	(void)state;
	hear();
	add_events(11, 12);
	ring_with(MADE_EPOCH, 11, 12);
	heard_and_turn();
	assert_told("11 2 A 1 {}\n12 0 A 0 {}\nto 12\n");
	add_events(13, 13);
	ring_with("other", 12, 13);
	heard_and_turn();
	assert_told("13 1 A 1 {}\nto 13\n");
	/* Of two, one of which was lost between them, neither is told as it came. */
	add_events(14, 16);
	ring_with(MADE_EPOCH, 13, 14);
	follow_heard(&f);
	ring_with(MADE_EPOCH, 15, 16);
	heard_and_turn();
	assert_told("14 2 A 0 {}\n15 0 A 1 {}\n16 1 A 0 {}\nto 16\n");
	silence();
}

/* Behind the last of several that waited others may have been dropped: who hears them looks. */
static void
test_news_dropped_behind(void **state)
{
	(void)state;
	hear();
	add_events(11, 13);
	ring_with(MADE_EPOCH, 10, 11);
	ring_with(MADE_EPOCH, 11, 12);
	heard_and_turn_twice();
	assert_told("came 11 2 B {b}\ncame 12 2 B {b}\nto 12\n13 1 A 1 {}\nto 13\n");
	silence();
}

static void
test_news_that_make_no_sense(void **state)
{
	struct bell_ring ring = { .epoch = MADE_EPOCH, .after = 10, .head = 12 };
	struct event ev = EVENT_INIT;

	(void)state;
	hear();
	add_events(11, 13);
	ev.kind = KIND_ALERT;
	ev.seq = 11;
	news_add(&rows, &ev, TEXT("{b}"));
	buf_add_str(&rows, "no row");
	bell_ring(bell, &ring, buf_text(&rows));
	heard_and_turn_twice();
	/* Nothing twice, nothing left out. */
	assert_told("came 11 2  {b}\nto 11\n12 0 A 0 {}\n13 1 A 1 {}\nto 13\n");
	/* A row from beyond what they are said to be. */
	add_events(14, 14);
	buf_clear(&rows);
	ev.seq = 99;
	news_add(&rows, &ev, TEXT("{b}"));
	ring.after = 13;
	ring.head = 14;
	bell_ring(bell, &ring, buf_text(&rows));
	heard_and_turn_twice();
	assert_told("to 13\n14 2 A 0 {}\nto 14\n");
	/* Fewer rows than they are said to be. */
	add_events(15, 16);
	buf_clear(&rows);
	ev.seq = 15;
	news_add(&rows, &ev, TEXT("{b}"));
	ring.after = 14;
	ring.head = 16;
	bell_ring(bell, &ring, buf_text(&rows));
	heard_and_turn_twice();
	assert_told("came 15 2  {b}\nto 15\n16 1 A 0 {}\nto 16\n");
	silence();
}

/* That the log can be read again is seen though every turn brings news, or the next failure would be taken for a long one. */
static void
test_news_while_the_log_was_unreadable(void **state)
{
	char moved[200];

	(void)state;
	hear();
	snprintf(moved, sizeof(moved), "%s.away", made.path);
	assert_int_equal(rename(made.path, moved), 0);
	/* Somebody joins. */
	f.rung = true;
	assert_false(follow_turn(&f, now_us));
	assert_int_equal(rename(moved, made.path), 0);
	add_events(11, 13);
	for (long long seq = 11; seq <= 12; seq++) {
		now_us += 100000;
		ring_with(MADE_EPOCH, seq - 1, seq);
		follow_heard(&f);
		assert_false(follow_turn(&f, now_us));
		assert_false(follow_at_head(&f));
	}
	now_us += 100000;
	ring_with(MADE_EPOCH, 12, 13);
	heard_and_turn_twice();
	assert_told("came 11 2 B {b}\nto 11\ncame 12 2 B {b}\nto 12\ncame 13 2 B {b}\nto 13\n");
	now_us += 2000000;
	assert_int_equal(rename(made.path, moved), 0);
	f.rung = true;
	assert_false(follow_turn(&f, now_us));
	assert_told("");
	assert_int_equal(rename(moved, made.path), 0);
	silence();
}

/* More than may wait. */
static void
test_much_news(void **state)
{
	static char text[BELL_BYTES_MAX - 200];
	struct bell_ring ring = { .epoch = MADE_EPOCH };
	long long seq;

	(void)state;
	hear();
	memset(text, 'x', sizeof(text));
	add_events(11, 11 + FOLLOW_NEWS_BYTES_MAX / BELL_BYTES_MAX);
	for (seq = 11; seq <= 11 + FOLLOW_NEWS_BYTES_MAX / BELL_BYTES_MAX; seq++) {
		struct event ev = EVENT_INIT;

		ev.kind = KIND_ALERT;
		ev.seq = seq;
		buf_clear(&rows);
		news_add(&rows, &ev, (struct text){ text, sizeof(text) });
		ring.after = seq - 1;
		ring.head = seq;
		bell_ring(bell, &ring, buf_text(&rows));
		follow_heard(&f);
	}
	assert_false(follow_turn(&f, now_us));
	assert_told("11 2 A 1 {}\n12 0 A 0 {}\n13 1 A 1 {}\n14 2 A 0 {}\n15 0 A 1 {}\nto 15\n");
	silence();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leaps_when_far_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_row_that_cannot_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bell, setup, teardown),
		cmocka_unit_test_setup_teardown(test_news, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped_leaves_the_bell, setup, teardown),
		cmocka_unit_test_setup_teardown(test_news_that_are_not_next, setup, teardown),
		cmocka_unit_test_setup_teardown(test_news_dropped_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_news_that_make_no_sense, setup, teardown),
		cmocka_unit_test_setup_teardown(test_news_while_the_log_was_unreadable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_much_news, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_hub - who is told of what: hub, views, and what they get, against the filter applied to every event by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../store/made_log.h"
#include "live/source.h"

static struct made_log made;
static struct hub hub;
static struct source source;
static struct reader *reader;
static int64_t end; /* seq of the newest event in the log */
static uint64_t seed;

static void
open_all(size_t ring_bytes)
{
	struct snapshot snap;
	struct err e;

	made_log_init(&made, 20, 5, 20, 20);
	end = 20;
	reader = reader_new(made.dir, &e);
	assert_int_equal(hub_init(&hub, ring_bytes, &e), 0);
	assert_int_equal(source_init(&source, &hub, reader, false, &e), 0);
	assert_int_equal(read_begin(reader, &snap, &e), 0);
	read_end(reader);
	hub_start(&hub, &snap);
}

static void
close_all(void)
{
	source_fini(&source);
	hub_fini(&hub);
	reader_free(reader);
	made_log_fini(&made);
}

static uint64_t
next_random(uint64_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 33) % n;
}

/* Kinds patterns to alerts, now and then a gap; every seventh is a duplicate. */
static void
add_events(int n)
{
	for (; n > 0; n--) {
		bool gap = next_random(20) == 0;

		end++;
		made_log_sql(&made,
		    "INSERT INTO events VALUES (%lld, %d, %s%d%s, 'n%d', '1min', %d, NULL, 0, NULL, NULL, 'c', 0, 0, "
		    "%lld, 0, "
		    "%d, '{\"n\":%lld}')",
		    (long long)end, gap ? 6 : (int)next_random(3), gap ? "nullif(0, " : "'S",
		    gap ? 0 : (int)next_random(6), gap ? ")" : "'", (int)next_random(3), (int)next_random(101),
		    (long long)end, !gap && end % 7 == 0 ? 1 : 0, (long long)end);
	}
	made_log_sql(&made,
	    "UPDATE log SET next_seq = %lld; UPDATE kinds SET newest = (SELECT ifnull(max(seq), 0) FROM events e WHERE "
	    "e.kind = kinds.kind)",
	    (long long)end + 1);
}

static int
on_key(void *arg, const struct row_key *key)
{
	struct err e;

	(void)arg;
	assert_int_equal(hub_row(&hub, reader, key, &e), 0);
	return 0;
}

/* One turn, as live.c has them. */
static void
take_turn(void)
{
	struct snapshot snap;
	struct err e;

	assert_int_equal(read_begin(reader, &snap, &e), 0);
	assert_true(read_keys(reader, hub.to, 10000, on_key, NULL, &e) >= 0);
	read_end(reader);
	hub_advance(&hub, snap.head);
}

/* ---- the model ---- */

struct wanted {
	const struct filter *filter;
	struct buf text;
	int64_t from, to;
};

static int
add_if_wanted(void *arg, const struct event *ev, struct text body)
{
	struct wanted *w = arg;

	if (ev->seq > w->from && ev->seq <= w->to && filter_matches(w->filter, ev)) {
		buf_add_text(&w->text, body);
		buf_add_char(&w->text, '\n');
	}
	return 0;
}

/* Everything between two places that the filter matches, a line each, from the log, one event at a time. */
static void
model(const struct view *v, int64_t from, int64_t to, struct buf *out)
{
	struct filter f;
	struct wanted w = { &f, { 0 }, from, to };
	struct snapshot snap;
	struct err e;

	view_filter(v, &f);
	assert_int_equal(read_begin(reader, &snap, &e), 0);
	for (int64_t seq = from + 1; seq <= to; seq++)
		assert_true(read_event(reader, seq, add_if_wanted, &w, &e) >= 0);
	read_end(reader);
	*out = w.text;
}

static void
add_bytes(struct buf *out, const struct blob *b)
{
	buf_add(out, b->bytes, b->len);
}

/* The same by source_next(), piece by piece, from `from` to the hub's position. */
static void
by_source(const struct view *v, int64_t from, struct buf *out)
{
	while (from < hub.to) {
		int64_t trimmed;
		struct err e;
		struct blob *b = source_next(&source, v, from, &trimmed, &e);

		assert_non_null(b);
		assert_true(b->to > from && b->to <= hub.to);
		add_bytes(out, b);
		from = b->to;
		blob_unref(b);
	}
}

static void
assert_same(struct buf *got, struct buf *want)
{
	assert_string_equal(buf_cstr(got), buf_cstr(want));
	buf_fini(got);
	buf_fini(want);
}

/* ---- views ---- */

#define VIEWS 40

static struct text symbol_names[] = { TEXT_INIT("S0"), TEXT_INIT("S1"), TEXT_INIT("S2"), TEXT_INIT("S3"),
	TEXT_INIT("S4"), TEXT_INIT("S5") };
static struct text names[] = { TEXT_INIT("n0"), TEXT_INIT("n1") };

static struct view *
join_random(void)
{
	struct filter f = FILTER_INIT;
	struct view_form form = { .ndjson = true };
	struct buf key = { 0 };
	struct view *v;

	f.kinds = (unsigned)(1 + next_random(7));
	if (next_random(3) > 0)
		f.symbols = (struct text_set){ symbol_names + next_random(3), 1 + next_random(3) };
	if (next_random(3) == 0)
		f.names[KIND_PATTERN] = (struct text_set){ names, 1 + next_random(2) };
	if (next_random(3) == 0)
		f.min_confidence = (double)next_random(100);
	f.show_duplicates = next_random(2) == 0;
	f.every_gap = next_random(2) == 0;
	view_key(&key, &f, &form);
	v = hub_join(&hub, buf_text(&key));
	assert_non_null(v);
	buf_fini(&key);
	return v;
}

static void
check_turn(struct view *const *views, const int64_t *joined)
{
	bool told[VIEWS] = { false };
	struct view *v;

	while ((v = hub_next_dirty(&hub)) != NULL) {
		struct buf got = { 0 }, want;
		int64_t from = hub.from;
		uint32_t at = v->hits;
		struct blob *b;

		while (!v->lost && (b = source_hits(&source, v, &at, from)) != NULL) {
			add_bytes(&got, b);
			from = b->to;
			blob_unref(b);
			if (at == 0)
				break;
		}
		/* What the ring could not keep is read on. */
		by_source(v, from, &got);
		assert_true(from == hub.to || v->lost || at != 0);
		model(v, hub.from, hub.to, &want);
		assert_true(want.len > 0);
		assert_same(&got, &want);
		for (int i = 0; i < VIEWS; i++)
			told[i] |= views[i] == v;
	}
	hub_turn_done(&hub);
	for (int i = 0; i < VIEWS; i++) {
		struct buf got = { 0 }, want;

		model(views[i], hub.from, hub.to, &want);
		assert_true(told[i] == (want.len > 0));
		buf_fini(&want);
		/* From somewhere behind: out of the ring, or the log, or both. */
		int64_t from = joined[i] + (int64_t)next_random((uint64_t)(hub.to - joined[i] + 1));

		model(views[i], from, hub.to, &want);
		by_source(views[i], from, &got);
		assert_same(&got, &want);
	}
}

static void
run_model(size_t ring_bytes, uint64_t start, int turns)
{
	struct view *views[VIEWS];
	int64_t joined[VIEWS];

	seed = start;
	open_all(ring_bytes);
	for (int i = 0; i < VIEWS; i++) {
		views[i] = join_random();
		/* Also from before it came: that is in the log only. */
		joined[i] = 0;
	}
	for (int t = 0; t < turns; t++) {
		int i = (int)next_random(VIEWS);

		hub_leave(&hub, views[i]);
		views[i] = join_random();
		add_events((int)next_random(60));
		take_turn();
		check_turn(views, joined);
	}
	for (int i = 0; i < VIEWS; i++)
		hub_leave(&hub, views[i]);
	assert_int_equal(hub.n_views, 0);
	assert_int_equal(hub.n_topics, 0);
	assert_null(hub.wild);
	close_all();
}

static void
test_model(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 6; i++)
		run_model(1u << 20, i, 12);
}

/* A ring of a few dozen entries: it forgets within a turn. */
static void
test_model_with_a_small_ring(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 6; i++)
		run_model(8192, 100 + i, 12);
}

static struct view *
join(const struct filter *f, const struct view_form *form)
{
	struct buf key = { 0 };
	struct view *v;

	view_key(&key, f, form);
	v = hub_join(&hub, buf_text(&key));
	buf_fini(&key);
	return v;
}

static void
test_views_are_shared(void **state)
{
	struct filter f = FILTER_INIT, g = FILTER_INIT;
	struct view_form sse = { .ask = TEXT("") }, lines = { .ndjson = true, .ask = TEXT("") },
			 wait = { .waiter = true, .ask = TEXT("q") };
	struct view *v, *others[3];

	(void)state;
	open_all(1u << 16);
	f.symbols = (struct text_set){ symbol_names, 2 };
	g.symbols = (struct text_set){ symbol_names, 1 };
	v = join(&f, &sse);
	assert_ptr_equal(join(&f, &sse), v);
	assert_int_equal(v->n_clients, 2);
	assert_int_equal(v->symbols.n, 2);
	assert_int_equal(hub.n_topics, 2);
	others[0] = join(&g, &sse);
	others[1] = join(&f, &lines);
	others[2] = join(&f, &wait);
	for (int i = 0; i < 3; i++)
		assert_ptr_not_equal(others[i], v);
	assert_int_equal(hub.n_views, 4);
	assert_int_equal(hub.n_topics, 2);
	assert_true(text_eq(v->symbols.items[1], TEXT("S1")));
	assert_true(isnan(v->terms->filter.min_confidence));
	assert_true(text_eq(view_ask(others[2]), TEXT("q")));
	assert_true(text_eq(view_ask(v), TEXT("")));
	/* Those of different symbols share their terms. */
	assert_ptr_equal(others[0]->terms, v->terms);
	assert_int_equal(hub.terms.n, 3);
	for (int i = 0; i < 3; i++)
		hub_leave(&hub, others[i]);
	hub_leave(&hub, v);
	assert_int_equal(hub.n_views, 1);
	hub_leave(&hub, v);
	assert_int_equal(hub.n_views, 0);
	assert_int_equal(hub.terms.n, 0);
	close_all();
}

static void
add_set(struct text_set *set, const struct text *items, size_t n)
{
	*set = (struct text_set){ items, n };
}

/* What a view's filter says is what was asked for, in each of its members. */
static void
test_terms_keep_everything(void **state)
{
	const struct text a[] = { TEXT_INIT("A"), TEXT_INIT("B") }, b[] = { TEXT_INIT("c") };
	struct filter f = { .kinds = KIND_BIT(KIND_ERROR) | KIND_BIT(KIND_PATTERN),
		.min_confidence = 1,
		.max_confidence = 2,
		.min_value = 3,
		.max_value = 4,
		.min_severity = 2,
		.show_duplicates = true,
		.every_gap = true,
		.times_of_event = true,
		.since_us = 5,
		.until_us = 6 };
	struct view_form form = { .waiter = true, .ndjson = true, .batch = true, .conflate = true, .ask = TEXT("") };
	struct buf key = { 0 }, again = { 0 };
	struct filter got;
	struct view *v;

	(void)state;
	open_all(1u << 16);
	add_set(&f.symbols, a, 2);
	add_set(&f.names[KIND_PATTERN], b, 1);
	add_set(&f.names[KIND_INDICATOR], a, 2);
	add_set(&f.names[KIND_ALERT], a, 1);
	add_set(&f.timeframes, a, 2);
	add_set(&f.severities, b, 1);
	add_set(&f.components, a, 1);
	add_set(&f.sources, a, 2);
	add_set(&f.channels, b, 1);
	v = join(&f, &form);
	view_filter(v, &got);
	view_key(&key, &f, &form);
	view_key(&again, &got, &v->terms->form);
	assert_true(text_eq(buf_text(&key), buf_text(&again)));
	assert_true(view_has_key(v, buf_text(&key)));
	hub_leave(&hub, v);
	buf_fini(&key);
	buf_fini(&again);
	close_all();
}

/* Keys come from ourselves, but a short one must not be read beyond its end, nor a long one taken. */
static void
test_keys_are_whole(void **state)
{
	struct filter f = FILTER_INIT;
	struct view_form form = { .waiter = true, .ask = TEXT("q") };
	struct buf key = { 0 };

	(void)state;
	open_all(1u << 16);
	f.symbols = (struct text_set){ symbol_names, 2 };
	f.timeframes = (struct text_set){ symbol_names, 2 };
	view_key(&key, &f, &form);
	for (size_t n = 0; n < key.len; n++)
		assert_null(hub_join(&hub, text_cut(buf_text(&key), 0, n)));
	buf_add_char(&key, 'x');
	assert_null(hub_join(&hub, buf_text(&key)));
	assert_int_equal(hub.terms.n, 0);
	assert_int_equal(hub.n_views, 0);
	buf_fini(&key);
	close_all();
}

/* A worker that has clients for one symbol reads the texts of no other. */
static void
test_only_what_is_wanted_is_kept(void **state)
{
	struct filter f = FILTER_INIT;
	struct view_form form = { .ask = TEXT("") };
	struct view *v;

	(void)state;
	open_all(1u << 16);
	f.symbols = (struct text_set){ symbol_names, 1 };
	f.kinds = KIND_BIT(KIND_PATTERN);
	v = join(&f, &form);
	made_log_sql(&made,
	    "INSERT INTO events VALUES (21, 0, 'S1', '', '', 1, NULL, 0, NULL, NULL, 'c', 0, 0, 1, 0, 0, '{}'),"
	    "(22, 1, 'S0', '', '', 1, NULL, 0, NULL, NULL, 'c', 0, 0, 1, 0, 0, '{}'),"
	    "(23, 0, 'S0', '', '', 1, NULL, 0, NULL, NULL, 'c', 0, 0, 1, 0, 9, '{}'),"
	    "(24, 0, 'S0', '', '', 1, NULL, 0, NULL, NULL, 'c', 0, 0, 1, 0, 0, '{}'); UPDATE log SET next_seq = 25");
	take_turn();
	assert_int_equal(hub.ring.end - hub.ring.first, 1);
	assert_int_equal(ring_at(&hub.ring, hub.ring.first)->ev.seq, 24);
	assert_ptr_equal(hub_next_dirty(&hub), v);
	assert_false(v->urgent);
	assert_null(hub_next_dirty(&hub));
	hub_leave(&hub, v);
	close_all();
}

static void
add_one(const char *symbol)
{
	end++;
	made_log_sql(&made,
	    "INSERT INTO events VALUES (%lld, 0, '%s', '', '', 1, NULL, 0, NULL, NULL, 'c', 0, 0, 1, 0, 0, "
	    "'{\"n\":%lld}');"
	    "UPDATE log SET next_seq = %lld",
	    (long long)end, symbol, (long long)end, (long long)end + 1);
}

/* A turn that was not served yet and the next are one: whoever is put back to where it began lacks nothing. */
static void
test_what_was_not_served_is_not_passed(void **state)
{
	struct filter f = FILTER_INIT;
	struct view_form form = { .ask = TEXT("") };
	struct view *v;

	(void)state;
	open_all(1u << 16);
	f.symbols = (struct text_set){ symbol_names, 1 };
	v = join(&f, &form);
	add_one("S1");
	take_turn();
	assert_int_equal(hub.from, 20);
	add_one("S0");
	take_turn();
	add_one("S1");
	take_turn();
	assert_int_equal(hub.from, 21);
	assert_int_equal(hub.to, 23);
	assert_ptr_equal(hub_next_dirty(&hub), v);
	assert_null(hub_next_dirty(&hub));
	hub_turn_done(&hub);
	add_one("S1");
	take_turn();
	assert_int_equal(hub.from, 23);
	hub_leave(&hub, v);
	close_all();
}

/* A symbol that nobody waited for in between has a new chain: its old entries do not lead to the new ones. */
static void
test_a_chain_that_was_broken_off(void **state)
{
	struct filter f = FILTER_INIT, all = FILTER_INIT;
	struct view_form form = { .ndjson = true, .ask = TEXT("") };
	struct buf got = { 0 };
	struct view *v, *others;

	(void)state;
	open_all(1u << 16);
	others = join(&all, &form);
	f.symbols = (struct text_set){ symbol_names, 1 };
	v = join(&f, &form);
	add_one("S0");
	take_turn();
	hub_leave(&hub, v);
	v = join(&f, &form);
	add_one("S1");
	add_one("S0");
	take_turn();
	by_source(v, 21, &got);
	assert_string_equal(buf_cstr(&got), "{\"n\":23}\n");
	buf_fini(&got);
	hub_leave(&hub, v);
	hub_leave(&hub, others);
	close_all();
}

/* Clients at the same place get the same bytes, made once. */
static void
test_pieces_are_shared(void **state)
{
	struct filter f = FILTER_INIT;
	struct view_form form = { .ask = TEXT("") };
	struct view *v;
	struct blob *a, *b;
	int64_t trimmed;
	struct err e;

	(void)state;
	open_all(1u << 16);
	v = join(&f, &form);
	seed = 1;
	add_events(5);
	take_turn();
	a = source_next(&source, v, 3, &trimmed, &e);
	b = source_next(&source, v, 3, &trimmed, &e);
	assert_non_null(a);
	assert_ptr_equal(a, b);
	source_forget(&source);
	assert_int_equal(a->refs, 2);
	blob_unref(a);
	blob_unref(b);
	/* Removed by retention: told how far. */
	made_log_sql(&made, "UPDATE kinds SET trimmed_to = 15 WHERE kind = 1");
	assert_null(source_next(&source, v, 3, &trimmed, &e));
	assert_int_equal(e.code, ERR_MISSING);
	assert_int_equal(trimmed, 15);
	/* Another log under our feet. */
	made_log_sql(&made, "UPDATE log SET epoch = 'zzzz9999'");
	assert_null(source_next(&source, v, 16, &trimmed, &e));
	assert_int_equal(trimmed, 0);
	hub_leave(&hub, v);
	close_all();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_model_with_a_small_ring),
		cmocka_unit_test(test_views_are_shared),
		cmocka_unit_test(test_terms_keep_everything),
		cmocka_unit_test(test_keys_are_whole),
		cmocka_unit_test(test_only_what_is_wanted_is_kept),
		cmocka_unit_test(test_what_was_not_served_is_not_passed),
		cmocka_unit_test(test_a_chain_that_was_broken_off),
		cmocka_unit_test(test_pieces_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* written_log - see written_log.h. */
#include "written_log.h"

#include "store/bundle.h"

char log_dir[64];

int
log_setup(void **state)
{
	(void)state;
	strcpy(log_dir, "/tmp/tickgate-test-XXXXXX");
	return mkdtemp(log_dir) == NULL ? -1 : 0;
}

int
log_teardown(void **state)
{
	char command[100], path[100], got[100] = "ok";

	(void)state;
	snprintf(path, sizeof(path), "%s/%s", log_dir, DB_FILE);
	if (access(path, F_OK) == 0)
		log_ask("PRAGMA main.integrity_check", got, sizeof(got));
	snprintf(command, sizeof(command), "rm -rf %s", log_dir);
	if (system(command) != 0)
		return -1;
	if (strcmp(got, "ok") != 0)
		print_error("integrity_check: %s\n", got);
	return strcmp(got, "ok") == 0 ? 0 : -1;
}

struct store *
log_open_with(struct store_opts opts)
{
	struct err e = { .code = ERR_NONE };
	struct store *s;

	opts.dir = log_dir;
	opts.dedup_kinds = KIND_BIT(KIND_PATTERN);
	s = store_open(&opts, &e);
	if (s == NULL)
		fail_msg("%s", e.text);
	return s;
}

struct store *
log_open(void)
{
	return log_open_with((struct store_opts){ .dir = log_dir });
}

void
log_close(struct store *s)
{
	struct err e = { .code = ERR_NONE };

	if (store_close(s, &e) != 0)
		fail_msg("%s", e.text);
}

struct event
log_event_of(enum kind kind, const char *symbol, const char *channel, int64_t time_ms)
{
	struct event ev = EVENT_INIT;

	ev.kind = kind;
	if (symbol != NULL)
		ev.symbol = text_of(symbol);
	if (kind <= KIND_ALERT)
		ev.name = TEXT("doji");
	if (kind <= KIND_INDICATOR)
		ev.timeframe = TEXT("1min");
	if (kind == KIND_PATTERN)
		ev.confidence = 85.5;
	ev.channel = text_of(channel);
	ev.time_ms = time_ms;
	ev.received_us = clock_real_us();
	ev.lead = TEXT(",\"kind\":\"pattern\"");
	ev.rest = TEXT(",\"metadata\":{}");
	return ev;
}

int64_t
log_append(struct store *s, struct event *ev)
{
	struct err e = { .code = ERR_NONE };

	if (store_append(s, ev, NULL, &e) != 0)
		fail_msg("%s", e.text);
	return ev->seq;
}

void
log_commit(struct store *s)
{
	struct err e = { .code = ERR_NONE };

	if (store_commit(s, clock_real_us(), &e) != 0)
		fail_msg("%s", e.text);
}

void
log_tend(struct store *s, bool calm)
{
	struct err e = { .code = ERR_NONE };
	int rc;

	while ((rc = store_tend(s, calm ? STORE_CALM : STORE_LOADED, &e)) == 1)
		;
	if (rc != 0)
		fail_msg("%s", e.text);
}

void
log_due(struct store *s)
{
	s->tallied_us = s->swept_us = s->aged_us = INT64_MIN / 2;
}

/* SplitMix64 (Steele, Lea, Flood). */
static uint64_t
dice(uint64_t *seed, uint64_t sides)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % sides;
}

void
log_random(struct store *s, uint64_t *seed, int64_t *at_us, int n)
{
	static const char *const symbols[] = { "AAPL", "MSFT", "A", "BRK.B", "TSLA", "Z", "ZZ" };
	static const char *const names[] = { "doji", "hammer", "rsi", "sma5" };
	static const char *const timeframes[] = { "1min", "5min", "daily", NULL };
	static const char *const channels[] = { "a", "b", "c" };
	static const enum kind kinds[] = { KIND_PATTERN, KIND_PATTERN, KIND_PATTERN, KIND_INDICATOR, KIND_INDICATOR,
		KIND_ALERT, KIND_HEALTH, KIND_SESSION, KIND_ERROR };

	for (int i = 0; i < n; i++) {
		enum kind kind = kinds[dice(seed, 9)];
		const char *symbol = symbols[dice(seed, 7)], *timeframe = timeframes[dice(seed, 4)];
		struct event ev;
		char rest[400];

		if (kind == KIND_HEALTH || kind == KIND_SESSION || (kind == KIND_ERROR && dice(seed, 2) == 0))
			symbol = NULL;
		/* Few times, so that there are duplicates. */
		ev = log_event_of(kind, symbol, channels[dice(seed, 3)], (int64_t)dice(seed, 5));
		if (kind <= KIND_ALERT)
			ev.name = text_of(names[dice(seed, 4)]);
		if (kind <= KIND_INDICATOR)
			ev.timeframe = timeframe == NULL ? TEXT_NONE : text_of(timeframe);
		if (kind == KIND_PATTERN)
			ev.confidence = dice(seed, 20) == 0 ? (double)NAN : (double)dice(seed, 1001) / 10;
		snprintf(rest, sizeof(rest), ",\"filler\":\"%.*s\"", (int)dice(seed, 300),
		    "......................................................................"
		    "......................................................................"
		    "......................................................................"
		    "......................................................................");
		ev.rest = text_of(rest);
		ev.received_us = *at_us += (int64_t)dice(seed, 2000000);
		log_append(s, &ev);
	}
}

/* ---- asking ---- */

static sqlite3 *
connect_to_log(void)
{
	char path[100], attach[200];
	sqlite3 *conn;

	snprintf(path, sizeof(path), "%s/%s", log_dir, DB_FILE);
	snprintf(attach, sizeof(attach), "ATTACH '%s/model.db' AS model", log_dir);
	assert_int_equal(sqlite3_open(path, &conn), SQLITE_OK);
	assert_int_equal(sqlite3_exec(conn, attach, NULL, NULL, NULL), SQLITE_OK);
	return conn;
}

void
log_ask(const char *sql, char *out, size_t size)
{
	sqlite3 *conn = connect_to_log();
	sqlite3_stmt *st;
	int rc;

	if (sqlite3_prepare_v2(conn, sql, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(conn));
	out[0] = '\0';
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		snprintf(out, size, "%s",
		    sqlite3_column_text(st, 0) == NULL ? "NULL" : (const char *)sqlite3_column_text(st, 0));
	else if (rc != SQLITE_DONE)
		fail_msg("%s: %s", sql, sqlite3_errmsg(conn));
	sqlite3_finalize(st);
	sqlite3_close(conn);
}

int64_t
log_number(const char *sql)
{
	char got[100];

	log_ask(sql, got, sizeof(got));
	return strtoll(got, NULL, 10);
}

int
log_spoil(const char *sql)
{
	char path[200];
	sqlite3 *conn;
	int changed;

	snprintf(path, sizeof(path), "%s/%s", log_dir, DB_FILE);
	assert_int_equal(sqlite3_open(path, &conn), SQLITE_OK);
	assert_int_equal(sqlite3_exec(conn, sql, NULL, NULL, NULL), SQLITE_OK);
	changed = sqlite3_changes(conn);
	sqlite3_close(conn);
	return changed;
}

void
log_model(void)
{
	sqlite3 *conn = connect_to_log();

	if (sqlite3_exec(conn,
		"CREATE TABLE IF NOT EXISTS model.events AS SELECT * FROM main.events WHERE 0;"
		"INSERT INTO model.events SELECT * FROM main.events"
		" WHERE seq > (SELECT coalesce(max(seq), 0) FROM model.events)",
		NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("model: %s", sqlite3_errmsg(conn));
	sqlite3_close(conn);
}

/* ---- what must hold ---- */

/* Both ways: what is in one and not in the other. */
#define DIFFERENCE(a, b) \
	"SELECT count(*) FROM (SELECT * FROM (" a " EXCEPT " b ") UNION ALL SELECT * FROM (" b " EXCEPT " a "))"

/* By symbol, and by kind under the kind's name. */
#define INDEX_WANT \
	"SELECT * FROM (SELECT symbol, kind, seq FROM main.events WHERE symbol IS NOT NULL" \
	" UNION ALL SELECT 'kind ' || kind, kind, seq FROM main.events) WHERE seq <= (SELECT indexed_to FROM log)"

/* The index, unpacked; `open` is 1 for by_symbol_open, of which the other columns are made up. */
#define INDEX_ROWS \
	"SELECT symbol, first, last, kinds, places, 0 AS open FROM by_symbol UNION ALL" \
	" SELECT symbol, first, 0, 0, places, 1 FROM by_symbol_open ORDER BY 1, 2"

static void
run_sql(sqlite3 *conn, const char *sql)
{
	if (sqlite3_exec(conn, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(conn));
}

/* One row of the index into model.places; the last seq in it. */
static int64_t
unpack_row(sqlite3 *conn, sqlite3_stmt *row, sqlite3_stmt *put, int64_t at)
{
	struct place places[BUNDLE_PLACES];
	unsigned kinds = 0;
	int n = bundle_unpack(db_column_blob(row, 4), sqlite3_column_int64(row, 1), places);

	assert_in_range(n, 1, BUNDLE_PLACES);
	for (int i = 0; i < n; i++) {
		kinds |= KIND_BIT(places[i].kind);
		sqlite3_bind_value(put, 1, sqlite3_column_value(row, 0));
		sqlite3_bind_int(put, 2, (int)places[i].kind);
		sqlite3_bind_int64(put, 3, places[i].seq);
		sqlite3_bind_int64(put, 4, at);
		if (sqlite3_step(put) != SQLITE_DONE)
			fail_msg("%s", sqlite3_errmsg(conn));
		sqlite3_reset(put);
	}
	if (sqlite3_column_int(row, 5) == 0) {
		assert_int_equal(sqlite3_column_int64(row, 2), places[n - 1].seq);
		assert_int_equal(sqlite3_column_int(row, 3), kinds);
	}
	return places[n - 1].seq;
}

/* Checks the rows' order, too: no two of a symbol overlap, and the open one is the last. */
static void
unpack_index(sqlite3 *conn)
{
	char symbol[SYMBOL_MAX + 1] = "";
	sqlite3_stmt *row, *put;
	int64_t last = 0, at = 0;
	bool open = true;

	run_sql(conn, "DROP TABLE IF EXISTS model.places; CREATE TABLE model.places (symbol, kind, seq, at)");
	assert_int_equal(sqlite3_prepare_v2(conn, INDEX_ROWS, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(
	    sqlite3_prepare_v2(conn, "INSERT INTO model.places VALUES (?1, ?2, ?3, ?4)", -1, &put, NULL), SQLITE_OK);
	while (sqlite3_step(row) == SQLITE_ROW) {
		if (strcmp(symbol, (const char *)sqlite3_column_text(row, 0)) == 0) {
			assert_false(open);
			assert_true(sqlite3_column_int64(row, 1) > last);
		}
		snprintf(symbol, sizeof(symbol), "%s", sqlite3_column_text(row, 0));
		open = sqlite3_column_int(row, 5) != 0;
		last = unpack_row(conn, row, put, ++at);
	}
	sqlite3_finalize(row);
	sqlite3_finalize(put);
}

int64_t
log_places(int64_t *dead_rows)
{
	sqlite3 *conn = connect_to_log();

	run_sql(conn, "PRAGMA model.synchronous = OFF; BEGIN");
	unpack_index(conn);
	run_sql(conn, "COMMIT");
	sqlite3_close(conn);
	if (dead_rows != NULL)
		*dead_rows = log_number("SELECT count(DISTINCT at) FROM model.places WHERE at NOT IN"
					" (SELECT at FROM model.places WHERE seq IN (SELECT seq FROM main.events))");
	return log_number("SELECT count(*) FROM model.places");
}

/* All that is in the log is in the index, and what is in the index alone was removed by retention. */
static void
check_index(void)
{
	log_places(NULL);
	assert_log("SELECT count(*) FROM (" INDEX_WANT " EXCEPT SELECT symbol, kind, seq FROM model.places)", "0");
	assert_log("SELECT count(*) FROM (SELECT symbol, kind, seq FROM model.places EXCEPT " INDEX_WANT
		   ") AS x WHERE seq > (SELECT trimmed_to FROM kinds WHERE kinds.kind = x.kind)",
	    "0");
}

#define SYMBOLS_WANT \
	"SELECT symbol, sum(kind = 0 AND duplicate_of = 0), sum(kind = 1 AND duplicate_of = 0)," \
	" sum(kind = 2 AND duplicate_of = 0), count(*)" \
	" FROM main.events WHERE symbol IS NOT NULL AND seq <= (SELECT tallied_to FROM log) GROUP BY symbol"

#define LATEST_WANT \
	"SELECT symbol, kind, name, coalesce(timeframe, ''), max(seq) FROM main.events" \
	" WHERE symbol IS NOT NULL AND name IS NOT NULL AND kind IN (0, 1) AND duplicate_of = 0" \
	" AND seq <= (SELECT tallied_to FROM log) GROUP BY 1, 2, 3, 4"

#define KINDS_WANT \
	"SELECT k.kind, count(e.seq), coalesce(sum(length(CAST(body AS BLOB))), 0) FROM kinds AS k" \
	" LEFT JOIN main.events AS e ON e.kind = k.kind GROUP BY k.kind"

void
log_check(void)
{
	assert_log("PRAGMA main.integrity_check", "ok");
	assert_log(DIFFERENCE(KINDS_WANT, "SELECT kind, events, bytes FROM kinds"), "0");
	assert_log("SELECT count(*) FROM kinds", "7");
	/* The newest of a kind outlives its event. */
	assert_log(
	    "SELECT count(*) FROM kinds AS k JOIN (SELECT kind, max(seq) AS seq FROM main.events GROUP BY kind) AS e"
	    " ON e.kind = k.kind WHERE e.seq <> k.newest OR k.trimmed_to >= k.newest",
	    "0");
	check_index();
	assert_log(DIFFERENCE(SYMBOLS_WANT, "SELECT symbol, patterns, indicators, alerts, held FROM symbols"), "0");
	assert_log("SELECT count(*) FROM symbols AS s JOIN (SELECT symbol, max(seq) AS seq FROM main.events"
		   " WHERE duplicate_of = 0 AND seq <= (SELECT tallied_to FROM log) GROUP BY symbol) AS e"
		   " ON e.symbol = s.symbol WHERE e.seq <> s.last_seq",
	    "0");
	/* Until the next sweep `latest` may point at what is gone. */
	assert_log(DIFFERENCE(LATEST_WANT,
		       "SELECT symbol, kind, name, timeframe, seq FROM latest AS l"
		       " WHERE seq > (SELECT trimmed_to FROM kinds WHERE kinds.kind = l.kind)"),
	    "0");
	assert_log(
	    "SELECT count(*) FROM main.events AS e JOIN kinds AS k ON k.kind = e.kind WHERE e.seq <= k.trimmed_to",
	    "0");
	assert_log("SELECT next_seq > (SELECT coalesce(max(seq), 0) FROM main.events) AND next_seq - 1 <= lease_to"
		   " AND indexed_to < next_seq AND tallied_to < next_seq FROM log",
	    "1");
}

#define ROLLUPS_OF(span, facet, key, which) \
	"SELECT " span ", received_us / 1000000 / " span " * " span ", kind, " facet ", " key \
	", count(*) FROM model.events" \
	" WHERE kind <= 2 AND duplicate_of = 0 AND seq <= (SELECT tallied_to FROM log) AND (" which \
	") GROUP BY 2, 3, 5"

#define ROLLUPS_OF_SPAN(span) \
	ROLLUPS_OF(span, "0", "''", "1") \
	" UNION ALL " ROLLUPS_OF(span, "1", "name", "kind = 0 AND name IS NOT NULL") " UNION ALL " ROLLUPS_OF( \
	    span, "2", "timeframe", "kind = 0 AND timeframe IS NOT NULL") " UNION ALL " ROLLUPS_OF(span, "3", \
	    "CAST(min(9, CAST(confidence / 10 AS INTEGER)) AS TEXT)", \
	    "kind = 0 AND confidence IS NOT NULL") " UNION ALL " ROLLUPS_OF(span, "4", "symbol", \
	    "kind = 0 AND symbol IS NOT NULL")

#define ROLLUPS_HELD "SELECT span, start_s, kind, facet, key, n FROM rollups"
#define ROLLUPS_WANT ROLLUPS_OF_SPAN("60") " UNION ALL " ROLLUPS_OF_SPAN("3600")

void
log_check_rollups(void)
{
	assert_log("SELECT count(*) FROM (SELECT * FROM (" ROLLUPS_WANT ") EXCEPT " ROLLUPS_HELD ")", "0");
	assert_log("SELECT count(*) FROM (" ROLLUPS_HELD " EXCEPT SELECT * FROM (" ROLLUPS_WANT "))", "0");
}

void
log_in_child(void (*child)(int ready), bool to_be_killed)
{
	int pipes[2], status;
	pid_t pid;
	char c;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(pipes[0]);
		/* A failure ends this process, and does not go on with the next test in it. */
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		child(pipes[1]);
		_exit(0);
	}
	close(pipes[1]);
	if (to_be_killed) {
		assert_int_equal(read(pipes[0], &c, 1), 1);
		kill(pid, SIGKILL);
	}
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!to_be_killed)
		assert_int_equal(status, 0);
}

/* made_log - see made_log.h. */
#include "made_log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/bundle.h"
#include "store/db.h"

static void
fail(struct made_log *l, const char *sql)
{
	fprintf(stderr, "%s: %s\n", sqlite3_errmsg(l->conn), sql);
	abort();
}

void
made_log_sql(struct made_log *l, const char *fmt, ...)
{
	va_list args;
	char *sql;

	va_start(args, fmt);
	sql = sqlite3_vmprintf(fmt, args);
	va_end(args);
	if (sqlite3_exec(l->conn, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail(l, sql);
	sqlite3_free(sql);
}

int
made_log_numbers(struct made_log *l, int64_t *out, int max, const char *fmt, ...)
{
	sqlite3_stmt *st;
	va_list args;
	char *sql;
	int n = 0;

	va_start(args, fmt);
	sql = sqlite3_vmprintf(fmt, args);
	va_end(args);
	if (sqlite3_prepare_v2(l->conn, sql, -1, &st, NULL) != SQLITE_OK)
		fail(l, sql);
	while (n < max && sqlite3_step(st) == SQLITE_ROW)
		out[n++] = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_free(sql);
	return n;
}

/* As the writer leaves it when it has run once: full bundles, and the rest open. */
static void
put_bundle(struct made_log *l, const char *symbol, const struct bundle *b, bool open)
{
	const char *sql = open
	    ? "INSERT INTO by_symbol_open (symbol, first, places) VALUES (?1, ?2, ?5)"
	    : "INSERT INTO by_symbol (symbol, first, last, kinds, places) VALUES (?1, ?2, ?3, ?4, ?5)";
	sqlite3_stmt *st;

	if (b->n == 0)
		return;
	if (sqlite3_prepare_v2(l->conn, sql, -1, &st, NULL) != SQLITE_OK)
		fail(l, sql);
	sqlite3_bind_text(st, 1, symbol, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 2, b->first);
	if (!open) {
		sqlite3_bind_int64(st, 3, b->last);
		sqlite3_bind_int64(st, 4, b->kinds);
	}
	sqlite3_bind_blob(st, 5, b->bytes, (int)b->len, SQLITE_TRANSIENT);
	if (sqlite3_step(st) != SQLITE_DONE)
		fail(l, sql);
	sqlite3_finalize(st);
}

void
made_log_index(struct made_log *l, int64_t to)
{
	static const char sql[] =
	    "SELECT symbol, kind, seq FROM events WHERE seq <= ?1 AND symbol IS NOT NULL"
	    " UNION ALL SELECT 'kind ' || kind, kind, seq FROM events WHERE seq <= ?1 ORDER BY 1, 3";
	struct bundle b = { .n = 0 };
	char symbol[SYMBOL_MAX + 1] = "";
	sqlite3_stmt *st;

	made_log_sql(l, "DELETE FROM by_symbol");
	made_log_sql(l, "DELETE FROM by_symbol_open");
	if (sqlite3_prepare_v2(l->conn, sql, -1, &st, NULL) != SQLITE_OK)
		fail(l, sql);
	sqlite3_bind_int64(st, 1, to);
	while (sqlite3_step(st) == SQLITE_ROW) {
		const char *next = (const char *)sqlite3_column_text(st, 0);
		bool other = strcmp(next, symbol) != 0;

		if (other || b.n == BUNDLE_PLACES) {
			put_bundle(l, symbol, &b, other);
			b = (struct bundle){ .n = 0 };
		}
		snprintf(symbol, sizeof(symbol), "%s", next);
		bundle_add(&b, sqlite3_column_int64(st, 2), (enum kind)sqlite3_column_int(st, 1));
	}
	put_bundle(l, symbol, &b, true);
	sqlite3_finalize(st);
}

static void
fill(struct made_log *l, long long events, int symbols, long long indexed_to, long long tallied_to)
{
	made_log_sql(l,
	    "INSERT INTO events WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %lld) "
	    "SELECT i, i %% 3, 'S' || (i %% %d), 'n' || (i %% 5), iif(i %% 2, '1min', '5min'), i %% 101, NULL, 0, "
	    "NULL, NULL, "
	    "'chan', %lld + i * 1000, 0, %lld + i * 1000000, 0, iif(i %% 10, 0, i - 1), '{\"n\":' || i || '}' FROM n "
	    "WHERE %lld > 0",
	    events, symbols, (long long)MADE_START_US / 1000, (long long)MADE_START_US, events);
	made_log_index(l, indexed_to);
	made_log_sql(l, "INSERT INTO timeline SELECT received_us, seq FROM events WHERE seq %% 256 = 1");
	made_log_sql(l,
	    "INSERT INTO kinds SELECT k.column1, count(seq), 0, 0, ifnull(max(seq), 0), "
	    "ifnull(max(iif(duplicate_of = 0, seq, 0)), 0) FROM (VALUES (0), (1), (2), (3), (4), (5), (6)) k "
	    "LEFT JOIN events ON kind = k.column1 GROUP BY 1");
	made_log_sql(l,
	    "INSERT INTO symbols SELECT symbol, sum(kind = 0), sum(kind = 1), sum(kind = 2), count(*), max(seq), "
	    "max(received_us) "
	    "FROM events WHERE duplicate_of = 0 AND seq <= %lld GROUP BY symbol",
	    tallied_to);
	made_log_sql(l,
	    "INSERT INTO latest SELECT symbol, kind, name, timeframe, max(seq) FROM events "
	    "WHERE duplicate_of = 0 AND kind < 2 AND seq <= %lld GROUP BY 1, 2, 3, 4",
	    tallied_to);
}

/* What a test adds by SQL is told in `kinds`, too, as the writer would. */
static void
follow_kinds(struct made_log *l)
{
	static const char *const cases[] = { "INSERT", "UPDATE OF kind" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		made_log_sql(l,
		    "CREATE TEMP TRIGGER kinds_%d AFTER %s ON events BEGIN "
		    "INSERT INTO kinds VALUES (new.kind, 0, 0, 0, new.seq, 0) "
		    "ON CONFLICT (kind) DO UPDATE SET newest = max(newest, new.seq); END",
		    (int)i, cases[i]);
}

void
made_log_init(struct made_log *l, int64_t events, int symbols, int64_t indexed_to, int64_t tallied_to)
{
	struct db db;
	struct err e;

	snprintf(l->dir, sizeof(l->dir), "/tmp/tickgate-test-XXXXXX");
	if (mkdtemp(l->dir) == NULL)
		abort();
	snprintf(l->path, sizeof(l->path), "%s/%s", l->dir, DB_FILE);
	if (db_open(&db, l->path, DB_WRITER, &e) != 0 || sqlite3_open(l->path, &l->conn) != SQLITE_OK)
		abort();
	db_close(&db);
	made_log_sql(l, "PRAGMA synchronous = OFF; BEGIN");
	made_log_sql(l, "INSERT INTO log VALUES (1, %d, '%s', %lld, 0, '', 0, 0, 0, 0, %lld, %lld)", DB_SCHEMA_VERSION,
	    MADE_EPOCH, (long long)events + 1, (long long)indexed_to, (long long)tallied_to);
	if (events > 0)
		fill(l, events, symbols, indexed_to, tallied_to);
	made_log_sql(l, "COMMIT");
	follow_kinds(l);
}

void
made_log_fini(struct made_log *l)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char path[160];

	sqlite3_close(l->conn);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", l->path, ends[i]);
		unlink(path);
	}
	rmdir(l->dir);
}

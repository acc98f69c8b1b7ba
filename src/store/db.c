/* db - see db.h. */
#include "store/db.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/mapped.h"

/* A reader's patience: a writer holds the WAL's locks for a checkpoint's end or a recovery at most. */
#define READER_BUSY_MS 250
#define WRITER_BUSY_MS 5000

/* SQLITE_FULL is a write's ENOSPC only: a quota, a limit on file sizes and the -shm file come as I/O errors. */
static bool
out_of_room(struct db *db)
{
	static const int files[] = { SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER };
	bool write = sqlite3_extended_errcode(db->conn) == SQLITE_IOERR_WRITE;
	int sys[3] = { sqlite3_system_errno(db->conn), 0, 0 };

	/* A failed COMMIT has been rolled back by now, and errno with it; the files remember. */
	for (int i = 0; write && i < 2; i++) {
		sqlite3_file *file = NULL;

		if (sqlite3_file_control(db->conn, "main", files[i], &file) == SQLITE_OK && file != NULL &&
		    file->pMethods != NULL)
			file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &sys[i + 1]);
	}
	for (size_t i = 0; i < 3; i++)
		if (sys[i] == ENOSPC || sys[i] == EDQUOT || sys[i] == EFBIG)
			return true;
	return false;
}

int
db_fail(struct db *db, const char *what, struct err *e)
{
	int rc = db->conn == NULL ? SQLITE_NOMEM : sqlite3_extended_errcode(db->conn);
	enum err_code code = ERR_STORE;

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		code = ERR_BUSY;
		break;
	case SQLITE_FULL:
		code = ERR_FULL;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		code = ERR_CORRUPT;
		db->damaged = true;
		break;
	case SQLITE_CANTOPEN:
		code = out_of_room(db) ? ERR_FULL : ERR_MISSING;
		break;
	case SQLITE_IOERR:
		if (out_of_room(db))
			code = ERR_FULL;
		break;
	case SQLITE_READONLY:
		/* Another process recovers the WAL; a read-only connection has to wait for it. */
		if (rc == SQLITE_READONLY_RECOVERY || rc == SQLITE_READONLY_CANTINIT)
			code = ERR_BUSY;
		break;
	case SQLITE_NOMEM:
		code = ERR_MEMORY;
		break;
	default:
		break;
	}
	err_set(e, code, "%s: %s (%d)", what, db->conn == NULL ? "out of memory" : sqlite3_errmsg(db->conn), rc);
	return -1;
}

/* What was read is not what is there. -1, always. */
static int
unreadable(struct db *db, const char *what, struct err *e)
{
	db->damaged = true;
	err_set(e, ERR_CORRUPT, "%s: a page of the log cannot be read", what);
	return -1;
}

static int
run_text(struct db *db, const char *sql, struct err *e)
{
	struct mapped mapped;
	int rc;

	mapped_enter(&mapped, db->file);
	rc = sqlite3_exec(db->conn, sql, NULL, NULL, NULL);
	if (mapped_leave(&mapped))
		return unreadable(db, sql, e);
	return rc != SQLITE_OK ? db_fail(db, sql, e) : 0;
}

static int
prepare_and_step(struct db *db, const char *sql, sqlite3_stmt **st)
{
	int rc = sqlite3_prepare_v2(db->conn, sql, -1, st, NULL);

	return rc != SQLITE_OK ? rc : sqlite3_step(*st);
}

/* Reads one number; -1 and *e on failure. */
static int
query_int(struct db *db, const char *sql, int64_t *out, struct err *e)
{
	sqlite3_stmt *st = NULL;
	struct mapped mapped;
	int rc;

	mapped_enter(&mapped, db->file);
	rc = prepare_and_step(db, sql, &st);
	if (mapped_leave(&mapped)) {
		rc = unreadable(db, sql, e);
	} else if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
		*out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
		rc = 0;
	} else {
		rc = db_fail(db, sql, e);
	}
	sqlite3_finalize(st);
	return rc;
}

static int
has_schema(struct db *db, bool *has, struct err *e)
{
	int64_t n;

	if (query_int(db, "SELECT count(*) FROM sqlite_schema WHERE name IN ('log', 'events')", &n, e) != 0)
		return -1;
	*has = n == 2;
	return 0;
}

/* Somebody else's database is not built upon. */
static int
is_foreign(struct db *db, struct err *e)
{
	int64_t n;

	if (query_int(db, "SELECT count(*) FROM sqlite_schema", &n, e) != 0)
		return -1;
	if (n == 0)
		return 0;
	err_set(e, ERR_CORRUPT, "the database has other tables than ours");
	return -1;
}

static int
set_up_writer(struct db *db, struct err *e)
{
	int persist = 1;
	bool has;

	sqlite3_busy_timeout(db->conn, WRITER_BUSY_MS);
	/* -wal and -shm stay after a clean close: readers may not create them (store/append.h, owners). */
	if (sqlite3_file_control(db->conn, "main", SQLITE_FCNTL_PERSIST_WAL, &persist) != SQLITE_OK)
		return db_fail(db, "persistent WAL", e);
	/*
	 * SQLite's own 4 KiB. With 16 KiB an event costs 13 % less CPU (fewer frames in the WAL), but lists of scattered rows take
	 * half as much again, and above 1,000,000 rows every run of the index writes twice as much.
	 */
	if (run_text(db,
		"PRAGMA page_size = " DB_PAGE_SIZE ";"
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = OFF;"
		"PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY; PRAGMA "
		"mmap_size = 0;"
		"PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
		e) != 0 ||
	    has_schema(db, &has, e) != 0)
		return -1;
	if (has)
		return 0;
	if (is_foreign(db, e) != 0 || run_text(db, "BEGIN IMMEDIATE", e) != 0)
		return -1;
	if (run_text(db, sql_schema, e) != 0 || run_text(db, "COMMIT", e) != 0) {
		/* Not when SQLite did so by itself: the failure would be forgotten, and the file taken for somebody else's. */
		if (sqlite3_get_autocommit(db->conn) == 0)
			sqlite3_exec(db->conn, "ROLLBACK", NULL, NULL, NULL);
		return -1;
	}
	return 0;
}

static int
set_up_reader(struct db *db, struct err *e)
{
	bool has;

	sqlite3_busy_timeout(db->conn, READER_BUSY_MS);
	if (given_register(db->conn, "wanted", sql_texts[SQL_WANTED_TABLE]) != SQLITE_OK)
		return db_fail(db, "wanted", e);
	mapped_install();
	mapped_keep(db->file);
	/*
	 * Rows of a list are scattered, so each is a page to read: fifty of them took 255 us by pread() (150 of which it was itself), 100 through
	 * a mapping. Pages of a mapping are looked at anew each time, and cell_size_check would look at all of their cells (175 us); without it
	 * SQLite checks the cells it uses. The writer keeps both as they were. 2 GiB (less 64 KiB) is the most that SQLite maps: what lies behind is read by pread() as
	 * ever, and a larger log loses that much of the gain.
	 */
	if (run_text(db,
		"PRAGMA mmap_size = 2147483648; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = OFF;"
		"PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY; PRAGMA query_only = ON",
		e) != 0 ||
	    has_schema(db, &has, e) != 0)
		return -1;
	if (!has) {
		err_set(e, ERR_MISSING, "the log has not been created yet");
		return -1;
	}
	return 0;
}

/*
 * SQLite counts its memory under one lock of the process, taken at every allocation, of which Debian's build (without lookaside) makes many:
 * eight request threads spent 7 % of their time on it. Nobody asks for the count.
 */
static void
set_up_library(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int
db_open(struct db *db, const char *path, enum db_mode mode, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	mode_t old;
	int rc;

	pthread_once(&once, set_up_library);
	*db = (struct db){ .mode = mode };
	flags |= mode == DB_WRITER ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	/* SQLite creates with 0644 & ~umask; -wal and -shm follow the database's mode. */
	old = umask(027);
	rc = sqlite3_open_v2(path, &db->conn, flags, NULL);
	/* One and the same as long as the connection lives. */
	if (rc == SQLITE_OK)
		rc = sqlite3_file_control(db->conn, "main", SQLITE_FCNTL_FILE_POINTER, &db->file);
	if (rc != SQLITE_OK)
		rc = db_fail(db, path, e);
	else
		rc = mode == DB_WRITER ? set_up_writer(db, e) : set_up_reader(db, e);
	umask(old);
	return rc;
}

void
db_close(struct db *db)
{
	for (size_t i = 0; i < SQL__MAX; i++)
		sqlite3_finalize(db->stmts[i]);
	/* Every statement is finalised, so this cannot be refused. */
	sqlite3_close(db->conn);
	*db = (struct db){ .mode = db->mode };
}

sqlite3_stmt *
db_stmt(struct db *db, enum sql id, struct err *e)
{
	sqlite3_stmt *st = db->stmts[id];
	struct mapped mapped;
	int rc;

	if (st != NULL) {
		sqlite3_reset(st);
		sqlite3_clear_bindings(st);
		return st;
	}
	mapped_enter(&mapped, db->file);
	rc = sqlite3_prepare_v3(db->conn, sql_texts[id], -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
	if (mapped_leave(&mapped)) {
		unreadable(db, sql_names[id], e);
		sqlite3_finalize(st);
		return NULL;
	}
	if (rc != SQLITE_OK) {
		db_fail(db, sql_names[id], e);
		return NULL;
	}
	db->stmts[id] = st;
	return st;
}

int
db_bind_int(sqlite3_stmt *st, const char *name, int64_t v)
{
	return sqlite3_bind_int64(st, sqlite3_bind_parameter_index(st, name), v) == SQLITE_OK ? 0 : -1;
}

int
db_bind_text(sqlite3_stmt *st, const char *name, struct text v)
{
	int at = sqlite3_bind_parameter_index(st, name);

	/* SQLITE_STATIC: borrowed until the reset. */
	if (v.p == NULL)
		return sqlite3_bind_null(st, at) == SQLITE_OK ? 0 : -1;
	return sqlite3_bind_text64(st, at, v.p, v.n, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK ? 0 : -1;
}

int
db_bind_blob(sqlite3_stmt *st, const char *name, struct text v)
{
	return sqlite3_bind_blob64(st, sqlite3_bind_parameter_index(st, name), v.p, v.n, SQLITE_STATIC) == SQLITE_OK
	    ? 0
	    : -1;
}

int
db_bind_real(sqlite3_stmt *st, const char *name, double v)
{
	/* SQLite binds a NAN as NULL by itself. */
	return sqlite3_bind_double(st, sqlite3_bind_parameter_index(st, name), v) == SQLITE_OK ? 0 : -1;
}

/* Its text is longer than what there is to say about it. */
static const char *
name_of(const struct db *db, const sqlite3_stmt *st)
{
	for (size_t i = 0; i < SQL__MAX; i++)
		if (db->stmts[i] == st)
			return sql_names[i];
	return "statement";
}

int
db_step(struct db *db, sqlite3_stmt *st, struct err *e)
{
	struct mapped mapped;
	int rc;

	mapped_enter(&mapped, db->file);
	rc = sqlite3_step(st);
	if (mapped_leave(&mapped)) {
		sqlite3_reset(st);
		return unreadable(db, name_of(db, st), e);
	}
	switch (rc) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		sqlite3_reset(st);
		return 0;
	default:
		db_fail(db, name_of(db, st), e);
		sqlite3_reset(st);
		return -1;
	}
}

int
db_run(struct db *db, enum sql id, struct err *e)
{
	sqlite3_stmt *st = db_stmt(db, id, e);

	return st == NULL ? -1 : db_step(db, st, e);
}

sqlite3_stmt *
db_stmt_given(struct db *db, enum sql id, struct given *g, struct err *e)
{
	sqlite3_stmt *st = db_stmt(db, id, e);

	if (st == NULL || given_bind(st, g) == 0)
		return st;
	db_fail(db, sql_names[id], e);
	return NULL;
}

int
db_step_given(struct db *db, sqlite3_stmt *st, const struct given *g, struct err *e)
{
	int rc = db_step(db, st, e);

	if (rc < 0 && g->failed && e != NULL)
		*e = g->why;
	if (rc == 0 && !g->ended) {
		err_set(e, ERR_STORE, "%s: it did not take what it was given", name_of(db, st));
		return -1;
	}
	return rc;
}

int
db_run_given(struct db *db, enum sql id, struct given *g, struct err *e)
{
	sqlite3_stmt *st = db_stmt_given(db, id, g, e);

	return st == NULL ? -1 : db_step_given(db, st, g, e);
}

struct text
db_column_text(sqlite3_stmt *st, int column)
{
	const char *p = (const char *)sqlite3_column_text(st, column);

	/* The length must be asked for after the text. */
	return p == NULL ? TEXT_NONE : (struct text){ p, (size_t)sqlite3_column_bytes(st, column) };
}

struct text
db_column_blob(sqlite3_stmt *st, int column)
{
	const char *p = sqlite3_column_blob(st, column);

	return p == NULL ? TEXT_NONE : (struct text){ p, (size_t)sqlite3_column_bytes(st, column) };
}

double
db_column_real(sqlite3_stmt *st, int column)
{
	return sqlite3_column_type(st, column) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(st, column);
}

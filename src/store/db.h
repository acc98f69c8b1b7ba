/*
 * db - a connection to the log's database, with every statement prepared.
 *
 * The only file (with its neighbours in store/) that knows SQLite. Statements live in sql/: the build makes
 * store/sql_gen.h (enum sql, SQL__MAX) and store/sql_gen.c (texts) of the blocks that begin with "-- name: x" in
 * sql/write.sql and sql/read.sql. A statement is prepared when it is first asked for, and kept. One connection a thread.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <sqlite3.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/given.h"
#include "store/sql_gen.h"

#define DB_FILE "tickgate.db" /* in paths.state_dir */
#define DB_SCHEMA_VERSION 4
#define DB_PAGE_BYTES 4096 /* of a file that we make */
#define DB_PAGE_SIZE "4096"

enum db_mode {
	DB_WRITER, /* creates the file (0640) and schema; WAL, PERSIST_WAL, synchronous NORMAL, secure_delete off, no automatic checkpoints */
	DB_READER, /* read-only, busy time-out 250 ms; ERR_MISSING when there is no file or no schema yet */
};

struct db {
	sqlite3 *conn;
	sqlite3_stmt *stmts[SQL__MAX];
	enum db_mode mode;
	sqlite3_file *file; /* the connection's, for mapped.h */
	bool damaged; /* a statement has met a page that is none */
};

int db_open(struct db *db, const char *path, enum db_mode mode, struct err *e);
void db_close(struct db *db); /* also of one that db_open() failed on, or of zeros */

/* The prepared statement, reset and with no bindings; borrowed. NULL and *e filled when it cannot be prepared. */
sqlite3_stmt *db_stmt(struct db *db, enum sql id, struct err *e);

/* Bindings by name (":symbol"); an unknown name is a programming error and fails. TEXT_NONE and NAN bind NULL. Text is borrowed until the reset. */
int db_bind_int(sqlite3_stmt *st, const char *name, int64_t v);
int db_bind_text(sqlite3_stmt *st, const char *name, struct text v);
int db_bind_blob(sqlite3_stmt *st, const char *name, struct text v);
int db_bind_real(sqlite3_stmt *st, const char *name, double v);

/* 1: a row; 0: done, and the statement is reset; -1: error, reset, *e says which (ERR_BUSY, ERR_FULL, ERR_CORRUPT, ERR_STORE). */
int db_step(struct db *db, sqlite3_stmt *st, struct err *e);
int db_run(struct db *db, enum sql id, struct err *e); /* a statement without parameters or rows */

/*
 * The same for a statement whose parameter is `:given`, borrowed until the reset. One that fails since `next` has tells so in its words, and none is done before it has
 * taken all that is given. db_run_given(): one without rows, to its end.
 */
sqlite3_stmt *db_stmt_given(struct db *db, enum sql id, struct given *g, struct err *e);
int db_step_given(struct db *db, sqlite3_stmt *st, const struct given *g, struct err *e);
int db_run_given(struct db *db, enum sql id, struct given *g, struct err *e);

struct text db_column_text(sqlite3_stmt *st, int column); /* borrowed until the next step; TEXT_NONE for NULL */
struct text db_column_blob(sqlite3_stmt *st, int column); /* the same */
double db_column_real(sqlite3_stmt *st, int column); /* NAN for NULL */

/* Fills *e from the connection's last error. Always returns -1. */
int db_fail(struct db *db, const char *what, struct err *e);

#endif

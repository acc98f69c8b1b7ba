/*
 * wanted - see wanted.h.  Walk 2, inside step 6: between list.c, which says what is next, and the statements that fetch it.
 *
 * The pointer goes by sqlite3_bind_pointer(), so that no SQL text can make one up.
 */
#include "store/wanted.h"

#include "store/db.h"

#define POINTER_TYPE "tickgate_wanted"

enum { COLUMN_SEQ, COLUMN_SOURCE };

struct wanted_cursor {
	sqlite3_vtab_cursor base; /* first: SQLite's view of it */
	struct wanted *from; /* NULL: nothing was bound */
	int64_t seq;
	bool ended;
};

static int
wanted_connect(sqlite3 *conn, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error)
{
	sqlite3_vtab *table;
	int rc = sqlite3_declare_vtab(conn, sql_texts[SQL_WANTED_TABLE]);

	(void)aux;
	(void)argc;
	(void)argv;
	(void)error;
	if (rc != SQLITE_OK)
		return rc;
	if ((table = sqlite3_malloc(sizeof(*table))) == NULL)
		return SQLITE_NOMEM;
	*table = (sqlite3_vtab){ .pModule = NULL };
	*out = table;
	return SQLITE_OK;
}

static int
wanted_disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

/* The only way in is `source = :wanted`. */
static int
wanted_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void)table;
	for (int i = 0; i < info->nConstraint; i++) {
		if (info->aConstraint[i].iColumn != COLUMN_SOURCE || !info->aConstraint[i].usable ||
		    info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		info->aConstraintUsage[i].argvIndex = 1;
		info->aConstraintUsage[i].omit = 1;
		info->estimatedCost = 1;
		info->estimatedRows = 64;
		return SQLITE_OK;
	}
	return SQLITE_CONSTRAINT;
}

static int
wanted_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
	struct wanted_cursor *c = sqlite3_malloc(sizeof(*c));

	(void)table;
	if (c == NULL)
		return SQLITE_NOMEM;
	*c = (struct wanted_cursor){ .ended = true };
	*out = &c->base;
	return SQLITE_OK;
}

static int
wanted_close(sqlite3_vtab_cursor *cursor)
{
	sqlite3_free(cursor);
	return SQLITE_OK;
}

static int
wanted_next(sqlite3_vtab_cursor *cursor)
{
	struct wanted_cursor *c = (struct wanted_cursor *)cursor;
	int rc = c->from->next(c->from->arg, &c->seq, &c->from->why);

	c->ended = rc != 1;
	if (rc >= 0)
		return SQLITE_OK;
	c->from->failed = true;
	return SQLITE_ERROR;
}

static int
wanted_filter(sqlite3_vtab_cursor *cursor, int number, const char *name, int argc, sqlite3_value **argv)
{
	struct wanted_cursor *c = (struct wanted_cursor *)cursor;

	(void)number;
	(void)name;
	c->from = argc == 1 ? sqlite3_value_pointer(argv[0], POINTER_TYPE) : NULL;
	c->ended = true;
	return c->from == NULL ? SQLITE_OK : wanted_next(cursor);
}

static int
wanted_eof(sqlite3_vtab_cursor *cursor)
{
	return ((struct wanted_cursor *)cursor)->ended;
}

static int
wanted_column(sqlite3_vtab_cursor *cursor, sqlite3_context *out, int column)
{
	if (column == COLUMN_SEQ)
		sqlite3_result_int64(out, ((struct wanted_cursor *)cursor)->seq);
	return SQLITE_OK;
}

static int
wanted_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
	*rowid = ((struct wanted_cursor *)cursor)->seq;
	return SQLITE_OK;
}

int
wanted_register(sqlite3 *conn)
{
	/* Without xCreate: it is there by its name, and no schema can hold another of it. */
	static const sqlite3_module module = { .xConnect = wanted_connect,
		.xBestIndex = wanted_best_index,
		.xDisconnect = wanted_disconnect,
		.xOpen = wanted_open,
		.xClose = wanted_close,
		.xFilter = wanted_filter,
		.xNext = wanted_next,
		.xEof = wanted_eof,
		.xColumn = wanted_column,
		.xRowid = wanted_rowid };

	return sqlite3_create_module_v2(conn, "wanted", &module, NULL, NULL);
}

int
wanted_bind(sqlite3_stmt *st, struct wanted *w)
{
	int at = sqlite3_bind_parameter_index(st, ":wanted");

	return sqlite3_bind_pointer(st, at, w, POINTER_TYPE, NULL) == SQLITE_OK ? 0 : -1;
}

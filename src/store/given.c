/*
 * given - see given.h.  Walk 1, inside step 4: between a batch's rows and the statements that write them; walk 2, inside step 6: between list.c,
 * which says what is next, and the statements that fetch it.
 *
 * The pointer goes by sqlite3_bind_pointer(), so that no SQL text can make one up.
 */
#include "store/given.h"

#define POINTER_TYPE "tickgate_given"
#define COLUMN_GIVEN 0

struct given_cursor {
	sqlite3_vtab_cursor base; /* first: SQLite's view of it */
	struct given *from; /* NULL: nothing was bound */
	sqlite3_int64 row;
	bool ended;
};

static int
given_connect(sqlite3 *conn, void *declaration, int argc, const char *const *argv, sqlite3_vtab **out, char **error)
{
	sqlite3_vtab *table;
	int rc = sqlite3_declare_vtab(conn, declaration);

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
given_disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

/* The only way in is `given = :given`. */
static int
given_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void)table;
	for (int i = 0; i < info->nConstraint; i++) {
		if (info->aConstraint[i].iColumn != COLUMN_GIVEN || !info->aConstraint[i].usable ||
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
given_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
	struct given_cursor *c = sqlite3_malloc(sizeof(*c));

	(void)table;
	if (c == NULL)
		return SQLITE_NOMEM;
	*c = (struct given_cursor){ .ended = true };
	*out = &c->base;
	return SQLITE_OK;
}

static int
given_close(sqlite3_vtab_cursor *cursor)
{
	sqlite3_free(cursor);
	return SQLITE_OK;
}

static int
given_next(sqlite3_vtab_cursor *cursor)
{
	struct given_cursor *c = (struct given_cursor *)cursor;
	int rc = c->from->next(c->from->arg, &c->from->why);

	c->row++;
	c->ended = rc != 1;
	c->from->ended = rc == 0;
	if (rc >= 0)
		return SQLITE_OK;
	c->from->failed = true;
	return SQLITE_ERROR;
}

static int
given_filter(sqlite3_vtab_cursor *cursor, int number, const char *name, int argc, sqlite3_value **argv)
{
	struct given_cursor *c = (struct given_cursor *)cursor;

	(void)number;
	(void)name;
	c->from = argc == 1 ? sqlite3_value_pointer(argv[0], POINTER_TYPE) : NULL;
	c->ended = true;
	return c->from == NULL ? SQLITE_OK : given_next(cursor);
}

static int
given_eof(sqlite3_vtab_cursor *cursor)
{
	return ((struct given_cursor *)cursor)->ended;
}

static int
given_column(sqlite3_vtab_cursor *cursor, sqlite3_context *out, int column)
{
	struct given_cursor *c = (struct given_cursor *)cursor;

	if (column != COLUMN_GIVEN)
		c->from->column(c->from->arg, column - COLUMN_GIVEN - 1, out);
	return SQLITE_OK;
}

static int
given_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
	*rowid = ((struct given_cursor *)cursor)->row;
	return SQLITE_OK;
}

int
given_register(sqlite3 *conn, const char *table, const char *declaration)
{
	/* Without xCreate it is there by its name, unless a table of the file is called so: no row of that is given, since `:given` is NULL to it, and `ended` stays false. */
	static const sqlite3_module module = { .xConnect = given_connect,
		.xBestIndex = given_best_index,
		.xDisconnect = given_disconnect,
		.xOpen = given_open,
		.xClose = given_close,
		.xFilter = given_filter,
		.xNext = given_next,
		.xEof = given_eof,
		.xColumn = given_column,
		.xRowid = given_rowid };
	union { /* SQLite hands it on and no more */
		const char *from;
		void *p;
	} aux = { .from = declaration };

	return sqlite3_create_module_v2(conn, table, &module, aux.p, NULL);
}

int
given_bind(sqlite3_stmt *st, struct given *g)
{
	int at = sqlite3_bind_parameter_index(st, ":given");

	return sqlite3_bind_pointer(st, at, g, POINTER_TYPE, NULL) == SQLITE_OK ? 0 : -1;
}

void
given_text(sqlite3_context *out, struct text t)
{
	if (t.p != NULL)
		sqlite3_result_text64(out, t.p, t.n, SQLITE_STATIC, SQLITE_UTF8);
}

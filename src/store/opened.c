/* opened - see opened.h.  Called by index.c. */
#include "store/opened.h"

#include "store/given.h"
#include "store/index.h"
#include "store/writer.h"

/* As given.h gives them to a statement. */
struct rows {
	const struct opened *p;
	int n, next; /* the row is the one before `next` */
};

static int
next_row(void *arg, struct err *e)
{
	struct rows *rows = arg;

	(void)e; /* it cannot fail */
	if (rows->next == rows->n)
		return 0;
	rows->next++;
	return 1;
}

/* The columns of new_open as in sql/write.sql. */
static void
column(void *arg, int column, sqlite3_context *out)
{
	const struct rows *rows = arg;
	const struct opened *x = &rows->p[rows->next - 1];

	switch (column) {
	case 0:
		given_text(out, x->name);
		break;
	case 1:
		sqlite3_result_int64(out, x->b.first);
		break;
	case 2:
		sqlite3_result_blob64(out, x->b.bytes, x->b.len, SQLITE_STATIC);
		break;
	case 3:
		sqlite3_result_int(out, rows->next - 1);
		break;
	default:
		break;
	}
}

int
opened_register(sqlite3 *conn)
{
	return given_register(conn, "new_open", sql_texts[SQL_NEW_OPEN_TABLE]);
}

int
opened_load(struct store *s, struct opened *rows, int n, struct err *e)
{
	struct rows named = { .p = rows, .n = n };
	struct given given = { .next = next_row, .column = column, .arg = &named };
	sqlite3_stmt *st = db_stmt_given(&s->db, SQL_OPEN_SELECT, &given, e);
	int rc;

	for (int i = 0; i < n; i++) {
		rows[i].had = false;
		bundle_clear(&rows[i].b);
	}
	if (st == NULL)
		return -1;
	while ((rc = db_step_given(&s->db, st, &given, e)) == 1) {
		struct opened *x = &rows[sqlite3_column_int(st, 0)];

		x->had = true;
		if (bundle_load(&x->b, db_column_blob(st, 2), sqlite3_column_int64(st, 1)) != 0) {
			sqlite3_reset(st);
			return index_bad(s, x->name, e);
		}
	}
	return rc;
}

int
opened_put(struct store *s, const struct opened *rows, int n, struct err *e)
{
	struct rows all = { .p = rows, .n = n };
	struct given given = { .next = next_row, .column = column, .arg = &all };

	return db_run_given(&s->db, SQL_OPEN_PUT, &given, e);
}

/*
 * keys - the rows that are new, by what picks them.  Walk 3, step 2: from live/follow.c, which reads on the ones that somebody wants.
 */
#include "store/reader.h"

int
read_keys(struct reader *r, int64_t after, int limit, read_key_fn row, void *arg, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&r->db, SQL_KEYS_AFTER, e);
	int rc, n = 0;

	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":after", after) != 0 || db_bind_int(st, ":n", limit) != 0)
		return db_fail(&r->db, "keys", e);
	while ((rc = db_step(&r->db, st, e)) == 1) {
		struct row_key key = { .seq = sqlite3_column_int64(st, 0),
			.kind = (enum kind)sqlite3_column_int(st, 1),
			.symbol = db_column_text(st, 2),
			.duplicate_of = sqlite3_column_int64(st, 3) };

		n++;
		/* A kind from the future is nobody's. */
		if ((unsigned)key.kind >= KIND__MAX || row(arg, &key) == 0)
			continue;
		sqlite3_reset(st);
		return n;
	}
	return rc < 0 ? -1 : n;
}

int
read_version(struct reader *r, int64_t *version, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (reader_connect(r, e) != 0 || (st = db_stmt(&r->db, SQL_DATA_VERSION, e)) == NULL)
		return -1;
	rc = row_int(r, st, version, e);
	if (rc == 0)
		err_set(e, ERR_STORE, "the database tells no version");
	return rc == 1 ? 0 : -1;
}

int
read_oldest_seq(struct reader *r, int64_t *seq, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&r->db, SQL_OLDEST_SEQ, e);

	*seq = 0;
	if (st == NULL)
		return -1;
	return row_int(r, st, seq, e) < 0 ? -1 : 0;
}

/*
 * index - see index.h.  Called by tend.c between batches.
 */
#include "store/index.h"

#include "store/writer.h"

int
index_follow(struct store *s, struct err *e)
{
	int64_t head = s->now.next_seq - 1;
	sqlite3_stmt *st;

	if (s->now.indexed_to >= head)
		return 0;
	st = db_stmt(&s->db, SQL_INDEX_TAIL, e);
	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":after", s->now.indexed_to) != 0 || db_bind_int(st, ":to", head) != 0)
		return db_fail(&s->db, "index: bind", e);
	if (db_step(&s->db, st, e) != 0)
		return -1;
	s->now.indexed_to = head;
	return 0;
}

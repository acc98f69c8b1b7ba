/* insert - see insert.h.  Refused: a bound statement for each event, which costs 2,400 instructions of 9,500 more. */
#include "store/insert.h"

#include "event/event.h"
#include "store/given.h"
#include "store/news.h"

struct rows {
	struct text left;
	struct event ev; /* where it stands */
	struct text body;
};

static int
next(void *arg, struct err *e)
{
	struct rows *rows = arg;
	int rc = news_next(&rows->left, &rows->ev, &rows->body);

	if (rc < 0)
		err_set(e, ERR_STORE, "append: the rows of the batch make no sense");
	return rc;
}

/* In the order of new_events in sql/write.sql. */
static void
column(void *arg, int column, sqlite3_context *out)
{
	const struct rows *rows = arg;
	const struct event *ev = &rows->ev;

	switch (column) {
	case 0:
		sqlite3_result_int64(out, ev->seq);
		break;
	case 1:
		sqlite3_result_int(out, (int)ev->kind);
		break;
	case 2:
		given_text(out, ev->symbol);
		break;
	case 3:
		given_text(out, ev->name);
		break;
	case 4:
		given_text(out, ev->timeframe);
		break;
	case 5:
		sqlite3_result_double(out, ev->confidence); /* a NAN is NULL */
		break;
	case 6:
		sqlite3_result_double(out, ev->value);
		break;
	case 7:
		sqlite3_result_int(out, (int)ev->severity);
		break;
	case 8:
		given_text(out, ev->component);
		break;
	case 9:
		given_text(out, ev->source);
		break;
	case 10:
		given_text(out, ev->channel);
		break;
	case 11:
		sqlite3_result_int64(out, ev->time_ms);
		break;
	case 12:
		sqlite3_result_int(out, (int)ev->time_source);
		break;
	case 13:
		sqlite3_result_int64(out, ev->received_us);
		break;
	case 14:
		sqlite3_result_int64(out, ev->gap_from_us);
		break;
	case 15:
		sqlite3_result_int64(out, ev->duplicate_of);
		break;
	case 16:
		given_text(out, rows->body);
		break;
	default:
		break;
	}
}

int
insert_register(sqlite3 *conn)
{
	return given_register(conn, "new_events", sql_texts[SQL_NEW_EVENTS_TABLE]);
}

int
insert_rows(struct db *db, struct text news, struct err *e)
{
	struct rows rows = { .left = news };
	struct given given = { .next = next, .column = column, .arg = &rows };

	return db_run_given(db, SQL_EVENTS_INSERT, &given, e);
}

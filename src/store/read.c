/*
 * read - see read.h.  Walk 2, step 6: from api/; lists go on in list.c, the directory of symbols in directory.c.
 *
 * The connection belongs to one thread and reads only. A snapshot is a deferred transaction whose first SELECT pins the WAL:
 * what follows sees one state of the log, however fast the subscriber writes.
 */
#include "store/read.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/bell.h"
#include "store/reader.h"

#define RETRY_FOR_US 50000
#define RETRY_PAUSE_US 1000
#define DOUBT_EVERY_US 1000000
#define WHOLE_SEQ 15 /* the columns of seq, behind which the text stands, if it is there */
#define BRIEF_SEQ 6
#define POOL_MAX (24u << 20) /* READ_TAIL_MAX rows with the longest names there are stay below it in any sane log */

struct reader *
reader_new(const char *dir, struct err *e)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_set(e, ERR_MEMORY, "no memory for a reader");
		return NULL;
	}
	if ((size_t)snprintf(r->path, sizeof(r->path), "%s/%s", dir, DB_FILE) >= sizeof(r->path)) {
		err_set(e, ERR_CONFIG, "the path of the log is too long");
		free(r);
		return NULL;
	}
	pool_init(&r->pool, POOL_MAX);
	return r;
}

void
reader_set_bell(struct reader *r, const char *path)
{
	/* Where it does not fit there is no bell either. */
	if (strlen(path) < sizeof(r->bell_path))
		strcpy(r->bell_path, path);
}

void
reader_set_recall(struct reader *r, read_recall_fn recall, void *arg)
{
	r->recall = recall;
	r->recall_arg = arg;
}

/* We cannot mend what we have met, and the writer may not meet it: its cache hides it, or it never comes to that page. */
static void
tell_damage(struct reader *r)
{
	int64_t now_us = clock_mono_us();

	if (!r->db.damaged || r->bell_path[0] == '\0' ||
	    (r->doubted_us != 0 && now_us - r->doubted_us < DOUBT_EVERY_US))
		return;
	r->doubted_us = now_us;
	bell_doubt(r->bell_path);
}

static void
disconnect(struct reader *r)
{
	tell_damage(r);
	if (r->open)
		db_close(&r->db);
	r->open = false;
	r->in_snapshot = false;
}

void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	disconnect(r);
	pool_fini(&r->pool);
	free(r->seqs);
	free(r);
}

/* A damaged log is moved aside while we hold it. */
int
reader_connect(struct reader *r, struct err *e)
{
	struct stat st;

	if (stat(r->path, &st) != 0) {
		if (errno == ENOENT)
			err_set(e, ERR_MISSING, "there is no log yet");
		else
			err_sys(e, "%s", r->path);
		disconnect(r);
		return -1;
	}
	if (r->open && r->dev == st.st_dev && r->ino == st.st_ino)
		return 0;
	disconnect(r);
	/* SQLite says "cannot open" to both; only one of them passes by itself. */
	if (access(r->path, R_OK) != 0) {
		err_sys(e, "%s", r->path);
		return -1;
	}
	if (db_open(&r->db, r->path, DB_READER, e) != 0) {
		tell_damage(r);
		db_close(&r->db);
		return -1;
	}
	r->open = true;
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	return 0;
}

static int
read_kinds(struct reader *r, struct snapshot *snap, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&r->db, SQL_READ_KINDS, e);
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = db_step(&r->db, st, e)) == 1) {
		int kind = sqlite3_column_int(st, 0);

		if (kind < 0 || kind >= KIND__MAX)
			continue;
		snap->events[kind] = sqlite3_column_int64(st, 1);
		snap->bytes[kind] = sqlite3_column_int64(st, 2);
		snap->trimmed_to[kind] = sqlite3_column_int64(st, 3);
		snap->newest[kind] = sqlite3_column_int64(st, 4);
		snap->newest_visible[kind] = sqlite3_column_int64(st, 5);
	}
	return rc;
}

static int
read_log(struct reader *r, struct snapshot *snap, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&r->db, SQL_READ_LOG, e);
	struct text epoch;
	int rc;

	if (st == NULL || (rc = db_step(&r->db, st, e)) < 0)
		return -1;
	if (rc == 0) {
		err_set(e, ERR_MISSING, "the log is being created");
		return -1;
	}
	epoch = db_column_text(st, 1);
	if (sqlite3_column_int(st, 0) != DB_SCHEMA_VERSION || epoch.n >= sizeof(snap->epoch)) {
		err_set(e, ERR_STORE, "the log is of version %d, this program reads %d", sqlite3_column_int(st, 0),
		    DB_SCHEMA_VERSION);
		sqlite3_reset(st);
		return -1;
	}
	*snap = (struct snapshot){ .head = sqlite3_column_int64(st, 2) - 1,
		.indexed_to = sqlite3_column_int64(st, 3),
		.tallied_to = sqlite3_column_int64(st, 4),
		.committed_us = sqlite3_column_int64(st, 5) };
	if (epoch.n > 0)
		memcpy(snap->epoch, epoch.p, epoch.n);
	sqlite3_reset(st);
	return read_kinds(r, snap, e);
}

static int
try_begin(struct reader *r, struct snapshot *snap, struct err *e)
{
	if (reader_connect(r, e) != 0)
		return -1;
	for (size_t i = 0; i < SQL__MAX; i++) {
		if (r->db.stmts[i] != NULL)
			sqlite3_stmt_status(r->db.stmts[i], SQLITE_STMTSTATUS_VM_STEP, 1);
	}
	if (db_run(&r->db, SQL_BEGIN_READ, e) != 0)
		return -1;
	r->in_snapshot = true;
	if (read_log(r, snap, e) != 0) {
		read_end(r);
		return -1;
	}
	return 0;
}

int
read_begin(struct reader *r, struct snapshot *snap, struct err *e)
{
	int64_t until = clock_mono_us() + RETRY_FOR_US;
	struct err why;

	for (;;) {
		why.code = ERR_NONE;
		if (try_begin(r, snap, &why) == 0)
			return 0;
		/* Somebody recovers the WAL, or a checkpoint ends: a read-only connection can only wait. */
		if (why.code != ERR_BUSY || clock_mono_us() >= until)
			break;
		usleep(RETRY_PAUSE_US);
	}
	disconnect(r);
	if (e != NULL)
		*e = why;
	return -1;
}

void
read_end(struct reader *r)
{
	if (r->in_snapshot) {
		struct err ignored;

		/* Statements that an early return left open would keep the snapshot, and so the WAL, alive. */
		for (size_t i = 0; i < SQL__MAX; i++)
			sqlite3_reset(r->db.stmts[i]);
		/* With damage, so that the next looks at the file and not at what is cached of it. */
		if (db_run(&r->db, SQL_END_READ, &ignored) != 0 || r->db.damaged)
			disconnect(r);
	}
	r->in_snapshot = false;
	r->tally = NULL;
	r->n_tally = 0;
	r->tally_loaded = false;
	r->tally_sorted = NULL;
	r->n_sorted = 0;
	r->latest = NULL;
	r->latest_cap = 0;
	pool_clear(&r->pool);
}

int64_t
read_steps(const struct reader *r)
{
	int64_t steps = 0;

	for (size_t i = 0; i < SQL__MAX; i++) {
		if (r->db.stmts[i] != NULL)
			steps += sqlite3_stmt_status(r->db.stmts[i], SQLITE_STMTSTATUS_VM_STEP, 0);
	}
	return steps;
}

int64_t
read_trimmed(const struct snapshot *snap, unsigned kinds)
{
	int64_t most = 0;

	for (int kind = 0; kind < KIND__MAX; kind++) {
		if ((kinds & KIND_BIT(kind)) != 0 && snap->trimmed_to[kind] > most)
			most = snap->trimmed_to[kind];
	}
	return most;
}

int
row_int(struct reader *r, sqlite3_stmt *st, int64_t *out, struct err *e)
{
	int rc = db_step(&r->db, st, e);

	if (rc == 1) {
		*out = sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
	}
	return rc;
}

static void
take_columns(struct event *ev, sqlite3_stmt *st)
{
	*ev = (struct event){ .seq = sqlite3_column_int64(st, WHOLE_SEQ),
		.kind = (enum kind)sqlite3_column_int(st, 0),
		.symbol = db_column_text(st, 1),
		.name = db_column_text(st, 2),
		.timeframe = db_column_text(st, 3),
		.confidence = db_column_real(st, 4),
		.value = db_column_real(st, 5),
		.severity = (enum severity)sqlite3_column_int(st, 6),
		.component = db_column_text(st, 7),
		.source = db_column_text(st, 8),
		.channel = db_column_text(st, 9),
		.time_ms = sqlite3_column_int64(st, 10),
		.time_source = (enum time_source)sqlite3_column_int(st, 11),
		.received_us = sqlite3_column_int64(st, 12),
		.gap_from_us = sqlite3_column_int64(st, 13),
		.duplicate_of = sqlite3_column_int64(st, 14) };
}

static void
take_brief(struct event *ev, sqlite3_stmt *st)
{
	*ev = (struct event)EVENT_INIT;
	ev->seq = sqlite3_column_int64(st, BRIEF_SEQ);
	ev->kind = (enum kind)sqlite3_column_int(st, 0);
	ev->symbol = db_column_text(st, 1);
	ev->time_ms = sqlite3_column_int64(st, 2);
	ev->received_us = sqlite3_column_int64(st, 3);
	ev->gap_from_us = sqlite3_column_int64(st, 4);
	ev->duplicate_of = sqlite3_column_int64(st, 5);
}

/* What follows indexes tables by it. */
static bool
is_known(const struct event *ev)
{
	return (unsigned)ev->kind < KIND__MAX && (unsigned)ev->severity < SEVERITY__MAX;
}

sqlite3_stmt *
rows_open(struct reader *r, enum row_width width, struct given *wanted, struct err *e)
{
	static const enum sql statements[] = {
		[ROW_COLUMNS] = SQL_LIST_COLUMNS, [ROW_WHOLE] = SQL_LIST_WHOLE, [ROW_BRIEF] = SQL_LIST_BRIEF
	};

	return db_stmt_given(&r->db, statements[width], wanted, e);
}

int
rows_next(
    struct reader *r, sqlite3_stmt *rows, enum row_width width, struct given *wanted, struct event *ev, struct err *e)
{
	int rc;

	do {
		if ((rc = db_step_given(&r->db, rows, wanted, e)) != 1)
			return rc;
		if (width == ROW_BRIEF)
			take_brief(ev, rows);
		else
			take_columns(ev, rows);
	} while (!is_known(ev));
	return 1;
}

int
rows_deliver(struct reader *r, sqlite3_stmt *rows, enum row_width width, const struct event *ev, read_row_fn row,
    void *arg, int *stop, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	*stop = 0;
	if (width != ROW_COLUMNS) {
		*stop = row(arg, ev, db_column_text(rows, width == ROW_WHOLE ? WHOLE_SEQ + 1 : BRIEF_SEQ + 1));
		return 1;
	}
	if ((st = db_stmt(&r->db, SQL_EVENT_BODY, e)) == NULL)
		return -1;
	if (db_bind_int(st, ":seq", ev->seq) != 0)
		return db_fail(&r->db, "event_body", e);
	if ((rc = db_step(&r->db, st, e)) != 1)
		return rc;
	*stop = row(arg, ev, db_column_text(st, 0));
	sqlite3_reset(st);
	return 1;
}

int
read_event(struct reader *r, int64_t seq, read_row_fn row, void *arg, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&r->db, SQL_EVENT_WHOLE, e);
	struct event ev;
	int rc;

	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":seq", seq) != 0)
		return db_fail(&r->db, "event", e);
	if ((rc = db_step(&r->db, st, e)) != 1)
		return rc;
	take_columns(&ev, st);
	rc = is_known(&ev);
	if (rc == 1)
		row(arg, &ev, db_column_text(st, WHOLE_SEQ + 1));
	sqlite3_reset(st);
	return rc;
}

int
read_time(struct reader *r, int64_t seq, int64_t *received_us, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&r->db, SQL_TIME_AT, e);

	*received_us = 0;
	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":seq", seq) != 0)
		return db_fail(&r->db, "time_at", e);
	return row_int(r, st, received_us, e) < 0 ? -1 : 0;
}

int
read_oldest(struct reader *r, int64_t *received_us, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&r->db, SQL_OLDEST_EVENT, e);

	*received_us = 0;
	if (st == NULL)
		return -1;
	return row_int(r, st, received_us, e) < 0 ? -1 : 0;
}

struct gap_search {
	int64_t *seqs; /* newest first */
	int n, limit;
	int64_t to_us;
};

static int
keep_gap(void *arg, const struct event *ev, struct text body)
{
	struct gap_search *search = arg;

	(void)body;
	if (ev->gap_from_us <= search->to_us)
		search->seqs[search->n++] = ev->seq;
	return search->n >= search->limit;
}

int
read_gaps(struct reader *r, const struct snapshot *snap, const struct gaps_query *q, read_row_fn row, void *arg,
    struct err *e)
{
	struct filter filter = FILTER_INIT;
	struct list_query list = { .filter = &filter,
		.order = LIST_NEWEST_FIRST,
		.bound = snap->head + 1,
		.above = q->after,
		.limit = INT_MAX };
	struct gap_search search = { .limit = q->limit, .to_us = q->to_us };

	if (q->limit < 1)
		return 0;
	search.seqs = pool_array(&r->pool, (size_t)q->limit, sizeof(*search.seqs));
	if (search.seqs == NULL) {
		err_set(e, ERR_MEMORY, "no memory for %d gaps", q->limit);
		return -1;
	}
	filter.kinds = KIND_BIT(KIND_GAP);
	filter.show_duplicates = true;
	/* A gap is recorded when it ends. */
	filter.since_us = q->from_us;
	if (read_list_through(r, snap, &list, keep_gap, &search, e) != 0)
		return -1;
	/* Found from the newest backwards, so that the newest are kept where there are too many; told in order. */
	while (search.n > 0) {
		if (read_event(r, search.seqs[--search.n], row, arg, e) < 0)
			return -1;
	}
	return 0;
}

int
read_rejects(struct reader *r, int limit, read_reject_fn row, void *arg, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&r->db, SQL_NEWEST_REJECTS, e);
	int rc;

	if (st == NULL)
		return -1;
	if (db_bind_int(st, ":n", limit) != 0)
		return db_fail(&r->db, "newest_rejects", e);
	while ((rc = db_step(&r->db, st, e)) == 1) {
		struct reject_row reject = { .received_us = sqlite3_column_int64(st, 0),
			.channel = db_column_text(st, 1),
			.reason = sqlite3_column_int(st, 2),
			.detail = db_column_text(st, 3),
			.bytes = sqlite3_column_int64(st, 4),
			.sample = db_column_text(st, 5) };

		if (row(arg, &reject) != 0) {
			sqlite3_reset(st);
			return 0;
		}
	}
	return rc;
}

/*
 * recover - see recover.h.  How walk 1 starts: store_open().
 *
 * What can have happened since the log was last open, and what is done:
 *	nothing, it ended cleanly	go on; gap subscriber_down
 *	killed				SQLite recovers the WAL by itself; check, go on; gap subscriber_down
 *	the machine went down		the newest commits may be gone: go on behind the lease; gap crash too
 *	the file is another one		(a restored copy) new epoch
 *	damaged, or not ours		aside with it, -wal and -shm together; new log
 * The database file is never opened but by SQLite: closing any descriptor on it would drop SQLite's locks.
 */
#include "store/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/index.h"
#include "store/insert.h"
#include "store/lay.h"
#include "store/opened.h"
#include "store/sweep.h"
#include "store/tallies.h"
#include "store/writer.h"

#define LOCK_FILE "tickgate.lock"

/* The log row as the last run left it. */
struct left {
	bool found;
	bool clean, rebooted, copied;
	int64_t version, committed_us, dev, ino;
};

static void
make_epoch(char epoch[EPOCH_SIZE])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char random[EPOCH_SIZE - 1];

	/* 8 bytes are never cut short. */
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		int64_t now = clock_real_us();

		memcpy(random, &now, sizeof(random));
	}
	for (size_t i = 0; i < sizeof(random); i++)
		epoch[i] = alphabet[random[i] % 36];
	epoch[EPOCH_SIZE - 1] = '\0';
}

static void
read_boot_id(char out[40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, 39);

	if (fd >= 0)
		close(fd);
	out[n < 0 ? 0 : n] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static int
lock(struct store *s, struct err *e)
{
	char path[PATH_MAX + sizeof(LOCK_FILE) + 1];

	snprintf(path, sizeof(path), "%s/%s", s->dir, LOCK_FILE);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (s->lock_fd < 0) {
		err_sys(e, "store %s", path);
		if (e != NULL && (e->sys == ENOSPC || e->sys == EDQUOT))
			e->code = ERR_FULL;
		return -1;
	}
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	err_sys(e, "store %s: another subscriber holds the log", path);
	if (e != NULL && e->sys == EWOULDBLOCK)
		e->code = ERR_BUSY;
	return -1;
}

/* ---- damage ---- */

/* The three files together: a -wal beside another database would be taken for its own. */
static int
move_aside(struct store *s, const char *why, struct err *e)
{
	static const char *const suffixes[] = { "-wal", "-shm", "" };
	int64_t now = clock_real_us();

	db_close(&s->db);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		char from[PATH_MAX + 8], to[PATH_MAX + 64];

		snprintf(from, sizeof(from), "%s%s", s->path, suffixes[i]);
		snprintf(to, sizeof(to), "%s.damaged-%lld%s", s->path, (long long)now, suffixes[i]);
		if (rename(from, to) != 0 && errno != ENOENT) {
			err_sys(e, "store %s: cannot move the damaged file aside", from);
			return -1;
		}
	}
	log_event(LOG_LEVEL_ERROR, "log_damaged", log_str("file", s->path), log_str("why", why));
	return 0;
}

static int
quick_check(struct store *s, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_QUICK_CHECK, e);
	bool ok;

	if (st == NULL || db_step(&s->db, st, e) != 1)
		return -1;
	ok = text_eq(db_column_text(st, 0), TEXT("ok"));
	if (!ok)
		err_set(e, ERR_CORRUPT, "quick_check: %.*s", TEXT_ARG(db_column_text(st, 0)));
	sqlite3_reset(st);
	return ok ? 0 : -1;
}

int
recover_check(struct store *s, struct err *e)
{
	struct err why = { .code = ERR_NONE };

	sqlite3_db_release_memory(s->db.conn);
	if (quick_check(s, &why) == 0 && ((sweep_check(s, &why) == 0 && lay_check(s, &why) == 0) || s->index_is_bad))
		return 0;
	s->damaged = s->damaged || why.code == ERR_CORRUPT;
	if (e != NULL)
		*e = why;
	return -1;
}

/* A table or column that is not there: the schema is another one, which is as good as damage. */
static int
foreign(struct store *s, struct err *e)
{
	if (s->db.conn != NULL && (sqlite3_errcode(s->db.conn) & 0xff) == SQLITE_ERROR && e != NULL)
		e->code = ERR_CORRUPT;
	return -1;
}

/* ---- reading where the log stands ---- */

static int
read_log(struct store *s, struct left *left, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_LOG_SELECT, e);
	int rc = st == NULL ? -1 : db_step(&s->db, st, e);

	*left = (struct left){ .found = rc == 1 };
	if (rc <= 0)
		return rc < 0 ? foreign(s, e) : 0;
	left->version = sqlite3_column_int64(st, 0);
	snprintf(s->epoch, sizeof(s->epoch), "%.*s", TEXT_ARG(db_column_text(st, 1)));
	s->now.next_seq = sqlite3_column_int64(st, 2);
	s->lease_to = sqlite3_column_int64(st, 3);
	left->rebooted = !text_eq(db_column_text(st, 4), text_of(s->boot_id));
	left->clean = sqlite3_column_int64(st, 5) != 0;
	left->committed_us = s->now.committed_us = sqlite3_column_int64(st, 6);
	left->dev = sqlite3_column_int64(st, 7);
	left->ino = sqlite3_column_int64(st, 8);
	s->now.indexed_to = sqlite3_column_int64(st, 9);
	s->now.tallied_to = sqlite3_column_int64(st, 10);
	sqlite3_reset(st);
	if (left->version != DB_SCHEMA_VERSION || strlen(s->epoch) != EPOCH_SIZE - 1 || s->now.next_seq < 1 ||
	    s->lease_to < s->now.next_seq - 1) {
		err_set(e, ERR_CORRUPT, "store %s: the log row is of another version or makes no sense", s->path);
		return -1;
	}
	return 0;
}

static int
read_kinds(struct store *s, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_KINDS_SELECT, e);
	int rc = -1, rows = 0;

	while (st != NULL && (rc = db_step(&s->db, st, e)) == 1) {
		int64_t kind = sqlite3_column_int64(st, 0);

		if (kind != rows || rows == KIND__MAX)
			continue;
		s->now.kinds[rows++] = (struct held){
			.events = sqlite3_column_int64(st, 1),
			.bytes = sqlite3_column_int64(st, 2),
			.trimmed_to = sqlite3_column_int64(st, 3),
			.newest = sqlite3_column_int64(st, 4),
			.newest_visible = sqlite3_column_int64(st, 5),
		};
	}
	if (rc != 0)
		return foreign(s, e);
	if (rows != KIND__MAX) {
		err_set(e, ERR_CORRUPT, "store %s: table kinds is not whole", s->path);
		return -1;
	}
	return 0;
}

static int
read_times(struct store *s, struct err *e)
{
	sqlite3_stmt *st = db_stmt(&s->db, SQL_LAST_RECEIVED, e);
	int rc = st == NULL ? -1 : db_step(&s->db, st, e);

	if (rc == 1) {
		s->now.last_received_us = sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
	}
	st = rc < 0 ? NULL : db_stmt(&s->db, SQL_LAST_TIMELINE, e);
	rc = st == NULL ? -1 : db_step(&s->db, st, e);
	if (rc == 1) {
		s->now.mark_us = sqlite3_column_int64(st, 0);
		s->now.mark_seq = sqlite3_column_int64(st, 1);
		sqlite3_reset(st);
	}
	return rc < 0 ? foreign(s, e) : 0;
}

/* Shows the last ten minutes to the duplicates once more. */
static int
fill_duplicates(struct store *s, struct err *e)
{
	int64_t newest = 0, after = 0, first;
	sqlite3_stmt *st = db_stmt(&s->db, SQL_DEDUP_START, e);
	int rc;

	duplicates_clear(s->duplicates);
	if (st == NULL || db_bind_int(st, ":received_us", s->now.last_received_us - DUPLICATES_AGE_US) != 0 ||
	    (rc = db_step(&s->db, st, e)) < 0)
		return -1;
	if (rc == 1) {
		after = sqlite3_column_int64(st, 0) - 1;
		sqlite3_reset(st);
	}
	/* Not from the head: what a power loss took may have been more than that. */
	for (int kind = 0; kind < KIND__MAX; kind++)
		if ((KINDS_DEFAULT & KIND_BIT(kind)) != 0 && s->now.kinds[kind].newest > newest)
			newest = s->now.kinds[kind].newest;
	if (after < newest - DUPLICATES_KEYS)
		after = newest - DUPLICATES_KEYS;
	st = db_stmt(&s->db, SQL_EVENTS_KEYS, e);
	if (st == NULL || db_bind_int(st, ":after", after) != 0)
		return -1;
	while ((rc = db_step(&s->db, st, e)) == 1) {
		struct event ev = EVENT_INIT;

		ev.seq = sqlite3_column_int64(st, 0);
		ev.kind = (enum kind)(sqlite3_column_int(st, 1) & 15);
		ev.symbol = db_column_text(st, 2);
		ev.name = db_column_text(st, 3);
		ev.timeframe = db_column_text(st, 4);
		ev.channel = db_column_text(st, 5);
		ev.time_ms = sqlite3_column_int64(st, 6);
		ev.time_source = (enum time_source)sqlite3_column_int(st, 7);
		ev.received_us = sqlite3_column_int64(st, 8);
		if (duplicates_see(s->duplicates, &ev, &first, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
		/* A duplicate whose first is not in sight begins nothing: it was never shown as an event of its own. */
		if (first == 0 && sqlite3_column_int64(st, 9) != 0)
			duplicates_undo(s->duplicates);
		else
			duplicates_keep(s->duplicates);
	}
	return rc;
}

/* ---- taking it over ---- */

/* Runs a synced transaction of one statement that is bound already. */
static int
run_synced(struct store *s, sqlite3_stmt *st, struct err *e)
{
	int rc = -1;

	if (db_run(&s->db, SQL_SYNC_FULL, e) != 0)
		return -1;
	/* Outside BEGIN … COMMIT a statement is its own transaction. */
	rc = db_step(&s->db, st, e);
	if (db_run(&s->db, SQL_SYNC_NORMAL, e) != 0)
		rc = -1;
	return rc < 0 ? -1 : 0;
}

int
writer_take_lease(struct store *s, struct err *e)
{
	int64_t mono = clock_mono_us(), wide = LEASE_SEQS, lease_to;
	sqlite3_stmt *st = db_stmt(&s->db, SQL_LEASE_UPDATE, e);

	if (s->leased_us != 0 && mono - s->leased_us < LEASE_SHORT_US)
		wide = s->lease_wide < LEASE_SEQS_MAX ? s->lease_wide * 2 : LEASE_SEQS_MAX;
	lease_to = s->now.next_seq - 1 + (wide > s->lease_seqs ? wide : s->lease_seqs);
	if (st == NULL || db_bind_int(st, ":lease_to", lease_to) != 0 || run_synced(s, st, e) != 0)
		return -1;
	s->lease_to = lease_to;
	s->lease_wide = wide;
	s->leased_us = mono;
	return 0;
}

static int
create_rows(struct store *s, const struct stat *st, struct err *e)
{
	sqlite3_stmt *row = NULL;
	int rc = db_run(&s->db, SQL_BEGIN_WRITE, e);

	make_epoch(s->epoch);
	s->lease_to = LEASE_SEQS;
	s->now = (struct standing){ .next_seq = 1, .committed_us = clock_real_us() };
	if (rc == 0)
		row = db_stmt(&s->db, SQL_LOG_INSERT, e);
	if (row == NULL || db_bind_int(row, ":version", DB_SCHEMA_VERSION) != 0 ||
	    db_bind_text(row, ":epoch", text_of(s->epoch)) != 0 || db_bind_int(row, ":lease_to", s->lease_to) != 0 ||
	    db_bind_text(row, ":boot_id", text_of(s->boot_id)) != 0 ||
	    db_bind_int(row, ":committed_us", s->now.committed_us) != 0 ||
	    db_bind_int(row, ":dev", (int64_t)st->st_dev) != 0 || db_bind_int(row, ":ino", (int64_t)st->st_ino) != 0 ||
	    db_step(&s->db, row, e) != 0)
		rc = -1;
	for (int kind = 0; rc == 0 && kind < KIND__MAX; kind++) {
		row = db_stmt(&s->db, SQL_KIND_INSERT, e);
		if (row == NULL || db_bind_int(row, ":kind", kind) != 0 || db_step(&s->db, row, e) != 0)
			rc = -1;
	}
	if (rc == 0)
		rc = db_run(&s->db, SQL_COMMIT, e);
	if (rc != 0)
		db_run(&s->db, SQL_ROLLBACK, NULL);
	return rc;
}

/* A restored copy: its ids are of a history that went on elsewhere. */
static int
renew_epoch(struct store *s, struct err *e)
{
	char old[EPOCH_SIZE];
	sqlite3_stmt *st;

	memcpy(old, s->epoch, sizeof(old));
	make_epoch(s->epoch);
	st = db_stmt(&s->db, SQL_IDS_RENEW, e);
	/* Copies would have the old ids. */
	if (lay_forget(s, TEXT_NONE, e) != 0 || st == NULL || db_bind_text(st, ":epoch", text_of(s->epoch)) != 0 ||
	    db_step(&s->db, st, e) != 0)
		return -1;
	st = db_stmt(&s->db, SQL_DUPLICATE_IDS_RENEW, e);
	if (st == NULL || db_bind_text(st, ":old", text_of(old)) != 0 ||
	    db_bind_text(st, ":epoch", text_of(s->epoch)) != 0 || db_step(&s->db, st, e) != 0)
		return -1;
	log_event(LOG_LEVEL_NOTICE, "log_copied", log_str("file", s->path), log_str("epoch", s->epoch));
	return 0;
}

/* Epoch, lease and who we are, in one synced commit; from here on the log is not clean. */
static int
take_over(struct store *s, const struct left *left, const struct stat *file, struct err *e)
{
	sqlite3_stmt *st;

	if (db_run(&s->db, SQL_SYNC_FULL, e) != 0 || db_run(&s->db, SQL_BEGIN_WRITE, e) != 0)
		return -1;
	if (left->copied && renew_epoch(s, e) != 0)
		goto fail;
	/* An unsynced tail may be lost that clients have seen: nothing under the lease is used again. */
	if (!left->clean && left->rebooted)
		s->now.next_seq = s->lease_to + 1;
	s->lease_to = s->now.next_seq - 1 + LEASE_SEQS;
	st = db_stmt(&s->db, SQL_LOG_TAKE, e);
	if (st == NULL || db_bind_text(st, ":epoch", text_of(s->epoch)) != 0 ||
	    db_bind_int(st, ":next_seq", s->now.next_seq) != 0 || db_bind_int(st, ":lease_to", s->lease_to) != 0 ||
	    db_bind_text(st, ":boot_id", text_of(s->boot_id)) != 0 ||
	    db_bind_int(st, ":dev", (int64_t)file->st_dev) != 0 ||
	    db_bind_int(st, ":ino", (int64_t)file->st_ino) != 0 || db_step(&s->db, st, e) != 0 ||
	    db_run(&s->db, SQL_COMMIT, e) != 0)
		goto fail;
	return db_run(&s->db, SQL_SYNC_NORMAL, e);
fail:
	db_run(&s->db, SQL_ROLLBACK, NULL);
	return -1;
}

static int
count_wal(void *arg, sqlite3 *conn, const char *name, int pages)
{
	struct store *s = arg;

	(void)conn;
	(void)name;
	s->wal_pages = pages;
	return SQLITE_OK;
}

/* Opens whatever lies there; ERR_CORRUPT asks for it to be moved aside. */
static int
open_once(struct store *s, struct left *left, struct err *e)
{
	struct stat file;

	memset(&s->now, 0, sizeof(s->now));
	tallies_forget(s);
	index_forget(s);
	if (db_open(&s->db, s->path, DB_WRITER, e) != 0)
		return foreign(s, e);
	if (insert_register(s->db.conn) != SQLITE_OK || tallies_register(s->db.conn) != SQLITE_OK ||
	    opened_register(s->db.conn) != SQLITE_OK)
		return db_fail(&s->db, "tables of what is new", e);
	sqlite3_wal_hook(s->db.conn, count_wal, s);
	if (stat(s->path, &file) != 0) {
		err_sys(e, "store %s", s->path);
		return -1;
	}
	if (read_log(s, left, e) != 0)
		return -1;
	if (!left->found) {
		if (create_rows(s, &file, e) != 0)
			return -1;
	} else {
		left->copied = left->dev != (int64_t)file.st_dev || left->ino != (int64_t)file.st_ino;
		if (!left->clean && quick_check(s, e) != 0)
			return -1;
		if (read_kinds(s, e) != 0 || read_times(s, e) != 0 || take_over(s, left, &file, e) != 0)
			return -1;
	}
	s->kept = s->now;
	s->damaged = s->index_is_bad = false;
	s->round = (struct round){ .symbols = 0 }; /* it was of a log whose seqs were larger */
	s->wal_pages = 0;
	return fill_duplicates(s, e);
}

static int
open_log(struct store *s, struct left *left, struct err *e)
{
	struct err why = { .code = ERR_NONE };

	if (open_once(s, left, &why) == 0)
		return 0;
	if (why.code == ERR_CORRUPT && move_aside(s, why.text, &why) == 0) {
		if (open_once(s, left, &why) == 0)
			return 0;
	}
	db_close(&s->db);
	if (e != NULL)
		*e = why;
	return -1;
}

int
recover_replace(struct store *s, struct err *e)
{
	struct left left;

	/* On a full disk the new log takes many tries; each would put its own beginnings aside. */
	if (!s->aside && move_aside(s, "found while running", e) != 0)
		return -1;
	s->aside = true;
	if (open_log(s, &left, e) != 0)
		return -1;
	s->aside = false;
	return 0;
}

/* ---- gaps of a start ---- */

static int
record_gap(struct store *s, const struct store_opts *opts, enum gap_reason reason, int64_t from_us, struct err *e)
{
	int64_t now = clock_real_us();
	struct gap gap = { .reason = reason,
		.from_us = from_us < now ? from_us : now,
		.to_us = now,
		.channels = opts->channels,
		.n_channels = opts->n_channels,
		.dropped = -1 };
	struct event ev = EVENT_INIT;
	struct buf text = { .p = NULL };
	int rc = -1;

	body_gap(&ev, &text, &gap);
	if (text.failed)
		err_set(e, ERR_MEMORY, "store: out of memory");
	else
		rc = store_append(s, &ev, NULL, e);
	buf_fini(&text);
	return rc;
}

static int
record_start(struct store *s, const struct store_opts *opts, const struct left *left, struct err *e)
{
	if (!left->found)
		return 0;
	if (!left->clean && left->rebooted && record_gap(s, opts, GAP_CRASH, left->committed_us, e) != 0)
		return -1;
	if (record_gap(s, opts, GAP_SUBSCRIBER_DOWN, left->committed_us, e) != 0 ||
	    /* What a killed process had not counted yet. */
	    writer_flush(s, e) != 0 || tallies_follow(s, e) != 0)
		return writer_failed(s, NULL);
	return store_commit(s, clock_real_us(), e);
}

struct store *
store_open(const struct store_opts *opts, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	struct left left;

	if (s == NULL) {
		err_set(e, ERR_MEMORY, "store: out of memory");
		return NULL;
	}
	s->lock_fd = -1;
	s->lease_seqs = LEASE_SEQS;
	/* Any number will do if there is none; 8 bytes are never cut short. */
	if (getrandom(&s->seed, sizeof(s->seed), 0) != (ssize_t)sizeof(s->seed))
		s->seed = (uint64_t)clock_real_us();
	store_set_retention(s, &opts->total, opts->kind);
	read_boot_id(s->boot_id);
	if ((size_t)snprintf(s->dir, sizeof(s->dir), "%s", opts->dir) >= sizeof(s->dir) - 64) {
		err_set(e, ERR_CONFIG, "store: the path of the directory is too long");
		goto fail;
	}
	snprintf(s->path, sizeof(s->path), "%.*s/%s", (int)sizeof(s->path) - 64, s->dir, DB_FILE);
	if (lock(s, e) != 0 || (s->duplicates = duplicates_new(opts->dedup_kinds, e)) == NULL ||
	    open_log(s, &left, e) != 0)
		goto fail;
	if (opts->bell_path != NULL && (s->bell = bell_open(opts->bell_path, e)) == NULL)
		goto fail;
	if (record_start(s, opts, &left, e) != 0)
		goto fail;
	return s;
fail:
	recover_release(s);
	return NULL;
}

void
recover_release(struct store *s)
{
	bell_close(s->bell);
	db_close(&s->db);
	duplicates_free(s->duplicates);
	tallies_free(s);
	index_free(s);
	buf_fini(&s->body);
	buf_fini(&s->news);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s);
}

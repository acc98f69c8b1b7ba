/*
 * tend - what the writer puts off: index, tallies, retention, checkpoints, numbers for the state file.
 *
 * Called between batches (store_tend, append.h). Each piece of work is one transaction of its own, small when nobody waits and
 * rare when somebody does. One connection writes and checkpoints: there is no second party to race with.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/append.h"
#include "store/index.h"
#include "store/lay.h"
#include "store/retain.h"
#include "store/tallies.h"
#include "store/writer.h"

#define WAL_CALM_PAGES ((4 << 20) / DB_PAGE_BYTES)
#define WAL_IDLE_PAGES 64 /* readers have the database mapped: from the WAL each page is a system call */
#define IDLE_US 1000000 /* nothing came for so long: who comes next will hardly meet the copying */
/*
 * The larger, the more often a page is written before it is copied into the database. But whoever waits for what comes next waits for the copying, and
 * so does the first to open the log of a writer that was killed: under a steady load it is done in small pieces.
 */
#define WAL_BUSY_PAGES ((16 << 20) / DB_PAGE_BYTES)
#define WAL_MAX_PAGES ((128 << 20) / DB_PAGE_BYTES) /* where messages always wait */
#define WAL_TRUNCATE_PAGES ((256 << 20) / DB_PAGE_BYTES)
#define WRITE_OUT_PAGES ((4 << 20) / DB_PAGE_BYTES)
#define WRITE_OUT_STEADY_PAGES ((512 << 10) / DB_PAGE_BYTES)
#define COPY_EVERY_US 200000 /* a reader may hold pages: not for each of them again */
#define TALLIES_EVERY_US 1000000
#define SWEEP_EVERY_US 60000000
#define TRUNCATE_EVERY_US 1000000 /* a reader may be in its way: try again later */
#define TRUNCATE_BUSY_MS 50
#define WRITER_BUSY_MS 5000
#define HEAR_EVERY_US 1000000
#define CHECK_EVERY_US 600000000LL /* a check keeps the log waiting, and whoever may listen may ask for one */

struct due {
	bool index, tally, sweep, retain, calm;
};

/* In one transaction. -1: failed, rolled back. */
static int
follow(struct store *s, const struct due *due, struct err *e)
{
	struct err why = { .code = ERR_NONE };

	if (writer_begin(s, e) != 0)
		return -1;
	if ((due->index && index_follow(s, &why) != 0) || (due->tally && tallies_follow(s, &why) != 0) ||
	    (due->retain && retain_step(s, due->calm, &why) != 0) ||
	    (due->sweep && (tallies_sweep(s, &why) != 0 || retain_sweep(s, &why) != 0))) {
		if (e != NULL)
			*e = why;
		return writer_failed(s, &why);
	}
	return writer_end(s, e);
}

/* -1: failed, rolled back. */
static int
tend_rows(struct store *s, enum store_load load, struct err *e)
{
	bool calm = load == STORE_CALM;
	int64_t head = s->now.next_seq - 1, mono = clock_mono_us();
	bool index = index_due(head - s->now.indexed_to, mono - s->indexed_us, calm);
	bool tally = head > s->now.tallied_to && mono - s->tallied_us >= TALLIES_EVERY_US;
	bool sweep = mono - s->swept_us >= SWEEP_EVERY_US;
	/* In a steady flow a piece with each run of the index, for a calm may never come: 64 events in 0.1 s, some 0.3 ms. */
	bool lay = (calm || (index && load != STORE_LOADED)) && lay_due(s);
	/* Together with the index: both touch the same pages, which so are written once. */
	bool retain = retain_due(s, calm) || (index && !calm && retain_soon(s));

	if ((index || tally || sweep || retain) &&
	    follow(s, &(struct due){ .index = index, .tally = tally, .sweep = sweep, .retain = retain, .calm = calm },
		e) != 0)
		return -1;
	if (index)
		s->indexed_us = mono;
	if (tally)
		s->tallied_us = mono;
	if (sweep)
		s->swept_us = mono;
	/* Apart: nothing relies on it, so nothing fails with it. */
	if (lay)
		lay_step(s);
	return 0;
}

/*
 * Lets the kernel begin to write what the WAL has grown by. Else whoever next waits for the disk, be it for a lease or a checkpoint, waits for all of it: in a steady
 * flow 20 to 50 ms each time. No lock of SQLite's is on the WAL's own file, so none is lost by the close().
 */
static void
write_out(struct store *s, enum store_load load)
{
	int least = load == STORE_STEADY ? WRITE_OUT_STEADY_PAGES : WRITE_OUT_PAGES;
	char path[PATH_MAX + 8];
	int fd;

	if (s->wal_pages < s->written_pages)
		s->written_pages = 0; /* it began again */
	if (s->wal_pages - s->written_pages < least)
		return;
	s->written_pages = s->wal_pages;
	snprintf(path, sizeof(path), "%s-wal", s->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* a help, no more */
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	close(fd);
}

/* How large the WAL may be before it is copied. */
static int
wal_limit(const struct store *s, enum store_load load)
{
	if (load == STORE_STEADY)
		return WAL_CALM_PAGES;
	if (load != STORE_CALM)
		return WAL_BUSY_PAGES;
	return !lay_due(s) && clock_real_us() - s->now.last_received_us >= IDLE_US ? WAL_IDLE_PAGES : WAL_CALM_PAGES;
}

static int
checkpoint(struct store *s, enum store_load load, struct err *e)
{
	int most = wal_limit(s, load);
	int64_t mono = clock_mono_us();
	int in_wal = 0, done = 0, rc;

	if (s->wal_pages > WAL_MAX_PAGES && mono - s->truncated_us >= TRUNCATE_EVERY_US) {
		s->truncated_us = mono;
		sqlite3_busy_timeout(s->db.conn, TRUNCATE_BUSY_MS);
		/* Begun again from its start the file keeps its pages; cut off, each of them would have to be found anew. */
		rc = sqlite3_wal_checkpoint_v2(s->db.conn, NULL,
		    s->wal_pages > WAL_TRUNCATE_PAGES ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART, &in_wal,
		    &done);
		sqlite3_busy_timeout(s->db.conn, WRITER_BUSY_MS);
		if (rc == SQLITE_OK)
			s->wal_pages = 0;
	} else if (load != STORE_LOADED && s->wal_pages > most && mono - s->copied_us >= COPY_EVERY_US) {
		s->copied_us = mono;
		rc = sqlite3_wal_checkpoint_v2(s->db.conn, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &done);
		/* All is copied, but for what readers hold: the next commit tells how large it is. */
		if (rc == SQLITE_OK && in_wal == done)
			s->wal_pages = 0;
	} else {
		return 0;
	}
	if (rc != SQLITE_OK && rc != SQLITE_BUSY) {
		struct err why = { .code = ERR_NONE };

		db_fail(&s->db, "checkpoint", &why);
		if (e != NULL)
			*e = why;
		return writer_failed(s, &why);
	}
	if (rc == SQLITE_OK && in_wal == 0)
		s->wal_pages = 0;
	return 0;
}

/* Damage that only readers meet. -1: it could not be looked for; damage itself is noted. */
static int
hear_doubts(struct store *s, struct err *e)
{
	int64_t mono = clock_mono_us();
	struct err why = { .code = ERR_NONE };

	if (mono - s->heard_us < HEAR_EVERY_US)
		return 0;
	s->heard_us = mono;
	/* One who is right says it again. */
	if (!bell_doubted(s->bell) || (s->checked_us != 0 && mono - s->checked_us < CHECK_EVERY_US))
		return 0;
	log_event(LOG_LEVEL_NOTICE, "log_doubted", log_str("file", s->path));
	if (recover_check(s, &why) == 0) {
		s->checked_us = clock_mono_us();
		if (!s->index_is_bad)
			log_event(LOG_LEVEL_NOTICE, "log_sound", log_str("file", s->path));
		return 0;
	}
	if (e != NULL)
		*e = why;
	return s->damaged ? 0 : -1;
}

int
store_tend(struct store *s, enum store_load load, struct err *e)
{
	bool calm = load == STORE_CALM;

	if (s->bell != NULL)
		bell_accept(s->bell);
	if (s->in_batch)
		return 0;
	if (s->bell != NULL && !s->damaged && hear_doubts(s, e) != 0)
		return -1;
	/* Nobody may come with a batch for long, and readers wait for a log that can be read. */
	if (s->damaged)
		return recover_replace(s, e);
	if (s->index_is_bad && index_renew(s, e) != 0)
		return -1;
	write_out(s, load);
	if (tend_rows(s, load, e) != 0 || checkpoint(s, load, e) != 0)
		return -1;
	return retain_due(s, calm) || (calm && lay_due(s)) || s->now.next_seq - 1 - s->now.indexed_to >= INDEX_LAG_MAX
	    ? 1
	    : 0;
}

void
store_set_retention(struct store *s, const struct retention *total, const struct retention kind[KIND__MAX])
{
	s->total = *total;
	memcpy(s->kind, kind, sizeof(s->kind));
}

/* What is left of the tail: one run, unless the last batch was a very large one or the index was made anew lately. */
static int
index_all(struct store *s, struct err *e)
{
	int rc = s->index_is_bad ? index_renew(s, e) : 0;

	while (rc == 0 && s->now.indexed_to < s->now.next_seq - 1) {
		rc = writer_begin(s, e);
		if (rc == 0 && index_follow(s, e) != 0)
			rc = writer_failed(s, NULL);
		if (rc == 0)
			rc = writer_end(s, e);
	}
	return rc;
}

int
store_close(struct store *s, struct err *e)
{
	int rc = 0;

	if (s == NULL)
		return 0;
	store_rollback(s);
	if (s->db.conn != NULL && !s->damaged) {
		rc = index_all(s, e);
		if (rc == 0)
			rc = writer_begin(s, e);
		if (rc == 0 && (tallies_follow(s, e) != 0 || db_run(&s->db, SQL_LOG_CLEAN, e) != 0))
			rc = writer_failed(s, NULL);
		if (rc == 0)
			rc = writer_end(s, e);
		/*
		 * Cut off, since whoever comes next and finds nobody has to read all of the WAL: 0.4 s for 128 MiB. A reader in the way
		 * leaves it to the next start.
		 */
		if (rc == 0) {
			sqlite3_busy_timeout(s->db.conn, TRUNCATE_BUSY_MS);
			sqlite3_wal_checkpoint_v2(s->db.conn, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		}
	}
	recover_release(s);
	return rc;
}

void
store_abandon(struct store *s)
{
	store_rollback(s);
	recover_release(s);
}

static int
by_time(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

void
store_stats(const struct store *s, struct store_stats *out)
{
	int times[COMMITS_KEPT];
	size_t n = s->commits < COMMITS_KEPT ? (size_t)s->commits : COMMITS_KEPT;
	struct stat st;

	*out = (struct store_stats){ .head = s->kept.next_seq - 1,
		.indexed_to = s->kept.indexed_to,
		.commits = s->commits,
		.bell_peers = s->bell == NULL ? 0 : bell_peers(s->bell) };
	memcpy(out->epoch, s->epoch, sizeof(s->epoch));
	for (int kind = 0; kind < KIND__MAX; kind++) {
		out->events += s->kept.kinds[kind].events;
		out->bytes += s->kept.kinds[kind].bytes;
	}
	/* By name: a descriptor of our own on the file would, when closed, drop SQLite's locks. */
	if (stat(s->path, &st) == 0)
		out->file_bytes = st.st_size;
	if (n > 0) {
		memcpy(times, s->commit_us, n * sizeof(*times));
		qsort(times, n, sizeof(*times), by_time);
		out->commit_ms_p50 = times[n / 2] / 1000.0;
		out->commit_ms_p99 = times[n * 99 / 100] / 1000.0;
	}
}

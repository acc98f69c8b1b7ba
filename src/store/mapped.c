/* mapped - see mapped.h. */
#include "store/mapped.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* A signal handler can be told nothing: what it needs is the thread's. */
static _Thread_local struct mapped *volatile reading;

/*
 * SQLite says what it has mapped, if it is asked: for an offset there is an address, or none. It maps anew whenever the file has changed, so it is asked when it matters, which
 * is in a signal handler. But the fault came from the thread that uses the connection, at a read of memory and so not within xFetch(), which computes an address. Had nothing
 * been mapped at all, it would map the file now: then the fault is another's, and this the process' last act.
 */
static bool
holds(sqlite3_file *file, const char *page)
{
	void *base = NULL, *there = NULL;
	uintptr_t offset;

	if (file == NULL || file->pMethods == NULL || file->pMethods->iVersion < 3 ||
	    file->pMethods->xFetch(file, 0, 1, &base) != SQLITE_OK || base == NULL)
		return false;
	file->pMethods->xUnfetch(file, 0, base);
	if ((uintptr_t)page < (uintptr_t)base)
		return false;
	offset = (uintptr_t)page - (uintptr_t)base;
	if (offset > INT64_MAX || file->pMethods->xFetch(file, (sqlite3_int64)offset, 1, &there) != SQLITE_OK ||
	    there == NULL)
		return false;
	file->pMethods->xUnfetch(file, (sqlite3_int64)offset, there);
	return there == page;
}

static bool
is_of_a_log(const char *page)
{
	for (struct mapped *m = reading; m != NULL; m = m->outer)
		if (holds(m->file, page))
			return true;
	return false;
}

static void
on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *page = (void *)((uintptr_t)info->si_addr & ~(size - 1));
	int before = errno;

	(void)context;
	if (info->si_code == BUS_ADRERR && is_of_a_log(page) &&
	    mmap(page, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page) {
		for (struct mapped *m = reading; m != NULL; m = m->outer)
			m->failed = 1;
		errno = before;
		return;
	}
	signal(sig, SIG_DFL);
	raise(sig); /* as soon as we return */
}

void
mapped_install(void)
{
	struct sigaction act = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	sigemptyset(&act.sa_mask);
	sigaction(SIGBUS, &act, NULL);
}

void
mapped_enter(struct mapped *m, sqlite3_file *file)
{
	m->file = file;
	m->outer = reading;
	m->failed = 0;
	reading = m;
}

bool
mapped_leave(struct mapped *m)
{
	reading = m->outer;
	return m->failed != 0;
}

/* ---- a mapping that lasts ---- */

#define PAGE_BYTES 4096
#define GROWN_BY 16 /* a part of the file */

/* Written once. */
static const sqlite3_io_methods *sqlites;
static sqlite3_io_methods ours;

/* Whether nearly all of the file is mapped that may be, or all of a short one. */
static bool
reaches_far(sqlite3_file *file)
{
	sqlite3_int64 size, most = -1, probe;
	void *there = NULL;

	if (sqlites->xFileSize(file, &size) != SQLITE_OK ||
	    sqlites->xFileControl(file, SQLITE_FCNTL_MMAP_SIZE, &most) != SQLITE_OK)
		return false;
	if (size > most)
		size = most;
	/* Later versions of SQLite give no address near the end of what is mapped. */
	probe = size - size / GROWN_BY - PAGE_BYTES;
	if (probe < 0 || sqlites->xFetch(file, probe, 1, &there) != SQLITE_OK || there == NULL)
		return false;
	sqlites->xUnfetch(file, probe, there);
	return true;
}

/*
 * No page: SQLite wants to unmap the file, since somebody has committed, and might have cut and lengthened it again while nobody looked, of which some systems
 * keep a mapping of what was there before. On Linux a mapping is of the file as it is, and a page that is not there a SIGBUS, which is an error here. To map it
 * anew costs two system calls and a page fault for every page of every list: with 500 commits a second nine tenths of a list's time (1.5 ms of 1.7).
 */
static int
unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
	if (page == NULL && reaches_far(file))
		return SQLITE_OK;
	return sqlites->xUnfetch(file, offset, page);
}

/* As `file` has them: SQLite chooses them by the file system. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local sqlite3_file *first;

static void
make_ours(void)
{
	sqlites = first->pMethods;
	ours = *sqlites;
	ours.xUnfetch = unfetch;
}

void
mapped_keep(sqlite3_file *file)
{
	if (file == NULL || file->pMethods == NULL || file->pMethods->iVersion < 3)
		return;
	first = file;
	pthread_once(&once, make_ours);
	if (file->pMethods == sqlites)
		file->pMethods = &ours;
}

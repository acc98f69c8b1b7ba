/* mapped - see mapped.h. */
#include "store/mapped.h"

#include <errno.h>
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

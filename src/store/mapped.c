/* mapped - see mapped.h. */
#include "store/mapped.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* A signal handler can be told nothing: what it needs is the thread's. */
static _Thread_local struct mapped *volatile reading;

/* Calls nothing that a signal handler must not. */
static void
on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *page = (void *)((uintptr_t)info->si_addr & ~(size - 1));
	int before = errno;

	(void)context;
	if (reading != NULL && info->si_code == BUS_ADRERR &&
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
mapped_enter(struct mapped *m)
{
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

/* thread - see thread.h. */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>

int
thread_start(pthread_t *id, void *(*run)(void *), void *arg, const char *what, struct err *e)
{
	static const int faults[] = { SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t blocked, old;
	int rc;

	sigfillset(&blocked);
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigdelset(&blocked, faults[i]);
	/* Inherited, so that there is no moment before the thread has blocked them. */
	pthread_sigmask(SIG_SETMASK, &blocked, &old);
	rc = pthread_create(id, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0)
		return 0;
	errno = rc;
	err_sys(e, "cannot start %s", what);
	return -1;
}

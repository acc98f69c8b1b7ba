/*
 * thread - how the programs start their threads: signals are for the threads that expect them, which is the main one. So a system call in any other is not
 * interrupted (libfcgi takes an interrupted read for a broken connection), and what writes to a socket without MSG_NOSIGNAL (hiredis) does not die of SIGPIPE.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "base/err.h"

/*
 * Starts run(arg), to be joined by the caller; *id is set on success only. All signals are blocked in it but those that a fault of the thread's own raises
 * (SIGBUS, SIGSEGV, …): blocked, these would end the process whatever handler there is (store/mapped.h). `what` is for the error: "the live thread".
 * 0, or -1 and *e. Any thread.
 */
int thread_start(pthread_t *id, void *(*run)(void *), void *arg, const char *what, struct err *e);

#endif

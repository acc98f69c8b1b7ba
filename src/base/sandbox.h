/*
 * sandbox - takes from this process what it will not need: files, programs, networks, signals to others (Landlock), new privileges, core dumps.
 *
 * Called by the gateway's mains after everything is open and before any thread is started: it holds for the calling thread and all it makes. There is no way back.
 * What a kernel cannot do is left out; that the caller says in the log. It restrains a worker that was taken over by a malformed request; it is no
 * substitute for a user of its own and the file modes, beneath which it lies.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>

#include "base/err.h"

#define SANDBOX_DIRS_MAX 32
#define SANDBOX_PORTS_MAX 4

struct sandbox {
	const char *read
	    [SANDBOX_DIRS_MAX]; /* files, and directories with all beneath, that may be read; what is missing is passed over */
	int n_read;
	int connect[SANDBOX_PORTS_MAX]; /* TCP ports that may be connected to (ABI 4: Linux 6.7) */
	int n_connect;
};

void sandbox_read(struct sandbox *s, const char *path); /* borrowed */
void sandbox_connect(struct sandbox *s, int port);

/* What getaddrinfo() reads, and the ports it asks. */
void sandbox_resolve(struct sandbox *s);

/*
 * Enters it. *abi: Landlock's version, 0: the kernel has none, or it is switched off, and files and networks stay as they were. -1: it is there and refused;
 * the process should not go on.
 */
int sandbox_enter(const struct sandbox *s, int *abi, struct err *e);

/* No core dumps; with `secrets` the memory cannot be read through /proc or a debugger of the same user either. */
void sandbox_no_dumps(bool secrets);

#endif

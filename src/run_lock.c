/* run_lock - see run_lock.h. */
#include "run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

int
run_lock(const char *run_dir, struct err *e)
{
	char path[PATH_MAX];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/subscriber.lock", run_dir) >= sizeof(path)) {
		err_set(e, ERR_CONFIG, "paths.run_dir is too long");
		return -1;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		err_sys(e, "run directory %s", path);
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	err_sys(e, "run directory %s: another subscriber works here", run_dir);
	if (e->sys == EWOULDBLOCK)
		e->code = ERR_BUSY;
	close(fd);
	return -1;
}

/*
 * sandbox - see sandbox.h.
 *
 * Raw system calls, since there is no library in Debian 12, whose kernel headers know version 2 only: later rights are declared here, and asked for where the
 * running kernel has them.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights of files: the first thirteen came with version 1, one with each of 2, 3 and 5. */
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_V1 ((UINT64_C(1) << 13) - 1)
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define NET_BIND_TCP (UINT64_C(1) << 0) /* version 4 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0) /* version 6 */
#define SCOPE_SIGNAL (UINT64_C(1) << 1)
#define RULE_NET_PORT 2

struct ruleset {
	uint64_t fs, net, scoped;
};

struct net_port {
	uint64_t access, port;
};

void
sandbox_read(struct sandbox *s, const char *path)
{
	if (s->n_read < SANDBOX_DIRS_MAX)
		s->read[s->n_read++] = path;
}

void
sandbox_connect(struct sandbox *s, int port)
{
	if (s->n_connect < SANDBOX_PORTS_MAX)
		s->connect[s->n_connect++] = port;
}

void
sandbox_resolve(struct sandbox *s)
{
	static const char *const files[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf",
		"/etc/gai.conf", "/etc/services", "/etc/ld.so.cache", "/run/systemd/resolve", "/lib", "/lib64",
		"/usr/lib" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		sandbox_read(s, files[i]);
	sandbox_connect(s, 53);
}

static long
create_ruleset(const struct ruleset *r, size_t size, unsigned flags)
{
	return syscall(SYS_landlock_create_ruleset, r, size, flags);
}

/* 0: none. */
static int
find_abi(void)
{
	long abi = create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

static int
open_ruleset(int abi)
{
	struct ruleset r = { .fs = FS_V1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
		    (abi >= 5 ? FS_IOCTL_DEV : 0),
		.net = abi >= 4 ? NET_BIND_TCP | NET_CONNECT_TCP : 0,
		.scoped = abi >= 6 ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0 };

	return (int)create_ruleset(&r, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
}

/* One that is missing needs no rule: nothing can be read there. */
static int
allow_reading(int ruleset, const char *path, struct err *e)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = FS_READ };
	struct stat st;
	int rc = -1;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0 && (errno == ENOENT || errno == EACCES || errno == ENOTDIR))
		return 0;
	if (rule.parent_fd >= 0 && fstat(rule.parent_fd, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
		rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	if (rc != 0)
		err_sys(e, "sandbox: %.200s", path);
	if (rule.parent_fd >= 0)
		close(rule.parent_fd);
	return rc;
}

static int
allow_connecting(int ruleset, int port, struct err *e)
{
	struct net_port rule = { .access = NET_CONNECT_TCP, .port = (uint64_t)port };

	if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) == 0)
		return 0;
	err_sys(e, "sandbox: port %d", port);
	return -1;
}

static int
add_rules(const struct sandbox *s, int ruleset, int abi, struct err *e)
{
	/* A sanitizer reads /proc for its reports. */
#ifdef __SANITIZE_ADDRESS__
	if (allow_reading(ruleset, "/proc", e) != 0)
		return -1;
#endif
	for (int i = 0; i < s->n_read; i++)
		if (allow_reading(ruleset, s->read[i], e) != 0)
			return -1;
	for (int i = 0; abi >= 4 && i < s->n_connect; i++)
		if (allow_connecting(ruleset, s->connect[i], e) != 0)
			return -1;
	return 0;
}

int
sandbox_enter(const struct sandbox *s, int *abi, struct err *e)
{
	int ruleset, rc = -1;

	*abi = find_abi();
	/* Whatever it executes, it gets no more than it has; Landlock asks for it. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		err_sys(e, "sandbox: no_new_privs");
		return -1;
	}
	if (*abi == 0)
		return 0;
	ruleset = open_ruleset(*abi);
	if (ruleset < 0) {
		err_sys(e, "sandbox: no ruleset");
		return -1;
	}
	if (add_rules(s, ruleset, *abi, e) == 0) {
		rc = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
		if (rc != 0)
			err_sys(e, "sandbox: it cannot be entered");
	}
	close(ruleset);
	return rc;
}

void
sandbox_no_dumps(bool secrets)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	if (secrets)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/*
 * bell - see bell.h.  Walk 1, step 5: from append.c (store_commit), on to whoever reads the log.
 *
 * One datagram is a struct bell_ring as it lies in memory: both ends run on one machine and come from one build.
 */
#include "store/bell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct bell {
	struct sockaddr_un at;
	int fd;
	bool bound;
	bool doubted; /* somebody said so, and nobody asked yet */
	int n;
	int peers[BELL_PEERS_MAX];
};

static int
bell_address(struct sockaddr_un *at, const char *path, struct err *e)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(at->sun_path)) {
		err_set(e, ERR_CONFIG, "bell %s: the path of a unix socket has at most %zu bytes", path,
		    sizeof(at->sun_path) - 1);
		return -1;
	}
	memcpy(at->sun_path, path, strlen(path) + 1);
	return 0;
}

int
bell_connect(const char *path, struct err *e)
{
	struct sockaddr_un at;
	int fd;

	if (bell_address(&at, path, e) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		err_sys(e, "bell %s: socket", path);
		return -1;
	}
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		err_sys(e, "bell %s: connect", path);
		close(fd);
		return -1;
	}
	return fd;
}

/* A socket file that nobody listens on is what a killed subscriber leaves; one that answers is somebody's. */
static int
make_room(const char *path, struct err *e)
{
	struct err why = { .code = ERR_NONE };
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		err_set(e, ERR_CONFIG, "bell %s: there is a file that is no socket", path);
		return -1;
	}
	fd = bell_connect(path, &why);
	/* EAGAIN: its backlog is full, so it lives. */
	if (fd >= 0 || why.sys == EAGAIN) {
		if (fd >= 0)
			close(fd);
		err_set(e, ERR_BUSY, "bell %s: another subscriber listens there", path);
		return -1;
	}
	if (unlink(path) != 0 && errno != ENOENT) {
		err_sys(e, "bell %s: unlink", path);
		return -1;
	}
	return 0;
}

struct bell *
bell_open(const char *path, struct err *e)
{
	struct bell *b = calloc(1, sizeof(*b));
	mode_t old;

	if (b == NULL) {
		err_set(e, ERR_MEMORY, "bell: out of memory");
		return NULL;
	}
	b->fd = -1;
	if (bell_address(&b->at, path, e) != 0 || make_room(path, e) != 0)
		goto fail;
	b->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (b->fd < 0) {
		err_sys(e, "bell %s: socket", path);
		goto fail;
	}
	/* Never open to all, not even for the moment before a chmod. */
	old = umask(0117);
	b->bound = bind(b->fd, (struct sockaddr *)&b->at, sizeof(b->at)) == 0;
	umask(old);
	if (!b->bound || listen(b->fd, 128) != 0) {
		err_sys(e, "bell %s: %s", path, b->bound ? "listen" : "bind");
		goto fail;
	}
	return b;
fail:
	bell_close(b);
	return NULL;
}

void
bell_close(struct bell *b)
{
	if (b == NULL)
		return;
	for (int i = 0; i < b->n; i++)
		close(b->peers[i]);
	if (b->bound)
		unlink(b->at.sun_path);
	if (b->fd >= 0)
		close(b->fd);
	free(b);
}

static void
drop_peer(struct bell *b, int i)
{
	close(b->peers[i]);
	b->peers[i] = b->peers[--b->n];
}

/* All that listeners say is that they doubt the log, one datagram, whatever is in it; else what is readable is their end. */
static void
hear_peers(struct bell *b)
{
	char c;

	for (int i = b->n - 1; i >= 0; i--) {
		ssize_t got = recv(b->peers[i], &c, 1, MSG_DONTWAIT);

		if (got > 0)
			b->doubted = true;
		else if (got == 0 || (errno != EAGAIN && errno != EINTR))
			drop_peer(b, i);
	}
}

void
bell_accept(struct bell *b)
{
	int fd, size = BELL_BUFFER;

	while ((fd = accept4(b->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		if (b->n == BELL_PEERS_MAX)
			hear_peers(b);
		/* One too many finds its bell gone and polls. */
		if (b->n == BELL_PEERS_MAX) {
			close(fd);
			continue;
		}
		/* A system may grant less: see bell_read(). */
		(void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		b->peers[b->n++] = fd;
	}
}

/* False: it is gone. */
static bool
send_ring(int fd, const struct bell_ring *ring, struct text rows)
{
	union { /* sendmsg() only reads what it is told to send */
		const void *from;
		void *p;
	} head = { .from = ring }, tail = { .from = rows.p };
	struct iovec iov[2] = { { head.p, sizeof(*ring) }, { tail.p, rows.n } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = rows.n > 0 ? 2 : 1 };
	ssize_t n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

	/* Where buffers are made smaller than ours are. */
	if (n < 0 && errno == EMSGSIZE && rows.n > 0)
		return send_ring(fd, ring, TEXT_NONE);
	/* A full buffer is skipped: the next ring says more. */
	return n >= 0 || errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM;
}

void
bell_ring(struct bell *b, const struct bell_ring *ring, struct text rows)
{
	bell_accept(b);
	for (int i = b->n - 1; i >= 0; i--)
		if (!send_ring(b->peers[i], ring, rows))
			drop_peer(b, i);
}

int
bell_peers(const struct bell *b)
{
	return b->n;
}

bool
bell_doubted(struct bell *b)
{
	bool doubted;

	hear_peers(b);
	doubted = b->doubted;
	b->doubted = false;
	return doubted;
}

void
bell_doubt(const char *path)
{
	struct err ignored;
	int fd = bell_connect(path, &ignored);

	if (fd < 0)
		return;
	/* What is sent stays readable when we are gone. Lost: the next answer that fails says it again. */
	(void)!send(fd, "?", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

int
bell_read(int fd, struct bell_ring *ring, char *bytes, struct text *rows)
{
	struct iovec iov[2] = { { ring, sizeof(*ring) }, { bytes, BELL_BYTES_MAX } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < (ssize_t)sizeof(*ring) || (msg.msg_flags & MSG_TRUNC) != 0 ||
	    memchr(ring->epoch, '\0', sizeof(ring->epoch)) == NULL)
		return -1;
	*rows = (size_t)n == sizeof(*ring) ? TEXT_NONE : (struct text){ bytes, (size_t)n - sizeof(*ring) };
	return 1;
}

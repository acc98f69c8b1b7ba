/*
 * resolve - see resolve.h.  Walk 1, step 1: called by redis.c, on the receive thread.
 *
 * A thread that was left behind ends with the resolver's own time-outs (resolv.conf: 30 s or so); with the pauses between two
 * attempts to connect there are a handful of them at the worst. getaddrinfo_a() would do the same with less to say about
 * who owns what.
 */
#include "redis/resolve.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* Shared by the one who asks and the thread: the last one frees it. */
struct lookup {
	pthread_mutex_t lock;
	int refs;
	int done_fd; /* an eventfd: the answer is there */
	char host[256], port[8];
	struct addrinfo *found;
	int rc, sys;
};

static void
lookup_unref(struct lookup *l)
{
	int refs;

	pthread_mutex_lock(&l->lock);
	refs = --l->refs;
	pthread_mutex_unlock(&l->lock);
	if (refs > 0)
		return;
	if (l->found != NULL)
		freeaddrinfo(l->found);
	close(l->done_fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static int
look_up(const char *host, const char *port, int flags, struct addrinfo **found)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags };

	*found = NULL;
	return getaddrinfo(host, port, &hints, found);
}

static void *
lookup_run(void *arg)
{
	struct lookup *l = arg;
	struct addrinfo *found;
	uint64_t one = 1;
	/* AI_ADDRCONFIG would hide ::1 on a machine whose only IPv6 address is the loopback's. */
	int rc = look_up(l->host, l->port, 0, &found), sys = errno;

	pthread_mutex_lock(&l->lock);
	l->rc = rc;
	l->sys = sys;
	l->found = found;
	/* It cannot fail: an eventfd takes the first one. */
	if (write(l->done_fd, &one, sizeof(one)) < 0)
		l->sys = errno;
	pthread_mutex_unlock(&l->lock);
	lookup_unref(l);
	return NULL;
}

static struct lookup *
lookup_start(const char *host, const char *port, struct err *e)
{
	struct lookup *l = calloc(1, sizeof(*l));
	pthread_t thread;
	pthread_attr_t attr;
	int rc;

	if (l == NULL) {
		err_set(e, ERR_MEMORY, "no memory to look up %s", host);
		return NULL;
	}
	l->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->done_fd < 0) {
		err_sys(e, "cannot look up %s", host);
		free(l);
		return NULL;
	}
	snprintf(l->host, sizeof(l->host), "%s", host);
	snprintf(l->port, sizeof(l->port), "%s", port);
	pthread_mutex_init(&l->lock, NULL);
	l->refs = 2;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, lookup_run, l);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		errno = rc;
		err_sys(e, "cannot look up %s", host);
		l->refs = 1;
		lookup_unref(l);
		return NULL;
	}
	return l;
}

static int
wait_ms(int64_t until_us)
{
	int64_t left = until_us - clock_mono_us();

	return left <= 0 ? 0 : left > 3600000000 ? 3600000 : (int)((left + 999) / 1000);
}

/* 0: answered or stopped; *answered tells. */
static int
lookup_wait(struct lookup *l, int64_t until_us, int stop_fd, bool *answered, struct err *e)
{
	struct pollfd fds[2] = { { .fd = l->done_fd, .events = POLLIN }, { .fd = stop_fd, .events = POLLIN } };
	int n;

	*answered = false;
	do {
		n = poll(fds, 2, wait_ms(until_us));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		err_set(e, ERR_REDIS, "looking up %s took too long", l->host);
	else if (n < 0)
		err_sys(e, "cannot look up %s", l->host);
	*answered = n > 0 && fds[1].revents == 0;
	return n > 0 ? 0 : -1;
}

static int
failure(const char *host, int rc, int sys, struct err *e)
{
	if (rc == EAI_SYSTEM)
		errno = sys, err_sys(e, "cannot look up %s", host);
	else
		err_set(e, ERR_REDIS, "cannot look up %s: %s", host, gai_strerror(rc));
	return -1;
}

/* What the thread has found becomes the caller's. */
static int
lookup_take(struct lookup *l, struct addrinfo **out, struct err *e)
{
	int rc;

	pthread_mutex_lock(&l->lock);
	rc = l->rc != 0 ? failure(l->host, l->rc, l->sys, e) : 0;
	if (rc == 0) {
		*out = l->found;
		l->found = NULL;
	}
	pthread_mutex_unlock(&l->lock);
	return rc;
}

int
resolve_host(const char *host, int port, int64_t until_us, int stop_fd, struct addrinfo **out, struct err *e)
{
	char service[8];
	struct lookup *l;
	bool answered;
	int rc;

	snprintf(service, sizeof(service), "%d", port);
	/* RFC 6761, section 6.3: localhost is both loopback addresses, whatever /etc/hosts leaves out. No host is just that. */
	if (strcmp(host, "localhost") == 0)
		rc = look_up(NULL, service, AI_NUMERICSERV, out);
	else
		rc = look_up(host, service, AI_NUMERICHOST | AI_NUMERICSERV, out);
	if (rc == 0)
		return 0;
	if (rc != EAI_NONAME)
		return failure(host, rc, errno, e);
	l = lookup_start(host, service, e);
	if (l == NULL)
		return -1;
	rc = lookup_wait(l, until_us, stop_fd, &answered, e);
	if (answered)
		rc = lookup_take(l, out, e);
	lookup_unref(l);
	return rc;
}

/* fcgi_conns - see fcgi_conns.h. */
#include "http/fcgi_conns.h"

#include <unistd.h>

void
conns_init(struct conns *c)
{
	*c = (struct conns){ 0 };
	for (unsigned i = 0; i < CONNS_MAX; i++) {
		c->slots[i].next = c->unused;
		c->unused = &c->slots[i];
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->more, NULL);
}

void
conns_fini(struct conns *c)
{
	while (c->oldest != NULL)
		conns_drop(c, c->oldest);
	for (; c->n_queued > 0; c->n_queued--, c->head = (c->head + 1) % CONNS_MAX)
		close(c->queue[c->head]);
	pthread_cond_destroy(&c->more);
	pthread_mutex_destroy(&c->lock);
}

bool
conns_full(struct conns *c)
{
	bool full;

	pthread_mutex_lock(&c->lock);
	full = c->n_waiting + c->n_queued >= CONNS_MAX;
	pthread_mutex_unlock(&c->lock);
	return full;
}

struct conn *
conns_add(struct conns *c, int fd, int64_t deadline_us)
{
	struct conn *conn = c->unused;

	if (conn == NULL || conns_full(c))
		return NULL;
	c->unused = conn->next;
	*conn = (struct conn){ .fd = fd, .deadline_us = deadline_us, .prev = c->newest };
	if (c->newest != NULL)
		c->newest->next = conn;
	else
		c->oldest = conn;
	c->newest = conn;
	c->n_waiting++;
	return conn;
}

static void
unlink_conn(struct conns *c, struct conn *conn)
{
	*(conn->prev != NULL ? &conn->prev->next : &c->oldest) = conn->next;
	*(conn->next != NULL ? &conn->next->prev : &c->newest) = conn->prev;
	*conn = (struct conn){ .fd = -1, .next = c->unused };
	c->unused = conn;
	c->n_waiting--;
}

void
conns_drop(struct conns *c, struct conn *conn)
{
	close(conn->fd);
	unlink_conn(c, conn);
}

void
conns_ready(struct conns *c, struct conn *conn)
{
	int fd = conn->fd;

	unlink_conn(c, conn);
	conns_queue(c, fd);
}

void
conns_queue(struct conns *c, int fd)
{
	bool wake;

	pthread_mutex_lock(&c->lock);
	c->queue[(c->head + c->n_queued++) % CONNS_MAX] = fd;
	wake = c->n_idle > 0;
	pthread_mutex_unlock(&c->lock);
	/* Not under the lock, on which the thread that wakes would stop at once. */
	if (wake)
		pthread_cond_signal(&c->more);
}

int
conns_take(struct conns *c)
{
	int fd = -1;

	pthread_mutex_lock(&c->lock);
	c->n_idle++;
	while (c->n_queued == 0 && !c->closed)
		pthread_cond_wait(&c->more, &c->lock);
	c->n_idle--;
	if (c->n_queued > 0) {
		fd = c->queue[c->head];
		c->head = (c->head + 1) % CONNS_MAX;
		c->n_queued--;
	}
	pthread_mutex_unlock(&c->lock);
	return fd;
}

void
conns_close(struct conns *c)
{
	pthread_mutex_lock(&c->lock);
	c->closed = true;
	pthread_cond_broadcast(&c->more);
	pthread_mutex_unlock(&c->lock);
}

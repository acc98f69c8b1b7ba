/* fcgi_conns - see fcgi_conns.h.  Walk 2, beside step 1: for http/fcgi.c. */
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
}

void
conns_fini(struct conns *c)
{
	while (c->oldest != NULL)
		conns_drop(c, c->oldest);
}

struct conn *
conns_add(struct conns *c, int fd, int64_t deadline_us)
{
	struct conn *conn;

	if (c->unused == NULL)
		conns_drop(c, c->oldest);
	conn = c->unused;
	c->unused = conn->next;
	*conn = (struct conn){ .fd = fd, .deadline_us = deadline_us, .prev = c->newest };
	if (c->newest != NULL)
		c->newest->next = conn;
	else
		c->oldest = conn;
	c->newest = conn;
	c->n++;
	return conn;
}

int
conns_remove(struct conns *c, struct conn *conn)
{
	int fd = conn->fd;

	*(conn->prev != NULL ? &conn->prev->next : &c->oldest) = conn->next;
	*(conn->next != NULL ? &conn->next->prev : &c->newest) = conn->prev;
	*conn = (struct conn){ .fd = -1, .next = c->unused };
	c->unused = conn;
	c->n--;
	return fd;
}

void
conns_drop(struct conns *c, struct conn *conn)
{
	close(conns_remove(c, conn));
}

bool
fresh_add(struct fresh *f, int fd, int looks)
{
	unsigned at = (f->first + f->n) % FRESH_MAX;

	if (looks >= FRESH_LOOKS || f->n == FRESH_MAX)
		return false;
	f->ring[at].fd = fd;
	f->ring[at].looks = looks;
	f->n++;
	return true;
}

int
fresh_take(struct fresh *f, int *looks)
{
	int fd = f->ring[f->first].fd;

	*looks = f->ring[f->first].looks;
	f->first = (f->first + 1) % FRESH_MAX;
	f->n--;
	return fd;
}

void
fresh_fini(struct fresh *f)
{
	int ignored;

	while (f->n > 0)
		close(fresh_take(f, &ignored));
}

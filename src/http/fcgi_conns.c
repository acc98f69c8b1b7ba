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

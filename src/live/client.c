/* client - see client.h.  Walk 3, step 7. */
#include "live/client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live/record.h"

void
clients_add(struct clients *list, struct client *c)
{
	c->prev = list->last;
	c->next = NULL;
	if (list->last != NULL)
		list->last->next = c;
	else
		list->first = c;
	list->last = c;
}

void
clients_remove(struct clients *list, struct client *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		list->first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		list->last = c->prev;
	c->prev = c->next = NULL;
}

/* How much was taken; 0: nothing for now; -1: gone. */
static ssize_t
push(const struct client *c, const char *p, size_t n)
{
	ssize_t took;

	do
		took = c->framed ? send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) : write(c->fd, p, n);
	while (took < 0 && errno == EINTR);
	if (took < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
		return 0;
	return took;
}

/* Another request id than 1 is possible and not seen: then the client gets a copy of its own. */
static struct blob *
readdressed(const struct client *c, struct blob *b)
{
	struct blob *own = blob_new((struct text){ b->bytes, b->len }, b->from, b->to, b->events);

	if (own != NULL)
		record_set_id(own->bytes, own->len, c->request_id);
	return own;
}

enum client_sent
client_send(struct client *c, struct blob *b)
{
	struct blob *whose = b;
	enum client_sent sent = SENT;
	ssize_t n;

	if (b->len == 0)
		return SENT;
	if (c->framed && c->request_id != 1 && (whose = readdressed(c, b)) == NULL)
		return SENT_NOTHING;
	n = push(c, whose->bytes, whose->len);
	if (n < 0) {
		sent = SENT_GONE;
	} else if (n == 0) {
		sent = SENT_NOTHING;
	} else if ((size_t)n < whose->len) {
		/* A record that has begun must go out whole. */
		c->rest = blob_ref(whose);
		c->rest_at = (uint32_t)n;
		sent = SENT_PART;
	}
	if (whose != b)
		blob_unref(whose);
	return sent;
}

enum client_sent
client_flush(struct client *c)
{
	ssize_t n;

	if (c->rest == NULL)
		return SENT;
	n = push(c, c->rest->bytes + c->rest_at, c->rest->len - c->rest_at);
	if (n < 0)
		return SENT_GONE;
	if (n == 0)
		return SENT_NOTHING;
	c->rest_at += (uint32_t)n;
	if (c->rest_at < c->rest->len)
		return SENT_PART;
	blob_unref(c->rest);
	c->rest = NULL;
	return SENT;
}

bool
client_hangs_up(struct client *c)
{
	char bytes[512];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0)
		return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
	return n == 0 || (c->framed && record_is_abort((struct text){ bytes, (size_t)n }));
}

/* flight - see flight.h.  Walk 3, beside step 5. */
#include "live/flight.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "live/client.h"

bool
flight_is_full(const struct flight *f)
{
	return f->n == FLIGHT_MAX;
}

void
flight_add(struct flight *f, const struct client *c, int64_t now_us)
{
	f->of[f->n].client = c;
	f->of[f->n].sent_us = now_us;
	f->n++;
}

/* Of a unix socket what the other side has not read; of TCP, which acknowledges it unread, mostly nothing: then nothing is held up. */
static bool
was_read(const struct client *c)
{
	int left = 0;

	return ioctl(c->fd, SIOCOUTQ, &left) != 0 || left == 0;
}

void
flight_land(struct flight *f, int64_t now_us)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n; i++)
		if (now_us - f->of[i].sent_us < FLIGHT_OLD_US && !was_read(f->of[i].client))
			f->of[n++] = f->of[i];
	f->n = n;
}

void
flight_forget(struct flight *f, const struct client *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n; i++)
		if (f->of[i].client != c)
			f->of[n++] = f->of[i];
	f->n = n;
}

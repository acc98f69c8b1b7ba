/*
 * flight - what clients that are behind were sent lately and the web server has not read yet.
 *
 * A web server has one queue for all: what lies before it from those who catch up must be gone before it comes to a live client's event. So
 * only a few pieces are under way at a time; the kernel tells when they were read. One that is not read for long (its client is slow) does not count
 * any more: it is not what the web server is busy with. Not counted are first pieces (whoever comes has one at once, however many come), and what is
 * sent to those who lack only one. Live thread only.
 */
#ifndef LIVE_FLIGHT_H
#define LIVE_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#define FLIGHT_MAX 16
#define FLIGHT_OLD_US 10000

struct client;

struct flight { /* zeroed: nothing is under way */
	struct {
		const struct client *client;
		int64_t sent_us;
	} of[FLIGHT_MAX];
	unsigned n;
};

bool flight_is_full(const struct flight *f);
void flight_add(
    struct flight *f, const struct client *c, int64_t now_us); /* not when it is full. Borrows until forgotten */
void flight_land(struct flight *f, int64_t now_us); /* looks what was read, or is old */
void flight_forget(struct flight *f, const struct client *c); /* it is gone */

#endif

/*
 * limits - how many requests a second a client may make: one token bucket an address, in memory that all workers share.
 *
 * A bucket is a single number, the time at which it would be full again (GCRA, "virtual scheduling"), beside a tag of its address, in one atomic word: so there is
 * nothing to lock, and nothing that a killed worker could leave half done. The table has a fixed size. Whoever does not fit any more takes the place of the
 * bucket that is full or nearest to it: its owner starts afresh, at worst one burst too much.
 */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "http/address.h"

#define LIMITS_SETS 8192
#define LIMITS_WAYS 4
#define LIMITS_BURST_MAX 10000
#define LIMITS_RATE_MAX 100000 /* a second */

struct limits {
	uint64_t seed; /* nobody outside can choose addresses that meet in one set */
	_Atomic uint64_t slots[LIMITS_SETS][LIMITS_WAYS];
};

int limits_init(struct limits *l, struct err *e); /* -1: no random numbers */

/*
 * Takes one request of the client (an IPv6 client is its /64) at `now_us` (clock_mono_us), where `rate` a second and `burst` at once are allowed. 0: it may;
 * else microseconds until it might. NULL: whoever has no address that can be understood; all of those together are one client.
 */
int64_t limits_take(struct limits *l, const struct address *client, int64_t rate, int64_t burst, int64_t now_us);

#endif

/*
 * address - a client's address, and whether it belongs to one of ours: 192.0.2.1, 2001:db8::1, 10.0.0.0/8.
 *
 * Used by api/access.c for the lists in the settings and for who asks. IPv4 is kept as ::ffff:a.b.c.d, so that both ways to write it are one.
 */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include <stdbool.h>

#include "base/text.h"

struct address {
	unsigned char bytes[16];
	int bits; /* of the prefix that counts: 128 is one address */
};

int address_parse(struct text t, struct address *out); /* -1: neither an address nor a network */
bool address_within(const struct address *a, const struct address *network);
/* What tells one client from another, borrowed: of IPv6 the /64, which is the least that a customer has, and in which he could come from another address each time. */
struct text address_client(const struct address *a);
bool address_is_loopback(const struct address *a);

#endif

/* address - see address.h. */
#include "http/address.h"

#include <arpa/inet.h>
#include <string.h>

int
address_parse(struct text t, struct address *out)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct text rest = t, host;
	char name[INET6_ADDRSTRLEN];
	int64_t bits = -1, most;

	if (!text_split(&rest, '/', &host) || host.n == 0 || host.n >= sizeof(name))
		return -1;
	if (rest.p != NULL && text_int64(rest, &bits) != 0)
		return -1;
	memcpy(name, host.p, host.n);
	name[host.n] = '\0';
	if (inet_pton(AF_INET, name, out->bytes + 12) == 1) {
		memcpy(out->bytes, mapped, sizeof(mapped));
		most = 32;
	} else if (inet_pton(AF_INET6, name, out->bytes) == 1) {
		most = 128;
	} else {
		return -1;
	}
	if (bits > most || (rest.p != NULL && bits < 0))
		return -1;
	out->bits = (int)(128 - most + (rest.p == NULL ? most : bits));
	return 0;
}

bool
address_within(const struct address *a, const struct address *network)
{
	int whole = network->bits / 8, left = network->bits % 8;
	unsigned mask = (0xff00u >> left) & 0xff;

	if (memcmp(a->bytes, network->bytes, (size_t)whole) != 0)
		return false;
	return left == 0 || (a->bytes[whole] & mask) == (network->bytes[whole] & mask);
}

struct text
address_client(const struct address *a)
{
	static const struct address ipv4 = { .bytes = { [10] = 0xff, [11] = 0xff }, .bits = 96 };

	return (struct text){ (const char *)a->bytes, address_within(a, &ipv4) ? 16 : 8 };
}

bool
address_is_loopback(const struct address *a)
{
	static const struct address networks[] = { { .bytes = { [10] = 0xff, [11] = 0xff, [12] = 127 },
						       .bits = 96 + 8 },
		{ .bytes = { [15] = 1 }, .bits = 128 } };

	return address_within(a, &networks[0]) || address_within(a, &networks[1]);
}

/*
 * access - who may see what only the administrator should: the addresses of access.admin_addresses, each one address or a network
 * ("10.0.0.0/8"). What counts is the address that the web server says its client has.
 */
#include <arpa/inet.h>
#include <string.h>

#include "api/handlers.h"

struct address {
	unsigned char bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
	int bits; /* of the prefix that counts */
};

static int
parse_address(struct text t, struct address *out)
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

static bool
is_within(const struct address *a, const struct address *network)
{
	int whole = network->bits / 8, left = network->bits % 8;
	unsigned mask = (0xff00u >> left) & 0xff;

	if (memcmp(a->bytes, network->bytes, (size_t)whole) != 0)
		return false;
	return left == 0 || (a->bytes[whole] & mask) == (network->bytes[whole] & mask);
}

bool
access_is_admin(void *app, const struct request *request)
{
	const struct api *a = app;
	struct text rest = text_of(conf_str(a->conf, SETTING_ACCESS_ADMIN_ADDRESSES)), word;
	struct address client, network;

	if (parse_address(request->remote_addr, &client) != 0)
		return false;
	while (conf_next_word(&rest, &word)) {
		if (parse_address(word, &network) == 0 && is_within(&client, &network))
			return true;
	}
	return false;
}

int
access_check(const struct conf *conf, struct err *e)
{
	struct text rest = text_of(conf_str(conf, SETTING_ACCESS_ADMIN_ADDRESSES)), word;
	struct address network;

	while (conf_next_word(&rest, &word)) {
		if (parse_address(word, &network) == 0)
			continue;
		err_set(e, ERR_CONFIG,
		    "access.admin_addresses: \"%.*s\" is neither an address nor a network such as 10.0.0.0/8",
		    (int)(word.n < 60 ? word.n : 60), word.p);
		return -1;
	}
	return 0;
}

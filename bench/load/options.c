/* options - the command line of tickgate-bench; see load.h. */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

const char options_usage[] =
    "usage: tickgate-bench COMMAND [OPTION...]\n"
    "Puts load on a server of events and checks what comes; publisher and receivers on one machine.\n"
    "  follow     hold --n streams open, and check that each gets every event of its symbol once and in order\n"
    "  wait       hold --n long-polls open until an event answers them\n"
    "  get        ask again and again over --n connections\n"
    "  publish    to Redis (--redis) or with POST to nchan (--connect, --path)\n"
    "  subscribe  a bare Redis subscriber, to compare with\n"
    "where      --connect ADDR:PORT  --path P ({symbol}, {vary})  --redis URL  --channel C  --sources K  --ramp K\n"
    "what       --n N  --symbols M  --first-symbol I  --vary A-B  --framing sse|ndjson|socketio  --last-event-id ID\n"
    "how        --rate R  --count N  --window N  --replay FILE  --mixed  --allowances  --etags  --reconnect  --slow N  "
    "--slow-ms T\n"
    "until      --events N of every stream  --first-mark N  --seconds T  --expect STATUS  --check N\n";

enum option_type { OPT_TEXT, OPT_INT, OPT_REAL, OPT_FLAG, OPT_ADDRESS, OPT_RANGE };

/* clang-format off */
static const struct {
	const char *name;
	enum option_type type;
	size_t at;
	int64_t min, max;
} table[] = {
	{ "connect",       OPT_ADDRESS, 0,                                             0, 0 },
	{ "path",          OPT_TEXT,    offsetof(struct load_options, path),           0, 0 },
	{ "redis",         OPT_TEXT,    offsetof(struct load_options, redis),          0, 0 },
	{ "channel",       OPT_TEXT,    offsetof(struct load_options, channel),        0, 0 },
	{ "framing",       OPT_TEXT,    offsetof(struct load_options, framing),        0, 0 },
	{ "last-event-id", OPT_TEXT,    offsetof(struct load_options, last_event_id),  0, 0 },
	{ "replay",        OPT_TEXT,    offsetof(struct load_options, replay),         0, 0 },
	{ "n",             OPT_INT,     offsetof(struct load_options, n),              1, 1000000 },
	{ "symbols",       OPT_INT,     offsetof(struct load_options, symbols),        1, 100000 },
	{ "first-symbol",  OPT_INT,     offsetof(struct load_options, first_symbol),   0, 100000 },
	{ "events",        OPT_INT,     offsetof(struct load_options, events),         0, INT64_MAX },
	{ "first-mark",    OPT_INT,     offsetof(struct load_options, first_mark),     0, INT64_MAX },
	{ "count",         OPT_INT,     offsetof(struct load_options, count),          1, INT64_MAX },
	{ "sources",       OPT_INT,     offsetof(struct load_options, sources),        1, 250 },
	{ "ramp",          OPT_INT,     offsetof(struct load_options, ramp),           1, 4096 },
	{ "slow",          OPT_INT,     offsetof(struct load_options, slow),           0, 1000000 },
	{ "slow-ms",       OPT_INT,     offsetof(struct load_options, slow_ms),        0, 86400000 },
	{ "expect",        OPT_INT,     offsetof(struct load_options, expect),         100, 599 },
	{ "check",         OPT_INT,     offsetof(struct load_options, check),          0, 100000 },
	{ "window",        OPT_INT,     offsetof(struct load_options, window),         1, INT64_MAX },
	{ "rate",          OPT_REAL,    offsetof(struct load_options, rate),           0, 0 },
	{ "seconds",       OPT_REAL,    offsetof(struct load_options, seconds),        0, 0 },
	{ "vary",          OPT_RANGE,   0,                                             0, 0 },
	{ "etags",         OPT_FLAG,    offsetof(struct load_options, etags),          0, 0 },
	{ "reconnect",     OPT_FLAG,    offsetof(struct load_options, reconnect),      0, 0 },
	{ "mixed",         OPT_FLAG,    offsetof(struct load_options, mixed),          0, 0 },
	{ "allowances",    OPT_FLAG,    offsetof(struct load_options, allowances),     0, 0 },
};
/* clang-format on */
#define N_OPTIONS (sizeof(table) / sizeof(table[0]))

static int
take_address(struct load_options *o, struct text t)
{
	struct text rest = t, host;
	char name[INET_ADDRSTRLEN];
	int64_t port;

	if (!text_split(&rest, ':', &host) || host.n >= sizeof(name) || text_int64(rest, &port) != 0 || port < 1 ||
	    port > 65535)
		return -1;
	memcpy(name, host.p, host.n);
	name[host.n] = '\0';
	o->server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	return inet_pton(AF_INET, name, &o->server.sin_addr) == 1 ? 0 : -1;
}

static int
take_range(struct load_options *o, struct text t)
{
	struct text rest = t, from;

	if (!text_split(&rest, '-', &from) || text_int64(from, &o->vary_from) != 0 ||
	    text_int64(rest, &o->vary_to) != 0)
		return -1;
	return o->vary_from >= 0 && o->vary_to >= o->vary_from ? 0 : -1;
}

static int
take(struct load_options *o, size_t i, const char *value)
{
	void *at = (char *)o + table[i].at;
	int64_t number;

	switch (table[i].type) {
	case OPT_TEXT:
		*(const char **)at = value;
		return 0;
	case OPT_FLAG:
		*(bool *)at = true;
		return 0;
	case OPT_REAL:
		return text_real(text_of(value), at) != 0 || *(double *)at < 0 ? -1 : 0;
	case OPT_INT:
		if (text_int64(text_of(value), &number) != 0 || number < table[i].min || number > table[i].max)
			return -1;
		*(int64_t *)at = number;
		return 0;
	case OPT_ADDRESS:
		return take_address(o, text_of(value));
	case OPT_RANGE:
		return take_range(o, text_of(value));
	}
	return -1;
}

int
options_parse(struct load_options *o, int argc, char **argv, struct err *e)
{
	struct option options[N_OPTIONS + 1] = { { .name = NULL } };
	int at;

	*o = (struct load_options){ .n = 1,
		.symbols = 1,
		.first_mark = 1,
		.sources = 1,
		.ramp = 64,
		.expect = 200,
		.framing = "sse",
		.window = 4096 };
	o->channel = "tickstock:indicators:streaming";
	o->path = "/";
	if (argc < 2 || argv[1][0] == '-') {
		err_set(e, ERR_USAGE, "a command is wanted; see tickgate-bench --help");
		return -1;
	}
	o->command = argv[1];
	for (size_t i = 0; i < N_OPTIONS; i++) {
		options[i].name = table[i].name;
		options[i].has_arg = table[i].type == OPT_FLAG ? no_argument : required_argument;
		options[i].val = (int)i + 256;
	}
	optind = 2;
	while ((at = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (at == '?') {
			err_set(e, ERR_USAGE, "see tickgate-bench --help");
			return -1;
		}
		if (take(o, (size_t)(at - 256), optarg) != 0) {
			err_set(e, ERR_USAGE, "--%s does not take \"%.60s\"", table[at - 256].name, optarg);
			return -1;
		}
	}
	if (optind < argc) {
		err_set(e, ERR_USAGE, "unexpected argument \"%.60s\"", argv[optind]);
		return -1;
	}
	return 0;
}

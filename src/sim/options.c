/* options - see options.h. */
#include "sim/options.h"

#include <getopt.h>
#include <stdlib.h>

#include "base/clock.h"

const char options_usage[] = "usage: tickgate-sim [options]\n"
			     "Publishes a made-up market's patterns, indicators, alerts, errors and health on Redis.\n"
			     "  --redis URL      where to publish (REDIS_URL, else redis://localhost:6379/0)\n"
			     "  --form FORM      documented (default), wire, or mixed\n"
			     "  --symbols N      1 to 10000 (50)\n"
			     "  --rate R         messages a second, up to 100000 (20); 0: flat out\n"
			     "  --count N        end after exactly N messages (0: for ever)\n"
			     "  --seed S         another market (1)\n"
			     "  --start TIME     date messages from this time on (RFC 3339 or epoch seconds)\n"
			     "  --replay FILE    publish the lines of FILE (-: stdin), at --rate or at their own pace\n"
			     "  --record FILE    write messages to FILE (-: stdout); to Redis too only with --redis\n"
			     "  --quiet          say nothing but errors\n"
			     "  --help, --version\n";

enum {
	O_REDIS = 256,
	O_FORM,
	O_SYMBOLS,
	O_RATE,
	O_COUNT,
	O_SEED,
	O_START,
	O_REPLAY,
	O_RECORD,
	O_QUIET,
	O_HELP,
	O_VERSION
};

/* clang-format off */
static const struct option table[] = {
	{ "redis",   required_argument, NULL, O_REDIS },
	{ "form",    required_argument, NULL, O_FORM },
	{ "symbols", required_argument, NULL, O_SYMBOLS },
	{ "rate",    required_argument, NULL, O_RATE },
	{ "count",   required_argument, NULL, O_COUNT },
	{ "seed",    required_argument, NULL, O_SEED },
	{ "start",   required_argument, NULL, O_START },
	{ "replay",  required_argument, NULL, O_REPLAY },
	{ "record",  required_argument, NULL, O_RECORD },
	{ "quiet",   no_argument,       NULL, O_QUIET },
	{ "help",    no_argument,       NULL, O_HELP },
	{ "version", no_argument,       NULL, O_VERSION },
	{ NULL, 0, NULL, 0 },
};
/* clang-format on */

static int
take_int(const char *name, int64_t min, int64_t max, int64_t *out, struct err *e)
{
	if (text_int64(text_of(optarg), out) == 0 && *out >= min && *out <= max)
		return 0;
	err_set(e, ERR_USAGE, "--%s takes a whole number from %lld to %lld", name, (long long)min, (long long)max);
	return -1;
}

static int
take_start(struct options *o, struct err *e)
{
	struct clock_iso iso;
	double seconds;

	o->start_given = true;
	if (text_real(text_of(optarg), &seconds) == 0 && seconds >= 0 && seconds < 1e11)
		o->start_ms = (int64_t)(seconds * 1000 + 0.5);
	else if (clock_parse_iso(text_of(optarg), &iso) == 0)
		o->start_ms = clock_iso_ms(&iso);
	else
		o->start_ms = -1;
	if (o->start_ms >= 0)
		return 0;
	err_set(e, ERR_USAGE, "--start takes a time like 2026-11-23T09:30:00Z or epoch seconds");
	return -1;
}

static int
take_form(struct options *o, struct err *e)
{
	static const char *const names[] = { "documented", "wire", "mixed" };

	for (int i = 0; i < 3; i++) {
		if (text_eq(text_of(optarg), text_of(names[i]))) {
			o->form = (enum producer_form)i;
			return 0;
		}
	}
	err_set(e, ERR_USAGE, "--form takes documented, wire or mixed");
	return -1;
}

static int
take_rate(struct options *o, struct err *e)
{
	o->rate_given = true;
	if (text_real(text_of(optarg), &o->rate) == 0 && (o->rate == 0 || (o->rate >= 0.001 && o->rate <= 100000)))
		return 0;
	err_set(e, ERR_USAGE, "--rate takes 0, or a number from 0.001 to 100000");
	return -1;
}

static int
take(struct options *o, int option, struct err *e)
{
	int64_t seed;

	switch (option) {
	case O_REDIS:
		o->redis = optarg;
		o->redis_given = true;
		return 0;
	case O_FORM:
		return take_form(o, e);
	case O_SYMBOLS:
		return take_int("symbols", 1, MARKET_SYMBOLS_MAX, &o->symbols, e);
	case O_RATE:
		return take_rate(o, e);
	case O_COUNT:
		return take_int("count", 0, 1000000000000, &o->count, e);
	case O_SEED:
		if (take_int("seed", 0, INT64_MAX, &seed, e) != 0)
			return -1;
		o->seed = (uint64_t)seed;
		return 0;
	case O_START:
		return take_start(o, e);
	case O_REPLAY:
		o->replay = optarg;
		return 0;
	case O_RECORD:
		o->record = optarg;
		return 0;
	case O_QUIET:
		o->quiet = true;
		return 0;
	case O_HELP:
		o->help = true;
		return 0;
	case O_VERSION:
		o->version = true;
		return 0;
	default: /* getopt has said what is wrong */
		err_set(e, ERR_USAGE, "see tickgate-sim --help");
		return -1;
	}
}

int
options_parse(struct options *o, int argc, char **argv, struct err *e)
{
	const char *env = getenv("REDIS_URL");
	int option;

	*o = (struct options){ .symbols = 50, .rate = 20, .seed = 1 };
	o->redis = env != NULL && *env != '\0' ? env : "redis://localhost:6379/0";
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (take(o, option, e) != 0)
			return -1;
	}
	if (optind < argc) {
		err_set(e, ERR_USAGE, "unexpected argument \"%.60s\"", argv[optind]);
		return -1;
	}
	return 0;
}

/* options - the simulator's command line.  From sim.c. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sim/producer.h"

struct options {
	const char *redis, *replay, *record; /* borrowed from argv and environment; NULL: not given */
	bool redis_given, rate_given, start_given, quiet, help, version;
	enum producer_form form;
	int64_t symbols, count, start_ms; /* count 0: for ever */
	double rate; /* messages a second, 0: flat out */
	uint64_t seed;
};

int options_parse(struct options *o, int argc, char **argv, struct err *e);
extern const char options_usage[];

#endif

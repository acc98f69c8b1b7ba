/*
 * message - a fact in the words of the documented form, or of one of the forms seen on the wire.
 *
 * Each form is one row of a table. Facts come from producer.c; what leaves is JSON, one message (in some
 * wire forms with a bare NaN, as Python writes it). Pure.
 */
#ifndef SIM_MESSAGE_H
#define SIM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "sim/candles.h"

enum fact_type { FACT_PATTERN, FACT_INDICATOR, FACT_ALERT, FACT_HEALTH, FACT_SESSION, FACT_ERROR, FACT__MAX };

struct fact {
	enum fact_type type;
	int64_t time_ms;
	const char *symbol; /* borrowed; NULL for health, session and error */
	const char *name; /* indicator, alert, health's status; NULL for patterns (see `candle`) */
	const struct candle *candle;
	int confidence; /* tenths of a percent */
	struct bar bar;
	int period;
	size_t n_values; /* indicators: 1 or 3, in ten-thousandths, with their names; alerts: value and threshold */
	int64_t values[3];
	const char *value_names[3];
	int64_t uptime_s, symbols, patterns, indicators; /* health */
	bool stopped; /* sessions */
	const char *severity; /* errors and alerts */
	char text[96]; /* the message of errors and alerts, the session's id */
};

/* Forms of a type: 0 is the documented one, 1 .. message_forms(type) - 1 are those of the wire. */
size_t message_forms(enum fact_type type);
bool message_is_batch(enum fact_type type, size_t form); /* takes several facts; all others take one */

/* Appends the message; all facts have the one type. */
void message_render(struct buf *out, const struct fact *facts, size_t n, size_t form);
const char *message_channel(const struct fact *f, size_t form);

#endif

/*
 * producer - what the market's bars give to say: patterns, indicators, alerts, errors, health, the session.
 *
 * Asked for one message after the other, in any number; knows no clock but the times it is handed. Called by sim.c.
 */
#ifndef SIM_PRODUCER_H
#define SIM_PRODUCER_H

#include "sim/market.h"
#include "sim/message.h"

enum producer_form { PRODUCER_DOCUMENTED, PRODUCER_WIRE, PRODUCER_MIXED };

#define PRODUCER_FACTS (CANDLE__MAX + 5 + 3)

struct producer {
	struct market market;
	enum producer_form form;
	uint64_t seed;
	struct fact facts[PRODUCER_FACTS]; /* of one bar; [next, n) are still to be said */
	size_t next, n;
	struct fact copied[CANDLE__MAX];
	size_t n_copied, copied_form;
	size_t turn[FACT__MAX]; /* forms take turns */
	bool odd; /* mixed: which one it is */
	bool started, troubled; /* troubled: ticks were lost since the last health report */
	int64_t next_health_us, bars, patterns, indicators;
	struct buf text;
};

struct message {
	const char *channel;
	struct text payload; /* borrowed until the next message is made */
};

int producer_init(struct producer *p, size_t n_symbols, uint64_t seed, enum producer_form form, struct err *e);
void producer_fini(struct producer *p);

/* The next message: the session's start first. `elapsed_us` says when health is due; -1 only when memory is out. */
int producer_next(struct producer *p, int64_t now_ms, int64_t elapsed_us, struct message *out, struct err *e);
int producer_end(struct producer *p, int64_t now_ms, struct message *out, struct err *e); /* session_stopped */

#endif

/*
 * publish - the producer of benchmarks: marked events round the symbols at an even rate or flat out, or a recording of tickgate-sim.
 *
 * A recording is encoded for Redis beforehand and sent in blocks, so that publishing takes as little as possible from the
 * machine that subscribers are measured on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "base/clock.h"
#include "load.h"
#include "mark.h"
#include "sim/record.h"
#include "sink.h"

#define BLOCK_MESSAGES 64
#define TURN_US 2000
#define PIPELINED_RATE 2000 /* above it a producer sends what is due in one go, … */
#define TICK_US 2000 /* … so often */

struct publish {
	const struct load_options *o;
	struct sink *sink;
	int64_t sent, allowed;
	int64_t start_us, bytes;
	bool ended;
	int64_t *marks; /* the newest of each symbol */
	struct buf payload;
	/* A recording, encoded: */
	struct buf corpus;
	struct block {
		size_t at, n;
		int messages;
	} * blocks;
	size_t n_blocks, next_block;
	struct err *e;
};

/* ---- what is published ---- */

static const char *const channels[] = { "tickstock:indicators:streaming", "tickstock:patterns:streaming",
	"tickstock:alerts:indicators" };

/* Of twenty mixed events 15 are indicators, 4 patterns, 1 an alert; one more each round, so that every symbol gets all. */
static int
kind_of(const struct publish *p, int64_t i)
{
	int64_t at = (i + i / p->o->symbols) % 20;

	return !p->o->mixed || at < 15 ? 0 : at < 19 ? 1 : 2;
}

/* As a producer says it. */
static void
add_message(struct publish *p, int kind, int64_t symbol)
{
	int64_t us = clock_real_us();
	struct buf *b = &p->payload;
	char s[16];

	snprintf(s, sizeof(s), "S%04lld", (long long)symbol);
	if (kind == 0)
		buf_printf(b,
		    "{\"indicator_name\":\"RSI\",\"symbol\":\"%s\",\"timeframe\":\"1min\",\"value\":68.5,\"calculated_"
		    "at\":%lld.%03lld,"
		    "\"metadata\":{\"period\":14,\"source\":\"close\"},",
		    s, (long long)(us / 1000000), (long long)(us / 1000 % 1000));
	else if (kind == 1)
		buf_printf(b,
		    "{\"pattern_name\":\"doji\",\"symbol\":\"%s\",\"timeframe\":\"1min\",\"confidence\":85.5,"
		    "\"detected_at\":%lld.%03lld,"
		    "\"bar_count\":5,\"metadata\":{\"open\":150.0,\"high\":151.0,\"low\":149.5,\"close\":150.2},",
		    s, (long long)(us / 1000000), (long long)(us / 1000 % 1000));
	else
		buf_printf(b,
		    "{\"alert_type\":\"RSI_OVERBOUGHT\",\"symbol\":\"%s\",\"severity\":\"medium\",\"timestamp\":%lld.%"
		    "03lld,"
		    "\"data\":{\"value\":75,\"threshold\":70},",
		    s, (long long)(us / 1000000), (long long)(us / 1000 % 1000));
}

/* As tickgate hands it on: what a server that only passes bytes on is given, so that clients receive the same. */
static void
add_event(struct publish *p, int64_t symbol)
{
	int64_t us = clock_real_us();
	char s[16], time[CLOCK_RFC3339_SIZE];

	snprintf(s, sizeof(s), "S%04lld", (long long)symbol);
	clock_rfc3339(us / 1000, time);
	buf_printf(&p->payload,
	    "{\"id\":\"q7k2m9xa-%lld\",\"kind\":\"indicator\",\"symbol\":\"%s\",\"indicator_name\":\"RSI\","
	    "\"timeframe\":\"1min\","
	    "\"value\":68.5,\"values\":null,\"calculated_at\":%lld.%03lld,\"time\":\"%s\",\"time_source\":\"event\","
	    "\"received_at\":%lld.%06lld,\"channel\":\"%s\",\"duplicate_of\":null,"
	    "\"metadata\":{\"period\":14,\"source\":\"close\"},",
	    (long long)(p->sent + 1), s, (long long)(us / 1000000), (long long)(us / 1000 % 1000), time,
	    (long long)(us / 1000000), (long long)(us % 1000000), channels[0]);
}

static int
put_marked(struct publish *p)
{
	int64_t i = p->sent++, symbol = i % p->o->symbols;
	int kind = kind_of(p, i);

	buf_clear(&p->payload);
	if (p->o->redis != NULL)
		add_message(p, kind, p->o->first_symbol + symbol);
	else
		add_event(p, p->o->first_symbol + symbol);
	mark_put(&p->payload, p->o->first_mark + p->marks[symbol]++, clock_mono_us());
	buf_add_char(&p->payload, '}');
	if (p->payload.failed) {
		err_set(p->e, ERR_MEMORY, "out of memory");
		return -1;
	}
	p->bytes += (int64_t)p->payload.len;
	return sink_put(p->sink, channels[kind], p->o->first_symbol + symbol, buf_text(&p->payload), p->e);
}

/* ---- a recording ---- */

static int
encode(struct publish *p, struct record *r)
{
	const char *argv[] = { "PUBLISH", buf_cstr(&r->channel), r->message.p };
	const size_t lens[] = { 7, strlen(argv[1]), r->message.len };
	char *command = NULL;
	int n = redisFormatCommandArgv(&command, 3, argv, lens);
	struct block *b;

	if (n <= 0) {
		err_set(p->e, ERR_MEMORY, "out of memory");
		return -1;
	}
	if (p->n_blocks == 0 || p->blocks[p->n_blocks - 1].messages == BLOCK_MESSAGES) {
		b = realloc(p->blocks, (p->n_blocks + 1) * sizeof(*b));
		if (b == NULL) {
			redisFreeCommand(command);
			err_set(p->e, ERR_MEMORY, "out of memory");
			return -1;
		}
		p->blocks = b;
		p->blocks[p->n_blocks++] = (struct block){ .at = p->corpus.len };
	}
	b = &p->blocks[p->n_blocks - 1];
	buf_add(&p->corpus, command, (size_t)n);
	b->n += (size_t)n;
	b->messages++;
	redisFreeCommand(command);
	return 0;
}

static int
load_recording(struct publish *p)
{
	struct record r = { .f = NULL };
	int rc;

	if (record_open(&r, p->o->replay, p->e) != 0)
		return -1;
	while ((rc = record_read(&r, p->e)) == 1 && (rc = encode(p, &r)) == 0)
		;
	record_close(&r);
	if (rc == 0 && p->n_blocks == 0) {
		err_set(p->e, ERR_INPUT, "nothing is recorded in %s", p->o->replay);
		rc = -1;
	}
	return rc;
}

static int
put_block(struct publish *p)
{
	const struct block *b = &p->blocks[p->next_block++ % p->n_blocks];

	p->sent += b->messages;
	p->bytes += (int64_t)b->n;
	return sink_put_raw(p->sink, (struct text){ p->corpus.p + b->at, b->n }, b->messages, p->e);
}

/* ---- pace ---- */

/*
 * Whoever has thousands of messages a second does not send each by itself: that would be a system call, a wake-up of Redis and one of each
 * subscriber a message. Below, each goes at its own time, and latency is that of a single message. What a message says of its
 * time is when it was put, so a tick shows in no latency.
 */
static bool
is_pipelined(const struct publish *p)
{
	return p->o->rate > PIPELINED_RATE && !p->o->allowances;
}

static int64_t
elapsed_us(const struct publish *p)
{
	int64_t us = clock_mono_us() - p->start_us;

	return is_pipelined(p) ? us - us % TICK_US : us;
}

/* How many messages may have been sent by now. */
static int64_t
due(const struct publish *p)
{
	int64_t n = p->o->count;

	if (p->o->rate > 0) {
		double by_now = (double)elapsed_us(p) / 1e6 * p->o->rate + 1;

		if (by_now < (double)n)
			n = (int64_t)by_now;
	}
	if (p->o->allowances && p->allowed < n)
		n = p->allowed;
	return n;
}

/* Until the next message is due: half a millisecond of sleep at least costs less than waking for nothing. */
static int64_t
next_due_us(const struct publish *p)
{
	int64_t us;

	if (p->o->rate <= 0 || p->o->allowances)
		return TURN_US;
	if (is_pipelined(p))
		return TICK_US - (clock_mono_us() - p->start_us) % TICK_US;
	us = p->start_us + (int64_t)((double)p->sent / p->o->rate * 1e6) - clock_mono_us();
	return us < 0 ? 0 : us > TURN_US ? TURN_US : us;
}

/* Lines of stdin hold the number of messages allowed in all; its end ends us. */
static void
read_allowances(struct publish *p)
{
	static char line[4096];
	static size_t n;
	ssize_t got;
	char *nl;

	while (load_stdin_ended() && !p->ended) {
		got = read(STDIN_FILENO, line + n, sizeof(line) - 1 - n);
		if (got <= 0) {
			p->ended = true;
			return;
		}
		n += (size_t)got;
		line[n] = '\0';
		while ((nl = strchr(line, '\n')) != NULL) {
			p->allowed = strtoll(line, NULL, 10);
			n -= (size_t)(nl + 1 - line);
			memmove(line, nl + 1, n + 1);
		}
		if (n == sizeof(line) - 1)
			n = 0;
	}
}

static int
run(struct publish *p)
{
	int64_t look_us = 0;

	p->start_us = clock_mono_us();
	while (!p->ended && (p->sent < p->o->count || sink_in_flight(p->sink) > 0)) {
		int64_t until = due(p), from = p->sent;

		while (p->sent < until && sink_in_flight(p->sink) < p->o->window && p->sent - from < 256)
			if ((p->n_blocks > 0 ? put_block(p) : put_marked(p)) != 0)
				return -1;
		if (sink_turn(p->sink, p->sent < until && sink_in_flight(p->sink) < p->o->window ? 0 : next_due_us(p),
			p->e) != 0)
			return -1;
		if (clock_mono_us() - look_us < 1000)
			continue;
		look_us = clock_mono_us();
		if (p->o->allowances)
			read_allowances(p);
		else
			p->ended = load_stdin_ended();
	}
	return 0;
}

static void
print(const struct publish *p)
{
	int64_t end_us = clock_mono_us();

	printf("{\"published\":%lld,\"unconfirmed\":%lld,\"receivers\":%lld,\"bytes\":%lld,\"start_us\":%lld,\"end_"
	       "us\":%lld,"
	       "\"rate\":%.1f,\"cpu_s\":%.3f}\n",
	    (long long)p->sent, (long long)sink_in_flight(p->sink), (long long)sink_receivers(p->sink),
	    (long long)p->bytes, (long long)p->start_us, (long long)end_us,
	    (double)p->sent * 1e6 / (double)(end_us - p->start_us), load_cpu_seconds());
}

int
publish_command(const struct load_options *o, struct err *e)
{
	struct publish p = { .o = o, .e = e };
	int rc = -1;

	if (o->count <= 0) {
		err_set(e, ERR_USAGE, "publish needs --count");
		return -1;
	}
	p.marks = calloc((size_t)o->symbols, sizeof(*p.marks));
	if (p.marks == NULL) {
		err_set(e, ERR_MEMORY, "out of memory");
		goto out;
	}
	if ((o->replay != NULL && load_recording(&p) != 0) || (p.sink = sink_open(o, e)) == NULL)
		goto out;
	load_ready();
	rc = run(&p);
	if (rc == 0)
		print(&p);
out:
	sink_close(p.sink);
	free(p.marks);
	free(p.blocks);
	buf_fini(&p.corpus);
	buf_fini(&p.payload);
	return rc;
}

/*
 * metrics - /metrics: the whole service in Prometheus' text format, whichever worker answers.
 *
 * Three sources, none of which is the database: the counters that the workers share and that survive them, the subscriber's state file, and
 * the clock. Names and help are one table, which docs/metrics.md is checked against. There are no labels per symbol: there may be any number of symbols.
 * What has never happened is told as 0, so that its first time is a change that an alert can see.
 */
#include "config.h"

#include "api/handlers.h"
#include "api/metrics.h"

#define MILLION 1000000.0

/* What the values are taken from. */
struct sources {
	const struct state *s; /* NULL: no subscriber has been here */
	bool alive; /* and it is here now */
	const struct counters_total *total; /* NULL in a plain CGI program */
	int64_t started_us; /* the gateway */
};

struct out {
	struct buf *b;
	const char *name;
};

/* ---- samples ---- */

static void
add_name(struct out *o, const char *suffix)
{
	buf_printf(o->b, "tickgate_%s%s", o->name, suffix);
}

static void
add_real(struct out *o, double v)
{
	add_name(o, "");
	buf_add_char(o->b, ' ');
	buf_add_real(o->b, v);
	buf_add_char(o->b, '\n');
}

static void
add_int(struct out *o, int64_t v)
{
	add_name(o, "");
	buf_printf(o->b, " %lld\n", (long long)v);
}

/* A label's value: backslash, quote and line feed are escaped (the text format's rule), other control characters do not occur. */
static void
add_label(struct out *o, const char *label, const char *value)
{
	buf_printf(o->b, "%s=\"", label);
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			buf_add_char(o->b, '\\');
		if (*value == '\n')
			buf_add_str(o->b, "\\n");
		else
			buf_add_char(o->b, *value);
	}
	buf_add_char(o->b, '"');
}

static void
add_labelled(struct out *o, const char *label, const char *value, int64_t n)
{
	add_name(o, "{");
	add_label(o, label, value);
	buf_printf(o->b, "} %lld\n", (long long)n);
}

static void
add_labelled2(struct out *o, const char *label, const char *value, const char *label2, const char *value2, int64_t n)
{
	add_name(o, "{");
	add_label(o, label, value);
	buf_add_char(o->b, ',');
	add_label(o, label2, value2);
	buf_printf(o->b, "} %lld\n", (long long)n);
}

/* Prometheus counts from below: each bucket holds all before it. */
static void
add_histogram(struct out *o, const struct histogram_sum *h)
{
	int64_t n = 0;

	for (size_t i = 0; i <= HISTOGRAM_EDGES; i++) {
		n += h->counts[i];
		add_name(o, "_bucket{le=\"");
		buf_printf(o->b, "%s\"} %lld\n", i < HISTOGRAM_EDGES ? histogram_edges[i].le : "+Inf", (long long)n);
	}
	add_name(o, "_sum ");
	buf_add_real(o->b, (double)h->sum_us / MILLION);
	buf_add_char(o->b, '\n');
	add_name(o, "_count");
	buf_printf(o->b, " %lld\n", (long long)n);
}

/* ---- the values, one function a metric: nothing is added where there is nothing to tell ---- */

static void
build_info(struct out *o, const struct sources *v)
{
	(void)v;
	add_labelled(o, "version", PACKAGE_VERSION, 1);
}

static void
workers(struct out *o, const struct sources *v)
{
	if (v->total != NULL)
		add_int(o, v->total->workers);
}

static void
worker_restarts(struct out *o, const struct sources *v)
{
	if (v->total != NULL)
		add_int(o, v->total->restarts);
}

static void
gateway_start(struct out *o, const struct sources *v)
{
	if (v->total != NULL)
		add_real(o, (double)v->started_us / MILLION);
}

static void
http_requests(struct out *o, const struct sources *v)
{
	static const char *const classes[] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };

	for (size_t i = 0; v->total != NULL && i < sizeof(classes) / sizeof(classes[0]); i++)
		if (i != 1)
			add_labelled(o, "status", classes[i], v->total->by_class[i]);
}

static void
http_problems(struct out *o, const struct sources *v)
{
	for (int p = 0; v->total != NULL && p < PROBLEM__MAX; p++)
		add_labelled(o, "code", problems[p].code, v->total->problems[p]);
}

static void
http_duration(struct out *o, const struct sources *v)
{
	if (v->total != NULL)
		add_histogram(o, &v->total->latencies[LATENCY_REQUEST]);
}

static void
lists(struct out *o, const struct sources *v)
{
	if (v->total == NULL)
		return;
	add_labelled(o, "by", "tag", v->total->counts[COUNT_UNCHANGED]);
	add_labelled(o, "by", "cache", v->total->counts[COUNT_CACHED]);
	add_labelled(o, "by", "log", v->total->counts[COUNT_READ]);
}

static void
parked(struct out *o, const struct sources *v)
{
	static const char *const kinds_of[GAUGE__MAX] = { [GAUGE_STREAMS] = "stream", [GAUGE_WAITERS] = "poll" };

	for (int g = 0; v->total != NULL && g < GAUGE__MAX; g++)
		add_labelled(o, "kind", kinds_of[g], v->total->gauges[g]);
}

static void
delivery(struct out *o, const struct sources *v)
{
	if (v->total != NULL)
		add_histogram(o, &v->total->latencies[LATENCY_DELIVERY]);
}

static void
publish_duration(struct out *o, const struct sources *v)
{
	if (v->total != NULL)
		add_histogram(o, &v->total->latencies[LATENCY_PUBLISH]);
}

static void
published(struct out *o, const struct sources *v)
{
	if (v->total == NULL)
		return;
	add_labelled(o, "kind", "tick", v->total->counts[COUNT_TICKS]);
	add_labelled(o, "kind", "error", v->total->counts[COUNT_ERRORS]);
}

static void
subscriber_up(struct out *o, const struct sources *v)
{
	add_int(o, v->alive);
}

static void
subscriber_start(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_real(o, (double)v->s->started_us / MILLION);
}

static void
redis_connected(struct out *o, const struct sources *v)
{
	add_int(o, v->alive && v->s->redis.connected);
}

static void
redis_reconnects(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_int(o, v->s->redis.reconnects);
}

static void
redis_ping(struct out *o, const struct sources *v)
{
	if (v->s != NULL && v->s->redis.ping_ms >= 0)
		add_real(o, v->s->redis.ping_ms / 1000);
}

static void
queue_bytes(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_int(o, v->s->queue.bytes);
}

static void
queue_limit(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_int(o, v->s->queue.limit);
}

static void
queue_dropped(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_int(o, v->s->queue.dropped);
}

static void
log_head(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_int(o, v->s->head);
}

static void
log_events(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_int(o, v->s->store.events);
}

static void
log_bytes(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_int(o, v->s->store.bytes);
}

static void
store_failing(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_int(o, v->s->store.error[0] != '\0');
}

static void
event_age(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_histogram(o, &v->s->times.event_age);
}

static void
commit_latency(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_histogram(o, &v->s->times.commit_latency);
}

static void
commit_duration(struct out *o, const struct sources *v)
{
	if (v->s != NULL)
		add_histogram(o, &v->s->times.commit);
}

/* ---- by channel, as configured ---- */

#define EACH_CHANNEL(v, c) \
	for (const struct state_channel *c = v->s == NULL ? NULL : v->s->channels; \
	     c != NULL && c < v->s->channels + v->s->n_channels; c++)

static void
subscribed(struct out *o, const struct sources *v)
{
	EACH_CHANNEL(v, c)
	add_labelled(o, "channel", c->channel, v->alive && c->subscribed);
}

static void
messages(struct out *o, const struct sources *v)
{
	EACH_CHANNEL(v, c)
	add_labelled(o, "channel", c->channel, c->messages);
}

static void
received(struct out *o, const struct sources *v)
{
	EACH_CHANNEL(v, c)
	add_labelled(o, "channel", c->channel, c->received);
}

static void
accepted(struct out *o, const struct sources *v)
{
	EACH_CHANNEL(v, c)
	add_labelled(o, "channel", c->channel, c->accepted);
}

static void
duplicates(struct out *o, const struct sources *v)
{
	EACH_CHANNEL(v, c)
	add_labelled(o, "channel", c->channel, c->duplicates);
}

static void
rejected(struct out *o, const struct sources *v)
{
	EACH_CHANNEL(v, c)
	for (int r = 0; r < REJECT__MAX; r++)
		add_labelled2(o, "channel", c->channel, "reason", reject_names[r], c->rejected[r]);
}

static void
notes(struct out *o, const struct sources *v)
{
	EACH_CHANNEL(v, c)
	for (int n = 0; n < NOTE__MAX; n++)
		add_labelled2(o, "channel", c->channel, "note", note_names[n], c->notes[n]);
}

static void
last_message(struct out *o, const struct sources *v)
{
	EACH_CHANNEL(v, c)
	{
		add_name(o, "{");
		add_label(o, "channel", c->channel);
		buf_add_str(o->b, "} ");
		buf_add_real(o->b, (double)c->last_message_us / MILLION);
		buf_add_char(o->b, '\n');
	}
}

/* clang-format off */
static const struct {
	const char *name; /* without tickgate_ */
	enum { GAUGE, COUNTER, HISTOGRAM } type;
	void (*add)(struct out *o, const struct sources *v);
	const char *help;
} metrics[] = {
	{ "build_info",                      GAUGE,     build_info,       "The version, as a label." },

	{ "gateway_start_time_seconds",      GAUGE,     gateway_start,    "When tickgate.fcgi was started." },
	{ "gateway_workers",                 GAUGE,     workers,          "Workers that run now." },
	{ "gateway_worker_restarts_total",   COUNTER,   worker_restarts,  "Workers that were started in place of others." },
	{ "http_requests_total",             COUNTER,   http_requests,    "Requests answered, by the class of the status; none: nobody was there to take the answer." },
	{ "http_problems_total",             COUNTER,   http_problems,    "Answers that were a problem, by its code." },
	{ "http_request_duration_seconds",   HISTOGRAM, http_duration,    "From taking a request up to having given its answer away; of streams and long-polls the part before they wait." },
	{ "lists_total",                     COUNTER,   lists,            "Lists answered, by what: their tag (304), a cache, or the log." },
	{ "waiting_clients",                 GAUGE,     parked,           "Streams that are open, and long-polls that wait." },
	{ "delivery_latency_seconds",        HISTOGRAM, delivery,         "From a commit to the first byte of what it brought to a stream: the first of those that want the same, without batches and those that are behind." },

	{ "published_messages_total",        COUNTER,   published,        "Messages that POST has published." },
	{ "publish_duration_seconds",        HISTOGRAM, publish_duration, "How long a transaction with Redis took, for a whole POST." },

	{ "subscriber_up",                   GAUGE,     subscriber_up,    "Whether the subscriber has been heard of in the last 5 seconds." },
	{ "subscriber_start_time_seconds",   GAUGE,     subscriber_start, "When the subscriber was started: its counters begin at 0 there." },
	{ "redis_connected",                 GAUGE,     redis_connected,  "Whether the subscriber is connected to Redis." },
	{ "redis_reconnects_total",          COUNTER,   redis_reconnects, "Connections to Redis that were made again." },
	{ "redis_ping_seconds",              GAUGE,     redis_ping,       "How long the last PING took." },
	{ "channel_subscribed",              GAUGE,     subscribed,       "Whether Redis has acknowledged the channel." },
	{ "channel_messages_total",          COUNTER,   messages,         "Messages that came over the channel." },
	{ "channel_received_total",          COUNTER,   received,         "Elements in them: a batch has several. Always accepted + duplicates + rejected." },
	{ "channel_accepted_total",          COUNTER,   accepted,         "Elements that became an event." },
	{ "channel_duplicates_total",        COUNTER,   duplicates,       "Elements that another channel had brought before." },
	{ "channel_rejected_total",          COUNTER,   rejected,         "Elements that were refused, by reason." },
	{ "channel_notes_total",             COUNTER,   notes,            "What was made good silently, by what it was." },
	{ "channel_last_message_time_seconds", GAUGE,   last_message,     "When the last message came; 0: none yet." },
	{ "queue_bytes",                     GAUGE,     queue_bytes,      "Bytes that wait between Redis and the database." },
	{ "queue_limit_bytes",               GAUGE,     queue_limit,      "How many may." },
	{ "queue_dropped_total",             COUNTER,   queue_dropped,    "Messages that found no room there, and are lost." },
	{ "log_head",                        GAUGE,     log_head,         "The newest event's number." },
	{ "log_events",                      GAUGE,     log_events,       "Events kept." },
	{ "log_bytes",                       GAUGE,     log_bytes,        "Their JSON text." },
	{ "store_failing",                   GAUGE,     store_failing,    "Whether the last commit failed." },
	{ "event_age_seconds",               HISTOGRAM, event_age,        "How old events were when they came, by their own time; without those that have none, and those older than an hour." },
	{ "commit_latency_seconds",          HISTOGRAM, commit_latency,   "From a message's receipt until it was committed." },
	{ "commit_duration_seconds",         HISTOGRAM, commit_duration,  "How long commits took." },
};
/* clang-format on */

static const char *const types[] = { [GAUGE] = "gauge", [COUNTER] = "counter", [HISTOGRAM] = "histogram" };

void
metrics_get(void *app, struct exchange *x, struct reply *reply)
{
	struct api *a = app;
	struct counters_total total;
	struct sources v = { .s = api_state(a) };
	struct out o = { .b = &reply->body };

	v.alive = v.s != NULL && x->now_us - v.s->updated_us <= STATE_STALE_AFTER_US;
	if (a->shared.counters != NULL) {
		counters_sum(a->shared.counters, &total);
		v.total = &total;
		v.started_us = a->shared.counters->started_us;
	}
	reply->content_type = METRICS_TYPE;
	reply_header(reply, "Cache-Control", TEXT("no-store"));
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		o.name = metrics[i].name;
		buf_printf(o.b, "# HELP tickgate_%s %s\n# TYPE tickgate_%s %s\n", o.name, metrics[i].help, o.name,
		    types[metrics[i].type]);
		metrics[i].add(&o, &v);
	}
}

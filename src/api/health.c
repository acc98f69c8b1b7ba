/*
 * health - /v1/health, /livez, /readyz. Health is what the subscriber says of itself (its state file, readable whatever the
 * database does) and what the log says. 503 only when nothing can be served: everything less is `degraded`.
 */
#include "config.h"

#include "api/handlers.h"

/* What the log contributes; `there` is false when it cannot be read. */
struct log_part {
	bool there;
	struct snapshot snap;
	int64_t oldest_us;
	struct buf report; /* the newest health event's text; empty: none */
	int64_t report_us;
	struct buf gap; /* the newest gap's */
};

/* One is all that is wanted: a list that was not stopped would look behind it for whether there is more. */
static int
add_newest(void *arg, const struct event *ev, struct text body)
{
	json_add_row(arg, ev, body);
	return 1;
}

static int
read_newest(
    struct api *a, const struct snapshot *snap, enum kind kind, struct buf *out, int64_t *received_us, struct err *e)
{
	struct filter filter = FILTER_INIT;
	struct list_query list = { .filter = &filter, .order = LIST_NEWEST_FIRST, .bound = snap->head + 1, .limit = 1 };
	struct json_array row = { .out = out };

	filter.kinds = KIND_BIT(kind);
	if (read_list_through(a->reader, snap, &list, add_newest, &row, e) != 0)
		return -1;
	if (received_us != NULL)
		*received_us = row.last_us;
	return 0;
}

static void
read_log_part(struct api *a, struct log_part *log)
{
	struct err e;

	api_lengthy(a);
	if (read_begin(a->reader, &log->snap, &e) != 0)
		goto failed;
	if (read_oldest(a->reader, &log->oldest_us, &e) != 0 ||
	    read_newest(a, &log->snap, KIND_HEALTH, &log->report, &log->report_us, &e) != 0 ||
	    read_newest(a, &log->snap, KIND_GAP, &log->gap, NULL, &e) != 0) {
		read_end(a->reader);
		goto failed;
	}
	read_end(a->reader);
	log->there = true;
	return;
failed:
	api_unreadable(a, &e);
}

static const char *
overall(const struct log_part *log, const struct state *s, int64_t now_us)
{
	if (!log->there)
		return "down";
	return state_is_stale(s, now_us) || s->store.error[0] != '\0' ? "degraded" : "ok";
}

static void
add_redis(struct buf *out, const struct state *s, int64_t now_us)
{
	if (s == NULL) {
		buf_add_str(out,
		    "{\"connected\":false,\"since\":null,\"ping_ms\":null,\"last_message_age\":null,"
		    "\"reconnects\":null,\"error\":null}");
		return;
	}
	buf_add_str(out, "{\"connected\":");
	/* What a subscriber that is gone said last is not the present. */
	json_bool(out, s->redis.connected && now_us - s->updated_us <= STATE_STALE_AFTER_US);
	buf_add_str(out, ",\"since\":");
	json_time(out, s->redis.since_us);
	buf_add_str(out, ",\"ping_ms\":");
	if (s->redis.ping_ms < 0)
		buf_add_str(out, "null");
	else
		buf_add_real(out, s->redis.ping_ms);
	buf_add_str(out, ",\"last_message_age\":");
	json_age(out, s->redis.last_message_us, now_us);
	buf_add_str(out, ",\"reconnects\":");
	buf_add_int(out, s->redis.reconnects);
	buf_add_str(out, ",\"error\":");
	json_str(out, s->redis.error);
	buf_add_char(out, '}');
}

static void
add_subscriber(struct buf *out, const struct state *s, int64_t now_us)
{
	if (s == NULL) {
		buf_add_str(out,
		    "{\"alive\":false,\"age\":null,\"head\":null,\"queue_bytes\":null,\"queue_limit\":null,"
		    "\"commit_ms_p99\":null,\"store_error\":null}");
		return;
	}
	buf_add_str(out, "{\"alive\":");
	json_bool(out, now_us - s->updated_us <= STATE_STALE_AFTER_US);
	buf_add_str(out, ",\"age\":");
	json_age(out, s->updated_us, now_us);
	buf_add_str(out, ",\"head\":");
	json_id(out, s->epoch, s->head);
	buf_add_str(out, ",\"queue_bytes\":");
	buf_add_int(out, s->queue.bytes);
	buf_add_str(out, ",\"queue_limit\":");
	buf_add_int(out, s->queue.limit);
	buf_add_str(out, ",\"commit_ms_p99\":");
	buf_add_real(out, s->store.commit_ms_p99);
	buf_add_str(out, ",\"store_error\":");
	json_str(out, s->store.error);
	buf_add_char(out, '}');
}

static void
add_store(struct buf *out, const struct api *a, const struct log_part *log)
{
	int64_t events = 0, bytes = 0;

	if (!log->there) {
		buf_add_str(out, "null");
		return;
	}
	for (int kind = 0; kind < KIND__MAX; kind++) {
		events += log->snap.events[kind];
		bytes += log->snap.bytes[kind];
	}
	buf_add_str(out, "{\"events\":");
	buf_add_int(out, events);
	buf_add_str(out, ",\"bytes\":");
	buf_add_int(out, bytes);
	buf_add_str(out, ",\"oldest_received_at\":");
	json_time(out, log->oldest_us);
	buf_add_str(out, ",\"retention\":");
	json_retention(out, a->conf);
	buf_add_char(out, '}');
}

/* Something else sends while reports are missing: that is still a producer that lives. */
static const char *
producer_state(const struct api *a, const struct state *s, const struct log_part *log, int64_t now_us)
{
	int64_t patience_us = conf_int(a->conf, SETTING_HEALTH_SILENT_AFTER) * 1000;
	int64_t heard_us = s == NULL ? 0 : s->redis.last_message_us;

	if (log->report_us > heard_us)
		heard_us = log->report_us;
	if (heard_us == 0)
		return "unknown";
	if (now_us - heard_us <= patience_us)
		return "live";
	if (log->report_us != 0)
		return "silent";
	return s != NULL && s->redis.connected ? "idle" : "unknown";
}

static void
add_producer(struct buf *out, const struct api *a, const struct state *s, const struct log_part *log, int64_t now_us)
{
	int64_t heard_us = s == NULL ? 0 : s->redis.last_message_us;

	buf_printf(out, "{\"state\":\"%s\",\"age\":", producer_state(a, s, log, now_us));
	json_age(out, heard_us > log->report_us ? heard_us : log->report_us, now_us);
	buf_add_str(out, ",\"report\":");
	buf_add_text(out, log->report.len > 0 ? buf_text(&log->report) : TEXT("null"));
	buf_add_char(out, '}');
}

/* What all workers did since the service was started, also those that are gone. */
static void
add_gateway(struct buf *out, const struct counters *counters)
{
	struct counters_total total;

	counters_sum(counters, &total);
	buf_printf(out, ",\"gateway\":{\"workers\":%u,\"requests\":", total.workers);
	buf_add_int(out, total.requests);
	buf_add_str(out, ",\"errors\":");
	buf_add_int(out, total.by_class[5]);
	buf_add_str(out, ",\"worker_restarts\":");
	buf_add_int(out, total.restarts);
	buf_add_char(out, '}');
}

/* Over all workers. A plain CGI program knows of no other. */
static void
add_streams(struct buf *out, const struct api *a)
{
	struct counters_total total = { 0 };

	if (a->shared.counters != NULL)
		counters_sum(a->shared.counters, &total);
	buf_add_str(out, ",\"streams\":{\"clients\":");
	buf_add_int(out, total.gauges[GAUGE_STREAMS]);
	buf_add_str(out, ",\"waiters\":");
	buf_add_int(out, total.gauges[GAUGE_WAITERS]);
	buf_add_str(out, ",\"max_clients\":");
	buf_add_int(out, conf_int(a->conf, SETTING_LIVE_MAX_STREAMS));
	buf_add_str(out, ",\"max_waiters\":");
	buf_add_int(out, conf_int(a->conf, SETTING_LIVE_MAX_WAITERS));
	buf_add_char(out, '}');
}

void
health_get(void *app, struct exchange *x, struct reply *reply)
{
	struct api *a = app;
	struct buf *out = &reply->body;
	const struct state *s = api_state(a);
	struct log_part log = { .there = false };

	read_log_part(a, &log);
	api_json(reply, "no-cache");
	reply->status = log.there ? 200 : 503;
	buf_printf(
	    out, "{\"status\":\"%s\",\"version\":\"" PACKAGE_VERSION "\",\"redis\":", overall(&log, s, x->now_us));
	add_redis(out, s, x->now_us);
	buf_add_str(out, ",\"subscriber\":");
	add_subscriber(out, s, x->now_us);
	buf_add_str(out, ",\"store\":");
	add_store(out, a, &log);
	buf_add_str(out, ",\"producer\":");
	add_producer(out, a, s, &log, x->now_us);
	add_streams(out, a);
	buf_add_str(out, ",\"gaps\":{\"count\":");
	buf_add_int(out, log.there ? log.snap.events[KIND_GAP] : 0);
	buf_add_str(out, ",\"last\":");
	buf_add_text(out, log.gap.len > 0 ? buf_text(&log.gap) : TEXT("null"));
	buf_add_char(out, '}');
	if (a->shared.counters != NULL)
		add_gateway(out, a->shared.counters);
	buf_add_char(out, '}');
	buf_fini(&log.report);
	buf_fini(&log.gap);
}

void
livez_get(void *app, struct exchange *x, struct reply *reply)
{
	(void)app;
	(void)x;
	api_json(reply, "no-store");
	buf_add_str(&reply->body, "{\"status\":\"ok\"}");
}

void
readyz_get(void *app, struct exchange *x, struct reply *reply)
{
	struct api *a = app;
	const struct state *s = api_state(a);
	bool redis = s != NULL && s->redis.connected && x->now_us - s->updated_us <= STATE_STALE_AFTER_US;
	struct snapshot snap;

	if (api_begin(a, &snap, reply) != 0)
		return;
	read_end(a->reader);
	if (!redis && conf_int(a->conf, SETTING_HEALTH_READY_REQUIRES_REDIS) != 0) {
		reply_problem(reply, PROBLEM_REDIS_UNAVAILABLE,
		    "the subscriber is not connected to Redis, and health.ready_requires_redis is set", NULL);
		return;
	}
	api_json(reply, "no-store");
	buf_add_str(&reply->body, "{\"status\":\"ready\"");
	if (x->params.v[Q_VERBOSE].n != 0)
		buf_printf(&reply->body, ",\"checks\":{\"log\":\"ok\",\"redis\":\"%s\",\"stale\":%s}",
		    redis ? "connected" : "disconnected", state_is_stale(s, x->now_us) ? "true" : "false");
	buf_add_char(&reply->body, '}');
}

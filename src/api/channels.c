/*
 * channels - /v1/channels, the counters of the subscriber, and /v1/rejects, what it refused. The sum is always
 * received = accepted + duplicates + rejected.
 */
#include "api/handlers.h"
#include "event/kinds.h"

/* {"name":n,…} of what is not 0. */
static void
add_counts(struct buf *out, const char *key, const char *const *names, const int64_t *counts, size_t n)
{
	bool first = true;

	buf_printf(out, ",\"%s\":{", key);
	for (size_t i = 0; i < n; i++) {
		if (counts[i] == 0)
			continue;
		buf_printf(out, "%s\"%s\":", first ? "" : ",", names[i]);
		buf_add_int(out, counts[i]);
		first = false;
	}
	buf_add_char(out, '}');
}

static void
add_number(struct buf *out, const char *key, int64_t n)
{
	buf_printf(out, ",\"%s\":", key);
	buf_add_int(out, n);
}

static void
add_channel(struct buf *out, const struct state_channel *c, int64_t now_us)
{
	buf_add_str(out, "{\"channel\":");
	buf_add_json(out, text_of(c->channel));
	buf_printf(out, ",\"kind\":\"%s\",\"subscribed\":", kinds[c->kind].name);
	json_bool(out, c->subscribed);
	add_number(out, "messages", c->messages);
	add_number(out, "received", c->received);
	add_number(out, "accepted", c->accepted);
	add_number(out, "duplicates", c->duplicates);
	add_counts(out, "rejected", reject_names, c->rejected, REJECT__MAX);
	buf_add_str(out, ",\"last_message_age\":");
	json_age(out, c->last_message_us, now_us);
	buf_add_str(out, ",\"rate_1m\":");
	buf_add_real(out, c->rate_1m);
	buf_add_str(out, ",\"error\":");
	json_str(out, c->error);
	add_counts(out, "notes", note_names, c->notes, NOTE__MAX);
	buf_add_char(out, '}');
}

void
channels_get(void *app, struct exchange *x, struct reply *reply)
{
	struct buf *out = &reply->body;
	const struct state *s = api_state(app);

	api_json(reply, "no-cache");
	buf_add_str(out, "{\"data\":[");
	for (size_t i = 0; s != NULL && i < s->n_channels; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		add_channel(out, &s->channels[i], x->now_us);
	}
	buf_add_str(out, "],\"since\":");
	json_time(out, s == NULL ? 0 : s->started_us);
	buf_add_str(out, ",\"dropped\":");
	if (s == NULL)
		buf_add_str(out, "null");
	else
		buf_add_int(out, s->queue.dropped);
	buf_add_str(out, ",\"stale\":");
	json_bool(out, state_is_stale(s, x->now_us));
	buf_add_char(out, '}');
}

static int
add_reject(void *arg, const struct reject_row *row)
{
	struct json_array *array = arg;
	struct buf *out = array->out;

	if (array->n++ > 0)
		buf_add_char(out, ',');
	buf_add_str(out, "{\"received_at\":");
	json_seconds(out, row->received_us);
	buf_add_str(out, ",\"channel\":");
	buf_add_json(out, row->channel);
	buf_printf(out, ",\"reason\":\"%s\",\"detail\":",
	    row->reason >= 0 && row->reason < REJECT__MAX ? reject_names[row->reason] : "unknown");
	if (row->detail.n == 0)
		buf_add_str(out, "null");
	else
		buf_add_json(out, row->detail);
	buf_add_str(out, ",\"bytes\":");
	buf_add_int(out, row->bytes);
	buf_add_str(out, ",\"sample\":");
	buf_add_json(out, row->sample);
	buf_add_char(out, '}');
	return out->failed;
}

void
rejects_get(void *app, struct exchange *x, struct reply *reply)
{
	struct api *a = app;
	const struct param_value *limit = &x->params.v[Q_LIMIT];
	struct json_array rows = { .out = &reply->body };
	struct snapshot snap;
	struct err e;

	if (api_begin(a, &snap, reply) != 0)
		return;
	/* Samples are what strangers sent: for the administrator's eyes, and in nobody's cache. */
	api_json(reply, "no-store");
	buf_add_str(&reply->body, "{\"data\":[");
	if (read_rejects(a->reader, limit->given ? (int)limit->n : LIMIT_DEFAULT, add_reject, &rows, &e) != 0)
		api_read_failed(a, reply, &e);
	else
		buf_printf(&reply->body, "],\"count\":%lld}", (long long)rows.n);
	read_end(a->reader);
}

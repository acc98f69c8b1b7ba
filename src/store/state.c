/*
 * state - see state.h. A side door of both walks: the subscriber writes it, api/ and live/ read it.
 *
 * The reader trusts nothing in the file: every type is checked, every text cut to its place, its size bounded.
 */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/kinds.h"

#define STATE_BYTES_MAX (1u << 20)

/* ---- writing ---- */

static void
put_key(struct buf *b, const char *key)
{
	if (b->len > 0 && b->p[b->len - 1] != '{')
		buf_add_char(b, ',');
	buf_add_json(b, text_of(key));
	buf_add_char(b, ':');
}

static void
put_int(struct buf *b, const char *key, int64_t v)
{
	put_key(b, key);
	buf_add_int(b, v);
}

static void
put_real(struct buf *b, const char *key, double v)
{
	put_key(b, key);
	buf_add_real(b, v);
}

static void
put_bool(struct buf *b, const char *key, bool v)
{
	put_key(b, key);
	buf_add_str(b, v ? "true" : "false");
}

static void
put_text(struct buf *b, const char *key, const char *v, size_t size)
{
	put_key(b, key);
	buf_add_json(b, (struct text){ v, strnlen(v, size) });
}

/* Counters by name; zeros are left out. */
static void
put_counts(struct buf *b, const char *key, const int64_t *counts, const char *const *names, size_t n)
{
	put_key(b, key);
	buf_add_char(b, '{');
	for (size_t i = 0; i < n; i++)
		if (counts[i] != 0)
			put_int(b, names[i], counts[i]);
	buf_add_char(b, '}');
}

/* The counts of the buckets, and behind them the sum. */
static void
put_histogram(struct buf *b, const char *key, const struct histogram_sum *h)
{
	put_key(b, key);
	buf_add_char(b, '[');
	for (size_t i = 0; i <= HISTOGRAM_EDGES; i++) {
		buf_add_int(b, h->counts[i]);
		buf_add_char(b, ',');
	}
	buf_add_int(b, h->sum_us);
	buf_add_char(b, ']');
}

static void
put_channel(struct buf *b, const struct state_channel *c)
{
	buf_add_char(b, '{');
	put_text(b, "channel", c->channel, sizeof(c->channel));
	put_key(b, "kind");
	buf_add_json(b, text_of(kinds[c->kind].name));
	put_bool(b, "subscribed", c->subscribed);
	put_text(b, "error", c->error, sizeof(c->error));
	put_int(b, "messages", c->messages);
	put_int(b, "received", c->received);
	put_int(b, "accepted", c->accepted);
	put_int(b, "duplicates", c->duplicates);
	put_counts(b, "rejected", c->rejected, reject_names, REJECT__MAX);
	put_counts(b, "notes", c->notes, note_names, NOTE__MAX);
	put_int(b, "last_message_us", c->last_message_us);
	put_real(b, "rate_1m", c->rate_1m);
	buf_add_char(b, '}');
}

static void
put_parts(struct buf *b, const struct state *s)
{
	put_key(b, "redis");
	buf_add_char(b, '{');
	put_text(b, "url", s->redis.url, sizeof(s->redis.url));
	put_bool(b, "connected", s->redis.connected);
	put_int(b, "since_us", s->redis.since_us);
	put_real(b, "ping_ms", s->redis.ping_ms);
	put_int(b, "last_message_us", s->redis.last_message_us);
	put_int(b, "reconnects", s->redis.reconnects);
	put_text(b, "error", s->redis.error, sizeof(s->redis.error));
	buf_add_char(b, '}');
	put_key(b, "queue");
	buf_add_char(b, '{');
	put_int(b, "bytes", s->queue.bytes);
	put_int(b, "limit", s->queue.limit);
	put_int(b, "dropped", s->queue.dropped);
	buf_add_char(b, '}');
	put_key(b, "store");
	buf_add_char(b, '{');
	put_int(b, "events", s->store.events);
	put_int(b, "bytes", s->store.bytes);
	put_real(b, "commit_ms_p50", s->store.commit_ms_p50);
	put_real(b, "commit_ms_p99", s->store.commit_ms_p99);
	put_text(b, "error", s->store.error, sizeof(s->store.error));
	buf_add_char(b, '}');
	put_key(b, "times");
	buf_add_char(b, '{');
	put_histogram(b, "event_age", &s->times.event_age);
	put_histogram(b, "commit_latency", &s->times.commit_latency);
	put_histogram(b, "commit", &s->times.commit);
	buf_add_char(b, '}');
}

static void
render(struct buf *b, const struct state *s)
{
	buf_add_char(b, '{');
	put_int(b, "pid", s->pid);
	put_text(b, "version", s->version, sizeof(s->version));
	put_int(b, "started_us", s->started_us);
	put_int(b, "updated_us", s->updated_us);
	put_text(b, "epoch", s->epoch, sizeof(s->epoch));
	put_int(b, "head", s->head);
	put_parts(b, s);
	put_key(b, "channels");
	buf_add_char(b, '[');
	for (size_t i = 0; i < s->n_channels && i < STATE_CHANNELS_MAX; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		put_channel(b, &s->channels[i]);
	}
	buf_add_str(b, "]}\n");
}

static int
write_all(int fd, struct text t)
{
	while (t.n > 0) {
		ssize_t n = write(fd, t.p, t.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		t = text_cut(t, (size_t)n, t.n);
	}
	return 0;
}

int
state_write(const char *path, const struct state *s, struct err *e)
{
	struct buf text = { .max = STATE_BYTES_MAX }, temp = { .max = 4096 };
	int fd = -1, rc = -1;

	render(&text, s);
	buf_printf(&temp, "%s.new", path);
	if (text.failed || temp.failed) {
		err_set(e, ERR_MEMORY, "state %s: no memory for its text", path);
		goto out;
	}
	/* Left by one that was killed while writing. */
	unlink(buf_cstr(&temp));
	fd = open(buf_cstr(&temp), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0 || fchmod(fd, 0640) != 0 || write_all(fd, buf_text(&text)) != 0 ||
	    rename(buf_cstr(&temp), path) != 0) {
		err_sys(e, "state %s", path);
		if (fd >= 0)
			unlink(buf_cstr(&temp));
		goto out;
	}
	rc = 0;
out:
	if (fd >= 0)
		close(fd);
	buf_fini(&temp);
	buf_fini(&text);
	return rc;
}

/* ---- reading: each returns -1 if the member is not there or of another type ---- */

static int
get_int(const json_t *o, const char *key, int64_t *out)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v))
		return -1;
	*out = json_integer_value(v);
	return 0;
}

static int
get_real(const json_t *o, const char *key, double *out)
{
	const json_t *v = json_object_get(o, key);

	/* A real that is not finite was written as null. */
	if (!json_is_number(v) && !json_is_null(v))
		return -1;
	*out = json_number_value(v);
	return 0;
}

static int
get_bool(const json_t *o, const char *key, bool *out)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_boolean(v))
		return -1;
	*out = json_is_true(v);
	return 0;
}

static int
get_text(const json_t *o, const char *key, char *out, size_t size)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v) || json_string_length(v) >= size)
		return -1;
	memcpy(out, json_string_value(v), json_string_length(v) + 1);
	return 0;
}

static int
get_counts(const json_t *o, const char *key, int64_t *counts, const char *const *names, size_t n)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_object(v))
		return -1;
	for (size_t i = 0; i < n; i++) {
		counts[i] = 0;
		if (json_object_get(v, names[i]) != NULL && get_int(v, names[i], &counts[i]) != 0)
			return -1;
	}
	return 0;
}

static int
get_histogram(const json_t *o, const char *key, struct histogram_sum *h)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_array(v) || json_array_size(v) != HISTOGRAM_EDGES + 2)
		return -1;
	for (size_t i = 0; i < HISTOGRAM_EDGES + 2; i++) {
		const json_t *n = json_array_get(v, i);

		if (!json_is_integer(n) || json_integer_value(n) < 0)
			return -1;
		*(i <= HISTOGRAM_EDGES ? &h->counts[i] : &h->sum_us) = json_integer_value(n);
	}
	return 0;
}

static int
get_channel(const json_t *o, struct state_channel *c)
{
	char kind[32];

	if (get_text(o, "channel", c->channel, sizeof(c->channel)) != 0 ||
	    get_text(o, "kind", kind, sizeof(kind)) != 0 || kind_by_name(text_of(kind), &c->kind) != 0 ||
	    get_bool(o, "subscribed", &c->subscribed) != 0 || get_text(o, "error", c->error, sizeof(c->error)) != 0 ||
	    get_int(o, "messages", &c->messages) != 0 || get_int(o, "received", &c->received) != 0 ||
	    get_int(o, "accepted", &c->accepted) != 0 || get_int(o, "duplicates", &c->duplicates) != 0)
		return -1;
	if (get_counts(o, "rejected", c->rejected, reject_names, REJECT__MAX) != 0 ||
	    get_counts(o, "notes", c->notes, note_names, NOTE__MAX) != 0 ||
	    get_int(o, "last_message_us", &c->last_message_us) != 0 || get_real(o, "rate_1m", &c->rate_1m) != 0)
		return -1;
	return 0;
}

static int
get_parts(const json_t *o, struct state *s)
{
	const json_t *redis = json_object_get(o, "redis"), *queue = json_object_get(o, "queue");
	const json_t *store = json_object_get(o, "store"), *times = json_object_get(o, "times");

	if (get_text(redis, "url", s->redis.url, sizeof(s->redis.url)) != 0 ||
	    get_bool(redis, "connected", &s->redis.connected) != 0 ||
	    get_int(redis, "since_us", &s->redis.since_us) != 0 || get_real(redis, "ping_ms", &s->redis.ping_ms) != 0 ||
	    get_int(redis, "last_message_us", &s->redis.last_message_us) != 0 ||
	    get_int(redis, "reconnects", &s->redis.reconnects) != 0 ||
	    get_text(redis, "error", s->redis.error, sizeof(s->redis.error)) != 0)
		return -1;
	if (get_int(queue, "bytes", &s->queue.bytes) != 0 || get_int(queue, "limit", &s->queue.limit) != 0 ||
	    get_int(queue, "dropped", &s->queue.dropped) != 0)
		return -1;
	if (get_int(store, "events", &s->store.events) != 0 || get_int(store, "bytes", &s->store.bytes) != 0 ||
	    get_real(store, "commit_ms_p50", &s->store.commit_ms_p50) != 0 ||
	    get_real(store, "commit_ms_p99", &s->store.commit_ms_p99) != 0 ||
	    get_text(store, "error", s->store.error, sizeof(s->store.error)) != 0)
		return -1;
	return get_histogram(times, "event_age", &s->times.event_age) != 0 ||
		get_histogram(times, "commit_latency", &s->times.commit_latency) != 0 ||
		get_histogram(times, "commit", &s->times.commit) != 0
	    ? -1
	    : 0;
}

static int
get_state(const json_t *o, struct state *s)
{
	const json_t *channels = json_object_get(o, "channels");

	if (get_int(o, "pid", &s->pid) != 0 || get_text(o, "version", s->version, sizeof(s->version)) != 0 ||
	    get_int(o, "started_us", &s->started_us) != 0 || get_int(o, "updated_us", &s->updated_us) != 0 ||
	    get_text(o, "epoch", s->epoch, sizeof(s->epoch)) != 0 || get_int(o, "head", &s->head) != 0 ||
	    get_parts(o, s) != 0)
		return -1;
	if (!json_is_array(channels) || json_array_size(channels) > STATE_CHANNELS_MAX)
		return -1;
	s->n_channels = json_array_size(channels);
	for (size_t i = 0; i < s->n_channels; i++)
		if (get_channel(json_array_get(channels, i), &s->channels[i]) != 0)
			return -1;
	return 0;
}

/* The file's text, at most STATE_BYTES_MAX of it. */
static int
load(const char *path, struct buf *text, struct err *e)
{
	/* O_NONBLOCK: should it be a FIFO, that must not hold us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc = -1;

	if (fd < 0) {
		int missing = errno == ENOENT;

		err_sys(e, "state %s", path);
		if (missing && e != NULL)
			e->code = ERR_MISSING;
		return -1;
	}
	for (;;) {
		char *room = buf_reserve(text, 65536);
		ssize_t n = room == NULL ? 0 : read(fd, room, 65536);

		if (room == NULL) {
			err_set(e, ERR_INPUT, "state %s: longer than a subscriber writes", path);
			goto out;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_sys(e, "state %s", path);
			goto out;
		}
		if (n == 0)
			break;
		text->len += (size_t)n;
	}
	rc = 0;
out:
	close(fd);
	return rc;
}

int
state_read(const char *path, struct state *s, struct err *e)
{
	struct buf text = { .max = STATE_BYTES_MAX + 65536 };
	json_t *root = NULL;
	int rc = -1;

	if (load(path, &text, e) != 0)
		goto out;
	root = json_loadb(text.len == 0 ? "" : text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	memset(s, 0, sizeof(*s));
	if (!json_is_object(root) || get_state(root, s) != 0) {
		err_set(e, ERR_INPUT, "state %s: not what a subscriber writes", path);
		goto out;
	}
	rc = 0;
out:
	json_decref(root);
	buf_fini(&text);
	return rc;
}

bool
state_is_stale(const struct state *s, int64_t now_us)
{
	if (s == NULL || !s->redis.connected || now_us - s->updated_us > STATE_STALE_AFTER_US)
		return true;
	for (size_t i = 0; i < s->n_channels; i++)
		if (!s->channels[i].subscribed)
			return true;
	return false;
}

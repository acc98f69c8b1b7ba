/* api - see api.h. What the resources share: the snapshot, the subscriber's state, pieces of JSON, links. */
#include "api/api.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/handlers.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/cors.h"

#define SLOW_REQUEST_US 50000
#include "store/bell.h"

#define STATE_STANDS_US 1000
#define LINES_A_MINUTE 5 /* of each request thread, about a log that cannot be read */

struct api *
api_new(const struct conf *conf, const struct api_shared *shared, struct err *e)
{
	struct api *a = calloc(1, sizeof(*a));
	char bell_path[sizeof(a->state_path)];

	if (a != NULL)
		a->state_fd = -1;
	if (a == NULL || (a->state = calloc(1, sizeof(*a->state))) == NULL) {
		err_set(e, ERR_MEMORY, "no memory for a request thread");
		goto fail;
	}
	a->conf = conf;
	if (shared != NULL)
		a->shared = *shared;
	/* A plain CGI program has nobody who follows the log. */
	if (a->shared.live != NULL && a->shared.own != NULL)
		a->positions = live_positions(a->shared.live);
	if ((a->access = access_new(conf, a->shared.tokens, e)) == NULL)
		goto fail;
	if ((size_t)snprintf(a->state_path, sizeof(a->state_path), "%s/%s", conf_str(conf, SETTING_PATHS_RUN_DIR),
		STATE_FILE) >= sizeof(a->state_path)) {
		err_set(e, ERR_CONFIG, "paths.run_dir is too long");
		goto fail;
	}
	if ((a->reader = reader_new(conf_str(conf, SETTING_PATHS_STATE_DIR), e)) == NULL)
		goto fail;
	if (a->positions != NULL)
		reader_set_recall(a->reader, positions_recall, a->positions);
	snprintf(bell_path, sizeof(bell_path), "%s/%s", conf_str(conf, SETTING_PATHS_RUN_DIR), BELL_FILE);
	reader_set_bell(a->reader, bell_path);
	return a;
fail:
	api_free(a);
	return NULL;
}

void
api_free(struct api *a)
{
	if (a == NULL)
		return;
	reader_free(a->reader);
	access_free(a->access);
	if (a->state_fd >= 0)
		close(a->state_fd);
	free(a->state);
	free(a);
}

static bool
admit(void *app, const struct route *route, struct request *request, struct reply *reply)
{
	const struct api *a = app;

	/* Before it was parked. */
	if (request->resume != NULL)
		return true;
	if (access_admit(a->access, a->shared.limits, route, request, reply))
		return true;
	if (reply->problem == PROBLEM_RATE_LIMITED && route != NULL && route->handle == stream_get)
		stream_refuse(request, reply, PROBLEM_RATE_LIMITED, STREAM_COME_BACK_LATER);
	return false;
}

void
api_handle(struct api *a, struct request *request, struct reply *reply)
{
	const struct cors cors = { text_of(conf_str(a->conf, SETTING_CORS_ORIGINS)),
		conf_int(a->conf, SETTING_CORS_MAX_AGE) / 1000 };

	int64_t begin_us = clock_mono_us(), took_us;

	route_dispatch(api_routes, api_n_routes, a, admit, request, clock_real_us(), reply);
	/* An answer that outgrew its bound, or memory, is not an answer. */
	if (reply->body.failed || reply->head.failed) {
		reply_clear(reply);
		reply_problem(reply, PROBLEM_INTERNAL_ERROR, "the answer could not be built", NULL);
	}
	if (!access_reads_open(a->access))
		reply->vary |= VARY_AUTHORIZATION;
	cors_apply(&cors, request, reply);
	reply_vary(reply);
	if (reply->problem >= 0 && a->shared.own != NULL)
		counters_problem(a->shared.own, (enum problem)reply->problem);
	took_us = clock_mono_us() - begin_us;
	/* Whoever reads our log may not. */
	if (took_us > SLOW_REQUEST_US)
		api_lengthy(a);
	log_slow(&a->slow, "slow_request", took_us, SLOW_REQUEST_US, log_text("path", text_cut(request->path, 0, 128)));
}

/* A broken log fails every request: one line each would fill the disk next. */
void
api_unreadable(struct api *a, const struct err *e)
{
	if (e->code != ERR_MISSING && log_allowed(&a->unreadable, LINES_A_MINUTE, "log_unreadable"))
		log_err(LOG_LEVEL_ERROR, "log_unreadable", e);
}

void
api_read_failed(struct api *a, struct reply *reply, const struct err *e)
{
	api_unreadable(a, e);
	if (e->code == ERR_MISSING) {
		reply_problem(reply, PROBLEM_STARTING, "there is no log yet: the subscriber has not created it", NULL);
		return;
	}
	reply_problem(reply, PROBLEM_STORAGE_UNAVAILABLE, "the log cannot be read at the moment", NULL);
}

void
api_lengthy(struct api *a)
{
	if (a->lengthy != NULL)
		a->lengthy(a->lengthy_arg);
}

int
api_begin(struct api *a, struct snapshot *snap, struct reply *reply)
{
	struct err e;

	api_lengthy(a);
	if (read_begin(a->reader, snap, &e) == 0)
		return 0;
	api_read_failed(a, reply, &e);
	return -1;
}

/*
 * The file is replaced by rename, which takes the last name from the one before: so asking a descriptor for its number of links
 * tells whether there is a newer one, at a fifth of what looking the path up costs.
 */
const struct state *
api_state(struct api *a)
{
	struct stat st;
	struct err ignored;

	if (a->state_fd >= 0 && fstat(a->state_fd, &st) == 0 && st.st_nlink > 0)
		return a->have_state ? a->state : NULL;
	if (a->state_fd >= 0)
		close(a->state_fd);
	/* Opened before it is read: should it be replaced in between, the next look finds that out. */
	a->state_fd = open(a->state_path, O_RDONLY | O_CLOEXEC);
	a->have_state = a->state_fd >= 0 && state_read(a->state_path, a->state, &ignored) == 0;
	return a->have_state ? a->state : NULL;
}

/*
 * Every list says it. A look costs as much as a twentieth of an answer from memory, so within a millisecond the last one stands; should the clock have been
 * set back, it does not.
 */
bool
api_stale(struct api *a, int64_t now_us)
{
	if (now_us - a->state_us >= STATE_STANDS_US || now_us < a->state_us) {
		api_state(a);
		a->state_us = now_us;
	}
	return state_is_stale(a->have_state ? a->state : NULL, now_us);
}

void
api_json(struct reply *reply, const char *cache_control)
{
	reply->content_type = "application/json";
	reply_header(reply, "Cache-Control", text_of(cache_control));
}

void
api_cursor_header(struct reply *reply, const char *epoch, int64_t seq)
{
	struct buf id;

	buf_init(&id, ID_MAX);
	body_id(&id, epoch, seq);
	reply_header(reply, "Tickgate-Cursor", buf_text(&id));
	buf_fini(&id);
}

void
json_id(struct buf *out, const char *epoch, int64_t seq)
{
	if (seq <= 0) {
		buf_add_str(out, "null");
		return;
	}
	buf_add_char(out, '"');
	body_id(out, epoch, seq);
	buf_add_char(out, '"');
}

void
json_seconds(struct buf *out, int64_t us)
{
	int64_t ms = us / 1000;
	int part = abs((int)(ms % 1000));

	/* Without printf: it is in every answer. */
	if (ms < 0)
		buf_add_char(out, '-');
	buf_add_int(out, ms < 0 ? -(ms / 1000) : ms / 1000);
	buf_add(
	    out, (char[]){ '.', (char)('0' + part / 100), (char)('0' + part / 10 % 10), (char)('0' + part % 10) }, 4);
}

void
json_time(struct buf *out, int64_t us)
{
	if (us == 0)
		buf_add_str(out, "null");
	else
		json_seconds(out, us);
}

void
json_age(struct buf *out, int64_t then_us, int64_t now_us)
{
	if (then_us == 0)
		buf_add_str(out, "null");
	else
		json_seconds(out, now_us > then_us ? now_us - then_us : 0);
}

void
json_bool(struct buf *out, bool v)
{
	buf_add_str(out, v ? "true" : "false");
}

void
json_str(struct buf *out, const char *s)
{
	if (s == NULL || *s == '\0')
		buf_add_str(out, "null");
	else
		buf_add_json(out, text_of(s));
}

int
json_add_row(void *arg, const struct event *ev, struct text body)
{
	struct json_array *array = arg;

	if (array->n++ > 0)
		buf_add_char(array->out, ',');
	buf_add_text(array->out, body);
	array->last_us = ev->received_us;
	return array->out->failed;
}

/* RFC 3986: what may stand in a path as it is. */
static void
add_path(struct buf *out, struct text path)
{
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '-' && c <= '9') /* - . / and digits */ ||
		    c == '_' || c == '~')
			buf_add_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* As epoch seconds, to the microsecond that was meant. Before 1970 an age reaches back to all there is. */
static void
add_time(struct buf *out, bool *first, enum param q, int64_t us)
{
	char seconds[32];

	us = us < 0 ? 0 : us;
	snprintf(seconds, sizeof(seconds), "%" PRId64 ".%06d", us / 1000000, (int)(us % 1000000));
	params_add_link(out, first, q, text_of(seconds));
}

void
link_add(struct buf *out, const struct exchange *x, enum link link, enum param q, struct text value)
{
	const uint64_t skip = PARAM_BIT(Q_AFTER) | PARAM_BIT(Q_BEFORE) | PARAM_BIT(Q_TOKEN) | PARAM_BIT(q) |
	    (q == Q_AFTER ? PARAM_BIT(Q_PER_SYMBOL) : 0); /* there is no newest of each in what comes later */
	bool first = true;

	add_path(out, x->request->base_path);
	add_path(out, x->request->path);
	for (int i = 0; i < Q__MAX; i++) {
		const struct param_value *v = &x->params.v[i];

		if (!v->given || (skip & PARAM_BIT(i)) != 0)
			continue;
		if (link == LINK_NEXT && v->relative)
			add_time(out, &first, (enum param)i, v->n);
		else
			params_add_link(out, &first, (enum param)i, v->text);
	}
	params_add_link(out, &first, q, value);
}

void
api_data_open(struct reply *reply, const struct snapshot *snap)
{
	api_json(reply, "no-cache");
	api_cursor_header(reply, snap->epoch, snap->head);
	buf_add_str(&reply->body, "{\"data\":");
}

void
api_data_close(struct api *a, const struct exchange *x, const struct snapshot *snap, struct reply *reply)
{
	struct buf *out = &reply->body;

	buf_add_str(out, ",\"cursor\":\"");
	body_id(out, snap->epoch, snap->head);
	buf_add_str(out, "\",\"stale\":");
	json_bool(out, api_stale(a, x->now_us));
	buf_add_char(out, '}');
}

/* symbols - /v1/symbols, the directory, and /v1/symbols/{symbol}, the newest of one. */
#include "api/handlers.h"

struct directory {
	struct buf *out;
	const char *epoch;
	int n, limit;
	bool more;
	struct buf last; /* the last symbol given */
};

static int
add_symbol(void *arg, const struct symbol_row *row)
{
	struct directory *d = arg;
	struct buf *out = d->out;

	/* One more than asked for was read, to know whether there is more. */
	if (d->n == d->limit) {
		d->more = true;
		return 1;
	}
	if (d->n++ > 0)
		buf_add_char(out, ',');
	buf_add_str(out, "{\"symbol\":");
	buf_add_json(out, row->symbol);
	buf_add_str(out, ",\"patterns\":");
	buf_add_int(out, row->patterns);
	buf_add_str(out, ",\"indicators\":");
	buf_add_int(out, row->indicators);
	buf_add_str(out, ",\"alerts\":");
	buf_add_int(out, row->alerts);
	buf_add_str(out, ",\"last_id\":");
	json_id(out, d->epoch, row->last_seq);
	buf_add_str(out, ",\"last_received_at\":");
	json_time(out, row->last_received_us);
	buf_add_char(out, '}');
	buf_clear(&d->last);
	buf_add_text(&d->last, row->symbol);
	return out->failed;
}

/* Symbols are kept in upper case. Absent stays absent; want of memory shows as a length that differs. */
static struct text
upper(struct pool *pool, struct text t)
{
	char *copy;

	if (t.n == 0 || (copy = pool_alloc(pool, t.n)) == NULL)
		return TEXT_NONE;
	for (size_t i = 0; i < t.n; i++)
		copy[i] = (char)(t.p[i] >= 'a' && t.p[i] <= 'z' ? t.p[i] - 'a' + 'A' : t.p[i]);
	return (struct text){ copy, t.n };
}

static int
directory_query(struct symbols_query *q, struct exchange *x)
{
	const struct param_value *v = x->params.v;

	*q = (struct symbols_query){ .prefix = upper(x->faults.pool, v[Q_PREFIX].text),
		.after = v[Q_AFTER_SYMBOL].n_items > 0 ? v[Q_AFTER_SYMBOL].items[0] : TEXT_NONE,
		/* P_AGE is a length of time. */
		.active_since_us = v[Q_ACTIVE].given ? x->now_us - v[Q_ACTIVE].n : INT64_MIN,
		.by_activity = v[Q_ORDER].given && text_eq(v[Q_ORDER].text, TEXT("activity")),
		.limit = (v[Q_LIMIT].given ? (int)v[Q_LIMIT].n : LIMIT_DEFAULT) + 1 };
	if (q->by_activity && q->after.n > 0)
		fault_add(&x->faults, FAULT_CONFLICTING_PARAMETERS, TEXT("after_symbol"),
		    "pages by symbol only: leave out order=activity");
	return x->faults.n == 0 && q->prefix.n == v[Q_PREFIX].text.n ? 0 : -1;
}

static int
give_directory(struct api *a, struct exchange *x, const struct symbols_query *q, const struct snapshot *snap,
    struct directory *d, struct err *e)
{
	struct buf *out = d->out, link;

	buf_add_str(out, "{\"data\":[");
	if (read_symbols(a->reader, snap, q, add_symbol, d, e) != 0)
		return -1;
	buf_printf(out, "],\"count\":%d,\"has_more\":", d->n);
	json_bool(out, d->more);
	buf_add_str(out, ",\"cursor\":\"");
	body_id(out, snap->epoch, snap->head);
	buf_add_str(out, "\",\"next\":");
	if (d->more && !q->by_activity) {
		buf_init(&link, 0);
		link_add(&link, x, LINK_NEXT, Q_AFTER_SYMBOL, buf_text(&d->last));
		buf_add_json(out, buf_text(&link));
		buf_fini(&link);
	} else {
		buf_add_str(out, "null");
	}
	buf_add_str(out, ",\"stale\":");
	json_bool(out, api_stale(a, x->now_us));
	buf_add_str(out, ",\"as_of\":");
	json_seconds(out, x->now_us);
	buf_add_char(out, '}');
	return 0;
}

void
symbols_get(void *app, struct exchange *x, struct reply *reply)
{
	struct api *a = app;
	struct directory d = { .out = &reply->body };
	struct symbols_query q;
	struct snapshot snap;
	struct err e;

	if (directory_query(&q, x) != 0) {
		if (x->faults.n > 0)
			reply_faults(reply, &x->faults);
		else
			reply_problem(reply, PROBLEM_INTERNAL_ERROR, "out of memory", NULL);
		return;
	}
	if (api_begin(a, &snap, reply) != 0)
		return;
	d.epoch = snap.epoch;
	d.limit = q.limit - 1;
	buf_init(&d.last, 0);
	api_json(reply, "no-cache");
	api_cursor_header(reply, snap.epoch, snap.head);
	if (give_directory(a, x, &q, &snap, &d, &e) != 0)
		api_read_failed(a, reply, &e);
	buf_fini(&d.last);
	read_end(a->reader);
}

static int
add_latest(struct api *a, const struct snapshot *snap, struct text symbol, enum kind kind, struct buf *out, int64_t *n,
    struct err *e)
{
	struct json_array rows = { .out = out };

	buf_add_str(out, kind == KIND_PATTERN ? ",\"patterns\":[" : ",\"indicators\":[");
	if (read_latest(a->reader, snap, symbol, kind, json_add_row, &rows, e) != 0)
		return -1;
	buf_add_char(out, ']');
	*n += rows.n;
	return 0;
}

int
json_symbol(struct api *a, const struct snapshot *snap, struct text symbol, struct buf *out, int64_t *n, struct err *e)
{
	buf_add_str(out, "{\"symbol\":");
	buf_add_json(out, symbol);
	if (add_latest(a, snap, symbol, KIND_PATTERN, out, n, e) != 0 ||
	    add_latest(a, snap, symbol, KIND_INDICATOR, out, n, e) != 0)
		return -1;
	buf_add_char(out, '}');
	return 0;
}

static int
give_symbol(struct api *a, struct exchange *x, const struct snapshot *snap, struct reply *reply, struct err *e)
{
	struct buf *out = &reply->body;
	int64_t n = 0;

	api_data_open(reply, snap);
	if (json_symbol(a, snap, x->symbol, out, &n, e) != 0)
		return -1;
	api_data_close(a, x, snap, reply);
	return 0;
}

void
symbol_get(void *app, struct exchange *x, struct reply *reply)
{
	struct api *a = app;
	struct snapshot snap;
	struct err e;
	int known;

	if (api_begin(a, &snap, reply) != 0)
		return;
	known = read_symbol_known(a->reader, &snap, x->symbol, &e);
	if (known == 0)
		reply_problem(reply, PROBLEM_SYMBOL_NOT_FOUND, "nothing is kept of this symbol", NULL);
	else if (known < 0 || give_symbol(a, x, &snap, reply, &e) != 0)
		api_read_failed(a, reply, &e);
	read_end(a->reader);
}

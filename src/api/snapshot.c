/*
 * snapshot - /v1/snapshot: the newest of several symbols, read at one moment, which its cursor is: who follows from there misses
 * nothing and sees nothing twice.
 */
#include "api/handlers.h"
#include "api/rows.h"

#define SNAPSHOT_EVENTS_MAX 20000 /* about a hundred for each of 200 symbols; a single symbol never has as many */

/* Which symbols: the parameter has two names, and one is wanted. */
static const struct param_value *
asked_symbols(struct exchange *x)
{
	const struct param_value *v = x->params.v;

	if (v[Q_SYMBOLS].given)
		return &v[Q_SYMBOLS];
	if (v[Q_SYMBOL].given)
		return &v[Q_SYMBOL];
	fault_add(&x->faults, FAULT_INVALID_PARAMETER, TEXT("symbols"),
	    "is required: one symbol or a comma list, at most %lld", (long long)params[Q_SYMBOLS].max);
	return NULL;
}

/* 1: given; 0: nothing is kept of it, which is null; -1. */
static int
add_symbol(struct api *a, const struct snapshot *snap, struct text symbol, struct buf *out, int64_t *n, struct err *e)
{
	int known = read_symbol_known(a->reader, snap, symbol, e);

	buf_add_json(out, symbol);
	buf_add_char(out, ':');
	if (known < 0)
		return -1;
	if (known == 0) {
		buf_add_str(out, "null");
		return 0;
	}
	return json_symbol(a, snap, symbol, out, n, e) != 0 ? -1 : 1;
}

static int
give_snapshot(struct api *a, struct exchange *x, const struct param_value *symbols, const struct snapshot *snap,
    struct reply *reply, struct err *e)
{
	struct buf *out = &reply->body;
	int64_t n = 0;

	api_data_open(reply, snap);
	buf_add_char(out, '{');
	for (size_t i = 0; i < symbols->n_items; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		if (add_symbol(a, snap, symbols->items[i], out, &n, e) < 0)
			return -1;
		/* Half a snapshot would look like a whole one. */
		if (n > SNAPSHOT_EVENTS_MAX || (i > 0 && out->len > ROWS_BYTES_MAX)) {
			fault_add(&x->faults, FAULT_INVALID_PARAMETER, TEXT("symbols"),
			    "have more than %d newest events together, or %u bytes of them: ask for fewer at a time",
			    SNAPSHOT_EVENTS_MAX, ROWS_BYTES_MAX);
			reply_faults(reply, &x->faults);
			return 0;
		}
	}
	buf_add_char(out, '}');
	api_data_close(a, x, snap, reply);
	return 0;
}

void
snapshot_get(void *app, struct exchange *x, struct reply *reply)
{
	struct api *a = app;
	const struct param_value *symbols = asked_symbols(x);
	struct snapshot snap;
	struct err e;

	if (symbols == NULL) {
		reply_faults(reply, &x->faults);
		return;
	}
	if (api_begin(a, &snap, reply) != 0)
		return;
	if (give_snapshot(a, x, symbols, &snap, reply, &e) != 0)
		api_read_failed(a, reply, &e);
	read_end(a->reader);
}

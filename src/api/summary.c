/* summary - /v1/summary: how many of what came in within a window, and when. */
#include "api/handlers.h"

#define WINDOW_DEFAULT_S 3600
#define VALUES_MAX 200 /* names and timeframes; the most frequent */
#define TOP_SYMBOLS 10
#define BANDS 5 /* of confidence, each of two tens */

static void
add_counts(struct buf *out, const char *key, const struct summary_counts *counts)
{
	buf_printf(out, ",\"%s\":{", key);
	for (size_t i = 0; i < counts->n && i < VALUES_MAX; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		buf_add_json(out, counts->rows[i].key);
		buf_add_char(out, ':');
		buf_add_int(out, counts->rows[i].n);
	}
	buf_add_char(out, '}');
}

/* 20-40 is 20 <= confidence < 40; 80-100 has 100 too. */
static void
add_confidence(struct buf *out, const int64_t *tens)
{
	const int width = SUMMARY_TENS / BANDS;

	buf_add_str(out, ",\"by_confidence\":{");
	for (int band = 0; band < BANDS; band++) {
		int64_t n = 0;

		for (int i = 0; i < width; i++)
			n += tens[band * width + i];
		buf_printf(out, "%s\"%d-%d\":", band == 0 ? "" : ",", band * width * 10, (band + 1) * width * 10);
		buf_add_int(out, n);
	}
	buf_add_char(out, '}');
}

static void
add_symbols(struct buf *out, const struct summary_counts *symbols)
{
	buf_add_str(out, ",\"top_symbols\":[");
	for (size_t i = 0; i < symbols->n && i < TOP_SYMBOLS; i++) {
		buf_add_str(out, i == 0 ? "{\"symbol\":" : ",{\"symbol\":");
		buf_add_json(out, symbols->rows[i].key);
		buf_add_str(out, ",\"patterns\":");
		buf_add_int(out, symbols->rows[i].n);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ']');
}

static void
add_cells(struct buf *out, const char *key, const struct summary *s, enum kind kind)
{
	buf_printf(out, ",\"%s\":[", key);
	for (int i = 0; i < s->n_cells; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		buf_add_int(out, s->cells[kind][i]);
	}
	buf_add_char(out, ']');
}

/* One array of times and one of numbers a kind, all of the same length: what a chart wants. */
static void
add_series(struct buf *out, const struct summary *s)
{
	buf_printf(out, ",\"series\":{\"step_seconds\":%d,\"minute\":[", s->step_s);
	for (int i = 0; i < s->n_cells; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		buf_add_int(out, s->from_s + (int64_t)i * s->step_s);
	}
	buf_add_char(out, ']');
	add_cells(out, "patterns", s, KIND_PATTERN);
	add_cells(out, "indicators", s, KIND_INDICATOR);
	add_cells(out, "alerts", s, KIND_ALERT);
	buf_add_char(out, '}');
}

static void
add_summary(struct buf *out, const struct summary *s)
{
	buf_add_str(out, "{\"window_seconds\":");
	buf_add_int(out, s->window_s);
	buf_add_str(out, ",\"patterns\":{\"total\":");
	buf_add_int(out, s->totals[KIND_PATTERN]);
	add_counts(out, "by_name", &s->names);
	add_counts(out, "by_timeframe", &s->timeframes);
	add_confidence(out, s->tens);
	buf_add_str(out, "},\"indicators\":{\"total\":");
	buf_add_int(out, s->totals[KIND_INDICATOR]);
	buf_add_str(out, "},\"alerts\":{\"total\":");
	buf_add_int(out, s->totals[KIND_ALERT]);
	buf_add_char(out, '}');
	add_symbols(out, &s->symbols);
	add_series(out, s);
	buf_add_str(out, ",\"truncated\":");
	json_bool(out, s->truncated || s->names.n > VALUES_MAX || s->timeframes.n > VALUES_MAX);
	buf_add_char(out, '}');
}

static int
give_summary(struct api *a, struct exchange *x, const struct snapshot *snap, struct reply *reply, struct err *e)
{
	const struct param_value *window = &x->params.v[Q_WINDOW];
	int64_t window_s = window->given ? window->n / 1000000 : WINDOW_DEFAULT_S;
	struct buf *out = &reply->body;
	struct summary s;

	if (read_summary(a->reader, snap, window_s, x->now_us, &s, e) != 0)
		return -1;
	api_data_open(reply, snap);
	add_summary(out, &s);
	api_data_close(a, x, snap, reply);
	return 0;
}

void
summary_get(void *app, struct exchange *x, struct reply *reply)
{
	struct api *a = app;
	struct snapshot snap;
	struct err e;

	if (api_begin(a, &snap, reply) != 0)
		return;
	if (give_summary(a, x, &snap, reply, &e) != 0)
		api_read_failed(a, reply, &e);
	read_end(a->reader);
}

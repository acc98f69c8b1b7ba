/* index - /v1: what there is, made of the table of routes, and the limits and the log as they are. */
#include "config.h"

#include "api/handlers.h"
#include "api/rows.h"

static void
add_route(struct buf *out, const struct route *route)
{
	bool first = true, writes = (route->methods & METHOD_POST) != 0;

	buf_add_str(out, "{\"path\":");
	buf_add_json(out, text_of(route->pattern));
	buf_printf(out, ",\"methods\":[%s\"OPTIONS\"],\"parameters\":[", writes ? "\"POST\"," : "\"GET\",\"HEAD\",");
	for (int q = 0; q < Q__MAX; q++) {
		if ((route->params & PARAM_BIT(q)) == 0)
			continue;
		if (!first)
			buf_add_char(out, ',');
		buf_add_json(out, text_of(params[q].name));
		first = false;
	}
	buf_add_str(out, "],\"help\":");
	buf_add_json(out, text_of(route->help));
	buf_add_char(out, '}');
}

void
json_retention(struct buf *out, const struct conf *conf)
{
	buf_add_str(out, "{\"events\":");
	buf_add_int(out, conf_int(conf, SETTING_RETENTION_EVENTS));
	buf_add_str(out, ",\"bytes\":");
	buf_add_int(out, conf_int(conf, SETTING_RETENTION_BYTES));
	buf_add_str(out, ",\"age_seconds\":");
	buf_add_int(out, conf_int(conf, SETTING_RETENTION_AGE) / 1000);
	buf_add_char(out, '}');
}

void
index_get(void *app, struct exchange *x, struct reply *reply)
{
	struct api *a = app;
	struct buf *out = &reply->body;
	struct snapshot snap;

	(void)x;
	if (api_begin(a, &snap, reply) != 0)
		return;
	read_end(a->reader);
	api_json(reply, "no-cache");
	buf_add_str(out,
	    "{\"name\":\"tickgate\",\"versions\":{\"tickgate\":\"" PACKAGE_VERSION "\",\"api\":\"v1\"},\"epoch\":");
	buf_add_json(out, text_of(snap.epoch));
	buf_add_str(out, ",\"cursor\":\"");
	body_id(out, snap.epoch, snap.head);
	buf_printf(out,
	    "\",\"limits\":{\"limit_default\":%d,\"limit_max\":%d,\"limit_max_lines\":%lld,\"symbols_max\":%lld,\"rows_"
	    "examined_max\":%d,\"page_bytes_max\":%u,"
	    "\"query_bytes_max\":%d},\"retention\":",
	    LIMIT_DEFAULT, formats[FORMAT_JSON].limit_max, (long long)params[Q_LIMIT].max,
	    (long long)params[Q_SYMBOLS].max, READ_EXAMINE_MAX, ROWS_BYTES_MAX, REQUEST_QUERY_MAX);
	json_retention(out, a->conf);
	buf_add_str(out, ",\"routes\":[");
	for (size_t i = 0; i < api_n_routes; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		add_route(out, &api_routes[i]);
	}
	buf_add_str(out, "]}");
}

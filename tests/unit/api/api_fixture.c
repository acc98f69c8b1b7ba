/* api_fixture - see api_fixture.h. */
#include "api_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static const char *
variable(void *arg, const char *name, unsigned nth)
{
	const struct asked *asked = arg;

	if (nth > 0)
		return NULL;
	if (strcmp(name, "REQUEST_METHOD") == 0)
		return asked->method == NULL ? "GET" : asked->method;
	if (strcmp(name, "PATH_INFO") == 0)
		return asked->path;
	if (strcmp(name, "SCRIPT_NAME") == 0)
		return "";
	if (strcmp(name, "QUERY_STRING") == 0)
		return asked->query;
	if (strcmp(name, "HTTP_ACCEPT") == 0)
		return asked->accept;
	if (strcmp(name, "HTTP_IF_NONE_MATCH") == 0)
		return asked->if_none_match;
	if (strcmp(name, "REMOTE_ADDR") == 0)
		return asked->address;
	return NULL;
}

void
send(struct fixture *f, const struct asked *asked)
{
	struct request request;
	struct err e;

	reply_clear(&f->reply);
	assert_int_equal(request_init(&request, variable, (void *)asked, "", &e), 0);
	api_handle(f->api, &request, &f->reply);
	request_fini(&request);
}

json_t *
ask_from(struct fixture *f, int status, const char *address, const char *path, const char *query)
{
	const struct asked asked = { .path = path, .query = query, .address = address };
	json_error_t why;

	json_decref(f->json);
	send(f, &asked);
	if (f->reply.status != status)
		fail_msg("%s?%s: %d %s", path, query, f->reply.status, buf_cstr(&f->reply.body));
	f->json = json_loadb(f->reply.body.p, f->reply.body.len, 0, &why);
	if (f->json == NULL)
		fail_msg("%s?%s: %s in %s", path, query, why.text, buf_cstr(&f->reply.body));
	return f->json;
}

json_t *
ask(struct fixture *f, int status, const char *path, const char *query)
{
	return ask_from(f, status, "192.0.2.1", path, query);
}

int64_t
count_of(json_t *answer)
{
	assert_int_equal(
	    json_array_size(json_object_get(answer, "data")), json_integer_value(json_object_get(answer, "count")));
	return json_integer_value(json_object_get(answer, "count"));
}

const char *
text_at(json_t *answer, const char *key)
{
	const char *text = json_string_value(json_object_get(answer, key));

	return text == NULL ? "(null)" : text;
}

int64_t
nth(json_t *answer, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(json_object_get(answer, "data"), i), "n"));
}

bool
has_header(struct fixture *f, const char *line)
{
	return strstr(buf_cstr(&f->reply.head), line) != NULL;
}

void
write_state(struct fixture *f, bool connected)
{
	struct state *s = calloc(1, sizeof(*s));
	struct err e;

	s->started_us = s->updated_us = clock_real_us();
	snprintf(s->epoch, sizeof(s->epoch), "%s", MADE_EPOCH);
	s->head = EVENTS;
	s->redis.connected = connected;
	s->redis.last_message_us = s->updated_us - 1000000;
	s->n_channels = 1;
	snprintf(s->channels[0].channel, sizeof(s->channels[0].channel), "tickstock:patterns:streaming");
	s->channels[0].subscribed = connected;
	s->channels[0].received = 12;
	s->channels[0].accepted = 9;
	s->channels[0].duplicates = 1;
	s->channels[0].rejected[REJECT_INVALID_JSON] = 2;
	assert_int_equal(state_write(f->state_path, s, &e), 0);
	free(s);
	/* As though the millisecond for which the last look stands had passed. */
	if (f->api != NULL)
		f->api->state_us = 0;
}

int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct conf_program program = { .name = "test", .summary = "test", .mask = SETTING_FOR_GATEWAY };
	char state_dir[128], run_dir[128];
	char *argv[] = { (char *)"test", (char *)"-o", state_dir, (char *)"-o", run_dir, NULL };
	enum conf_action action;
	struct err e = { .text = "" };

	made_log_init(&f->log, EVENTS, 40, 900, 700);
	snprintf(state_dir, sizeof(state_dir), "paths.state_dir=%s", f->log.dir);
	snprintf(run_dir, sizeof(run_dir), "paths.run_dir=%s", f->log.dir);
	snprintf(f->state_path, sizeof(f->state_path), "%s/%s", f->log.dir, STATE_FILE);
	if (conf_load(&f->conf, &program, 5, argv, &action, &e) != 0 ||
	    (f->api = api_new(&f->conf, NULL, &e)) == NULL) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	reply_init(&f->reply);
	*state = f;
	return 0;
}

int
tear_down(void **state)
{
	struct fixture *f = *state;

	json_decref(f->json);
	reply_fini(&f->reply);
	api_free(f->api);
	conf_fini(&f->conf);
	unlink(f->state_path);
	made_log_fini(&f->log);
	free(f);
	return 0;
}

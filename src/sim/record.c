/* record - see record.h.  Beside publish.c, at the end of the simulator's walk and, for a replay, at its beginning. */
#include "sim/record.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static int
open_file(struct record *r, const char *path, const char *mode, FILE *standard, struct err *e)
{
	*r = (struct record){ .at_us = -1 };
	buf_init(&r->line, RECORD_LINE_MAX);
	r->f = strcmp(path, "-") == 0 ? standard : fopen(path, mode);
	if (r->f == NULL) {
		err_sys(e, "%s", path);
		return -1;
	}
	return 0;
}

int
record_create(struct record *r, const char *path, struct err *e)
{
	return open_file(r, path, "we", stdout, e);
}

int
record_open(struct record *r, const char *path, struct err *e)
{
	return open_file(r, path, "re", stdin, e);
}

int
record_write(struct record *r, const char *channel, struct text message, int64_t at_us, struct err *e)
{
	buf_clear(&r->line);
	buf_add_str(&r->line, "{\"channel\":");
	buf_add_json(&r->line, text_of(channel));
	buf_add_str(&r->line, ",\"message\":");
	buf_add_json(&r->line, message);
	buf_printf(&r->line, ",\"at\":%lld.%06lld}\n", (long long)(at_us / 1000000), (long long)(at_us % 1000000));
	if (r->line.failed) {
		err_set(e, ERR_MEMORY, "a message is too long to be recorded");
		return -1;
	}
	if (fwrite(r->line.p, 1, r->line.len, r->f) != r->line.len) {
		err_sys(e, "recording");
		return -1;
	}
	return 0;
}

int
record_flush(struct record *r, struct err *e)
{
	if (fflush(r->f) != 0) {
		err_sys(e, "recording");
		return -1;
	}
	return 0;
}

/* 1: a line, without its end; 0: no more. */
static int
read_line(struct record *r, struct err *e)
{
	int c;

	buf_clear(&r->line);
	errno = 0;
	while ((c = getc_unlocked(r->f)) != EOF && c != '\n')
		buf_add_char(&r->line, (char)c);
	r->line_no++;
	if (ferror(r->f)) {
		err_sys(e, "line %lld", (long long)r->line_no);
		return -1;
	}
	if (r->line.failed) {
		err_set(e, ERR_INPUT, "line %lld: longer than %u bytes", (long long)r->line_no, RECORD_LINE_MAX);
		return -1;
	}
	return c != EOF || r->line.len > 0;
}

/* What is wrong with the line, or NULL. */
static const char *
take(struct record *r, json_t *line)
{
	json_t *channel = json_object_get(line, "channel"), *message = json_object_get(line, "message");
	json_t *at = json_object_get(line, "at");

	if (!json_is_object(line))
		return "not a JSON object";
	if (!json_is_string(channel) || json_string_length(channel) == 0)
		return "\"channel\" is missing or no text";
	if (!json_is_string(message))
		return "\"message\" is missing or no text";
	if (strlen(json_string_value(channel)) != json_string_length(channel))
		return "\"channel\" has a NUL";
	if (at != NULL && !(json_is_number(at) && json_number_value(at) >= 0 && json_number_value(at) <= 1e9))
		return "\"at\" is not a number of seconds";
	buf_clear(&r->channel);
	buf_clear(&r->message);
	buf_add(&r->channel, json_string_value(channel), json_string_length(channel) + 1);
	buf_add(&r->message, json_string_value(message), json_string_length(message));
	r->at_us = at == NULL ? -1 : (int64_t)(json_number_value(at) * 1e6 + 0.5);
	return r->channel.failed || r->message.failed ? "no memory for it" : NULL;
}

int
record_read(struct record *r, struct err *e)
{
	const char *wrong;
	json_error_t why;
	json_t *line;
	int rc;

	do {
		rc = read_line(r, e);
		if (rc != 1)
			return rc;
	} while (text_trim(buf_text(&r->line)).n == 0);
	line = json_loadb(r->line.p, r->line.len, JSON_ALLOW_NUL, &why);
	wrong = line == NULL ? "not valid JSON" : take(r, line);
	json_decref(line);
	if (wrong != NULL) {
		err_set(e, ERR_INPUT, "line %lld: %s", (long long)r->line_no, wrong);
		return -1;
	}
	return 1;
}

void
record_close(struct record *r)
{
	if (r->f != NULL && r->f != stdin && r->f != stdout)
		fclose(r->f);
	buf_fini(&r->line);
	buf_fini(&r->channel);
	buf_fini(&r->message);
	r->f = NULL;
}

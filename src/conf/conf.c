/* conf - see conf.h. */
#include "config.h"

#include "conf/conf.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "conf/command_line.h"
#include "conf/value.h"

#define ENV_PREFIX "TICKGATE_"
#define NAME_MAX_BYTES 128

extern char **environ;

static void
clear(struct conf *c)
{
	for (size_t i = 0; i < SETTING__MAX; i++) {
		free(c->values[i].text);
		free(c->values[i].origin);
	}
	*c = (struct conf){ 0 };
}

void
conf_fini(struct conf *c)
{
	clear(c);
}

/* Gives a setting its value. Nothing is changed on failure. */
static int
assign(struct conf *c, enum setting s, struct text value, const char *origin, struct err *e)
{
	struct conf_value v;

	if (value_parse(&settings[s], value, &v.n, e) != 0) {
		err_wrap(e, origin);
		return -1;
	}
	v.text = strndup(value.p == NULL ? "" : value.p, value.n);
	v.origin = strdup(origin);
	if (v.text == NULL || v.origin == NULL) {
		free(v.text);
		free(v.origin);
		err_set(e, ERR_MEMORY, "out of memory");
		return -1;
	}
	free(c->values[s].text);
	free(c->values[s].origin);
	c->values[s] = v;
	return 0;
}

static int
assign_defaults(struct conf *c, struct err *e)
{
	for (size_t i = 0; i < SETTING__MAX; i++)
		if (assign(c, (enum setting)i, text_of(settings[i].standard), "default", e) != 0)
			return -1;
	return 0;
}

/* "section.key" of a setting. */
static void
full_name(const struct setting_info *info, char out[NAME_MAX_BYTES])
{
	snprintf(out, NAME_MAX_BYTES, "%s.%s", info->section, info->key);
}

static int
find(const char *name, enum setting *out)
{
	char known[NAME_MAX_BYTES];

	for (size_t i = 0; i < SETTING__MAX; i++) {
		full_name(&settings[i], known);
		if (strcmp(name, known) == 0) {
			*out = (enum setting)i;
			return 0;
		}
	}
	return -1;
}

/* A right key in a wrong section is the nearest of all, else the name that differs least. NULL: none is near. */
static const char *
nearest_to(const char *name, const char *const *names)
{
	const char *dot = strchr(name, '.');
	const char *key = dot == NULL ? name : dot + 1;

	for (size_t i = 0; i < SETTING__MAX; i++)
		if (strcmp(settings[i].key, key) == 0)
			return names[i];
	return text_nearest(text_of(name), names, SETTING__MAX);
}

/* Refuses `name`, with the nearest one that exists. */
static void
refuse_unknown(const char *name, const char *origin, struct err *e)
{
	char names[SETTING__MAX][NAME_MAX_BYTES];
	const char *list[SETTING__MAX], *nearest;

	for (size_t i = 0; i < SETTING__MAX; i++) {
		full_name(&settings[i], names[i]);
		list[i] = names[i];
	}
	nearest = nearest_to(name, list);
	err_set(e, ERR_CONFIG, "%.120s: there is no setting \"%.60s\"%s%s%s", origin, name,
	    nearest == NULL ? "; --help lists them" : "; did you mean \"", nearest == NULL ? "" : nearest,
	    nearest == NULL ? "" : "\"?");
}

/* ---- the file ---- */

struct file_reader {
	FILE *f;
	const char *path;
	int line;
	struct conf *conf;
	bool seen[SETTING__MAX];
	struct err *e;
	bool failed;
};

/* [section], and nothing but a comment behind it: inih would pass over whatever it is. */
static bool
is_section(const char *line)
{
	const char *end = strchr(line, ']');

	return end != NULL && strchr(";#", end[1 + strspn(end + 1, " \t\r\n")]) != NULL;
}

/*
 * Reads a line for inih, as fgets(). inih does not tell its handler where it is, so lines are counted here; leading blanks are taken off,
 * since inih would take an indented line for more of the value before it.
 */
static char *
read_line(char *out, int size, void *arg)
{
	struct file_reader *r = arg;
	size_t n, blanks;

	if (r->failed || fgets(out, size, r->f) == NULL)
		return NULL;
	r->line++;
	n = strlen(out);
	/* An empty string is a NUL: not even a line end was read. */
	if (n == 0 || (out[n - 1] != '\n' && !feof(r->f))) {
		err_set(r->e, ERR_CONFIG, "%.200s:%d: the line is longer than %d bytes, or has a NUL in it", r->path,
		    r->line, size - 2);
		r->failed = true;
		return NULL;
	}
	blanks = strspn(out, " \t");
	memmove(out, out + blanks, n + 1 - blanks);
	if (out[0] == '[' && !is_section(out)) {
		err_set(r->e, ERR_CONFIG, "%.200s:%d: neither [section] nor key = value", r->path, r->line);
		r->failed = true;
		return NULL;
	}
	return out;
}

static int
take_file_setting(struct file_reader *r, enum setting s, const char *value, const char *origin)
{
	struct buf all = { 0 };
	int rc;

	if (!r->seen[s] || settings[s].type != TYPE_LIST) {
		if (r->seen[s]) {
			err_set(r->e, ERR_CONFIG, "%.200s: %s.%s is set twice; first in %.200s", origin,
			    settings[s].section, settings[s].key, r->conf->values[s].origin);
			return -1;
		}
		r->seen[s] = true;
		return assign(r->conf, s, text_of(value), origin, r->e);
	}
	/* A list on several lines. */
	buf_printf(&all, "%s %s", r->conf->values[s].text, value);
	rc = assign(r->conf, s, buf_text(&all), origin, r->e);
	buf_fini(&all);
	return rc;
}

/* inih's handler: 1 is fine. */
static int
on_setting(void *arg, const char *section, const char *key, const char *value)
{
	struct file_reader *r = arg;
	char name[NAME_MAX_BYTES], origin[4200];
	enum setting s;

	if (r->failed)
		return 0;
	snprintf(origin, sizeof(origin), "%s:%d", r->path, r->line);
	snprintf(name, sizeof(name), "%s%s%s", section, section[0] == '\0' ? "" : ".", key);
	if (find(name, &s) != 0) {
		refuse_unknown(name, origin, r->e);
		r->failed = true;
	} else if (take_file_setting(r, s, value == NULL ? "" : value, origin) != 0) {
		r->failed = true;
	}
	return !r->failed;
}

static int
read_file(struct conf *c, const char *path, bool may_miss, struct err *e)
{
	struct file_reader r = { .path = path, .conf = c, .e = e };
	int line;

	r.f = fopen(path, "re");
	if (r.f == NULL) {
		if (may_miss && errno == ENOENT)
			return 0;
		err_sys(e, "%s", path);
		e->code = ERR_CONFIG;
		return -1;
	}
	line = ini_parse_stream(read_line, &r, on_setting, &r);
	if (!r.failed && ferror(r.f)) {
		err_sys(e, "%s", path);
		r.failed = true;
	}
	fclose(r.f);
	if (!r.failed && line != 0) {
		err_set(e, ERR_CONFIG, "%.200s:%d: neither [section] nor key = value", path, line);
		r.failed = true;
	}
	return r.failed ? -1 : 0;
}

/* ---- the environment ---- */

/*
 * True for a name that nobody meant for us: its section is none of ours; or it is what Kubernetes and Docker tell every container
 * about a service named tickgate-redis, TICKGATE_REDIS_SERVICE_HOST and TICKGATE_REDIS_PORT_6379_TCP_ADDR.
 */
static bool
is_foreign(const char *name)
{
	const char *dot = strchr(name, '.');
	size_t n = dot == NULL ? strlen(name) : (size_t)(dot - name);
	const char *key = dot == NULL ? "" : dot + 1;
	bool ours = false;

	for (size_t i = 0; i < SETTING__MAX; i++)
		ours = ours || (strlen(settings[i].section) == n && strncmp(settings[i].section, name, n) == 0);
	return !ours || strncmp(key, "service_host", 12) == 0 || strncmp(key, "service_port", 12) == 0 ||
	    strcmp(key, "port") == 0 || (strncmp(key, "port_", 5) == 0 && key[5] >= '0' && key[5] <= '9');
}

/* TICKGATE_REDIS_URL is redis.url: the first '_' behind the prefix ends the section. */
static int
take_env(struct conf *c, const char *var, struct err *e)
{
	const char *equals = strchr(var, '=');
	char name[NAME_MAX_BYTES], origin[NAME_MAX_BYTES + 20];
	size_t n = equals == NULL ? 0 : (size_t)(equals - var);
	enum setting s;
	char *dot;

	if (strncmp(var, ENV_PREFIX, strlen(ENV_PREFIX)) != 0 || n >= sizeof(name))
		return 0;
	snprintf(origin, sizeof(origin), "environment %.*s", (int)n, var);
	snprintf(name, sizeof(name), "%.*s", (int)(n - strlen(ENV_PREFIX)), var + strlen(ENV_PREFIX));
	for (char *p = name; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	dot = strchr(name, '_');
	if (dot != NULL)
		*dot = '.';
	if (find(name, &s) != 0 && is_foreign(name)) {
		log_event(LOG_LEVEL_WARNING, "variable_ignored", log_str("name", origin + strlen("environment ")));
		return 0;
	}
	/* A misspelt variable would be ignored for ever: it is refused, like a misspelt key. */
	if (find(name, &s) != 0) {
		refuse_unknown(name, origin, e);
		return -1;
	}
	return assign(c, s, text_of(equals + 1), origin, e);
}

static int
read_env(struct conf *c, struct err *e)
{
	const char *url = getenv("REDIS_URL");

	/* The name that every Redis client knows; our own, more exact one stands over it. */
	if (url != NULL && url[0] != '\0' &&
	    assign(c, SETTING_REDIS_URL, text_of(url), "environment REDIS_URL", e) != 0)
		return -1;
	for (char **var = environ; var != NULL && *var != NULL; var++)
		if (take_env(c, *var, e) != 0)
			return -1;
	return 0;
}

/* ---- the command line ---- */

static int
take_setting(struct conf *c, const char *arg, struct err *e)
{
	const char *equals = strchr(arg, '=');
	char name[NAME_MAX_BYTES], origin[NAME_MAX_BYTES + 8];
	enum setting s;

	if (equals == NULL || (size_t)(equals - arg) >= sizeof(name)) {
		err_set(e, ERR_USAGE, "-o: \"%.60s\" is not section.key=value", arg);
		return -1;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(equals - arg), arg);
	/* The value may be secret: only its name is shown. */
	snprintf(origin, sizeof(origin), "-o %s", name);
	if (find(name, &s) != 0) {
		refuse_unknown(name, origin, e);
		return -1;
	}
	return assign(c, s, text_of(equals + 1), origin, e);
}

/* ---- what is printed ---- */

void
conf_print(const struct conf *c, FILE *to)
{
	const char *section = "";
	struct buf shown = { 0 };

	for (size_t i = 0; i < SETTING__MAX; i++) {
		const struct setting_info *info = &settings[i];

		if (strcmp(section, info->section) != 0)
			fprintf(to, "%s[%s]\n", i == 0 ? "" : "\n", info->section);
		section = info->section;
		buf_clear(&shown);
		value_print(info, c->values[i].text, &shown);
		fprintf(to, "# %s\n%s = %s\n", c->values[i].origin, info->key, buf_cstr(&shown));
	}
	buf_fini(&shown);
}

/* ---- all together ---- */

/* Everything that no row of the table can say by itself. */
static int
check_together(const struct conf *c, struct err *e)
{
	const char *base = conf_str(c, SETTING_GATEWAY_BASE_PATH);

	if (conf_int(c, SETTING_REDIS_BACKOFF_MIN) > conf_int(c, SETTING_REDIS_BACKOFF_MAX)) {
		err_set(e, ERR_CONFIG, "redis.backoff_min is above redis.backoff_max");
		return -1;
	}
	if (base[0] != '\0' && base[0] != '/') {
		err_set(e, ERR_CONFIG, "gateway.base_path: begins with '/', or is empty");
		return -1;
	}
	return 0;
}

static int
read_all(struct conf *c, const struct conf_program *program, const struct command_line *cl, struct err *e)
{
	*c = (struct conf){ 0 };
	if (assign_defaults(c, e) != 0 ||
	    read_file(c, cl->file == NULL ? COMMAND_LINE_FILE : cl->file, cl->file == NULL, e) != 0 ||
	    read_env(c, e) != 0)
		goto failed;
	for (size_t i = 0; i < cl->n_settings; i++)
		if (take_setting(c, cl->settings[i], e) != 0)
			goto failed;
	if (check_together(c, e) == 0 && (program->check == NULL || program->check(program->arg, c, e) == 0))
		return 0;
failed:
	clear(c);
	return -1;
}

int
conf_load(
    struct conf *c, const struct conf_program *program, int argc, char **argv, enum conf_action *action, struct err *e)
{
	struct command_line cl;
	int rc = -1;

	*c = (struct conf){ 0 };
	*action = CONF_DONE;
	if (command_line_read(&cl, program, argc, argv, e) != 0)
		goto out;
	if (cl.act == ACT_HELP)
		command_line_help(program);
	else if (cl.act == ACT_VERSION)
		printf("%s %s\n", program->name, PACKAGE_VERSION);
	else if (read_all(c, program, &cl, e) != 0)
		goto out;
	else if (cl.act == ACT_PRINT)
		conf_print(c, stdout);
	else if (cl.act == ACT_CHECK)
		printf("%s: the settings are fine\n", program->name);
	else
		*action = CONF_RUN;
	/* What was asked for must have been said: a full disk is no success. */
	if (*action == CONF_DONE && (fflush(stdout) != 0 || ferror(stdout) != 0)) {
		err_sys(e, "standard output");
		goto out;
	}
	rc = 0;
out:
	command_line_fini(&cl);
	return rc;
}

int
conf_reload(
    struct conf *c, const struct conf_program *program, int argc, char **argv, struct buf *needs_restart, struct err *e)
{
	struct command_line cl;
	struct conf now;
	int rc = -1;

	if (command_line_read(&cl, program, argc, argv, e) != 0 || read_all(&now, program, &cl, e) != 0)
		goto out;
	for (size_t i = 0; i < SETTING__MAX; i++) {
		struct conf_value old = c->values[i];

		if (strcmp(old.text, now.values[i].text) == 0)
			continue;
		if ((settings[i].flags & SETTING_RELOAD) != 0) {
			c->values[i] = now.values[i];
			now.values[i] = old;
		} else if (needs_restart != NULL) {
			buf_printf(needs_restart, "%s%s.%s", needs_restart->len == 0 ? "" : " ", settings[i].section,
			    settings[i].key);
		}
	}
	clear(&now);
	rc = 0;
out:
	command_line_fini(&cl);
	return rc;
}

int64_t
conf_int(const struct conf *c, enum setting s)
{
	return c->values[s].n;
}

const char *
conf_str(const struct conf *c, enum setting s)
{
	return c->values[s].text;
}

/* The value of a variable in place: what the kernel shows as our environment is the same memory. */
static void
forget_variable(char *var)
{
	char *equals = strchr(var, '=');

	if (equals != NULL)
		explicit_bzero(equals + 1, strlen(equals + 1));
}

bool
conf_has_secrets(const struct conf *c)
{
	for (size_t i = 0; i < SETTING__MAX; i++) {
		const char *text = c->values[i].text;

		/* A URL may have its password before the @, or in the query. */
		if ((settings[i].flags & SETTING_SECRET) != 0
			? text[0] != '\0'
			: (settings[i].flags & SETTING_URL) != 0 && strpbrk(text, "@?") != NULL)
			return true;
	}
	return false;
}

void
conf_forget_secrets(struct conf *c)
{
	for (size_t i = 0; i < SETTING__MAX; i++)
		if ((settings[i].flags & (SETTING_SECRET | SETTING_URL)) != 0)
			explicit_bzero(c->values[i].text, strlen(c->values[i].text));
	for (char **var = environ; var != NULL && *var != NULL; var++)
		if (strncmp(*var, "REDIS_URL=", 10) == 0 || strncmp(*var, ENV_PREFIX "REDIS_", 15) == 0 ||
		    strncmp(*var, ENV_PREFIX "PUBLISH_", 17) == 0)
			forget_variable(*var);
}

bool
conf_next_word(struct text *rest, struct text *word)
{
	size_t n = 0;

	while (rest->n > 0 && strchr(" \t,", rest->p[0]) != NULL)
		*rest = text_cut(*rest, 1, rest->n);
	while (n < rest->n && strchr(" \t,", rest->p[n]) == NULL)
		n++;
	*word = text_cut(*rest, 0, n);
	*rest = text_cut(*rest, n, rest->n);
	return n > 0;
}

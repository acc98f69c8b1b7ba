/* command_line - see command_line.h. */
#include "config.h"

#include "conf/command_line.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "conf/value.h"

#define EXTRA_MAX 16

/* clang-format off */
static const struct {
	const char *word;
	enum command_line_act act;
} acts[] = {
	{ "--check-config", ACT_CHECK },
	{ "--print-config", ACT_PRINT },
	{ "--help",         ACT_HELP },
	{ "-h",             ACT_HELP },
	{ "--version",      ACT_VERSION },
};
/* clang-format on */
#define ACTS (sizeof(acts) / sizeof(*acts))

/* Is `arg` the option `name`, with its value behind '=' or in the next argument? 1, 0, or -1 when the value is missing. */
static int
option(const char *name, int argc, char **argv, int *i, const char **value, struct err *e)
{
	size_t n = strlen(name);

	if (strncmp(argv[*i], name, n) != 0 || (argv[*i][n] != '\0' && argv[*i][n] != '='))
		return 0;
	if (argv[*i][n] == '=') {
		*value = argv[*i] + n + 1;
		return 1;
	}
	if (*i + 1 >= argc) {
		err_set(e, ERR_USAGE, "%s needs a value", name);
		return -1;
	}
	*value = argv[++*i];
	return 1;
}

static int
take_extra(const struct conf_program *program, int argc, char **argv, int *i, struct err *e)
{
	const char *const *x = program->extra;
	const char *value;

	for (; x != NULL && *x != NULL; x += 3) {
		int rc = option(x[0], argc, argv, i, &value, e);

		if (rc > 0)
			program->on_extra(program->arg, x[0], value);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static void
refuse(const struct conf_program *program, const char *arg, struct err *e)
{
	const char *names[ACTS + 1 + EXTRA_MAX], *nearest;
	size_t n = 0;

	for (size_t k = 0; k < ACTS; k++)
		names[n++] = acts[k].word;
	names[n++] = "--config";
	for (const char *const *x = program->extra; x != NULL && *x != NULL && n < sizeof(names) / sizeof(*names);
	     x += 3)
		names[n++] = x[0];
	nearest = text_nearest(text_cut(text_of(arg), 0, strcspn(arg, "=")), names, n);
	if (nearest == NULL)
		err_set(e, ERR_USAGE, "unknown argument \"%.60s\"; --help lists what there is", arg);
	else
		err_set(e, ERR_USAGE, "unknown argument \"%.60s\"; did you mean \"%s\"?", arg, nearest);
}

static int
take_argument(struct command_line *cl, const struct conf_program *program, int argc, char **argv, int *i, struct err *e)
{
	const char *value = NULL;
	int rc;

	for (size_t k = 0; k < ACTS; k++) {
		if (strcmp(argv[*i], acts[k].word) == 0) {
			cl->act = acts[k].act;
			return 0;
		}
	}
	if ((rc = option("-c", argc, argv, i, &value, e)) != 0 ||
	    (rc = option("--config", argc, argv, i, &value, e)) != 0) {
		cl->file = value;
		return rc < 0 ? -1 : 0;
	}
	if ((rc = option("-o", argc, argv, i, &value, e)) != 0) {
		if (rc > 0)
			cl->settings[cl->n_settings++] = value;
		return rc < 0 ? -1 : 0;
	}
	rc = take_extra(program, argc, argv, i, e);
	if (rc == 0)
		refuse(program, argv[*i], e);
	return rc > 0 ? 0 : -1;
}

int
command_line_read(struct command_line *cl, const struct conf_program *program, int argc, char **argv, struct err *e)
{
	*cl = (struct command_line){ .settings = calloc((size_t)argc + 1, sizeof(*cl->settings)) };
	if (cl->settings == NULL) {
		err_set(e, ERR_MEMORY, "out of memory");
		return -1;
	}
	for (int i = 1; i < argc; i++)
		if (take_argument(cl, program, argc, argv, &i, e) != 0)
			return -1;
	return 0;
}

void
command_line_fini(struct command_line *cl)
{
	free(cl->settings);
	*cl = (struct command_line){ 0 };
}

void
command_line_help(const struct conf_program *program)
{
	struct buf allowed = { 0 };

	printf("usage: %s [options]\n%s %s.\n\n", program->name, program->name, program->summary);
	printf("  -c, --config FILE        settings (default %s, if it is there)\n", COMMAND_LINE_FILE);
	printf("  -o SECTION.KEY=VALUE     one setting; stands over the environment and the file\n");
	for (const char *const *x = program->extra; x != NULL && *x != NULL; x += 3)
		printf("  %s %-*s %s\n", x[0], 22 - (int)strlen(x[0]), x[1], x[2]);
	printf("      --check-config       say what is wrong with the settings, and end\n"
	       "      --print-config       print every setting and where it comes from, and end\n"
	       "  -h, --help, --version\n\n"
	       "Settings (also TICKGATE_SECTION_KEY in the environment, and REDIS_URL):\n");
	for (size_t i = 0; i < SETTING__MAX; i++) {
		const struct setting_info *info = &settings[i];

		if ((info->flags & program->mask) == 0)
			continue;
		buf_clear(&allowed);
		value_allowed(info, &allowed);
		printf("  %s.%s = %s\n      %s\n      (%s%s)\n", info->section, info->key, info->standard, info->help,
		    buf_cstr(&allowed), (info->flags & SETTING_RELOAD) != 0 ? "; taken over on SIGHUP" : "");
	}
	buf_fini(&allowed);
}

/*
 * command_line - what argv says, before any setting is read: which file, which settings, and whether the process only has
 * to print something. Called by conf.c; never reads a file or the environment.
 */
#ifndef CONF_COMMAND_LINE_H
#define CONF_COMMAND_LINE_H

#include <stddef.h>

#include "conf/conf.h"

#define COMMAND_LINE_FILE TICKGATE_SYSCONFDIR "/tickgate.conf"

enum command_line_act { ACT_RUN, ACT_CHECK, ACT_PRINT, ACT_HELP, ACT_VERSION };

struct command_line {
	const char *file; /* NULL: COMMAND_LINE_FILE, which may be absent; borrowed from argv, like the settings */
	const char **settings; /* of -o, in order; the array is owned */
	size_t n_settings;
	enum command_line_act act;
};

/* -1: there is an option that nobody knows (with the nearest name that exists), or one without its value. Call command_line_fini() in any case. */
int command_line_read(
    struct command_line *cl, const struct conf_program *program, int argc, char **argv, struct err *e);
void command_line_fini(struct command_line *cl);

/* --help: the options, and the program's settings with what is allowed. To stdout. */
void command_line_help(const struct conf_program *program);

#endif

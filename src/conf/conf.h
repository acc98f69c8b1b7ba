/*
 * conf - the settings of this process: file < environment < command line.
 *
 * One table (settings.c) has a row for every setting: type, range, default, unit and help. What reads a setting
 * asks by its ID and gets a value that was checked at the start; there is no error at run time. Times are kept in
 * milliseconds, sizes in bytes.
 *
 *	file		[redis] url = redis://localhost/0		(libinih: lines of at most 198 bytes; # and ; begin a
 *				comment line, blank and ; one behind a value; a list may take several lines)
 *	environment	TICKGATE_REDIS_URL=…, and REDIS_URL for redis.url
 *	command line	-o redis.url=…
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "conf/settings.h"

struct conf_value {
	int64_t n; /* of numbers, booleans, durations (ms), sizes (bytes), modes and choices (index) */
	char *text; /* as given, owned; never NULL */
	char
	    *origin; /* "default", "/etc/tickgate/tickgate.conf:12", "environment REDIS_URL", "-o redis.url=…"; owned */
};

struct conf {
	struct conf_value values[SETTING__MAX];
};

/* How the command line ended: go on, or the process is done (--help, --version, --check-config, --print-config). */
enum conf_action {
	CONF_RUN,
	CONF_DONE,
};

/* What a program tells conf about itself, for --help and --version. */
struct conf_program {
	const char *name; /* "tickgate-subscriber" */
	const char *summary; /* one line */
	unsigned mask; /* SETTING_FOR_…: which settings --help lists; all are accepted by all */
	const char *const *
	    extra; /* further options that the program takes itself: "--listen", "PATH|HOST:PORT", "help", …, NULL; or NULL */
	void (*on_extra)(void *arg, const char *option, const char *value);
	/*
	 * Judges what no row of the table can say by itself, such as channels that overlap; NULL: nothing. Runs when all sources
	 * have been read, also for --check-config and SIGHUP; borrows `c`. -1: refused.
	 */
	int (*check)(void *arg, const struct conf *c, struct err *e);
	void *arg;
};

/*
 * Reads the command line (-c/--config FILE, -o SECTION.KEY=VALUE, --check-config, --print-config, --help, --version, the
 * program's own), the file (default /etc/tickgate/tickgate.conf, which may be absent; one named by -c may not) and the
 * environment. The first thing wrong ends it: -1 with a text that has file:line, the nearest known name and
 * the allowed range. CONF_DONE: what was asked has been printed to stdout.
 */
int conf_load(
    struct conf *c, const struct conf_program *program, int argc, char **argv, enum conf_action *action, struct err *e);
void conf_fini(struct conf *c);

/*
 * SIGHUP: reads the same sources again. Takes over the settings marked SETTING_RELOAD into *c and lists in `changed` (may be
 * NULL) the others that differ and need a restart. On error *c is unchanged.
 */
int conf_reload(struct conf *c, const struct conf_program *program, int argc, char **argv, struct buf *needs_restart,
    struct err *e);

int64_t conf_int(
    const struct conf *c, enum setting s); /* number, boolean, duration in ms, size in bytes, mode, choice */
const char *conf_str(const struct conf *c, enum setting s); /* any type, as given; "" when empty */

/* Whether there is a password among the settings; a URL counts when it may have one. */
bool conf_has_secrets(const struct conf *c);

/*
 * Overwrites the passwords that this process has read, here and in its environment: for a process that must not lose what it does not need. Settings that are
 * secret are empty afterwards, and so are URLs.
 */
void conf_forget_secrets(struct conf *c);

/* Takes the next blank- or comma-separated word off *rest (a list setting's conf_str()). */
bool conf_next_word(struct text *rest, struct text *word);

/* Every setting with its value and origin, secrets as "(hidden)", URLs without password. */
void conf_print(const struct conf *c, FILE *to);

#endif

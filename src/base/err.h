/*
 * err - why something failed, in a struct that the caller owns.
 *
 * A function that can fail returns -1 (or NULL) and fills the `struct err` that is its last argument. The
 * function that knows the cause fills it; the edge (a main, a route, the feed) logs it, once. Nothing in
 * here allocates, logs or exits.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_code {
	ERR_NONE,
	ERR_USAGE, /* the command line is wrong */
	ERR_CONFIG, /* a configuration file or setting is wrong */
	ERR_SYSTEM, /* a system call failed; `sys` is errno */
	ERR_MEMORY, /* an allocation failed, or a bound on one was reached */
	ERR_REDIS, /* Redis refused, broke off, or spoke something else */
	ERR_STORE, /* SQLite failed */
	ERR_CORRUPT, /* the database is damaged: move it aside */
	ERR_FULL, /* the disk, or the database's allowance, is full */
	ERR_BUSY, /* somebody else holds it; try again */
	ERR_INPUT, /* something from outside is malformed */
	ERR_MISSING, /* what was asked for is not there */
};

struct err {
	enum err_code code;
	int sys; /* errno, or 0 */
	char text[320]; /* one sentence without a full stop, safe to log; ends with strerror(sys) if there is one */
};

/* Fills `e` (may be NULL: nobody wants to know). Cuts what does not fit. */
void err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: keeps errno (also for the caller) and appends ": " and its text. */
void err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " before the text that is there. */
void err_wrap(struct err *e, const char *context);

/* The process exit status of <sysexits.h> that fits the code. */
int err_exit_status(const struct err *e);

#endif

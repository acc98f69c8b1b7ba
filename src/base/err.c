/* err - see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void
fill(struct err *e, enum err_code code, int sys, const char *fmt, va_list ap)
{
	size_t used;
	int n;

	if (e == NULL)
		return;
	e->code = code;
	e->sys = sys;
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	used = n < 0 ? 0 : (size_t)n;
	if (sys != 0 && used < sizeof(e->text)) {
		char why[128];

		/* The GNU strerror_r: thread-safe, returns what to print. */
		snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror_r(sys, why, sizeof(why)));
	}
}

void
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, code, 0, fmt, ap);
	va_end(ap);
}

void
err_sys(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	va_start(ap, fmt);
	fill(e, ERR_SYSTEM, sys, fmt, ap);
	va_end(ap);
	errno = sys;
}

void
err_wrap(struct err *e, const char *context)
{
	char old[sizeof(e->text)];

	if (e == NULL)
		return;
	memcpy(old, e->text, sizeof(old));
	snprintf(e->text, sizeof(e->text), "%.100s: %.200s", context, old);
}

int
err_exit_status(const struct err *e)
{
	switch (e->code) {
	case ERR_NONE:
		return EX_OK;
	case ERR_USAGE:
		return EX_USAGE;
	case ERR_CONFIG:
		return EX_CONFIG;
	case ERR_SYSTEM:
		return EX_OSERR;
	case ERR_INPUT:
	case ERR_CORRUPT:
		return EX_DATAERR;
	case ERR_REDIS:
	case ERR_MISSING:
		return EX_UNAVAILABLE;
	case ERR_STORE:
	case ERR_FULL:
		return EX_IOERR;
	case ERR_BUSY:
		return EX_TEMPFAIL;
	case ERR_MEMORY:
		break;
	}
	return EX_SOFTWARE;
}

/* log - see log.h. The one room with state of its own: the level and the style, set once before threads start. */
#include "base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

#define VALUE_MAX 512
#define MINUTE_US 60000000
#define SLOW_A_MINUTE 6

static struct {
	atomic_int level;
	const char *program;
	bool journal;
	void (*_Atomic on_error)(void *arg, struct text line);
	void *_Atomic on_error_arg;
} logging = { .level = LOG_LEVEL_INFO };

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* The variable alone says little: a web server under systemd hands it on to programs whose stderr is its error log. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, ours) == 0;
}

void
log_init(enum log_level level, const char *program)
{
	log_set_level(level);
	logging.program = program;
	logging.journal = stderr_is_journal();
}

void
log_set_level(enum log_level level)
{
	atomic_store(&logging.level, (int)level);
}

static bool
is_plain(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		unsigned char c = (unsigned char)t.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return t.n > 0;
}

static void
add_value(struct buf *b, struct text t)
{
	bool cut = t.n > VALUE_MAX;

	t = text_cut(t, 0, VALUE_MAX);
	if (!cut && is_plain(t)) {
		buf_add_text(b, t);
		return;
	}
	buf_add_char(b, '"');
	while (t.n > 0) {
		uint32_t cp = 0;
		size_t len = text_utf8_next(t, &cp);
		unsigned char c = (unsigned char)t.p[0];

		if (len == 0 || cp < 0x20 || (cp >= 0x7f && cp <= 0x9f)) {
			for (size_t i = 0; i < (len == 0 ? 1 : len); i++)
				buf_printf(b, "\\x%02x", (unsigned char)t.p[i]);
			len = len == 0 ? 1 : len;
		} else {
			if (c == '"' || c == '\\')
				buf_add_char(b, '\\');
			buf_add(b, t.p, len);
		}
		t = text_cut(t, len, t.n);
	}
	buf_add_str(b, cut ? "...\"" : "\"");
}

static void
add_field(struct buf *b, const struct log_field *f)
{
	buf_add_char(b, ' ');
	buf_add_str(b, f->key);
	buf_add_char(b, '=');
	switch (f->type) {
	case LOG_FIELD_TEXT:
		add_value(b, f->text);
		break;
	case LOG_FIELD_INT:
		buf_add_int(b, f->n);
		break;
	case LOG_FIELD_REAL:
		buf_add_real(b, f->real);
		break;
	}
}

void
log_fields(enum log_level level, const char *slug, const struct log_field *fields)
{
	struct buf b = { .max = 16384 };
	char now[CLOCK_RFC3339_SIZE];
	size_t line_from;
	void (*on_error)(void *arg, struct text line) =
	    level == LOG_LEVEL_ERROR ? atomic_load(&logging.on_error) : NULL;

	if ((int)level > atomic_load(&logging.level))
		return;
	if (logging.journal) {
		buf_printf(&b, "<%d>", (int)level);
	} else {
		clock_rfc3339(clock_real_us() / 1000, now);
		buf_printf(&b, "%s %s ", now, level_names[level]);
	}
	line_from = b.len;
	buf_add_str(&b, slug);
	if (logging.program != NULL)
		add_field(&b, &(struct log_field){ .key = "program", .text = text_of(logging.program) });
	for (; fields->key != NULL; fields++)
		add_field(&b, fields);
	if (on_error != NULL)
		on_error(atomic_load(&logging.on_error_arg), text_cut(buf_text(&b), line_from, b.len));
	buf_add_char(&b, '\n');
	/* Nobody is left to tell when stderr is gone. */
	if (write(STDERR_FILENO, b.p, b.len) < 0)
		b.failed = true;
	buf_fini(&b);
}

void
log_err(enum log_level level, const char *slug, const struct err *e)
{
	log_event(level, slug, log_str("error", e->text));
}

void
log_on_error(void (*fn)(void *arg, struct text line), void *arg)
{
	if (fn != NULL)
		atomic_store(&logging.on_error_arg, arg);
	atomic_store(&logging.on_error, fn);
}

bool
log_allowed(struct log_limit *l, int per_minute, const char *slug)
{
	int64_t now = clock_mono_us();

	if (l->window_us == 0 || now - l->window_us >= MINUTE_US) {
		int64_t suppressed = l->suppressed;

		*l = (struct log_limit){ .window_us = now };
		if (suppressed > 0)
			log_event(LOG_LEVEL_WARNING, slug, log_int("suppressed", suppressed));
	}
	if (l->in_window++ < per_minute)
		return true;
	l->suppressed++;
	return false;
}

void
log_slow(struct log_limit *l, const char *slug, int64_t took_us, int64_t over_us, struct log_field more)
{
	if (took_us > over_us && log_allowed(l, SLOW_A_MINUTE, slug))
		log_event(LOG_LEVEL_WARNING, slug, log_real("took_ms", (double)(took_us / 100) / 10), more);
}

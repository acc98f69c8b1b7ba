/* value - see value.h. */
#include "conf/value.h"

#include <inttypes.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* The largest first: the way they are printed. The first of equal factors is the one that is printed. */
static const struct unit durations[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
	{ NULL, 0 },
};
static const struct unit sizes[] = {
	{ "TiB", INT64_C(1) << 40 },
	{ "GiB", 1 << 30 },
	{ "MiB", 1 << 20 },
	{ "KiB", 1 << 10 },
	{ "B", 1 },
	{ "T", INT64_C(1) << 40 },
	{ "G", 1 << 30 },
	{ "M", 1 << 20 },
	{ "K", 1 << 10 },
	{ NULL, 0 },
};
static const struct {
	const char *word;
	int64_t n;
} booleans[] = {
	{ "yes", 1 },
	{ "no", 0 },
	{ "true", 1 },
	{ "false", 0 },
	{ "on", 1 },
	{ "off", 0 },
	{ "1", 1 },
	{ "0", 0 },
};

/* A number and its unit. Without one only 0 is clear, and whole bytes. */
static int
parse_with_unit(struct text t, const struct unit *units, bool bare, int64_t *out)
{
	size_t digits = 0;
	struct text unit;
	int64_t n;

	while (digits < t.n && t.p[digits] >= '0' && t.p[digits] <= '9')
		digits++;
	if (text_int64(text_cut(t, 0, digits), &n) != 0)
		return -1;
	unit = text_trim(text_cut(t, digits, t.n));
	if (unit.n == 0) {
		*out = n;
		return n == 0 || bare ? 0 : -1;
	}
	for (; units->name != NULL; units++) {
		if (text_eq_nocase(unit, text_of(units->name)))
			return __builtin_mul_overflow(n, units->factor, out) ? -1 : 0;
	}
	return -1;
}

static int
parse_mode(struct text t, int64_t *out)
{
	int64_t v = 0;

	if (t.n == 0 || t.n > 5)
		return -1;
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] < '0' || t.p[i] > '7')
			return -1;
		v = v * 8 + (t.p[i] - '0');
	}
	*out = v;
	return 0;
}

static int
parse_bool(struct text t, int64_t *out)
{
	for (size_t i = 0; i < sizeof(booleans) / sizeof(*booleans); i++) {
		if (text_eq_nocase(t, text_of(booleans[i].word))) {
			*out = booleans[i].n;
			return 0;
		}
	}
	return -1;
}

static int
parse_choice(const struct setting_info *info, struct text t, int64_t *out)
{
	for (size_t i = 0; info->choices[i] != NULL; i++) {
		if (text_eq_nocase(t, text_of(info->choices[i]))) {
			*out = (int64_t)i;
			return 0;
		}
	}
	return -1;
}

static int
parse_typed(const struct setting_info *info, struct text t, int64_t *out)
{
	switch (info->type) {
	case TYPE_TEXT:
	case TYPE_LIST:
		/* The range is that of the length. */
		*out = (int64_t)t.n;
		return t.n == 0 || text_printable(t, 1, t.n) ? 0 : -1;
	case TYPE_NUMBER:
		return text_int64(t, out);
	case TYPE_BOOL:
		return parse_bool(t, out);
	case TYPE_DURATION:
		return parse_with_unit(t, durations, false, out);
	case TYPE_SIZE:
		return parse_with_unit(t, sizes, true, out);
	case TYPE_MODE:
		return parse_mode(t, out);
	case TYPE_CHOICE:
		return parse_choice(info, t, out);
	}
	return -1;
}

static void
print_with_unit(int64_t n, const struct unit *units, struct buf *out)
{
	while (units->factor > 1 && (n == 0 || n % units->factor != 0))
		units++;
	buf_printf(out, "%" PRId64 "%s", n / units->factor, n == 0 ? "" : units->name);
}

static void
print_bound(const struct setting_info *info, int64_t n, struct buf *out)
{
	if (info->type == TYPE_DURATION)
		print_with_unit(n, durations, out);
	else if (info->type == TYPE_SIZE)
		print_with_unit(n, sizes, out);
	else if (info->type == TYPE_MODE)
		buf_printf(out, "%04" PRIo64, (uint64_t)n);
	else
		buf_add_int(out, n);
}

void
value_allowed(const struct setting_info *info, struct buf *out)
{
	switch (info->type) {
	case TYPE_BOOL:
		buf_add_str(out, "yes or no");
		return;
	case TYPE_CHOICE:
		for (size_t i = 0; info->choices[i] != NULL; i++) {
			buf_add_str(out, i == 0 ? "" : info->choices[i + 1] == NULL ? " or " : ", ");
			buf_add_str(out, info->choices[i]);
		}
		return;
	case TYPE_DURATION:
		buf_add_str(out, "a number with ms, s, m, h or d, ");
		break;
	case TYPE_SIZE:
		buf_add_str(out, "bytes, or a number with KiB, MiB, GiB or TiB, ");
		break;
	case TYPE_MODE:
		buf_add_str(out, "an octal mode, ");
		break;
	case TYPE_TEXT:
	case TYPE_LIST:
		buf_add_str(out, "printable text, of length ");
		break;
	case TYPE_NUMBER:
		break;
	}
	print_bound(info, info->min, out);
	if (info->max == INT64_MAX) {
		buf_add_str(out, " or more");
	} else {
		buf_add_str(out, " to ");
		print_bound(info, info->max, out);
	}
}

int
value_parse(const struct setting_info *info, struct text t, int64_t *out, struct err *e)
{
	struct buf allowed = { 0 };

	if (parse_typed(info, t, out) == 0 && *out >= info->min && *out <= info->max)
		return 0;
	value_allowed(info, &allowed);
	if ((info->flags & (SETTING_SECRET | SETTING_URL)) != 0 || t.n > 60 || !text_printable(t, 0, 60))
		err_set(e, ERR_CONFIG, "%s.%s: not allowed; allowed: %s", info->section, info->key, buf_cstr(&allowed));
	else
		err_set(e, ERR_CONFIG, "%s.%s: \"%.*s\" is not allowed; allowed: %s", info->section, info->key,
		    TEXT_ARG(t), buf_cstr(&allowed));
	buf_fini(&allowed);
	return -1;
}

/* scheme://user:password@host?password=…: what may be secret becomes ***. A text that is no URL may be all secret. */
static void
print_url(const char *url, struct buf *out)
{
	const char *rest = strstr(url, "://"), *query = strchr(url, '?');
	const char *end = query == NULL ? url + strlen(url) : query;
	const char *at = memrchr(url, '@', (size_t)(end - url));

	if (rest == NULL || rest > end) {
		buf_add_str(out, "***");
		return;
	}
	rest += 3;
	if (at != NULL && at >= rest) {
		const char *colon = memchr(rest, ':', (size_t)(at - rest));

		buf_add(out, url, (size_t)((colon == NULL ? at : colon) - url));
		buf_add_str(out, colon == NULL ? "" : ":***");
		url = at;
	}
	buf_add(out, url, (size_t)(end - url));
	buf_add_str(out, query == NULL ? "" : "?***");
}

void
value_print(const struct setting_info *info, const char *given, struct buf *out)
{
	if ((info->flags & SETTING_SECRET) != 0)
		buf_add_str(out, given[0] == '\0' ? "" : "(hidden)");
	else if ((info->flags & SETTING_URL) != 0)
		print_url(given, out);
	else
		buf_add_str(out, given);
}

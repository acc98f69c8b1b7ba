/*
 * param_values - see param_values.h.  One function a type; each says in its fault what is allowed.
 */
#include "http/param_values.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "event/kinds.h"

#define NAME_MAX_CHARS 64
#define ID_CHARS 64
#define SECOND_US INT64_C(1000000)
#define EPOCH_MAX_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define AGE_MAX_S (INT64_C(36500) * 86400)
#define TIME_FORMS \
	"allowed are RFC 3339 with a zone (2026-11-23T07:01:40Z, or +01:00 with the + written %%2B), a date in UTC " \
	"(2026-11-23), " \
	"epoch seconds or milliseconds, and an age (90s, 15m, 2h, 3d)"

/* What one parse has in hand. */
struct parse {
	struct param_value *v;
	const struct param_info *info;
	struct text name;
	struct pool *pool;
	struct faults *faults;
	int64_t now_us;
};

bool
param_symbol_ok(struct text t)
{
	if (t.n < 1 || t.n > SYMBOL_MAX)
		return false;
	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			(c != '\0' && strchr("._:^=/-", c) != NULL)))
			return false;
	}
	return true;
}

static int
parse_text(struct parse *p)
{
	if (!text_printable(p->v->text, 1, (size_t)p->info->max))
		fault_add(p->faults, FAULT_INVALID_PARAMETER, p->name, "must be 1 to %lld printable characters",
		    (long long)p->info->max);
	p->v->items = &p->v->text;
	p->v->n_items = 1;
	return 0;
}

/* How an item of a list is checked and rewritten (`to` has room for item.n bytes); returns its new length, 0: it is wrong. */
typedef size_t (*item_fn)(struct text item, char *to);

static size_t
item_symbol(struct text item, char *to)
{
	if (!param_symbol_ok(item))
		return 0;
	for (size_t i = 0; i < item.n; i++)
		to[i] = (char)(item.p[i] >= 'a' && item.p[i] <= 'z' ? item.p[i] - 'a' + 'A' : item.p[i]);
	return item.n;
}

static size_t
item_text(struct text item, char *to)
{
	if (!text_printable(item, 1, NAME_MAX_CHARS))
		return 0;
	memcpy(to, item.p, item.n);
	return item.n;
}

static size_t
item_name(struct text item, char *to)
{
	return text_printable(item, 1, NAME_MAX_CHARS) ? text_fold_name(item, to, item.n) : 0;
}

static int
compare_items(const void *a, const void *b)
{
	return text_cmp(*(const struct text *)a, *(const struct text *)b);
}

static size_t
sorted_once(struct text *items, size_t n)
{
	size_t kept = 0;

	qsort(items, n, sizeof(*items), compare_items);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !text_eq(items[kept - 1], items[i]))
			items[kept++] = items[i];
	return kept;
}

static int
parse_items(struct parse *p, item_fn item_of, enum fault_code code, const char *allowed)
{
	struct text rest = p->v->text, item;
	size_t room = 1, n = 0;
	struct text *items;

	for (size_t i = 0; i < rest.n; i++)
		room += rest.p[i] == ',';
	if (room > (size_t)p->info->max) {
		fault_add(
		    p->faults, code, p->name, "has %zu items, at most %lld are allowed", room, (long long)p->info->max);
		return 0;
	}
	items = pool_array(p->pool, room, sizeof(*items));
	if (items == NULL)
		return -1;
	while (text_split(&rest, ',', &item)) {
		char *to;

		item = text_trim(item);
		to = pool_alloc(p->pool, item.n + 1);
		if (to == NULL)
			return -1;
		items[n] = (struct text){ to, item_of(item, to) };
		if (items[n].n == 0) {
			fault_add(p->faults, code, p->name, "\"%.*s\" is not allowed: %s",
			    TEXT_ARG(text_cut(item, 0, 64)), allowed);
			return 0;
		}
		n++;
	}
	p->v->items = items;
	p->v->n_items = p->info->type == P_FIELDS ? n : sorted_once(items, n);
	return 0;
}

static int
parse_kinds(struct parse *p)
{
	struct text rest = p->v->text, item;
	enum kind kind;

	while (text_split(&rest, ',', &item)) {
		item = text_trim(item);
		if (kind_by_name(item, &kind) != 0) {
			fault_add(p->faults, FAULT_INVALID_PARAMETER, p->name,
			    "\"%.*s\" is not a kind: pattern, indicator, alert, health, session, error, gap",
			    TEXT_ARG(text_cut(item, 0, 64)));
			return 0;
		}
		p->v->n |= KIND_BIT(kind);
	}
	return 0;
}

static int
severity_of(struct parse *p, struct text item, enum severity *out)
{
	if (severity_by_name(item, out) == 0 && *out != SEVERITY_NONE)
		return 0;
	fault_add(p->faults, FAULT_INVALID_PARAMETER, p->name,
	    "\"%.*s\" is not a severity: debug, info, warning, error, critical", TEXT_ARG(text_cut(item, 0, 64)));
	return -1;
}

static int
parse_severity(struct parse *p)
{
	enum severity severity = SEVERITY_NONE;

	if (severity_of(p, p->v->text, &severity) == 0)
		p->v->n = severity;
	return 0;
}

/* As bits, 1 << severity, and as items in lower case. */
static int
parse_severities(struct parse *p)
{
	struct text rest = p->v->text, item, *items = pool_array(p->pool, SEVERITY__MAX, sizeof(*items));
	enum severity severity = SEVERITY_NONE;

	if (items == NULL)
		return -1;
	while (text_split(&rest, ',', &item)) {
		if (severity_of(p, text_trim(item), &severity) != 0)
			return 0;
		p->v->n |= INT64_C(1) << severity;
	}
	p->v->items = items;
	for (int i = SEVERITY_NONE + 1; i < SEVERITY__MAX; i++)
		if ((p->v->n & INT64_C(1) << i) != 0)
			items[p->v->n_items++] = text_of(severity_names[i]);
	return 0;
}

/* A whole number beyond what 64 bits hold is out of range, not malformed. */
static bool
is_long_number(struct text t)
{
	size_t i = t.n > 0 && t.p[0] == '-';

	if (t.n - i < 19)
		return false;
	while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9')
		i++;
	return i == t.n;
}

static int
parse_int(struct parse *p, enum fault_code code)
{
	if (text_int64(p->v->text, &p->v->n) != 0 && !is_long_number(p->v->text))
		fault_add(p->faults, FAULT_INVALID_PARAMETER, p->name, "must be a whole number, %lld to %lld",
		    (long long)p->info->min, (long long)p->info->max);
	else if ((p->v->n < p->info->min || p->v->n > p->info->max || is_long_number(p->v->text)) &&
	    code == FAULT_LIMIT_OUT_OF_RANGE)
		fault_add(p->faults, code, p->name, PARAM_LIMIT_RANGE);
	else if (p->v->n < p->info->min || p->v->n > p->info->max || is_long_number(p->v->text))
		fault_add(
		    p->faults, code, p->name, "must be %lld to %lld", (long long)p->info->min, (long long)p->info->max);
	return 0;
}

static int
parse_real(struct parse *p)
{
	if (text_real(p->v->text, &p->v->real) != 0)
		fault_add(p->faults, FAULT_INVALID_PARAMETER, p->name, "must be a finite number, such as %s",
		    p->info->example);
	return 0;
}

/* A fraction where percent are meant would silently let everything pass. */
static int
parse_percent(struct parse *p)
{
	double x;

	if (text_real(p->v->text, &x) != 0 || x < 0 || x > 100)
		fault_add(p->faults, FAULT_INVALID_PARAMETER, p->name, "must be a number from 0 to 100, in percent");
	else if (x > 0 && x <= 1)
		fault_add(p->faults, FAULT_INVALID_PARAMETER, p->name,
		    "is in percent, 0 or more than 1 to 100: did you mean %g?", x * 100);
	else
		p->v->real = x;
	return 0;
}

/* "90s" and the like, in microseconds. */
static int
age_of(struct text t, int64_t *us)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	int64_t n;

	if (t.n < 2 || text_int64(text_cut(t, 0, t.n - 1), &n) != 0 || n < 0)
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (t.p[t.n - 1] != units[i].unit)
			continue;
		if (n > AGE_MAX_S / units[i].seconds)
			return -1;
		*us = n * units[i].seconds * SECOND_US;
		return 0;
	}
	return -1;
}

/* The digits behind a point as microseconds; finer ones are cut. */
static int64_t
micros(struct text digits)
{
	int64_t us = 0;

	for (size_t i = 0; i < 6; i++)
		us = us * 10 + (i < digits.n ? digits.p[i] - '0' : 0);
	return us;
}

/* Epoch seconds or, above what seconds can be, milliseconds; exact, so not by way of a double. */
static int
epoch_of(struct text t, int64_t *us)
{
	struct text rest = t, whole = TEXT_NONE, fraction;
	int64_t n, frac = 0;

	if (!text_split(&rest, '.', &whole) || text_int64(whole, &n) != 0 || n < 0)
		return -1;
	fraction = rest.p == NULL ? TEXT("") : rest;
	for (size_t i = 0; i < fraction.n; i++)
		if (fraction.p[i] < '0' || fraction.p[i] > '9')
			return -1;
	if (rest.p != NULL && fraction.n == 0)
		return -1;
	frac = micros(fraction);
	if (n < INT64_C(100000000000)) {
		*us = n * SECOND_US + frac;
		return 0;
	}
	if (n / 1000 > EPOCH_MAX_S)
		return -1;
	*us = n * 1000 + frac / 1000;
	return 0;
}

static int
parse_time(struct parse *p)
{
	struct text t = p->v->text;
	struct clock_iso iso;
	int64_t age;

	if (age_of(t, &age) == 0) {
		p->v->n = p->now_us - age;
		p->v->relative = true;
	} else if (epoch_of(t, &p->v->n) == 0) {
		return 0;
	} else if (clock_parse_iso(t, &iso) == 0) {
		if (iso.zone == CLOCK_NAIVE && !iso.date_only)
			fault_add(p->faults, FAULT_INVALID_TIME, p->name, "has no zone; " TIME_FORMS);
		p->v->n = iso.seconds * SECOND_US + micros(iso.fraction);
	} else {
		fault_add(p->faults, FAULT_INVALID_TIME, p->name, "is not a time; " TIME_FORMS);
	}
	return 0;
}

static int
parse_age(struct parse *p)
{
	const struct param_info *info = p->info;

	if (age_of(p->v->text, &p->v->n) != 0)
		fault_add(p->faults, FAULT_INVALID_TIME, p->name, "must be an age, such as 90s, 15m, 2h or 3d");
	else if (info->max > 0 && (p->v->n < info->min * SECOND_US || p->v->n > info->max * SECOND_US))
		fault_add(p->faults, FAULT_INVALID_TIME, p->name, "must be an age of %llds to %llds",
		    (long long)info->min, (long long)info->max);
	return 0;
}

/* The index of the word, -1 if it is none. */
static int64_t
word_index(struct parse *p)
{
	for (int64_t i = 0; p->info->words != NULL && p->info->words[i] != NULL; i++)
		if (text_eq(p->v->text, text_of(p->info->words[i])))
			return i;
	return -1;
}

static int
parse_word(struct parse *p)
{
	struct buf words = { .max = 512 };

	p->v->n = word_index(p);
	if (p->v->n >= 0)
		return 0;
	for (size_t i = 0; p->info->words[i] != NULL; i++)
		buf_printf(&words, "%s%s", i == 0 ? "" : ", ", p->info->words[i]);
	fault_add(p->faults, FAULT_INVALID_PARAMETER, p->name, "must be one of: %s", buf_cstr(&words));
	buf_fini(&words);
	return 0;
}

static int
parse_flag(struct parse *p)
{
	struct text t = p->v->text;

	if (t.n == 0 || text_eq(t, TEXT("1")) || text_eq_nocase(t, TEXT("true")))
		p->v->n = 1;
	else if (!text_eq(t, TEXT("0")) && !text_eq_nocase(t, TEXT("false")))
		fault_add(p->faults, FAULT_INVALID_PARAMETER, p->name, "must be 1, 0, true, false or nothing");
	return 0;
}

int
param_time_parse(struct text t, int64_t now_us, int64_t *us)
{
	struct clock_iso iso;
	int64_t age;

	if (age_of(t, &age) == 0) {
		*us = now_us - age;
		return 0;
	}
	if (epoch_of(t, us) == 0)
		return 0;
	if (clock_parse_iso(t, &iso) != 0 || (iso.zone == CLOCK_NAIVE && !iso.date_only))
		return -1;
	*us = iso.seconds * SECOND_US + micros(iso.fraction);
	return 0;
}

bool
param_id_ok(struct text t, struct text *epoch)
{
	size_t digits = 0;

	*epoch = TEXT_NONE;
	if (t.n > ID_CHARS)
		return false;
	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];
		bool digit = c >= '0' && c <= '9';

		if (!digit && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-')
			return false;
		digits = digit ? digits + 1 : 0;
	}
	if (digits == 0 || t.n < digits + 2 || t.p[t.n - digits - 1] != '-' || (digits > 1 && t.p[t.n - digits] == '0'))
		return false;
	*epoch = text_cut(t, 0, t.n - digits - 1);
	return true;
}

/* Form only: whose epoch it is and what it points at is the log's business. */
static int
parse_cursor(struct parse *p)
{
	struct text epoch;

	p->v->n = word_index(p);
	if (p->v->n < 0 && !param_id_ok(p->v->text, &epoch))
		fault_add(p->faults, FAULT_INVALID_CURSOR, p->name, "must be an event's id or a cursor, such as %s%s",
		    p->info->example, p->info->words == NULL ? "" : ", or the word oldest or now");
	return 0;
}

int
param_value_parse(struct param_value *v, enum param q, int64_t now_us, struct pool *pool, struct faults *faults)
{
	struct parse p = { v, &params[q], text_of(params[q].name), pool, faults, now_us };

	switch (p.info->type) {
	case P_TEXT:
		return parse_text(&p);
	case P_LIST:
	case P_FIELDS:
		return parse_items(&p, item_text, FAULT_INVALID_PARAMETER, "an item has 1 to 64 printable characters");
	case P_SYMBOLS:
		return parse_items(&p, item_symbol, FAULT_INVALID_SYMBOL,
		    "a symbol has 1 to 32 characters of A-Z a-z 0-9 . _ : ^ = / -");
	case P_NAMES:
		return parse_items(&p, item_name, FAULT_INVALID_PARAMETER, "a name has 1 to 64 printable characters");
	case P_KINDS:
		return parse_kinds(&p);
	case P_INT:
		return parse_int(&p, q == Q_LIMIT ? FAULT_LIMIT_OUT_OF_RANGE : FAULT_INVALID_PARAMETER);
	case P_PERCENT:
		return parse_percent(&p);
	case P_REAL:
		return parse_real(&p);
	case P_SEVERITY:
		return parse_severity(&p);
	case P_SEVERITIES:
		return parse_severities(&p);
	case P_TIME:
		return parse_time(&p);
	case P_AGE:
		return parse_age(&p);
	case P_CURSOR:
		return parse_cursor(&p);
	case P_ANY:
		break;
	case P_WORD:
		return parse_word(&p);
	case P_FLAG:
		return parse_flag(&p);
	}
	return 0;
}

/*
 * fact - see fact.h. Between envelope.c, which found the object, and body.c, which adds what the log gives.
 *
 * The text is written while the members are checked, into a buffer that is simply forgotten on a refusal. Our members are
 * slices of what came in, but for the few that have a form of their own: the symbol, an error's severity, a fraction that
 * becomes percent, times.
 */
#include "event/fact.h"

#include <string.h>

#include "event/rest.h"
#include "event/when.h"

#define NAME_MAX_CHARS 64
#define TIMEFRAME_MAX_CHARS 32
#define SEVERITY_MAX_CHARS 32
#define RAW_PER_CHAR 12 /* bytes that a character takes at most: a surrogate pair as escapes */
#define AHEAD_MAX_US (3600 * INT64_C(1000000))
#define ROOM_FOR_IDS 128 /* what body_render() adds to lead and rest, at most */

static int
refuse(struct fact *f, enum reject_reason reason, const char *detail)
{
	f->reason = reason;
	f->detail = detail;
	return -1;
}

static const struct json_token *
token(const struct fact *f, uint32_t at)
{
	return &f->json->tokens[at];
}

/* The first of `words` that the fact has; WORD_NONE if it has none. Its name is consumed. */
static unsigned
take_first(struct fact *f, const struct members *m, const uint8_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((m->present & WORD_BIT(words[i])) != 0) {
			f->taken |= WORD_BIT(words[i]);
			return words[i];
		}
	}
	return WORD_NONE;
}

static void *
scratch(struct fact *f, size_t n)
{
	char *p = f->scratch + f->scratch_used;

	if (n > f->scratch_size - f->scratch_used)
		return NULL;
	f->scratch_used += n;
	return p;
}

/* A string's characters; escapes are undone in the scratch memory. */
static int
read_text(struct fact *f, uint32_t at, const char *name, struct text *out)
{
	const struct json_token *t = token(f, at);
	char *plain;

	if (t->type != TOKEN_STRING)
		return refuse(f, REJECT_INVALID_TYPE, name);
	if (t->flags & JSON_HAS_NUL)
		return refuse(f, REJECT_OUT_OF_RANGE, name);
	*out = json_inner(f->json, at);
	if ((t->flags & JSON_ESCAPED) == 0)
		return 0;
	if ((plain = scratch(f, out->n)) == NULL)
		return refuse(f, REJECT_TOO_LARGE, name);
	*out = (struct text){ plain, json_unescape(*out, plain) };
	return 0;
}

/* The same for 1..max printable characters. */
static int
read_short(struct fact *f, uint32_t at, const char *name, size_t max, struct text *out)
{
	const struct json_token *t = token(f, at);

	if (t->type == TOKEN_STRING && t->end - t->start > max * RAW_PER_CHAR + 2)
		return refuse(f, REJECT_OUT_OF_RANGE, name);
	if (read_text(f, at, name, out) != 0)
		return -1;
	return text_printable(*out, 1, max) ? 0 : refuse(f, REJECT_OUT_OF_RANGE, name);
}

/* Upper case of a symbol's character; 0 when it may not be in one. */
static char
symbol_char(char c)
{
	if (c >= 'a' && c <= 'z')
		return (char)(c - 'a' + 'A');
	if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("._:^=/-", c) != NULL))
		return c;
	return '\0';
}

static int
add_symbol(struct fact *f, const struct members *m, struct event *ev)
{
	unsigned word;
	struct text t;
	char *upper;

	buf_add(&f->out, ",\"symbol\":", 10);
	if (!kinds[ev->kind].has_symbol || (word = take_first(f, m, f->words->symbol, SYMBOL_ALIASES)) == WORD_NONE) {
		buf_add(&f->out, "null", 4);
		return 0;
	}
	if (read_short(f, m->value[word], "symbol", SYMBOL_MAX, &t) != 0)
		return -1;
	if ((upper = scratch(f, t.n)) == NULL)
		return refuse(f, REJECT_TOO_LARGE, "symbol");
	for (size_t i = 0; i < t.n; i++) {
		if ((upper[i] = symbol_char(t.p[i])) == '\0')
			return refuse(f, REJECT_OUT_OF_RANGE, "symbol");
	}
	ev->symbol = (struct text){ upper, t.n };
	buf_add_char(&f->out, '"');
	buf_add_text(&f->out, ev->symbol);
	buf_add_char(&f->out, '"');
	return 0;
}

static void
add_raw(struct fact *f, uint32_t at)
{
	f->notes[NOTE_NULL_NUMBER] += json_compact(&f->out, f->json, at);
}

static int
add_name(struct fact *f, uint32_t at, const char *name, struct event *ev)
{
	struct text t;
	char *folded;

	if (read_short(f, at, name, NAME_MAX_CHARS, &t) != 0)
		return -1;
	if ((folded = scratch(f, t.n)) == NULL)
		return refuse(f, REJECT_TOO_LARGE, name);
	ev->name = (struct text){ folded, text_fold_name(t, folded, t.n) };
	add_raw(f, at);
	return 0;
}

static int
add_timeframe(struct fact *f, uint32_t at, const char *name, struct event *ev)
{
	if (read_short(f, at, name, TIMEFRAME_MAX_CHARS, &ev->timeframe) != 0)
		return -1;
	add_raw(f, at);
	return 0;
}

/* True when the producer's number is a fraction of 1. */
static bool
is_fraction(const struct fact *f, const struct decimal *d)
{
	return f->scale == SCALE_FRACTION || (f->scale == SCALE_AUTO && decimal_compare(d, 1) <= 0);
}

static int
add_confidence(struct fact *f, uint32_t at, const char *name, struct event *ev)
{
	struct text number = json_raw(f->json, at);
	size_t from = f->out.len;
	struct decimal d;

	if (token(f, at)->type != TOKEN_NUMBER)
		return refuse(f, REJECT_INVALID_TYPE, name);
	if (decimal_parse(number, &d) != 0)
		return refuse(f, REJECT_OUT_OF_RANGE, name);
	if (is_fraction(f, &d)) {
		d.point += 2;
		decimal_render(&f->out, &d);
		number = text_cut(buf_text(&f->out), from, f->out.len);
	} else {
		buf_add_text(&f->out, number);
	}
	if (decimal_compare(&d, 0) < 0 || decimal_compare(&d, 100) > 0 || text_real(number, &ev->confidence) != 0)
		return refuse(f, REJECT_OUT_OF_RANGE, name);
	return 0;
}

static int
add_value(struct fact *f, uint32_t at, const char *name, struct event *ev)
{
	if (token(f, at)->type != TOKEN_NUMBER)
		return refuse(f, REJECT_INVALID_TYPE, name);
	if (text_real(json_raw(f->json, at), &ev->value) != 0)
		return refuse(f, REJECT_OUT_OF_RANGE, name);
	add_raw(f, at);
	return 0;
}

static int
add_values(struct fact *f, uint32_t at, const char *name)
{
	if (token(f, at)->type != TOKEN_OBJECT)
		return refuse(f, REJECT_INVALID_TYPE, name);
	if (token(f, at)->next == at + 1)
		return refuse(f, REJECT_OUT_OF_RANGE, name);
	add_raw(f, at);
	return 0;
}

static int
add_severity(struct fact *f, uint32_t at, const char *name, struct event *ev)
{
	struct text t;
	char *lower;

	if (read_short(f, at, name, SEVERITY_MAX_CHARS, &t) != 0)
		return -1;
	if ((lower = scratch(f, t.n)) == NULL)
		return refuse(f, REJECT_TOO_LARGE, name);
	for (size_t i = 0; i < t.n; i++)
		lower[i] = (char)(t.p[i] >= 'A' && t.p[i] <= 'Z' ? t.p[i] - 'A' + 'a' : t.p[i]);
	t.p = lower;
	if (severity_by_name(t, &ev->severity) != 0)
		ev->severity = SEVERITY_NONE;
	buf_add_json(&f->out, t);
	return 0;
}

/* Two texts of an error can be filtered on; the others are only shown. */
static int
add_text(struct fact *f, uint32_t at, const char *name, struct event *ev)
{
	bool component = ev->kind == KIND_ERROR && strcmp(name, "component") == 0;
	bool source = ev->kind == KIND_ERROR && strcmp(name, "source") == 0;

	if (token(f, at)->type != TOKEN_STRING)
		return refuse(f, REJECT_INVALID_TYPE, name);
	if ((component || source) && read_text(f, at, name, component ? &ev->component : &ev->source) != 0)
		return -1;
	add_raw(f, at);
	return 0;
}

static int
add_value_of_type(struct fact *f, const struct member *row, uint32_t at, struct event *ev)
{
	const char *name = row->aliases[0];

	switch (row->type) {
	case MEMBER_NAME:
		return add_name(f, at, name, ev);
	case MEMBER_TIMEFRAME:
		return add_timeframe(f, at, name, ev);
	case MEMBER_CONFIDENCE:
		return add_confidence(f, at, name, ev);
	case MEMBER_VALUE:
		return add_value(f, at, name, ev);
	case MEMBER_VALUES:
		return add_values(f, at, name);
	case MEMBER_SEVERITY:
		return add_severity(f, at, name, ev);
	case MEMBER_TEXT:
	case MEMBER_STATE:
	case MEMBER_SYMBOL:
		break;
	}
	return add_text(f, at, name, ev);
}

static void
add_missing(struct fact *f, const struct member *row, struct event *ev)
{
	struct text t = text_of(row->missing);

	if (row->type == MEMBER_STATE)
		t = text_of(f->from->session_state);
	if (row->type == MEMBER_TIMEFRAME) {
		ev->timeframe = t;
		f->notes[NOTE_DEFAULT_TIMEFRAME]++;
	}
	if (ev->kind == KIND_ERROR && t.p != NULL && strcmp(row->aliases[0], "source") == 0)
		ev->source = t;
	if (t.p == NULL)
		buf_add(&f->out, "null", 4);
	else
		buf_add_json(&f->out, t);
}

/* True when `value` is an object, which then is `values` under another name, and there are no `values`. */
static bool
value_is_values(const struct fact *f, const struct members *m, unsigned value, uint64_t values)
{
	return (m->present & WORD_BIT(value)) != 0 && (m->present & values) == 0 &&
	    token(f, m->value[value])->type == TOKEN_OBJECT;
}

/*
 * The token of our member `i`, or 0. Three names have their peculiarities: an object under `value` is `values` (the next
 * row), an alert may have its name in `type`, and a session's `state` is never the producer's.
 */
static uint32_t
find_value(struct fact *f, const struct members *m, const struct kind_words *k, const struct member *row, size_t i)
{
	unsigned type = f->words->type, word;

	if (row->type == MEMBER_STATE ||
	    (row->type == MEMBER_VALUE && value_is_values(f, m, k->aliases[i][0], k->any[i + 1])))
		return 0;
	word = take_first(f, m, k->aliases[i], k->n_aliases[i]);
	if (row->type == MEMBER_VALUES && value_is_values(f, m, k->aliases[i - 1][0], k->any[i]))
		word = take_first(f, m, k->aliases[i - 1], 1);
	if (word == WORD_NONE && row->type == MEMBER_NAME && f->from->kind == KIND_ALERT &&
	    (m->present & WORD_BIT(type)) != 0 && token(f, m->value[type])->type == TOKEN_STRING)
		word = type;
	return word == WORD_NONE ? 0 : m->value[word];
}

static int
add_members(struct fact *f, const struct members *m, struct event *ev)
{
	const struct kind_info *info = &kinds[ev->kind];
	const struct kind_words *k = &f->words->kinds[ev->kind];

	for (size_t i = 0; i < info->n_members; i++) {
		const struct member *row = &info->members[i];
		uint32_t at;

		buf_add(&f->out, ",\"", 2);
		buf_add_str(&f->out, row->aliases[0]);
		buf_add(&f->out, "\":", 2);
		at = find_value(f, m, k, row, i);
		if (at == 0)
			add_missing(f, row, ev);
		else if (add_value_of_type(f, row, at, ev) != 0)
			return -1;
	}
	return 0;
}

/* Reads the time at token `at` into ev and f->time; false when it cannot be used. */
static bool
read_time(struct fact *f, uint32_t at, struct event *ev)
{
	const struct json_token *t = token(f, at);
	struct text s = json_raw(f->json, at);
	bool naive = false;
	int64_t us;
	char plain[256];

	buf_clear(&f->time);
	if (t->type == TOKEN_NUMBER) {
		if (when_of_number(s, &us, &f->time) != 0)
			return false;
	} else if (t->type == TOKEN_STRING && s.n <= sizeof(plain)) {
		s = json_inner(f->json, at);
		if (t->flags & JSON_ESCAPED)
			s = (struct text){ plain, json_unescape(s, plain) };
		if (when_of_text(s, &us, &naive, &f->time) != 0)
			return false;
	} else {
		return false;
	}
	if (us > f->received_us && us - f->received_us > AHEAD_MAX_US)
		return false;
	f->notes[NOTE_NAIVE_TIME] += naive;
	ev->time_ms = when_floor_ms(us);
	return true;
}

/* The word of the time that counts among `m`, or WORD_NONE. */
static unsigned
find_time(const struct fact *f, const struct members *m)
{
	const uint8_t *order = f->words->times;

	if ((m->present & f->words->any_time) == 0)
		return WORD_NONE;
	if (f->from->session_state != NULL && strcmp(f->from->session_state, "stopped") == 0)
		order = f->words->stopped;
	for (size_t i = 0; i < TIME_ALIASES; i++) {
		if ((m->present & WORD_BIT(order[i])) != 0)
			return order[i];
	}
	return WORD_NONE;
}

/* The fact's own time, else that of the innermost envelope that has one, else ours; one that cannot be used is ours too. */
static void
choose_time(struct fact *f, const struct envelope *e, struct event *ev)
{
	const struct members *m = e->fact;
	unsigned word = find_time(f, m);

	ev->time_source = TIME_EVENT;
	for (size_t i = 0; word == WORD_NONE && i < ENVELOPE_DEPTH && e->around[i] != NULL; i++) {
		m = e->around[i];
		word = find_time(f, m);
		ev->time_source = TIME_ENVELOPE;
	}
	if (word != WORD_NONE && read_time(f, m->value[word], ev)) {
		if (m == e->fact)
			f->taken |= WORD_BIT(word);
		return;
	}
	f->notes[NOTE_RECEIVED_TIME]++;
	ev->time_source = TIME_RECEIVED;
	ev->time_ms = when_floor_ms(f->received_us);
	buf_clear(&f->time);
	when_add_seconds(&f->time, f->received_us);
}

static void
add_times(struct fact *f, const struct envelope *e, struct event *ev)
{
	choose_time(f, e, ev);
	buf_add(&f->out, ",\"", 2);
	buf_add_str(&f->out, kinds[ev->kind].time_member);
	buf_add(&f->out, "\":", 2);
	buf_add_text(&f->out, buf_text(&f->time));
	buf_add(&f->out, ",\"time\":\"", 9);
	buf_add_text(&f->out, when_rfc3339(&f->last_time, ev->time_ms));
	buf_add_str(&f->out, "\",\"time_source\":\"");
	buf_add_str(&f->out, time_source_names[ev->time_source]);
	buf_add_str(&f->out, "\",\"received_at\":");
	when_add_seconds(&f->out, f->received_us);
	buf_add_str(&f->out, ",\"channel\":");
	buf_add_json(&f->out, f->from->channel);
}

/* What is missing, by the name that clients know. */
static const char *
missing_name(const struct fact *f, const struct members *m, enum kind kind)
{
	const struct kind_info *info = &kinds[kind];
	const struct kind_words *k = &f->words->kinds[kind];

	for (size_t i = 0; i < info->n_members; i++) {
		enum need need = info->members[i].need;

		if ((need == NEED_THIS && (m->present & k->any[i]) == 0) ||
		    (need == NEED_ONE && (m->present & k->one_of) == 0))
			return info->members[i].aliases[0];
		if (i == 0 && info->symbol_required && (m->present & f->words->any_symbol) == 0)
			return "symbol";
	}
	return NULL;
}

/* An error of component tickgate that carries our own instance: what this very process published. */
static bool
is_own_echo(const struct fact *f, const struct members *m)
{
	uint64_t needed = WORD_BIT(f->words->component) | WORD_BIT(f->words->instance);
	uint32_t component = m->value[f->words->component], instance = m->value[f->words->instance];

	return f->instance.p != NULL && (m->present & needed) == needed && token(f, component)->type == TOKEN_STRING &&
	    token(f, instance)->type == TOKEN_STRING && text_eq(json_inner(f->json, component), TEXT("tickgate")) &&
	    text_eq(json_inner(f->json, instance), f->instance);
}

static void
start(struct fact *f, struct event *ev)
{
	*ev = (struct event)EVENT_INIT;
	ev->kind = f->from->kind;
	ev->received_us = f->received_us;
	ev->channel = f->from->channel;
	f->scratch_used = 0;
	f->taken = 0;
	memset(f->notes, 0, sizeof(f->notes));
	buf_clear(&f->out);
}

int
fact_render(struct fact *f, const struct envelope *e, struct event *ev)
{
	const struct members *m = e->fact;
	size_t lead;

	start(f, ev);
	if (!e->complete && (m->present & f->words->kinds[ev->kind].required) == 0)
		return refuse(f, REJECT_UNKNOWN_SHAPE, NULL);
	if (!e->complete)
		return refuse(f, REJECT_MISSING_FIELD, missing_name(f, m, ev->kind));
	if (ev->kind == KIND_ERROR && is_own_echo(f, m))
		return refuse(f, REJECT_OWN_ECHO, NULL);
	buf_add(&f->out, ",\"kind\":\"", 9);
	buf_add_str(&f->out, kinds[ev->kind].name);
	buf_add_char(&f->out, '"');
	if (add_symbol(f, m, ev) != 0 || add_members(f, m, ev) != 0)
		return -1;
	add_times(f, e, ev);
	lead = f->out.len;
	rest_render(f, m, ev->kind);
	if (f->out.failed || f->time.failed || f->out.len > EVENT_MAX_BYTES - ROOM_FOR_IDS)
		return refuse(f, REJECT_TOO_LARGE, NULL);
	ev->lead = text_cut(buf_text(&f->out), 0, lead);
	ev->rest = text_cut(buf_text(&f->out), lead, f->out.len);
	return 0;
}

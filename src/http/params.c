/*
 * params - see params.h.  Walk 2, step 4: from http/route.c, on to api/. What a value may be is in param_values.c.
 */
#include "http/params.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "http/param_values.h"

#define FAULTS_KEPT 32 /* a client that makes more is not reading them */
#define LIST_MAX 50
#define SYMBOLS_MAX 200

static const char *const cursor_words[] = { "oldest", "now", NULL };
static const char *const duplicates_words[] = { "hide", "show", NULL };
static const char *const order_words[] = { "symbol", "activity", NULL };
static const char *const time_words[] = { "received", "event", NULL };
static const char *const on_gap_words[] = { "reset", "fail", NULL };
static const char *const group_words[] = { "symbol", NULL };
static const char *const format_words[] = { "json", "ndjson", "csv", NULL }; /* in the order of enum format */

/* clang-format off */
const struct param_info params[Q__MAX] = {
	/*                     name              type          min max          words             example                help */
	[Q_SYMBOL]         = { "symbol",         P_SYMBOLS,    1,  SYMBOLS_MAX, NULL,             "AAPL",                "Only events with this symbol, or one of these (comma list); case does not matter." },
	[Q_SYMBOLS]        = { "symbols",        P_SYMBOLS,    1,  SYMBOLS_MAX, NULL,             "AAPL,MSFT",           "The same as symbol." },
	[Q_KINDS]          = { "kinds",          P_KINDS,      0,  0,           NULL,             "pattern,alert",       "Only events of these kinds (comma list); unless given, patterns, indicators and alerts." },
	[Q_PATTERN]        = { "pattern",        P_NAMES,      1,  LIST_MAX,    NULL,             "doji,hammer",         "Only patterns of these names; case, _, - and blanks are ignored." },
	[Q_INDICATOR]      = { "indicator",      P_NAMES,      1,  LIST_MAX,    NULL,             "RSI",                 "Only indicators of these names; case, _, - and blanks are ignored." },
	[Q_ALERT]          = { "alert",          P_NAMES,      1,  LIST_MAX,    NULL,             "RSI_OVERBOUGHT",      "Only alerts of these types; case, _, - and blanks are ignored." },
	[Q_TIMEFRAME]      = { "timeframe",      P_LIST,       1,  LIST_MAX,    NULL,             "1min,1day",           "Only patterns and indicators of these timeframes, verbatim." },
	[Q_MIN_CONFIDENCE] = { "min_confidence", P_PERCENT,    0,  100,         NULL,             "80",                  "Only patterns of at least this confidence, in percent." },
	[Q_MAX_CONFIDENCE] = { "max_confidence", P_PERCENT,    0,  100,         NULL,             "95",                  "Only patterns of at most this confidence, in percent." },
	[Q_MIN_VALUE]      = { "min_value",      P_REAL,       0,  0,           NULL,             "70",                  "Only indicators whose scalar value is at least this." },
	[Q_MAX_VALUE]      = { "max_value",      P_REAL,       0,  0,           NULL,             "30.5",                "Only indicators whose scalar value is at most this." },
	[Q_SEVERITY]       = { "severity",       P_SEVERITIES, 0,  0,           NULL,             "error,critical",      "Only errors of these severities (comma list)." },
	[Q_MIN_SEVERITY]   = { "min_severity",   P_SEVERITY,   0,  0,           NULL,             "warning",             "Only errors at least as severe (debug, info, warning, error, critical)." },
	[Q_COMPONENT]      = { "component",      P_TEXT,       1,  128,         NULL,             "PatternDetector",     "Only errors of this component." },
	[Q_SOURCE]         = { "source",         P_TEXT,       1,  128,         NULL,             "tickstock",           "Only errors from this source." },
	[Q_CHANNEL]        = { "channel",        P_TEXT,       1,  256,         NULL,             "tickstock:errors",    "Only events that came over this channel; implies duplicates=show." },
	[Q_DUPLICATES]     = { "duplicates",     P_WORD,       0,  0,           duplicates_words, "show",                "Whether copies of a detection that came over another channel are listed: hide (the default) or show." },
	[Q_SINCE]          = { "since",          P_TIME,       0,  0,           NULL,             "15m",                 "Only events of this time or later." },
	[Q_UNTIL]          = { "until",          P_TIME,       0,  0,           NULL,             "2026-11-23T07:00:00Z","Only events from before this time." },
	[Q_AFTER]          = { "after",          P_CURSOR,     1,  64,          cursor_words,     "q7k2m9xa-184467",     "What is newer than this id, oldest first; or oldest, or now." },
	[Q_BEFORE]         = { "before",         P_CURSOR,     1,  64,          NULL,             "q7k2m9xa-184467",     "What is older than this id, newest first." },
	[Q_LIMIT]          = { "limit",          P_INT,        1,  10000,       NULL,             "100",                 "At most this many: 100 unless given, up to 1000, or up to 10000 of a list as ndjson or csv." },
	[Q_PER_SYMBOL]     = { "per_symbol",     P_INT,        1,  100,         NULL,             "5",                   "With symbols: the newest so many of each; data is a map with every symbol asked for." },
	[Q_PREFIX]         = { "prefix",         P_TEXT,       1,  SYMBOL_MAX,  NULL,             "AA",                  "Only symbols that begin so; case does not matter." },
	[Q_ACTIVE]         = { "active",         P_AGE,        0,  0,           NULL,             "15m",                 "Only symbols with an event in this time." },
	[Q_ORDER]          = { "order",          P_WORD,       0,  0,           order_words,      "activity",            "By symbol (the default), or by activity, the newest event first: that is one page without next." },
	[Q_AFTER_SYMBOL]   = { "after_symbol",   P_SYMBOLS,    1,  1,           NULL,             "AAPL",                "What comes after this symbol, for paging." },
	[Q_WINDOW]         = { "window",         P_AGE,        1,  86400,       NULL,             "1h",                  "How far back to count: 1h unless given, up to 24h, rounded up to whole minutes, above 2h to whole hours." },
	[Q_VERBOSE]        = { "verbose",        P_FLAG,       0,  1,           NULL,             "1",                   "Tells every check." },
	[Q_TIME_FIELD]     = { "time_field",     P_WORD,       0,  0,           time_words,       "event",               "Which time since and until look at: when an event was received (the default), or its own." },
	[Q_ON_GAP]         = { "on_gap",         P_WORD,       0,  0,           on_gap_words,     "fail",                "What an id that cannot be gone on from gives: an answer with reset (the default), or with fail a 410." },
	[Q_GROUP]          = { "group",          P_WORD,       0,  0,           group_words,      "symbol",              "With symbol, data is a map from symbol to events; those without symbol stand under an empty one." },
	[Q_FIELDS]         = { "fields",         P_FIELDS,      1,  LIST_MAX,    NULL,             "symbol,time",         "Only these members of each event (comma list); for CSV the columns, in this order." },
	[Q_FORMAT]         = { "format",         P_WORD,       0,  0,           format_words,     "csv",                 "json, ndjson or csv; goes before what Accept says." },
	[Q_PRETTY]         = { "pretty",         P_FLAG,       0,  1,           NULL,             "1",                   "Indents JSON." },
	[Q_TOKEN]          = { "token",          P_TEXT,       1,  512,         NULL,             "tg_…",                "A token, where access.query_token allows it here: for EventSource, which cannot send headers." },
	[Q_LAST_EVENT_ID]  = { "last_event_id",  P_ANY,        0,  0,           NULL,             "q7k2m9xa-184467",     "Where to go on, for the first connection of a page, which cannot send the header Last-Event-ID." },
	[Q_LAST_EVENT_ID_CAMEL] = { "lastEventId", P_ANY,      0,  0,           NULL,             "q7k2m9xa-184467",     "The same as last_event_id." },
	[Q_REPLAY]         = { "replay",         P_INT,        1,  1000,        NULL,             "50",                  "Begins with the last so many events that match." },
	[Q_BATCH]          = { "batch",          P_INT,        50, 5000,        NULL,             "250",                 "Collects events for at least so many milliseconds, and sends them as one; alerts and gaps do not wait." },
	[Q_CONFLATE]       = { "conflate",       P_FLAG,       0,  1,           NULL,             "1",                   "Of the indicators in a batch only the newest of each symbol, name and timeframe." },
	[Q_HEARTBEAT]      = { "heartbeat",      P_INT,        5,  55,          NULL,             "15",                  "After so many seconds of silence a heartbeat is sent." },
	[Q_DRY]            = { "dry",            P_FLAG,       0,  1,           NULL,             "1",                   "Only checks the parameters, and says where the stream would begin." },
	[Q_WAIT]           = { "wait",           P_INT,        0,  55,          NULL,             "25",                  "With after: if there is nothing yet, waits up to so many seconds for something; Prefer: wait=25 says the same." },
	[Q_LINGER]         = { "linger",         P_INT,        0,  2000,        NULL,             "250",                 "With wait: collects for so many more milliseconds once something has come." },
};
/* clang-format on */
static_assert(Q__MAX <= 64, "PARAM_BIT() has 64 bits");

void
faults_init(struct faults *f, struct pool *pool)
{
	*f = (struct faults){ .pool = pool };
	f->last = &f->first;
}

/* What the client wrote, fit to be shown to it again. */
static struct text
shown(struct pool *pool, struct text t)
{
	struct text copy;
	char *p;

	t = text_cut(t, 0, 64);
	if (text_printable(t, 0, 64))
		return pool_text(pool, t);
	copy = pool_text(pool, t);
	p = (char *)copy.p;
	for (size_t i = 0; p != NULL && i < copy.n; i++)
		if (p[i] < 0x20 || p[i] == 0x7f)
			p[i] = '?';
	return copy;
}

void
fault_add(struct faults *f, enum fault_code code, struct text param, const char *fmt, ...)
{
	char detail[640];
	struct fault *fault;
	va_list ap;

	f->n++;
	if (f->n > FAULTS_KEPT || (fault = pool_alloc(f->pool, sizeof(*fault))) == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	fault->code = code;
	fault->param = shown(f->pool, param);
	fault->detail = pool_text(f->pool, text_of(detail));
	*f->last = fault;
	f->last = &fault->next;
}

static int
hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes form encoding. NULL, or what is wrong with it; *memory when there was none. */
static const char *
decode(struct text raw, struct pool *pool, struct text *out, bool *memory)
{
	char *to = pool_alloc(pool, raw.n + 1);
	size_t n = 0;

	*out = TEXT("");
	if (to == NULL) {
		*memory = true;
		return NULL;
	}
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int high = raw.n - i > 2 ? hex_of(raw.p[i + 1]) : -1;
			int low = raw.n - i > 2 ? hex_of(raw.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return "has a % that is not followed by two hexadecimal digits";
			c = (char)(high << 4 | low);
			i += 2;
		}
		to[n++] = c;
	}
	*out = (struct text){ to, n };
	if (!text_printable(*out, 0, n))
		return "has control characters or is not UTF-8";
	return NULL;
}

static int
find(struct text name)
{
	for (int q = 0; q < Q__MAX; q++)
		if (text_eq(name, text_of(params[q].name)))
			return q;
	return -1;
}

static void
add_unknown(struct faults *faults, struct text name, uint64_t allowed, bool known)
{
	const char *names[Q__MAX], *nearest = NULL;
	struct buf list = { .max = 512 };
	size_t n = 0;

	for (int q = 0; q < Q__MAX; q++) {
		if ((allowed & PARAM_BIT(q)) == 0)
			continue;
		buf_printf(&list, "%s%s", n == 0 ? "" : ", ", params[q].name);
		names[n++] = params[q].name;
	}
	if (n == 0)
		fault_add(faults, FAULT_UNKNOWN_PARAMETER, name, "this route takes no parameters");
	else if (known)
		fault_add(
		    faults, FAULT_UNKNOWN_PARAMETER, name, "this route does not take it; it takes %s", buf_cstr(&list));
	else if ((nearest = text_nearest(name, names, n)) != NULL)
		fault_add(faults, FAULT_UNKNOWN_PARAMETER, name, "is unknown; did you mean %s?", nearest);
	else
		fault_add(faults, FAULT_UNKNOWN_PARAMETER, name, "is unknown; this route takes %s", buf_cstr(&list));
	buf_fini(&list);
}

static int
parse_pair(struct param_values *out, struct text pair, uint64_t allowed, int64_t now_us, struct pool *pool,
    struct faults *faults)
{
	struct text raw = pair, raw_name = TEXT_NONE, name, value;
	const char *wrong;
	bool memory = false;
	int q;

	text_split(&raw, '=', &raw_name);
	wrong = decode(raw_name, pool, &name, &memory);
	if (memory)
		return -1;
	if (wrong != NULL) {
		fault_add(faults, FAULT_UNKNOWN_PARAMETER, raw_name, "the name %s", wrong);
		return 0;
	}
	if (text_eq(name, TEXT("_")))
		return 0;
	q = find(name);
	if (q < 0 || (allowed & PARAM_BIT(q)) == 0) {
		add_unknown(faults, name, allowed, q >= 0);
		return 0;
	}
	if (out->v[q].given) {
		fault_add(faults, FAULT_INVALID_PARAMETER, name, "is given more than once");
		return 0;
	}
	out->v[q].given = true;
	wrong = decode(raw, pool, &value, &memory);
	if (memory)
		return -1;
	if (wrong != NULL) {
		fault_add(faults, FAULT_INVALID_PARAMETER, name, "%s", wrong);
		return 0;
	}
	out->v[q].text = value;
	/* A stream may begin at a time; a list has `since` for that. */
	if (q == Q_AFTER && (allowed & PARAM_BIT(Q_BEFORE)) == 0 &&
	    param_time_parse(value, now_us, &out->v[q].n) == 0) {
		out->v[q].timed = true;
		return 0;
	}
	return param_value_parse(&out->v[q], (enum param)q, now_us, pool, faults);
}

struct text
params_peek(struct text query, enum param q, struct pool *pool)
{
	struct text pair, raw_name, name, value;
	bool memory = false;

	while (text_split(&query, '&', &pair)) {
		struct text raw = pair;

		if (!text_split(&raw, '=', &raw_name) || decode(raw_name, pool, &name, &memory) != NULL || memory ||
		    !text_eq(name, text_of(params[q].name)))
			continue;
		return decode(raw, pool, &value, &memory) == NULL && !memory ? value : TEXT_NONE;
	}
	return TEXT_NONE;
}

static void
check_conflicts(const struct param_values *p, struct faults *faults)
{
	static const struct {
		enum param min, max;
	} ranges[] = { { Q_MIN_CONFIDENCE, Q_MAX_CONFIDENCE }, { Q_MIN_VALUE, Q_MAX_VALUE } };
	const struct param_value *v = p->v;

	if (v[Q_SYMBOL].given && v[Q_SYMBOLS].given)
		fault_add(faults, FAULT_CONFLICTING_PARAMETERS, TEXT("symbols"),
		    "means the same as symbol: give one of them");
	if (v[Q_AFTER].given && v[Q_BEFORE].given)
		fault_add(faults, FAULT_CONFLICTING_PARAMETERS, TEXT("before"), "cannot be given together with after");
	if (v[Q_PER_SYMBOL].given && v[Q_AFTER].given)
		fault_add(faults, FAULT_CONFLICTING_PARAMETERS, TEXT("per_symbol"),
		    "gives the newest of each: it cannot be given together with after");
	if (v[Q_PER_SYMBOL].given && v[Q_LIMIT].given)
		fault_add(faults, FAULT_CONFLICTING_PARAMETERS, TEXT("per_symbol"),
		    "says how many there are of each symbol: leave out limit");
	if (v[Q_SINCE].given && v[Q_UNTIL].given && v[Q_SINCE].n > v[Q_UNTIL].n)
		fault_add(faults, FAULT_CONFLICTING_PARAMETERS, TEXT("since"), "is later than until");
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (v[ranges[i].min].given && v[ranges[i].max].given && v[ranges[i].min].real > v[ranges[i].max].real)
			fault_add(faults, FAULT_CONFLICTING_PARAMETERS, text_of(params[ranges[i].min].name),
			    "is more than %s", params[ranges[i].max].name);
}

int
params_parse(struct param_values *out, struct text query, uint64_t allowed, int64_t now_us, struct pool *pool,
    struct faults *faults)
{
	struct text pair;
	unsigned before = faults->n;

	*out = (struct param_values){ 0 };
	while (text_split(&query, '&', &pair))
		if (pair.n > 0 && parse_pair(out, pair, allowed, now_us, pool, faults) != 0)
			return -1;
	/* Values that are wrong by themselves say nothing about each other. */
	if (faults->n == before)
		check_conflicts(out, faults);
	return 0;
}

void
params_add_link(struct buf *link, bool *first, enum param q, struct text value)
{
	static const char hex[] = "0123456789ABCDEF";

	buf_add_char(link, *first ? '?' : '&');
	*first = false;
	buf_add_str(link, params[q].name);
	buf_add_char(link, '=');
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		/* RFC 3986's unreserved ones, and those a query may hold that read better as they are. */
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr("-._~:,/", c) != NULL))
			buf_add_char(link, (char)c);
		else
			buf_add(link, (char[]){ '%', hex[c >> 4], hex[c & 15] }, 3);
	}
}

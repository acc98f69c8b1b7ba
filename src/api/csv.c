/* csv - see csv.h.  Walk 2, inside step 5: from rows.c. */
#include "api/csv.h"

#include <string.h>

#include "event/kinds.h"

#define KEY_MAX 512
#define PRODUCER_MEMBERS 5

/* Members that have a column though they are not tickgate's own: those that the producer's messages are documented to have; all of a gap's. */
static const char *const beside[KIND__MAX][PRODUCER_MEMBERS] = {
	[KIND_PATTERN] = { "bar_count", "metadata" },
	[KIND_INDICATOR] = { "metadata" },
	[KIND_ALERT] = { "data" },
	[KIND_HEALTH] = { "uptime_seconds", "symbols_processed" },
	[KIND_GAP] = { "reason", "from", "to", "channels", "dropped" },
};

static void
add_column(struct csv *c, struct text name)
{
	for (size_t i = 0; i < c->n; i++)
		if (text_eq(c->columns[i], name))
			return;
	if (c->n < CSV_COLUMNS_MAX)
		c->columns[c->n++] = name;
}

/* In the order of the members of an event: of several kinds, first what is each one's own, then their times, then what all have. */
static void
columns_of_kinds(struct csv *c, unsigned kinds_wanted)
{
	for (size_t i = 0; i < 3; i++)
		add_column(c, text_of(kind_common[i]));
	for (int k = 0; k < KIND__MAX; k++)
		for (size_t i = 0; (kinds_wanted & KIND_BIT(k)) != 0 && i < kinds[k].n_members; i++)
			add_column(c, text_of(kinds[k].members[i].aliases[0]));
	for (int k = 0; k < KIND__MAX; k++)
		if ((kinds_wanted & KIND_BIT(k)) != 0 && kinds[k].time_member != NULL)
			add_column(c, text_of(kinds[k].time_member));
	for (size_t i = 3; i < KIND_COMMON; i++)
		add_column(c, text_of(kind_common[i]));
	for (int k = 0; k < KIND__MAX; k++)
		for (size_t i = 0; i < PRODUCER_MEMBERS && beside[k][i] != NULL; i++)
			if ((kinds_wanted & KIND_BIT(k)) != 0)
				add_column(c, text_of(beside[k][i]));
}

void
csv_init(struct csv *c, unsigned kinds_wanted, const struct text_set *fields)
{
	*c = (struct csv){ .more = fields->n == 0 };
	for (size_t i = 0; i < fields->n; i++)
		add_column(c, fields->items[i]);
	if (c->more)
		columns_of_kinds(c, kinds_wanted);
}

void
csv_fini(struct csv *c)
{
	buf_fini(&c->cell);
	buf_fini(&c->rest);
}

static void
add_quoted(struct buf *out, struct text t)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] == '"')
			buf_add_char(out, '"');
		buf_add_char(out, t.p[i]);
	}
	buf_add_char(out, '"');
}

static void
add_cell(struct buf *out, struct text t)
{
	bool quotes = false;

	for (size_t i = 0; i < t.n && !quotes; i++)
		quotes = t.p[i] == '"' || t.p[i] == ',' || t.p[i] == '\r' || t.p[i] == '\n';
	if (quotes)
		add_quoted(out, t);
	else
		buf_add_text(out, t);
}

/* What a spreadsheet would take for a formula is marked as text: the producer's texts must not compute in a reader's hands. Some
 * skip white space before they look. */
static void
add_text(struct csv *c, struct buf *out, struct text t)
{
	buf_clear(&c->cell);
	if (t.n > 0 && memchr("=+-@\t\r\n", t.p[0], 7) != NULL)
		buf_add_char(&c->cell, '\'');
	buf_add_text(&c->cell, t);
	if (c->cell.failed)
		out->failed = true;
	add_cell(out, buf_text(&c->cell));
}

static void
add_string(struct csv *c, struct buf *out, struct text raw)
{
	struct buf plain = { 0 };
	char *to = buf_reserve(&plain, raw.n + 1);
	size_t n;

	if (to == NULL) {
		out->failed = true;
		return;
	}
	n = json_unescape(raw, to);
	/* Readers of CSV stop at a NUL, or worse. */
	for (size_t i = 0; i < n; i++)
		if (to[i] == '\0')
			to[i] = '?';
	add_text(c, out, (struct text){ to, n });
	buf_fini(&plain);
}

static void
add_value(struct csv *c, struct buf *out, const struct json *json, uint32_t token)
{
	const struct json_token *t = &json->tokens[token];

	switch (t->type) {
	case TOKEN_NULL:
	case TOKEN_NAN:
		break;
	case TOKEN_STRING:
		if ((t->flags & JSON_ESCAPED) != 0)
			add_string(c, out, json_inner(json, token));
		else
			add_text(c, out, json_inner(json, token));
		break;
	default: /* numbers and words as they are; arrays and objects are stored compactly */
		add_cell(out, json_raw(json, token));
	}
}

void
csv_header(struct csv *c, struct buf *out)
{
	for (size_t i = 0; i < c->n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		add_text(c, out, c->columns[i]);
	}
	buf_add_str(out, c->more ? ",more\r\n" : "\r\n");
}

bool
csv_key_is(const struct json *json, uint32_t token, struct text name)
{
	struct text key = json_inner(json, token);
	char plain[KEY_MAX];
	size_t n;

	if ((json->tokens[token].flags & JSON_ESCAPED) == 0)
		return text_eq(key, name);
	if (key.n > sizeof(plain))
		return false;
	n = json_unescape(key, plain);
	return text_eq((struct text){ plain, n }, name);
}

/* Notes which token belongs into which column; what has none is added to c->rest. */
static void
sort_members(struct csv *c, const struct json *json, uint32_t cells[CSV_COLUMNS_MAX])
{
	buf_clear(&c->rest);
	for (uint32_t key = 1; key < json->n; key = json->tokens[key + 1].next) {
		size_t i = 0;

		while (i < c->n && !csv_key_is(json, key, c->columns[i]))
			i++;
		if (i < c->n) {
			cells[i] = key + 1;
		} else if (c->more) {
			buf_add_char(&c->rest, c->rest.len == 0 ? '{' : ',');
			buf_add_text(&c->rest, json_raw(json, key));
			buf_add_char(&c->rest, ':');
			buf_add_text(&c->rest, json_raw(json, key + 1));
		}
	}
	if (c->rest.len > 0)
		buf_add_char(&c->rest, '}');
}

void
csv_row(struct csv *c, struct buf *out, const struct json *json)
{
	uint32_t cells[CSV_COLUMNS_MAX] = { 0 }; /* token 0 is the event itself: no cell */
	size_t before = out->len;

	sort_members(c, json, cells);
	for (size_t i = 0; i < c->n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		if (cells[i] != 0)
			add_value(c, out, json, cells[i]);
	}
	if (c->more) {
		buf_add_char(out, ',');
		add_cell(out, buf_text(&c->rest));
	}
	/* One empty cell alone would be an empty line, which readers skip. */
	if (out->len == before)
		buf_add_str(out, "\"\"");
	buf_add_str(out, "\r\n");
	if (c->rest.failed)
		out->failed = true;
}

/* pretty - see pretty.h.  Walk 2, behind the handler: from http/route.c. Our own JSON is compact and valid, so brackets, commas and
 * colons outside strings are all that has to be seen; numbers keep every digit, which a parser would not promise. */
#include "http/pretty.h"

#define INDENT 2

static void
break_line(struct buf *out, unsigned depth)
{
	buf_add_char(out, '\n');
	for (unsigned i = 0; i < depth * INDENT && !out->failed; i++)
		buf_add_char(out, ' ');
}

/* The length of the string that begins `t`, quotes included. */
static size_t
string_length(struct text t)
{
	size_t i = 1;

	while (i < t.n && t.p[i] != '"')
		i += t.p[i] == '\\' ? 2 : 1;
	return i < t.n ? i + 1 : t.n;
}

void
pretty_json(struct buf *out, struct text json)
{
	unsigned depth = 0;

	for (size_t i = 0, n; i < json.n && !out->failed; i += n) {
		char c = json.p[i];

		n = c == '"' ? string_length(text_cut(json, i, json.n)) : 1;
		if ((c == '{' || c == '[') && i + 1 < json.n && (json.p[i + 1] == '}' || json.p[i + 1] == ']'))
			n = 2;
		else if (c == '}' || c == ']')
			break_line(out, depth > 0 ? --depth : 0);
		if (c == '\n')
			continue;
		buf_add(out, json.p + i, n);
		if (c == ':')
			buf_add_char(out, ' ');
		else if (c == ',')
			break_line(out, depth);
		else if ((c == '{' || c == '[') && n == 1)
			break_line(out, ++depth);
	}
	buf_add_char(out, '\n');
}

/*
 * glob - see glob.h. Used once at start, by subscription_check(): Redis itself does the matching.
 *
 * Each pattern becomes a list of tokens, a set of bytes or a star, and the two lists are walked together: reach[j] says whether
 * some string matches the first i tokens of one and the first j of the other.
 */
#include "feed/glob.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct token {
	bool star;
	uint64_t set[4];
};

static void
set_add(struct token *t, unsigned char c)
{
	t->set[c / 64] |= (uint64_t)1 << (c % 64);
}

/* After '[': returns where the class ends. An unclosed one ends with the pattern, as in Redis. */
static const unsigned char *
parse_class(const unsigned char *p, struct token *t)
{
	bool negated = *p == '^';

	if (negated)
		p++;
	while (*p != '\0' && *p != ']') {
		unsigned char from, to;

		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (p[1] == '-' && p[2] != '\0') {
			from = p[0] < p[2] ? p[0] : p[2];
			to = p[0] < p[2] ? p[2] : p[0];
			for (unsigned c = from; c <= to; c++)
				set_add(t, (unsigned char)c);
			p += 3;
			continue;
		}
		set_add(t, *p++);
	}
	for (int i = 0; negated && i < 4; i++)
		t->set[i] = ~t->set[i];
	return *p == ']' ? p + 1 : p;
}

/* Returns the number of tokens, -1 if there are too many. */
static int
tokenize(const char *text, bool pattern, struct token tokens[GLOB_TOKENS_MAX])
{
	const unsigned char *p = (const unsigned char *)text;
	int n = 0;

	while (*p != '\0') {
		struct token t = { .star = false };

		if (n == GLOB_TOKENS_MAX)
			return -1;
		if (pattern && *p == '*') {
			t.star = true;
			p++;
		} else if (pattern && *p == '?') {
			memset(t.set, 0xff, sizeof(t.set));
			p++;
		} else if (pattern && *p == '[') {
			p = parse_class(p + 1, &t);
		} else {
			if (pattern && *p == '\\' && p[1] != '\0')
				p++;
			set_add(&t, *p++);
		}
		tokens[n++] = t;
	}
	return n;
}

static bool
sets_meet(const struct token *a, const struct token *b)
{
	for (int i = 0; i < 4; i++)
		if ((a->set[i] & b->set[i]) != 0)
			return true;
	return false;
}

bool
glob_overlap(const char *a, bool a_pattern, const char *b, bool b_pattern)
{
	struct token ta[GLOB_TOKENS_MAX], tb[GLOB_TOKENS_MAX];
	bool rows[2][GLOB_TOKENS_MAX + 1] = { { false } };
	int na = tokenize(a, a_pattern, ta), nb = tokenize(b, b_pattern, tb);

	if (na < 0 || nb < 0)
		return true;
	for (int i = 0; i <= na; i++) {
		bool *now = rows[i % 2], *before = rows[(i + 1) % 2];

		for (int j = 0; j <= nb; j++) {
			bool star_a = i > 0 && ta[i - 1].star, star_b = j > 0 && tb[j - 1].star;
			bool r = i == 0 && j == 0;

			/* A star takes nothing, or once more what the other side's token takes. */
			r = r || (star_a && (before[j] || (j > 0 && now[j - 1])));
			r = r || (star_b && (now[j - 1] || (i > 0 && before[j])));
			r = r ||
			    (i > 0 && j > 0 && !star_a && !star_b && before[j - 1] &&
				sets_meet(&ta[i - 1], &tb[j - 1]));
			now[j] = r;
		}
	}
	return rows[na % 2][nb];
}

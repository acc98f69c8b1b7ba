/* text - see text.h. */
#include "base/text.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct text
text_trim(struct text t)
{
	while (t.n > 0 && (t.p[0] == ' ' || t.p[0] == '\t')) {
		t.p++;
		t.n--;
	}
	while (t.n > 0 && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t'))
		t.n--;
	return t;
}

bool
text_eq(struct text a, struct text b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
text_eq_nocase(struct text a, struct text b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

bool
text_starts(struct text t, struct text prefix)
{
	return t.n >= prefix.n && text_eq(text_cut(t, 0, prefix.n), prefix);
}

bool
text_ends(struct text t, struct text suffix)
{
	return t.n >= suffix.n && text_eq(text_cut(t, t.n - suffix.n, t.n), suffix);
}

int
text_cmp(struct text a, struct text b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return d != 0 ? d : (a.n > b.n) - (a.n < b.n);
}

uint64_t
text_begin(struct text t)
{
	uint64_t v = 0;

	if (t.n > 0)
		memcpy(&v, t.p, t.n < sizeof(v) ? t.n : sizeof(v));
	return be64toh(v);
}

/* Eight bytes at a time, multiplied and folded: mixes well enough for power-of-two tables. */
uint64_t
text_hash(struct text t, uint64_t seed)
{
	uint64_t h = seed ^ (uint64_t)t.n * UINT64_C(0x9e3779b97f4a7c15), piece;

	for (size_t i = 0; i < t.n; i += sizeof(piece)) {
		piece = 0;
		memcpy(&piece, t.p + i, t.n - i < sizeof(piece) ? t.n - i : sizeof(piece));
		h = (h ^ piece) * UINT64_C(0xd6e8feb86659fd93);
		h ^= h >> 32;
	}
	h *= UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

bool
text_split(struct text *rest, char sep, struct text *part)
{
	const char *at;

	if (rest->p == NULL)
		return false;
	at = rest->n == 0 ? NULL : memchr(rest->p, sep, rest->n);
	if (at == NULL) {
		*part = *rest;
		*rest = TEXT_NONE;
		return true;
	}
	*part = text_cut(*rest, 0, (size_t)(at - rest->p));
	*rest = text_cut(*rest, part->n + 1, rest->n);
	return true;
}

int
text_int64(struct text t, int64_t *out)
{
	bool minus = t.n > 0 && t.p[0] == '-';
	uint64_t limit = (uint64_t)INT64_MAX + minus, v = 0;

	if (t.n == (size_t)minus)
		return -1;
	for (size_t i = minus; i < t.n; i++) {
		unsigned digit = (unsigned)(unsigned char)t.p[i] - '0';

		if (digit > 9 || v > (limit - digit) / 10)
			return -1;
		v = v * 10 + digit;
	}
	*out = minus ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

/* Skips a run of digits that must have at least one; NULL if it has none. */
static const char *
digits(const char *p, const char *end)
{
	const char *from = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p == from ? NULL : p;
}

/* strtod() accepts hex, "inf" and blanks, so the grammar is checked first. */
static bool
is_json_number(struct text t)
{
	const char *p = t.p, *end = t.p + t.n;
	const char *from;

	if (p < end && *p == '-')
		p++;
	from = p;
	if ((p = digits(p, end)) == NULL || (*from == '0' && p > from + 1))
		return false;
	if (p < end && *p == '.' && (p = digits(p + 1, end)) == NULL)
		return false;
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		p = digits(p, end);
	}
	return p == end;
}

int
text_real(struct text t, double *out)
{
	char copy[400];
	double v;

	if (t.n == 0 || t.n >= sizeof(copy) || !is_json_number(t))
		return -1;
	memcpy(copy, t.p, t.n);
	copy[t.n] = '\0';
	v = strtod(copy, NULL);
	if (!isfinite(v))
		return -1;
	*out = v;
	return 0;
}

size_t
text_fold_name(struct text t, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < t.n && n < size; i++) {
		char c = t.p[i];

		if (c == '_' || c == '-' || c == ' ')
			continue;
		out[n++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
	}
	return n;
}

size_t
text_utf8_next(struct text t, uint32_t *cp)
{
	const unsigned char *p = (const unsigned char *)t.p;
	uint32_t v;
	size_t len;

	if (t.n == 0)
		return 0;
	if (p[0] < 0x80) {
		len = 1;
		v = p[0];
	} else if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		len = 2;
		v = p[0] & 0x1fu;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		len = 3;
		v = p[0] & 0x0fu;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		len = 4;
		v = p[0] & 0x07u;
	} else {
		return 0;
	}
	if (t.n < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3fu);
	}
	if ((len == 3 && (v < 0x800 || (v >= 0xd800 && v <= 0xdfff))) || (len == 4 && (v < 0x10000 || v > 0x10ffff)))
		return 0;
	if (cp != NULL)
		*cp = v;
	return len;
}

bool
text_utf8_valid(struct text t)
{
	while (t.n > 0) {
		uint64_t word;
		size_t len;

		/* Eight ASCII bytes at a time: nearly everything is. */
		while (t.n >= sizeof(word)) {
			memcpy(&word, t.p, sizeof(word));
			if (word & 0x8080808080808080u)
				break;
			t.p += sizeof(word);
			t.n -= sizeof(word);
		}
		if (t.n == 0)
			break;
		len = text_utf8_next(t, NULL);
		if (len == 0)
			return false;
		t.p += len;
		t.n -= len;
	}
	return true;
}

bool
text_printable(struct text t, size_t min, size_t max)
{
	size_t count = 0;

	while (t.n > 0) {
		uint32_t cp;
		size_t len = text_utf8_next(t, &cp);

		if (len == 0 || cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || ++count > max)
			return false;
		t.p += len;
		t.n -= len;
	}
	return count >= min;
}

unsigned
text_distance(struct text a, struct text b, unsigned limit)
{
	unsigned rows[3][65];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	if (a.n > 64 || b.n > 64)
		return limit + 1;
	for (unsigned j = 0; j <= b.n; j++)
		last[j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *spare = before;

		now[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			int ca = tolower((unsigned char)a.p[i - 1]), cb = tolower((unsigned char)b.p[j - 1]);
			unsigned best = last[j - 1] + (ca != cb);

			if (best > last[j] + 1)
				best = last[j] + 1;
			if (best > now[j - 1] + 1)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && ca == tolower((unsigned char)b.p[j - 2]) &&
			    tolower((unsigned char)a.p[i - 2]) == cb && best > before[j - 2] + 1)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[b.n] > limit ? limit + 1 : last[b.n];
}

const char *
text_nearest(struct text t, const char *const *names, size_t n)
{
	const char *best = NULL;
	unsigned best_distance = 4;

	for (size_t i = 0; i < n; i++) {
		struct text name = text_of(names[i]);
		unsigned d = text_distance(t, name, 3);

		/* A name of three letters is not "near" to three other letters. */
		if (d < best_distance && d < name.n && d < t.n) {
			best = names[i];
			best_distance = d;
		}
	}
	return best;
}

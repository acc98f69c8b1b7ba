/*
 * text - a borrowed slice of bytes, and what one does with bytes from outside.
 *
 * A `struct text` never owns what it points at and need not end with NUL. Everything here is pure: no
 * allocation, no locale, no state. Strings are UTF-8; case means ASCII case.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
	const char *p; /* NULL: absent, which is not the same as empty */
	size_t n;
};

/* A literal, as an initialiser and as a value. */
#define TEXT_INIT(lit) \
	{ \
		(lit), sizeof(lit) - 1 \
	}
#define TEXT(lit) ((struct text)TEXT_INIT(lit))
#define TEXT_NONE ((struct text){ NULL, 0 })

/* For printf: printf("%.*s", TEXT_ARG(t)). */
#define TEXT_ARG(t) (int)(t).n, (t).p == NULL ? "" : (t).p

/* Of a C string; NULL gives TEXT_NONE. Here, so that the length of a literal is known when it is compiled. */
static inline struct text
text_of(const char *s)
{
	return (struct text){ s, s == NULL ? 0 : strlen(s) };
}

/* From `from` to before `to`, as far as that is there. Here, since it is what everything is taken apart with. */
static inline struct text
text_cut(struct text t, size_t from, size_t to)
{
	if (to > t.n)
		to = t.n;
	if (from > to)
		from = to;
	return from == 0 ? (struct text){ t.p, to } : (struct text){ t.p + from, to - from };
}

struct text text_trim(struct text t); /* without blanks and tabs at both ends */

bool text_eq(struct text a, struct text b);
bool text_eq_nocase(struct text a, struct text b);
bool text_starts(struct text t, struct text prefix);
bool text_ends(struct text t, struct text suffix);
int text_cmp(struct text a, struct text b); /* by bytes, as memcmp; a prefix comes first */

/* The first eight bytes as a number that compares as they do (short ones filled up with zeros); equal ones need text_cmp(). */
uint64_t text_begin(struct text t);

/* For hash tables. Keys from outside want a `seed` that outsiders do not know. */
uint64_t text_hash(struct text t, uint64_t seed);

/* Takes the part before `sep` off the front of *rest; false when *rest is used up (absent). */
bool text_split(struct text *rest, char sep, struct text *part);

/*
 * Numbers: the whole slice or nothing, no blanks, no leading '+'; -1 if it is not one or does not fit. Reals
 * are JSON's grammar (RFC 8259, section 6), finite.
 */
int text_int64(struct text t, int64_t *out);
int text_real(struct text t, double *out);

/*
 * Folds a pattern's or indicator's name for comparison: ASCII lower case, without '_', '-' and blanks.
 * Writes at most `size` bytes to `out` and returns how many; the result is never longer than `t`.
 */
size_t text_fold_name(struct text t, char *out, size_t size);

/*
 * The length of the first UTF-8 sequence of `t` (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF), its code
 * point in *cp (may be NULL); 0 when it is malformed or `t` is empty.
 */
size_t text_utf8_next(struct text t, uint32_t *cp);
bool text_utf8_valid(struct text t);

/* True for 1..max characters of valid UTF-8 without control characters (C0, DEL, C1). */
bool text_printable(struct text t, size_t min, size_t max);

/*
 * How far two short names are apart (Levenshtein with transpositions, case ignored; names over 64 bytes are far from all).
 * For "did you mean"; `limit` + 1 stands for "further than `limit`".
 */
unsigned text_distance(struct text a, struct text b, unsigned limit);

/* The name nearest to `t` among `n` names by text_distance (at most 3, and less than its length), or NULL. */
const char *text_nearest(struct text t, const char *const *names, size_t n);

#endif

/* format - see format.h.  Walk 2, inside step 3: from http/route.c. */
#include "http/format.h"

/* clang-format off */
const struct format_info formats[FORMAT__MAX] = {
	/*                  name      suffix     type                    content type                              most */
	[FORMAT_JSON]   = { "json",   ".json",   "application/json",     "application/json",                       1000 },
	[FORMAT_NDJSON] = { "ndjson", ".ndjson", "application/x-ndjson", "application/x-ndjson",                   10000 },
	[FORMAT_CSV]    = { "csv",    ".csv",    "text/csv",             "text/csv; charset=utf-8; header=present", 10000 },
};
/* clang-format on */

bool
format_of_suffix(struct text path, struct text *stem, enum format *out)
{
	for (int f = 0; f < FORMAT__MAX; f++) {
		struct text suffix = text_of(formats[f].suffix);

		if (path.n <= suffix.n || !text_ends(path, suffix))
			continue;
		*stem = text_cut(path, 0, path.n - suffix.n);
		*out = (enum format)f;
		return true;
	}
	return false;
}

/* How much is wanted: 0..1000. A weight that is none counts as 1, as if it had not been given. */
static int
weight_of(struct text parameters)
{
	struct text one, name;
	double q;

	while (text_split(&parameters, ';', &one)) {
		one = text_trim(one);
		name = TEXT_NONE;
		text_split(&one, '=', &name);
		if (!text_eq_nocase(text_trim(name), TEXT("q")))
			continue;
		if (text_real(text_trim(one), &q) != 0 || q < 0 || q > 1)
			return 1000;
		return (int)(q * 1000 + 0.5);
	}
	return 1000;
}

/* How exactly the range names the type: 3 itself, 2 "text" with any subtype, 1 anything, 0 not at all. */
static int
exactness(struct text range, struct text type)
{
	struct text rest = type, major = TEXT_NONE;

	text_split(&rest, '/', &major);
	if (text_eq_nocase(range, type))
		return 3;
	if (range.n == major.n + 2 && text_eq_nocase(text_cut(range, 0, major.n), major) &&
	    text_ends(range, TEXT("/*")))
		return 2;
	return text_eq(range, TEXT("*/*")) ? 1 : 0;
}

/* The weight of the range that names `type` most exactly; 0 for none. */
static int
wanted(struct text accept, struct text type, int *exact)
{
	struct text range, name;
	int weight = 0;

	*exact = 0;
	while (text_split(&accept, ',', &range)) {
		int how;

		name = TEXT_NONE;
		text_split(&range, ';', &name);
		how = exactness(text_trim(name), type);
		if (how > *exact) {
			*exact = how;
			weight = weight_of(range);
		}
	}
	return weight;
}

int
format_of_accept(struct text accept, enum format *out)
{
	int best = 0, best_exact = 0;

	*out = FORMAT_JSON;
	if (text_trim(accept).n == 0)
		return 0;
	for (int f = 0; f < FORMAT__MAX; f++) {
		int exact, weight = wanted(accept, text_of(formats[f].type), &exact);

		if (weight > best || (weight == best && weight > 0 && exact > best_exact)) {
			best = weight;
			best_exact = exact;
			*out = (enum format)f;
		}
	}
	return best > 0 ? 0 : -1;
}

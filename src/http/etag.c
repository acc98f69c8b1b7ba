/* etag - see etag.h.  Walk 2, inside step 5: from api/tag.c. */
#include "http/etag.h"

/* lighttpd's and Apache's mod_deflate, and their like, name the coding inside the quotes. */
static struct text
without_suffix(struct text opaque)
{
	static const char *const suffixes[] = { "-gzip", "-br", "-deflate", "-zstd" };

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		struct text suffix = text_of(suffixes[i]);

		if (text_ends(opaque, suffix))
			return text_cut(opaque, 0, opaque.n - suffix.n);
	}
	return opaque;
}

bool
etag_matches(struct text if_none_match, struct text opaque)
{
	struct text rest = text_trim(if_none_match), before, tag;

	if (text_eq(rest, TEXT("*")))
		return true;
	/* Tags hold no quotes, but may hold commas: so it is cut at the quotes. */
	while (text_split(&rest, '"', &before) && rest.p != NULL) {
		if (!text_split(&rest, '"', &tag) || rest.p == NULL)
			return false;
		if (text_eq(without_suffix(tag), opaque))
			return true;
	}
	return false;
}

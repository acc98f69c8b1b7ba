/*
 * format - the forms a list is given in, and which of them a request asks for: by the suffix of the path, by the parameter
 * `format`, or by Accept. One row a form; route.c decides before any handler runs.
 */
#ifndef HTTP_FORMAT_H
#define HTTP_FORMAT_H

#include <stdbool.h>

#include "base/text.h"

/* The values of the parameter `format`, in the order of its words. */
enum format { FORMAT_JSON, FORMAT_NDJSON, FORMAT_CSV, FORMAT__MAX };

struct format_info {
	const char *name; /* "csv", also the word of the parameter */
	const char *suffix; /* ".csv" */
	const char *type; /* the media type that Accept names */
	const char *content_type; /* what answers carry */
	int limit_max; /* of events in one answer */
};
extern const struct format_info formats[FORMAT__MAX];

/* True if `path` ends with a suffix and has something before it: *stem is the path without it. */
bool format_of_suffix(struct text path, struct text *stem, enum format *out);

/*
 * The form that `accept` (RFC 9110, section 12.5.1; TEXT_NONE: not sent) likes best; of equals the one it names most exactly,
 * then JSON. -1: it takes none of ours.
 */
int format_of_accept(struct text accept, enum format *out);

#endif

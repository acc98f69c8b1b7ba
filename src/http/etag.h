/* etag - If-None-Match against the tag of an answer (RFC 9110, section 13.1.2). Pure. */
#ifndef HTTP_ETAG_H
#define HTTP_ETAG_H

#include <stdbool.h>

#include "base/text.h"

/*
 * Whether `if_none_match` (TEXT_NONE: not sent) has the tag whose inside is `opaque`: "*", or a list in which it stands, weak or strong,
 * with or without what compressing servers append to it. Whatever else the header holds matches nothing.
 */
bool etag_matches(struct text if_none_match, struct text opaque);

#endif

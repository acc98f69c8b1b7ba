/*
 * glob - Redis' channel patterns: * ? [a-z] [^a] and \ (stringmatchlen() in Redis' util.c).
 */
#ifndef FEED_GLOB_H
#define FEED_GLOB_H

#include <stdbool.h>

#define GLOB_TOKENS_MAX 256

/* True if some channel matches both; either may be a plain name (`pattern` false). Patterns over GLOB_TOKENS_MAX bytes overlap everything. */
bool glob_overlap(const char *a, bool a_pattern, const char *b, bool b_pattern);

#endif

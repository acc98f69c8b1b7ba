/*
 * value - one setting's value: from text to what is kept, and what is allowed, in words.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "conf/settings.h"

/* Reads `t` as the setting's type; -1 with a text that says what is allowed (and never shows a secret). */
int value_parse(const struct setting_info *info, struct text t, int64_t *out, struct err *e);

/* "1 to 64", "100ms to 5m", "auto, percent or fraction" … */
void value_allowed(const struct setting_info *info, struct buf *out);

/* As it may be shown: secrets hidden, URLs without password. */
void value_print(const struct setting_info *info, const char *given, struct buf *out);

#endif

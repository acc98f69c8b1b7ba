/* subscriber_channels - see subscriber_channels.h.  Walk 1, before its first step: beside subscriber.c, for feed/subscription.c. */
#include "subscriber_channels.h"

#include <string.h>

/* clang-format off */
static const struct {
	enum setting setting;
	enum kind kind;
	const char *session_state;
} channel_settings[] = {
	{ SETTING_CHANNELS_PATTERN,         KIND_PATTERN,   NULL },
	{ SETTING_CHANNELS_INDICATOR,       KIND_INDICATOR, NULL },
	{ SETTING_CHANNELS_ALERT,           KIND_ALERT,     NULL },
	{ SETTING_CHANNELS_HEALTH,          KIND_HEALTH,    NULL },
	{ SETTING_CHANNELS_ERROR,           KIND_ERROR,     NULL },
	{ SETTING_CHANNELS_SESSION_STARTED, KIND_SESSION,   "started" },
	{ SETTING_CHANNELS_SESSION_STOPPED, KIND_SESSION,   "stopped" },
};
/* clang-format on */

static int
fill_row(struct subscription_row *row, size_t setting, struct text channel, struct err *e)
{
	if (channel.n >= sizeof(row->channel) || !text_printable(channel, 1, sizeof(row->channel))) {
		err_set(e, ERR_CONFIG, "channels: a name must have 1 to %zu printable characters",
		    sizeof(row->channel) - 1);
		return -1;
	}
	memcpy(row->channel, channel.p, channel.n);
	row->channel[channel.n] = '\0';
	row->pattern = strpbrk(row->channel, "*?[\\") != NULL;
	row->kind = channel_settings[setting].kind;
	row->session_state = channel_settings[setting].session_state;
	return 0;
}

int
subscriber_channels(const struct conf *c, struct subscription_row *rows, size_t max, size_t *n, struct err *e)
{
	*n = 0;
	for (size_t i = 0; i < sizeof(channel_settings) / sizeof(*channel_settings); i++) {
		struct text rest = text_of(conf_str(c, channel_settings[i].setting)), word;

		while (conf_next_word(&rest, &word)) {
			if (*n == max) {
				err_set(e, ERR_CONFIG, "channels: at most %zu in all", max);
				return -1;
			}
			if (fill_row(&rows[(*n)++], i, word, e) != 0)
				return -1;
		}
	}
	if (*n == 0) {
		err_set(e, ERR_CONFIG, "channels: none is configured");
		return -1;
	}
	return subscription_check(rows, *n, e);
}

unsigned
subscriber_channels_twice(const struct subscription_row *rows, size_t n)
{
	unsigned seen = 0, twice = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned bit = KIND_BIT(rows[i].kind);

		if ((seen & bit) != 0 || rows[i].pattern)
			twice |= bit;
		seen |= bit;
	}
	return twice;
}

/* pace - see pace.h. */
#include "feed/pace.h"

#define GAP_MAX_US INT64_C(1000000) /* however long the silence was: a thousand dense messages end its weight */
#define WEIGHT 8

int64_t
pace_after(struct pace *p, int64_t mono_us, int64_t messages, int64_t bytes)
{
	int64_t silence_us = mono_us - p->last_us;

	if (messages <= 0)
		return 0;
	p->last_us = mono_us;
	if (silence_us > GAP_MAX_US || silence_us < 0)
		silence_us = GAP_MAX_US;
	p->gap_us = (p->gap_us * (WEIGHT - 1) + silence_us / messages) / WEIGHT;
	return p->gap_us < PACE_DENSE_US && bytes < PACE_MUCH_BYTES ? PACE_PAUSE_US : 0;
}

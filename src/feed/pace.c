/* pace - see pace.h. */
#include "feed/pace.h"

#define SILENCE_MAX_US INT64_C(1000000) /* however long it was: a hundred dense reads end its weight */
#define WEIGHT 8

int64_t
pace_after(struct pace *p, int64_t mono_us, int64_t messages, int64_t bytes)
{
	int64_t silence_us = mono_us - p->last_us;

	if (messages <= 0)
		return 0;
	p->last_us = mono_us;
	if (silence_us > SILENCE_MAX_US || silence_us < 0)
		silence_us = SILENCE_MAX_US;
	p->gap_ns = (p->gap_ns * (WEIGHT - 1) + silence_us * 1000 / messages) / WEIGHT;
	if (bytes >= PACE_MUCH_BYTES)
		p->gap_ns = 0;
	return p->gap_ns < PACE_DENSE_NS && p->gap_ns >= PACE_FLOOD_NS ? PACE_PAUSE_US : 0;
}

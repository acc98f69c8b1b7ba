/* pace - see pace.h. */
#include "feed/pace.h"

/* Begins to count anew: what comes now may be the beginning of something else. */
static void
begin(struct pace *p, int64_t mono_us)
{
	p->from_us = mono_us;
	p->messages = 0;
	p->dense = false;
}

int64_t
pace_after(struct pace *p, int64_t mono_us, int64_t messages, int64_t bytes)
{
	int64_t silence_us = mono_us - p->last_us, took_us;

	if (messages <= 0)
		return 0;
	p->last_us = mono_us;
	if (silence_us < 0 || silence_us > PACE_STRETCH_US / 2 || bytes >= PACE_MUCH_BYTES) {
		begin(p, mono_us);
		return 0;
	}
	p->messages += messages;
	took_us = mono_us - p->from_us;
	if (took_us >= PACE_STRETCH_US) {
		int64_t gap_ns = took_us * 1000 / p->messages;

		begin(p, mono_us);
		p->dense = gap_ns < PACE_DENSE_NS && gap_ns >= PACE_FLOOD_NS;
	}
	return p->dense ? PACE_PAUSE_US : 0;
}

/* tempo - see tempo.h. */
#include "tempo.h"

int64_t
tempo_committed(struct tempo *t, int64_t mono_us, int64_t messages)
{
	int64_t took_us = mono_us - t->window_us, pause_us = messages * TEMPO_PAUSE_PER_MESSAGE_US;

	t->messages += messages;
	if (took_us >= TEMPO_WINDOW_US) {
		t->busy = t->messages >= TEMPO_BUSY_MESSAGES * took_us / TEMPO_WINDOW_US;
		t->window_us = mono_us;
		t->messages = 0;
	}
	if (!t->busy)
		return 0;
	return pause_us < TEMPO_PAUSE_US ? pause_us : TEMPO_PAUSE_US;
}

int
tempo_wait_ms(const struct tempo *t, int longest_ms)
{
	if (t->more)
		return 0;
	return t->calm ? longest_ms : TEMPO_CALM_MS;
}

enum store_load
tempo_load(struct tempo *t, bool came, bool empty)
{
	/* After a wait of no time it is as it was. */
	t->calm = !came && (t->calm || !t->more);
	if (!empty)
		return STORE_LOADED;
	return t->calm ? STORE_CALM : t->busy ? STORE_BUSY : STORE_STEADY;
}

/* fcgi_lead - see fcgi_lead.h.  Walk 2, beside step 1: for http/fcgi.c. */
#include "http/fcgi_lead.h"

#include <time.h>

/* What goes on at two ticks is lengthy: others wait for a millisecond at most. A read of a list is 0.1 ms. */
#define TICK_NS 500000

void
lead_init(struct lead *l)
{
	atomic_init(&l->spell, 0);
	atomic_init(&l->asleep, false);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->alarm, NULL);
	l->last = NULL;
	l->vacant = l->over = false;
}

void
lead_fini(struct lead *l)
{
	pthread_cond_destroy(&l->alarm);
	pthread_mutex_destroy(&l->lock);
}

/* With the lock held, as the two below. Whoever is awake may be quicker: then the one that was woken sleeps on. */
static void
fall_vacant(struct lead *l)
{
	l->vacant = true;
	if (l->last != NULL)
		pthread_cond_signal(&l->last->wake);
}

static void
follow(struct lead *l, struct seat *s)
{
	struct seat **at = &l->last;

	pthread_cond_init(&s->wake, NULL);
	s->before = l->last;
	l->last = s;
	while (!l->vacant && !l->over)
		pthread_cond_wait(&s->wake, &l->lock);
	while (*at != s)
		at = &(*at)->before;
	*at = s->before;
	pthread_cond_destroy(&s->wake);
}

bool
lead_take(struct seat *s)
{
	struct lead *l = s->lead;

	pthread_mutex_lock(&l->lock);
	if (!l->vacant && !l->over)
		follow(l, s);
	s->leads = !l->over;
	if (s->leads)
		l->vacant = false;
	s->spell = 0;
	pthread_mutex_unlock(&l->lock);
	return s->leads;
}

static void
wake_watchman(struct lead *l)
{
	pthread_mutex_lock(&l->lock);
	l->asleep = false;
	pthread_mutex_unlock(&l->lock);
	pthread_cond_signal(&l->alarm);
}

/*
 * The watchman says that it sleeps and then looks whether a spell began; here one begins, and then it is looked whether the watchman sleeps. Both in one
 * order for all (sequentially consistent), so one of the two sees the other.
 */
void
lead_lengthy(struct seat *s)
{
	struct lead *l = s->lead;

	if (!s->leads || s->spell != 0)
		return;
	s->spell = l->spell + 1; /* an even one is the leader's alone */
	l->spell = s->spell;
	if (l->asleep)
		wake_watchman(l);
}

bool
lead_keep(struct seat *s)
{
	uint64_t mine = s->spell;

	if (mine == 0)
		return s->leads;
	s->spell = 0;
	if (!atomic_compare_exchange_strong(&s->lead->spell, &mine, mine + 1))
		s->leads = false;
	return s->leads;
}

void
lead_over(struct lead *l)
{
	pthread_mutex_lock(&l->lock);
	l->over = true;
	l->asleep = false;
	for (struct seat *s = l->last; s != NULL; s = s->before)
		pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&l->lock);
	pthread_cond_signal(&l->alarm);
}

/* With the lock held. */
static void
sleep_until_alarm(struct lead *l, uint64_t seen)
{
	l->asleep = true;
	while (l->asleep && l->spell == seen && !l->over)
		pthread_cond_wait(&l->alarm, &l->lock);
	l->asleep = false;
}

void
lead_watch(struct lead *l)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	uint64_t seen = 0;

	pthread_mutex_lock(&l->lock);
	fall_vacant(l);
	while (!l->over) {
		uint64_t now = l->spell;

		if (now == seen && (now & 1) == 0) {
			sleep_until_alarm(l, seen);
			now = l->spell;
		} else if (now == seen && atomic_compare_exchange_strong(&l->spell, &now, now + 1)) {
			fall_vacant(l);
			now++;
		}
		seen = now;
		pthread_mutex_unlock(&l->lock);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
}

/*
 * fcgi_lead - which of a worker's request threads leads: watches the connections and answers them, one after the other, by itself.
 *
 * Handing each connection to another thread costs two switches and a wake-up, which are dearer than an answer from memory. So there is one leader, who does what can be done at
 * once, and the others sleep. Before it does what may take long (disk, Redis, a slow peer) it says so. It goes on leading all the same: most of that is over in
 * less time than waking somebody takes. Only if it is not, the watchman (the thread that called fcgi_serve()) takes the lead away and wakes another.
 * That is the one which has slept the shortest: its connection to the log knows the pages that are asked for, while in turn each thread's would have to meet them all.
 * While nothing lengthy goes on, the watchman sleeps. Nothing in here knows what is led.
 */
#ifndef HTTP_FCGI_LEAD_H
#define HTTP_FCGI_LEAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lead {
	_Atomic uint64_t
	    spell; /* odd: the leader is in lengthy work. What made it odd makes it even: the leader, or the watchman, who then has the lead */
	_Atomic bool asleep; /* the watchman */
	pthread_mutex_t lock; /* guards what follows */
	struct seat *last; /* of who sleeps: the one that came last is woken first */
	pthread_cond_t alarm; /* for the watchman */
	bool vacant; /* nobody leads */
	bool over;
};

/* One thread's, and only that thread's but for what is said to be under the lock. */
struct seat {
	struct lead *lead; /* borrowed */
	bool leads;
	uint64_t spell; /* the one that it began, odd; else 0 */
	/* While it sleeps, under the lead's lock: */
	struct seat *before; /* that of who came before, and sleeps too */
	pthread_cond_t wake;
};

void lead_init(struct lead *l);
void lead_fini(struct lead *l); /* no thread is in here any more */

/* Waits for the lead. False: it is over. */
bool lead_take(struct seat *s);
/* What the thread does from here to lead_keep() may take long. Cheap; may be called again, and by who does not lead. What is led must not be touched any more. */
void lead_lengthy(struct seat *s);
/* False: the lead was taken away meanwhile. */
bool lead_keep(struct seat *s);
/* The leader's last act: everybody's lead_take() and the watch end. Also for who gives up before the watch began. */
void lead_over(struct lead *l);

/* The watchman's work, until it is over. It begins with the lead being free: before, nobody gets it. */
void lead_watch(struct lead *l);

#endif

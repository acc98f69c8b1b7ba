/*
 * written_log - a log in a temporary directory, written by the writer itself, and what must hold of it at any time.
 *
 * What is kept up beside the events (kinds, the index by symbol, symbols, latest, rollups) is counted again from the events by the plainest
 * SQL, by a connection of its own. `model` is a second database that keeps copies of all events, also of those that retention removed.
 */
#ifndef WRITTEN_LOG_H
#define WRITTEN_LOG_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/writer.h"

extern char log_dir[64];

int log_setup(void **state);
int log_teardown(void **state); /* fails if the log is damaged */

struct store *log_open_with(struct store_opts opts); /* in log_dir; duplicates are looked for among patterns */
struct store *log_open(void);
void log_close(struct store *s);

struct event log_event_of(enum kind kind, const char *symbol, const char *channel, int64_t time_ms);
int64_t log_append(struct store *s, struct event *ev); /* its seq */
void log_commit(struct store *s);
void log_tend(struct store *s, bool calm); /* until nothing more is due at once */
void log_due(struct store *s); /* as though tallies, sweep and age had last been looked at long ago */

/* Random events that depend on *seed alone, received from *at_us on, which moves on by up to two seconds an event. */
void log_random(struct store *s, uint64_t *seed, int64_t *at_us, int n);

/* The first column of the first row. The log is `main`, the copies are in `model.events`. */
void log_ask(const char *sql, char *out, size_t size);
int64_t log_number(const char *sql);
int log_spoil(const char *sql); /* behind the writer's back, by a connection of its own: rows changed */
void log_model(void); /* copies what is new */
void log_check(void); /* all but the rollups; what is not yet indexed or tallied left out */
int64_t log_places(int64_t *
	dead_rows); /* in the index by symbol, unpacked; *dead_rows (may be NULL): rows of which nothing is left in the log */
void log_check_rollups(void); /* against the model */

#define assert_log(sql, want) \
	do { \
		char got_[400]; \
		log_ask(sql, got_, sizeof(got_)); \
		assert_string_equal(got_, want); \
	} while (0)

/* Runs `child` in a process of its own until it ends by itself (status 0 wanted), or kills it once it has written a byte to `ready`. */
void log_in_child(void (*child)(int ready), bool to_be_killed);

#endif

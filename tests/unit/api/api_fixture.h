/*
 * api_fixture - api_handle() over a made log of 1,000 events of 40 symbols and a state file, for tests of api/.
 */
#ifndef TESTS_API_FIXTURE_H
#define TESTS_API_FIXTURE_H

#include <jansson.h>

#include "../store/made_log.h"
#include "api/api.h"

#define EVENTS 1000

struct fixture {
	struct made_log log; /* the index by symbol covers 900, the tallies 700 */
	struct conf conf;
	struct api *api;
	struct reply reply;
	json_t *json; /* of the last answer */
	char state_path[128];
};

/* cmocka's: *state is a struct fixture. */
int set_up(void **state);
int tear_down(void **state);

/* Writes the state file, as a subscriber that is alive would. */
void write_state(struct fixture *f, bool connected);

struct asked {
	const char *path, *query, *address, *accept, *if_none_match;
	const char *method; /* NULL: GET */
};

/* Asks; the answer is in f->reply. */
void send(struct fixture *f, const struct asked *asked);

/* GETs, checks the status, and parses the answer. Borrowed until the next call. */
json_t *ask_from(struct fixture *f, int status, const char *address, const char *path, const char *query);
json_t *ask(struct fixture *f, int status, const char *path, const char *query);

int64_t count_of(json_t *answer); /* checked against `data` */
const char *text_at(json_t *answer, const char *key);
int64_t nth(json_t *answer, size_t i); /* the n of the made event at `i` of `data` */
bool has_header(struct fixture *f, const char *line);

#endif

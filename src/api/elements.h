/*
 * elements - the body of a POST, taken apart: one JSON object, an array of them, or NDJSON.  From http/request.c, on to api/writes.c.
 *
 * Everything that is wrong with any element is collected, so that a client learns it in one answer. Nothing is published from here.
 */
#ifndef API_ELEMENTS_H
#define API_ELEMENTS_H

#include "event/json.h"
#include "http/reply.h"
#include "http/request.h"

#define ELEMENT_MAX_BYTES (64u << 10) /* as of an event */

enum element_fault { /* the words that refusals of messages have (messages' validation), and clients see */
	ELEMENT_INVALID_JSON,
	ELEMENT_NOT_AN_OBJECT,
	ELEMENT_TOO_LARGE,
	ELEMENT_MISSING_FIELD,
	ELEMENT_INVALID_TYPE,
	ELEMENT_OUT_OF_RANGE,
	ELEMENT_UNKNOWN_FIELD,
	ELEMENT_FAULT__MAX
};
extern const char *const element_fault_codes[ELEMENT_FAULT__MAX];

struct elements {
	struct json json; /* owned: the present line's, or the whole body's */
	struct buf faults; /* owned: JSON objects, comma between */
	size_t n, n_faults;
	size_t max;
	bool single; /* the body is one object: its faults need no index */
};

/* Judges one object, whose members follow its token; calls elements_fault() for what it does not like. */
typedef void (*element_fn)(void *arg, struct elements *els, uint32_t object);

/*
 * Calls `fn` for every element of the body, at most `max` (more are a 413). 0: all were good. -1: *reply says why not: 415 for what is not JSON, 400 with all
 * faults. Call elements_fini() in any case.
 */
int elements_read(
    struct elements *els, const struct request *request, size_t max, element_fn fn, void *arg, struct reply *reply);
void elements_fini(struct elements *els);

/* Something is wrong with the present element's `member` (NULL: with all of it). */
void elements_fault(struct elements *els, enum element_fault fault, const char *member, const char *detail);

/* ---- members of the present element ---- */

/* The member's name is exactly this, however it was escaped. */
bool element_key_is(const struct elements *els, uint32_t key, const char *name);

/* The value of `name` in `object`, or 0: missing or null, or given twice, which is a fault already told. */
uint32_t element_member(struct elements *els, uint32_t object, const char *name);

#endif

/*
 * decode - from a Redis message to events.  Walk 1, step 3: from feed/queue.c, on to store/append.c.
 *
 * One message gives one element, or as many as its batch holds; each element is an event or a refusal, never an
 * error: nothing that a producer sends stops anything. Numbers keep the producer's text. The decoder knows no clock, no
 * socket and no database; `received_us` is its only "now". One decoder a thread.
 */
#ifndef EVENT_DECODE_H
#define EVENT_DECODE_H

#include "base/err.h"
#include "event/event.h"

#define MESSAGE_MAX_BYTES (4u << 20)
#define EVENT_MAX_BYTES (64u << 10)
#define MESSAGE_MAX_DEPTH 16

enum confidence_scale {
	SCALE_AUTO, /* <= 1 is a fraction */
	SCALE_PERCENT,
	SCALE_FRACTION,
};

/* Why an element was refused. Names, as clients see them, in reject_names[]. */
enum reject_reason {
	REJECT_INVALID_JSON,
	REJECT_INVALID_UTF8,
	REJECT_TOO_LARGE,
	REJECT_TOO_DEEP,
	REJECT_NOT_AN_OBJECT,
	REJECT_MISSING_FIELD,
	REJECT_INVALID_TYPE,
	REJECT_OUT_OF_RANGE,
	REJECT_UNKNOWN_SHAPE,
	REJECT_TEST_MESSAGE,
	REJECT_OWN_ECHO,
	REJECT__MAX
};
extern const char *const reject_names[REJECT__MAX];

/* What was made good silently; counted, so that nobody need guess. Names in note_names[]. */
enum note {
	NOTE_NAIVE_TIME, /* a time without zone, read as UTC */
	NOTE_RECEIVED_TIME, /* no time that could be used: the receive time stands in */
	NOTE_DEFAULT_TIMEFRAME, /* no timeframe: 1min */
	NOTE_NULL_NUMBER, /* NaN or Infinity became null */
	NOTE__MAX
};
extern const char *const note_names[NOTE__MAX];

/* Where a message comes from: a row of the subscription. */
struct source_channel {
	struct text channel; /* the concrete channel it arrived on */
	enum kind kind;
	const char *session_state; /* "started" or "stopped" for kind session, else NULL */
};

struct reject {
	enum reject_reason reason;
	struct text detail; /* the member at fault, or what the parser said; valid UTF-8; may be empty */
	struct text sample; /* the element's raw bytes, whole; whoever keeps it cuts and cleans it */
};

enum decode_result {
	DECODE_END,
	DECODE_EVENT,
	DECODE_REJECT,
};

struct decoder; /* opaque: the token tape, the rendering buffers, the notes */

/* `instance` marks the errors that this instance publishes itself (copied; may be NULL). NULL only when memory is out. */
struct decoder *decoder_new(enum confidence_scale scale, const char *instance, struct err *e);
void decoder_free(struct decoder *d);

/* Starts on a message. Borrows `payload` and `from` until the last decode_next(). Never fails: what is wrong comes out as elements. */
void decode_message(struct decoder *d, const struct source_channel *from, struct text payload, int64_t received_us);

/*
 * The next element: fills *ev or *rej, whose slices live until the next decode_next() or decode_message(). Every message gives
 * at least one element (an empty batch: one refusal). Out of memory is a refusal `too_large`.
 */
enum decode_result decode_next(struct decoder *d, struct event *ev, struct reject *rej);

/* What was noted for the element that decode_next() just returned as an event: counts per enum note. Borrowed. */
const unsigned *decode_notes(const struct decoder *d);

#endif

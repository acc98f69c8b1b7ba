/*
 * decode - see decode.h. Walk 1, step 3: from feed/queue.c, on to store/append.c.
 *
 * The parts: json.c makes a tape of the bytes, envelope.c finds the fact among them, fact.c checks and renders it. Here: what
 * is refused as a whole, and the walk over a batch.
 */
#include "event/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/fact.h"

#define KEEP_TOKENS (64u << 10) /* a tape longer than this is given back: 1 MiB */
#define INSTANCE_SIZE 65

/* clang-format off */
const char *const reject_names[REJECT__MAX] = {
	[REJECT_INVALID_JSON]  = "invalid_json",
	[REJECT_INVALID_UTF8]  = "invalid_utf8",
	[REJECT_TOO_LARGE]     = "too_large",
	[REJECT_TOO_DEEP]      = "too_deep",
	[REJECT_NOT_AN_OBJECT] = "not_an_object",
	[REJECT_MISSING_FIELD] = "missing_field",
	[REJECT_INVALID_TYPE]  = "invalid_type",
	[REJECT_OUT_OF_RANGE]  = "out_of_range",
	[REJECT_UNKNOWN_SHAPE] = "unknown_shape",
	[REJECT_TEST_MESSAGE]  = "test_message",
	[REJECT_OWN_ECHO]      = "own_echo",
};

const char *const note_names[NOTE__MAX] = {
	[NOTE_NAIVE_TIME]        = "naive_time",
	[NOTE_RECEIVED_TIME]     = "received_time",
	[NOTE_DEFAULT_TIMEFRAME] = "default_timeframe",
	[NOTE_NULL_NUMBER]       = "null_number",
};
/* clang-format on */

enum stage {
	STAGE_DONE,
	STAGE_NEW, /* nothing of the message was looked at yet */
	STAGE_BATCH, /* `next_element` is the next */
};

struct decoder {
	struct words words;
	struct json json;
	struct fact fact;
	struct envelope envelope;
	struct members message; /* a batch's own members: an element without time may use its time */
	struct text payload;
	enum stage stage;
	uint32_t next_element, end_of_batch;
	char instance[INSTANCE_SIZE];
	char detail[128];
};

struct decoder *
decoder_new(enum confidence_scale scale, const char *instance, struct err *e)
{
	struct decoder *d = calloc(1, sizeof(*d));

	if (d == NULL || (d->fact.scratch = malloc(FACT_SCRATCH_SIZE)) == NULL) {
		free(d);
		err_set(e, ERR_MEMORY, "no memory for a decoder");
		return NULL;
	}
	if (words_init(&d->words) != 0) {
		decoder_free(d);
		err_set(e, ERR_MEMORY, "more member names than a decoder can hold");
		return NULL;
	}
	buf_init(&d->fact.out, EVENT_MAX_BYTES);
	buf_init(&d->fact.time, 0);
	d->fact.scratch_size = FACT_SCRATCH_SIZE;
	d->fact.words = &d->words;
	d->fact.json = &d->json;
	d->fact.scale = scale;
	if (instance != NULL) {
		snprintf(d->instance, sizeof(d->instance), "%s", instance);
		d->fact.instance = text_of(d->instance);
	}
	return d;
}

void
decoder_free(struct decoder *d)
{
	if (d == NULL)
		return;
	json_fini(&d->json);
	buf_fini(&d->fact.out);
	buf_fini(&d->fact.time);
	free(d->fact.scratch);
	free(d);
}

void
decode_message(struct decoder *d, const struct source_channel *from, struct text payload, int64_t received_us)
{
	json_shrink(&d->json, KEEP_TOKENS);
	d->payload = payload.p == NULL ? TEXT("") : payload;
	d->fact.from = from;
	d->fact.received_us = received_us;
	d->stage = STAGE_NEW;
}

static enum decode_result
reject(struct reject *rej, enum reject_reason reason, struct text detail, struct text sample)
{
	*rej = (struct reject){ .reason = reason, .detail = detail, .sample = sample };
	return DECODE_REJECT;
}

static enum decode_result
reject_whole(struct decoder *d, struct reject *rej, enum reject_reason reason, const char *detail)
{
	d->stage = STAGE_DONE;
	return reject(rej, reason, detail == NULL ? TEXT("") : text_of(detail), d->payload);
}

static enum decode_result
reject_scan(struct decoder *d, struct reject *rej, enum json_result result)
{
	snprintf(d->detail, sizeof(d->detail), "%s at byte %u", d->json.error, (unsigned)d->json.error_at);
	if (result == JSON_NO_MEMORY)
		return reject_whole(d, rej, REJECT_TOO_LARGE, "out of memory");
	return reject_whole(d, rej, result == JSON_TOO_DEEP ? REJECT_TOO_DEEP : REJECT_INVALID_JSON, d->detail);
}

static enum decode_result
render(struct decoder *d, uint32_t object, struct event *ev, struct reject *rej)
{
	if (fact_render(&d->fact, &d->envelope, ev) == 0)
		return DECODE_EVENT;
	return reject(rej, d->fact.reason, d->fact.detail == NULL ? TEXT("") : text_of(d->fact.detail),
	    json_raw(&d->json, object));
}

static enum decode_result
next_of_batch(struct decoder *d, struct event *ev, struct reject *rej)
{
	uint32_t at = d->next_element;

	d->next_element = d->json.tokens[at].next;
	if (d->next_element >= d->end_of_batch)
		d->stage = STAGE_DONE;
	if (d->json.tokens[at].type != TOKEN_OBJECT)
		return reject(rej, REJECT_NOT_AN_OBJECT, TEXT(""), json_raw(&d->json, at));
	envelope_open(&d->envelope, &d->words, &d->json, d->fact.from->kind, at, &d->message);
	return render(d, at, ev, rej);
}

/*
 * True when the message is no fact but holds an array of them. An array that is empty, or no array, is no batch:
 * such a message is judged like any other, and refused for what it lacks.
 */
static bool
is_batch(struct decoder *d)
{
	unsigned word = d->words.kinds[d->fact.from->kind].batch;
	uint32_t at;

	if (word == WORD_NONE || (d->message.seen & WORD_BIT(word)) == 0 ||
	    envelope_complete(&d->words, d->fact.from->kind, &d->message))
		return false;
	at = d->message.value[word];
	d->next_element = at + 1;
	d->end_of_batch = d->json.tokens[at].next;
	return d->json.tokens[at].type == TOKEN_ARRAY && d->next_element < d->end_of_batch;
}

static enum decode_result
first(struct decoder *d, struct event *ev, struct reject *rej)
{
	enum json_result rc;

	if (d->payload.n > MESSAGE_MAX_BYTES)
		return reject_whole(d, rej, REJECT_TOO_LARGE, NULL);
	if (!text_utf8_valid(d->payload))
		return reject_whole(d, rej, REJECT_INVALID_UTF8, NULL);
	if ((rc = json_scan(&d->json, d->payload, MESSAGE_MAX_DEPTH)) != JSON_OK)
		return reject_scan(d, rej, rc);
	if (d->json.tokens[0].type != TOKEN_OBJECT)
		return reject_whole(d, rej, REJECT_NOT_AN_OBJECT, NULL);
	members_scan(&d->message, &d->words, &d->json, 0);
	if ((d->message.seen & WORD_BIT(d->words.test)) != 0)
		return reject_whole(d, rej, REJECT_TEST_MESSAGE, NULL);
	if (is_batch(d)) {
		d->stage = STAGE_BATCH;
		return next_of_batch(d, ev, rej);
	}
	d->stage = STAGE_DONE;
	envelope_open(&d->envelope, &d->words, &d->json, d->fact.from->kind, 0, NULL);
	return render(d, 0, ev, rej);
}

enum decode_result
decode_next(struct decoder *d, struct event *ev, struct reject *rej)
{
	switch (d->stage) {
	case STAGE_NEW:
		return first(d, ev, rej);
	case STAGE_BATCH:
		return next_of_batch(d, ev, rej);
	case STAGE_DONE:
		break;
	}
	return DECODE_END;
}

const unsigned *
decode_notes(const struct decoder *d)
{
	return d->fact.notes;
}

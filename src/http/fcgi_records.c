/* fcgi_records - see fcgi_records.h.  Walk 2, inside step 1: from http/fcgi_thread.c. FastCGI Specification 1.0, sections 3.3 and 3.4. */
#include "http/fcgi_records.h"

#include <string.h>

#define VERSION 1
#define RESPONDER 1
#define BEGIN_SIZE 8

enum type { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

struct record {
	unsigned type, request_id;
	size_t at, n; /* of its content */
	size_t end; /* behind its padding */
};

/* The record that begins at `at`, if it is there with its padding. */
static bool
next_record(const char *bytes, size_t n, size_t at, struct record *out)
{
	const unsigned char *p = (const unsigned char *)bytes + at;

	if (at > n || n - at < RECORDS_HEAD || p[0] != VERSION)
		return false;
	*out = (struct record){ .type = p[1],
		.request_id = (unsigned)p[2] << 8 | p[3],
		.at = at + RECORDS_HEAD,
		.n = (size_t)p[4] << 8 | p[5] };
	if (n - out->at < out->n + p[6])
		return false;
	out->end = out->at + out->n + p[6];
	return true;
}

static bool
is_responder(const char *bytes, const struct record *begin)
{
	const unsigned char *p = (const unsigned char *)bytes + begin->at;

	return begin->type == BEGIN_REQUEST && begin->request_id != 0 && begin->n == BEGIN_SIZE &&
	    (p[0] << 8 | p[1]) == RESPONDER;
}

bool
records_are_whole(const char *p, size_t n)
{
	struct record begin, r;

	if (!next_record(p, n, 0, &begin) || !is_responder(p, &begin))
		return false;
	r = begin;
	do {
		if (!next_record(p, n, r.end, &r) || r.type != PARAMS || r.request_id != begin.request_id)
			return false;
	} while (r.n > 0);
	return next_record(p, n, r.end, &r) && r.type == STDIN && r.request_id == begin.request_id && r.n == 0 &&
	    r.end == n;
}

/* The contents of all PARAMS, moved together; behind them there is at least one byte, of the head of the empty one. */
static struct text
join_params(char *p, size_t n, struct record r)
{
	char *start = p + r.at, *to = start;

	for (; r.n > 0; to += r.n, next_record(p, n, r.end, &r))
		if (to != p + r.at)
			memmove(to, p + r.at, r.n);
	return (struct text){ start, (size_t)(to - start) };
}

/* A length of one byte, or of four with the highest bit set. False: it is cut off. */
static inline bool
take_length(const unsigned char **p, const unsigned char *end, size_t *out)
{
	const unsigned char *at = *p;

	if (at == end || (*at >= 0x80 && end - at < 4))
		return false;
	if (*at < 0x80) {
		*out = *at;
		*p = at + 1;
	} else {
		*out = (size_t)(at[0] & 0x7f) << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
		*p = at + 4;
	}
	return true;
}

static void
chain(struct records *out, unsigned i)
{
	size_t bucket = out->vars[i].name.n % RECORDS_CHAINS;
	uint8_t place = (uint8_t)(i + 1);

	if (out->first[bucket] == 0)
		out->first[bucket] = place;
	else
		out->vars[out->last[bucket] - 1].next = place;
	out->last[bucket] = place;
}

static int
take_vars(struct text params, struct records *out)
{
	const unsigned char *p = (const unsigned char *)params.p, *end = p + params.n;

	while (p < end) {
		struct records_var *v = &out->vars[out->n];
		size_t name, value;

		if (out->n == RECORDS_VARS_MAX)
			return 0;
		if (!take_length(&p, end, &name) || !take_length(&p, end, &value) || name > (size_t)(end - p) ||
		    value > (size_t)(end - p) - name)
			return -1;
		v->name = (struct text){ (const char *)p, name };
		v->value = (struct text){ (const char *)p + name, value };
		v->next = 0;
		p += name + value;
		chain(out, out->n++);
	}
	return 1;
}

int
records_take(char *p, size_t n, struct records *out)
{
	struct record begin, r;
	int rc;

	out->n = 0;
	memset(out->first, 0, sizeof(out->first));
	if (!next_record(p, n, 0, &begin) || !next_record(p, n, begin.end, &r))
		return -1;
	out->request_id = begin.request_id;
	rc = take_vars(join_params(p, n, r), out);
	/* What stands behind a value is a length that was read, or the head of a record that was. */
	for (unsigned i = 0; rc == 1 && i < out->n; i++)
		p[out->vars[i].value.p - p + (ptrdiff_t)out->vars[i].value.n] = '\0';
	return rc;
}

const char *
records_var(void *records, const char *name, unsigned nth)
{
	const struct records *r = records;
	size_t n = strlen(name);

	for (uint8_t at = r->first[n % RECORDS_CHAINS]; at != 0; at = r->vars[at - 1].next) {
		const struct records_var *v = &r->vars[at - 1];

		if (v->name.n == n && memcmp(v->name.p, name, n) == 0 && nth-- == 0)
			return v->value.p;
	}
	return NULL;
}

void
records_stdout(unsigned char out[RECORDS_HEAD], unsigned request_id, size_t content)
{
	const unsigned char head[RECORDS_HEAD] = { VERSION, STDOUT, (unsigned char)(request_id >> 8),
		(unsigned char)request_id, (unsigned char)(content >> 8), (unsigned char)content };

	memcpy(out, head, sizeof(head));
}

void
records_tail(unsigned char out[RECORDS_TAIL], unsigned request_id)
{
	records_stdout(out, request_id, 0);
	records_stdout(out + RECORDS_HEAD, request_id, RECORDS_TAIL - 2 * RECORDS_HEAD);
	out[RECORDS_HEAD + 1] = END_REQUEST;
	/* Status 0, FCGI_REQUEST_COMPLETE. */
	memset(out + 2 * RECORDS_HEAD, 0, RECORDS_TAIL - 2 * RECORDS_HEAD);
}

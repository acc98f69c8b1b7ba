/*
 * terms - what somebody wants to see besides its symbols: kinds, names, bounds, and the form it comes in.
 *
 * Thousands who look at a symbol each mostly ask for the same of it. So terms are kept once, whoever shares them; a view adds the symbols to them.
 * Made from their key, the whole of what distinguishes them as bytes. Live thread only, but for the making of keys.
 */
#ifndef LIVE_TERMS_H
#define LIVE_TERMS_H

#include "base/buf.h"
#include "base/err.h"
#include "event/filter.h"

/* How events come. */
struct view_form {
	bool waiter; /* a long-poll: one answer; else a stream */
	bool ndjson, batch, conflate;
	struct text ask; /* waiters: the request to be answered; else empty. No part of the terms */
};

struct terms {
	struct terms *next; /* in the table */
	uint64_t hash;
	size_t n_users;
	struct view_form form; /* without `ask` */
	struct filter filter; /* without symbols; its texts are in the key */
	struct text key; /* in the same allocation */
};

struct terms_table {
	struct terms **chains; /* owned; a power of two of them */
	size_t size, n;
	uint64_t seed;
};

int terms_init(struct terms_table *t, uint64_t seed, struct err *e);
void terms_fini(struct terms_table *t); /* all have been left */

/* Appends the key: all of `filter` but its symbols, all of `form` but the ask. For any thread. */
void terms_key(struct buf *out, const struct filter *filter, const struct view_form *form);

/* The terms of that key, made if need be; one user more. NULL: no memory, or no key. */
struct terms *terms_join(struct terms_table *t, struct text key);
void terms_leave(struct terms_table *t, struct terms *terms); /* one user less */

/* Reading keys: a text behind its length, which never is read beyond the end; then `failed`, and nothing more comes. */
struct parse {
	const char *p;
	size_t left;
	bool failed;
};
void parse_take(struct parse *in, void *to, size_t n);
struct text parse_text(struct parse *in);
void parse_put_text(struct buf *out, struct text t); /* what parse_text() reads */

#endif

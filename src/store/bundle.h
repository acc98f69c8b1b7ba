/*
 * bundle - up to 64 places in the log of one symbol or kind, packed: what a row of by_symbol and by_symbol_open holds.
 *
 * A place is a seq and its kind: (seq - the one before) * 8 + kind as a varint of seven bits a byte, low ones first; three bytes with 4,000
 * symbols, where a row of its own took twenty. Both sides use it: index.c and sweep.c write, merge.c reads. No allocation, no database.
 */
#ifndef STORE_BUNDLE_H
#define STORE_BUNDLE_H

#include "base/text.h"
#include "event/event.h"

#define BUNDLE_PLACES 64
#define BUNDLE_BYTES (BUNDLE_PLACES * 10) /* at most: a varint of 64 bits has ten */

struct place {
	int64_t seq;
	enum kind kind;
};

struct bundle {
	int64_t first, last; /* seqs; of an empty one nothing */
	unsigned n, kinds; /* KIND_BIT()s */
	size_t len;
	unsigned char bytes[BUNDLE_BYTES];
};

/* The name under which a kind's places stand among the symbols'. None of those has lower-case letters or spaces. */
struct text bundle_kind_name(enum kind kind);

/* Which kind has this name; -1: none, it is a symbol. */
int bundle_kind(struct text symbol);

/* Empties it, whatever was in its memory. */
void bundle_clear(struct bundle *b);

/* Adds a place behind the last. The bundle is not full, the seq is larger than the last. */
void bundle_add(struct bundle *b, int64_t seq, enum kind kind);

/* The places of a row, ascending, below INT64_MAX: how many, or -1 when it is no bundle (damage). `first` is the row's. */
int bundle_unpack(struct text packed, int64_t first, struct place out[BUNDLE_PLACES]);

/* Takes a row over to add to it. -1: it is no bundle. */
int bundle_load(struct bundle *b, struct text packed, int64_t first);

#endif

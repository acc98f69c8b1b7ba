/*
 * varint - numbers as bundles and clusters have them: seven bits a byte, low ones first (LEB128). In a header, since every place of a list is taken apart by it.
 *
 * What is read is hostile: it may end too early, or have more than 64 bits. Pure; any thread.
 */
#ifndef STORE_VARINT_H
#define STORE_VARINT_H

#include <stddef.h>
#include <stdint.h>

#define VARINT_MAX 10 /* bytes of one */

/* Behind the number, of which there must be room for VARINT_MAX bytes at `p`. */
static inline unsigned char *
varint_put(unsigned char *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (unsigned char)(v | 0x80);
	*p++ = (unsigned char)v;
	return p;
}

/* Behind the number; NULL: it ends before the number does, or the number has more than 64 bits. */
static inline const unsigned char *
varint_take(const unsigned char *p, const unsigned char *end, uint64_t *v)
{
	unsigned shift = 0;

	*v = 0;
	for (; p < end && *p >= 0x80 && shift < 63; p++, shift += 7)
		*v |= (uint64_t)(*p & 0x7f) << shift;
	if (p == end || *p >= 0x80 || (shift == 63 && *p > 1))
		return NULL;
	*v |= (uint64_t)*p << shift;
	return p + 1;
}

#endif

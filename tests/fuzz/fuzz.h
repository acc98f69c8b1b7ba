/*
 * fuzz - what the harnesses share: the entry point, and promises that end the process when they are broken.
 *
 * Each harness takes bytes as they come from outside and hands them to one door of the house, then checks what the header of that door
 * promises. `./dev fuzz` lets libFuzzer make the bytes up; in every other build replay.c feeds what is kept (kept/NAME/), so that what was found
 * once is tested for ever.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

/* libFuzzer's entry point, by its name: https://llvm.org/docs/LibFuzzer.html. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): NDEBUG must not switch it off. */
#define PROMISE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* A copy of `t` that ends with NUL, in memory of exactly that size: whoever reads on meets the sanitizer. The caller's to free. */
static inline char *
fuzz_string(struct text t)
{
	char *s = malloc(t.n + 1);

	PROMISE(s != NULL);
	for (size_t i = 0; i < t.n; i++)
		s[i] = t.p[i];
	s[t.n] = '\0';
	return s;
}

#endif

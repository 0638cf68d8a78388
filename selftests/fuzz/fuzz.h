/* SPDX-License-Identifier: GPL-2.0 */
/* What a fuzz target is: one function, which aborts when something is wrong: MUST(). fuzz/main.c calls it. */
#ifndef SELFTESTS_FUZZ_FUZZ_H
#define SELFTESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition) do { if (!(condition)) abort(); } while (0)

/* What unit tests call it, in code that serves both. */
#define ASSERT(condition) MUST(condition)

void fuzz_input(const uint8_t *data, size_t size);

/* Takes the next @len bytes of the input, a step of a target that goes in steps; false: fewer are left. */
static inline bool fuzz_take(const uint8_t **data, size_t *size, void *step, size_t len)
{
	if (*size < len)
		return false;
	memcpy(step, *data, len);
	*data += len;
	*size -= len;
	return true;
}

#endif

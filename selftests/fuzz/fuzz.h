/* SPDX-License-Identifier: GPL-2.0 */
/* What a fuzz target is: one function, which aborts when something is wrong: MUST(). fuzz/main.c calls it. */
#ifndef SELFTESTS_FUZZ_FUZZ_H
#define SELFTESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MUST(condition) do { if (!(condition)) abort(); } while (0)

/* What unit tests call it, in code that serves both. */
#define ASSERT(condition) MUST(condition)

void fuzz_input(const uint8_t *data, size_t size);

#endif

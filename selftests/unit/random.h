/* SPDX-License-Identifier: GPL-2.0 */
/* The pseudo-random numbers of long runs, the same for the same seed: xorshift64*. One program, one sequence. */
#ifndef SELFTESTS_UNIT_RANDOM_H
#define SELFTESTS_UNIT_RANDOM_H

#include "x86/types.h"

static u64 seed;

static inline u64 rnd(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dULL;
}

static inline u32 below(u32 n)
{
	return (rnd() >> 32) % n;
}

#endif

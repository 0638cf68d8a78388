// SPDX-License-Identifier: GPL-2.0
/*
 * See crc.h. A kernel is summed at each start, so the CPU's multiplication without carries
 * does it where there is one, after "Fast CRC Computation for Generic Polynomials Using
 * PCLMULQDQ Instruction" (V. Gopal et al., Intel, 2009). Called by sum.c.
 */
#include <immintrin.h>

#include "crc.h"

#define FOLD	64	/* bytes at a time */

u32 crc32_slow(u32 crc, const u8 *data, size_t len)
{
	/* Of the four bits that leave. */
	static const u32 table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158,
		0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
		0xa00ae278, 0xbdbdf21c,
	};

	while (len--) {
		crc ^= *data++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

/* What is congruent to @x, moved on by as many bits as @by is for, and to @next there. */
__attribute__((target("pclmul")))
static __m128i fold(__m128i x, __m128i by, __m128i next)
{
	return _mm_xor_si128(next, _mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00),
						 _mm_clmulepi64_si128(x, by, 0x11)));
}

/* @len: at least FOLD. */
__attribute__((target("pclmul")))
static u32 crc32_folded(u32 crc, const u8 *data, size_t len)
{
	/* x^(512+32) and x^(512-32), x^(128+32) and x^(128-32) by the polynomial, reflected. */
	const __m128i by_512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
	const __m128i by_128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
	const __m128i *from = (const __m128i *)data;
	__m128i x[4];
	u8 rest[sizeof(x[0])];
	unsigned int i;

	for (i = 0; i < 4; i++)
		x[i] = _mm_loadu_si128(from++);
	x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128(crc));
	for (len -= FOLD; len >= FOLD; len -= FOLD)
		for (i = 0; i < 4; i++)
			x[i] = fold(x[i], by_512, _mm_loadu_si128(from++));
	for (i = 1; i < 4; i++)
		x[0] = fold(x[0], by_128, x[i]);
	_mm_storeu_si128((__m128i *)rest, x[0]);
	return crc32_slow(crc32_slow(0, rest, sizeof(rest)), (const u8 *)from, len);
}

u32 crc32_go_on(u32 crc, const void *data, size_t len)
{
	if (len >= FOLD && __builtin_cpu_supports("pclmul"))
		return crc32_folded(crc, data, len);
	return crc32_slow(crc, data, len);
}

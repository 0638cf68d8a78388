/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The integer types and bit macros of the pure layers (x86/, chip/), which are
 * compiled in the kernel and in user space: unit tests, fuzzers. The only file
 * of these layers that knows which of the two it is in.
 */
#ifndef KVIRT_X86_TYPES_H
#define KVIRT_X86_TYPES_H

#include <asm/processor-flags.h>

#ifdef __KERNEL__
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int64_t s64;
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define clamp(value, low, high) min(max(value, low), high)
#define fallthrough __attribute__((__fallthrough__))
#ifndef __aligned
#define __aligned(n) __attribute__((__aligned__(n)))
#endif
#undef static_assert	/* <assert.h> has it without the message being optional */
#define static_assert(condition, ...) _Static_assert(condition, #condition)
#endif

static inline void set_bits_if(u32 *word, u32 bits, bool on)
{
	*word = on ? *word | bits : *word & ~bits;
}

#endif

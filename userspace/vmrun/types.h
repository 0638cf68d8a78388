/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The integer names of the kernel's coding style and a few macros every file
 * of vmrun uses. Nothing here knows about virtual machines.
 */
#ifndef VMRUN_TYPES_H
#define VMRUN_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BIT(n)		(1u << (n))
#define BIT_ULL(n)	(1ull << (n))
#define KIB(n)		((u64)(n) << 10)
#define MIB(n)		((u64)(n) << 20)
#define GIB(n)		((u64)(n) << 30)

#define __packed		__attribute__((packed))
#define __printf(fmt, args)	__attribute__((format(printf, fmt, args)))

static inline u64 min_u64(u64 a, u64 b)
{
	return a < b ? a : b;
}

/* @align is a power of two; the caller knows that @x + @align fits. */
static inline u64 align_up(u64 x, u64 align)
{
	return (x + align - 1) & ~(align - 1);
}

static inline u64 align_down(u64 x, u64 align)
{
	return x & ~(align - 1);
}

#endif

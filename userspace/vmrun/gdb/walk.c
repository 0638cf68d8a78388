// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the guest's page tables as the CPU does (SDM vol. 3, 4.3 to 4.5), but for rights:
 * KVIRT_TRANSLATE is a supervisor's read, whom SMAP keeps from user space. Called by access.c.
 */
#include <string.h>

#include "walk.h"

#define CR0_PG		BIT_ULL(31)
#define CR4_PSE		BIT_ULL(4)
#define CR4_PAE		BIT_ULL(5)
#define CR4_LA57	BIT_ULL(12)
#define EFER_LMA	BIT_ULL(10)
#define ENTRY_PRESENT	1
#define ENTRY_LARGE	BIT_ULL(7)
#define ADDRESS		0x000ffffffffff000ull

/* How a paging mode is built. */
struct mode {
	unsigned int levels;
	unsigned int index_bits;	/* of each level, but for PAE's highest */
	unsigned int entry_size;
	unsigned int large;		/* the highest level with large pages */
};

static const struct mode modes[] = {
	{ 2, 10, 4, 2 },	/* 32-bit */
	{ 3, 9, 8, 2 },		/* PAE */
	{ 4, 9, 8, 3 },
	{ 5, 9, 8, 3 },
};

static const struct mode *mode_of(const struct kvirt_sregs *sregs)
{
	if (sregs->efer & EFER_LMA)
		return &modes[sregs->cr4 & CR4_LA57 ? 3 : 2];
	return &modes[sregs->cr4 & CR4_PAE ? 1 : 0];
}

static bool is_canonical(u64 linear, const struct mode *mode)
{
	unsigned int unused = 64 - (12 + mode->levels * mode->index_bits);

	return (u64)((s64)(linear << unused) >> unused) == linear;
}

static bool read_entry(const struct memory *mem, u64 address, unsigned int size, u64 *entry)
{
	const void *from = guest_buf(mem, address, size);

	*entry = 0;
	if (from)
		memcpy(entry, from, size);
	return from && *entry & ENTRY_PRESENT;
}

static bool is_large(const struct mode *mode, const struct kvirt_sregs *sregs, unsigned int level,
		     u64 entry)
{
	if (level == 1 || level > mode->large || !(entry & ENTRY_LARGE))
		return false;
	return mode->entry_size == 8 || sregs->cr4 & CR4_PSE;
}

bool gdb_walk(const struct memory *mem, const struct kvirt_sregs *sregs, u64 linear, u64 *physical)
{
	const struct mode *mode = mode_of(sregs);
	u64 table = sregs->cr3 & ADDRESS, entry, offset;
	unsigned int level, shift;

	if (!(sregs->efer & EFER_LMA))
		linear = (u32)linear;
	if (!(sregs->cr0 & CR0_PG)) {
		*physical = linear;
		return true;
	}
	if (sregs->efer & EFER_LMA && !is_canonical(linear, mode))
		return false;
	/* PAE's four entries need not begin a page. */
	if (mode->levels == 3)
		table = sregs->cr3 & 0xffffffe0;
	for (level = mode->levels; level; level--) {
		shift = 12 + (level - 1) * mode->index_bits;
		offset = linear >> shift & (BIT_ULL(mode->index_bits) - 1);
		if (!read_entry(mem, table + offset * mode->entry_size, mode->entry_size, &entry))
			return false;
		if (is_large(mode, sregs, level, entry))
			break;
		table = entry & ADDRESS;
	}
	if (!level) {
		*physical = table | (linear & 0xfff);
		return true;
	}
	offset = linear & (BIT_ULL(shift) - 1);
	/* A page of 4 MiB has the bits above 31 of its address in the middle (PSE-36). */
	if (mode->entry_size == 4)
		*physical = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32 | offset;
	else
		*physical = (entry & ADDRESS & ~(BIT_ULL(shift) - 1)) | offset;
	return true;
}

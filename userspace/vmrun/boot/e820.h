/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's memory map, in the neutral form both boot protocols are fed from.
 */
#ifndef VMRUN_BOOT_E820_H
#define VMRUN_BOOT_E820_H

#include "../memory.h"
#include "../types.h"

#define E820_RAM		1
#define E820_RESERVED		2
#define E820_MAX_RANGES		(MEMORY_MAX_REGIONS + 3)

struct e820_range {
	u64 addr;
	u64 size;
	u32 type;
};

/* Fills @range (E820_MAX_RANGES of them), ascending; returns how many. */
unsigned int e820_build(const struct memory *mem, struct e820_range *range);

#endif

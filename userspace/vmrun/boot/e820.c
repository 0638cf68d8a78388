// SPDX-License-Identifier: GPL-2.0
/*
 * Says which guest-physical addresses are RAM. Everything else is derived from
 * memory.c's regions, so the two cannot disagree.
 */
#include "../dev/pci.h"
#include "boot.h"
#include "e820.h"

unsigned int e820_build(const struct memory *mem, struct e820_range *range)
{
	const struct e820_range ecam = { PCI_ECAM_BASE, PCI_ECAM_SIZE, E820_RESERVED };
	unsigned int i, n = 0;

	range[n++] = (struct e820_range){ 0, BOOT_LOW_RAM_END, E820_RAM };
	/* The ACPI tables lie here, where a BIOS would have its read-only memory. */
	range[n++] = (struct e820_range){
		BOOT_ACPI_ADDR, BOOT_ACPI_SIZE, E820_RESERVED,
	};
	for (i = 0; i < mem->nr_regions; i++) {
		const struct memory_region *r = &mem->region[i];
		u64 start = r->guest_addr ? r->guest_addr : BOOT_KERNEL_MIN;

		/* Linux uses ECAM only where somebody keeps the addresses from others. */
		if (i == 1)
			range[n++] = ecam;
		range[n++] = (struct e820_range){
			start, r->guest_addr + r->size - start, E820_RAM,
		};
	}
	if (mem->nr_regions < 2)
		range[n++] = ecam;
	return n;
}

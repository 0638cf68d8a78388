/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ACPI tables: what the guest cannot find out by itself.
 */
#ifndef VMRUN_BOOT_ACPI_H
#define VMRUN_BOOT_ACPI_H

#include "../types.h"

/* The one serial port; machine.c puts it there. */
#define ACPI_COM1_PORT	0x3f8
#define ACPI_COM1_IRQ	4

/*
 * Writes all tables for @nr_vcpus vCPUs (APIC ids from 0) into @buf, which is
 * @size bytes of guest memory at @guest_addr; the RSDP comes first. Returns how
 * many bytes they take, or 0 when they do not fit.
 */
u32 acpi_build(u8 *buf, u32 size, u64 guest_addr, unsigned int nr_vcpus);

#endif

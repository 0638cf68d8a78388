/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes AML, the byte code of ACPI's DSDT, into a bounded buffer. After the
 * ACPI specification, "ACPI Machine Language (AML) Specification".
 */
#ifndef VMRUN_BOOT_AML_H
#define VMRUN_BOOT_AML_H

#include "../types.h"

struct aml {
	u8 *buf;
	u32 size;
	u32 len;
	bool overflow;	/* sticky: something did not fit, buf is unusable */
};

void aml_init(struct aml *aml, u8 *buf, u32 size);

/*
 * Blocks nest: each begin returns what its end wants. A name has at most four
 * letters; a leading backslash makes it absolute.
 */
u32 aml_scope_begin(struct aml *aml, const char *name);
u32 aml_device_begin(struct aml *aml, const char *name);
void aml_end(struct aml *aml, u32 block);

/* Name (@name, value) */
void aml_name_integer(struct aml *aml, const char *name, u32 value);
void aml_name_string(struct aml *aml, const char *name, const char *value);
void aml_name_eisa_id(struct aml *aml, const char *name, const char *id);
void aml_name_package(struct aml *aml, const char *name, const u8 *value,
		      u8 count);

/* Name (_CRS, ResourceTemplate () { an I/O range, and unless 0 an edge IRQ }) */
void aml_name_resources(struct aml *aml, u16 port, u8 nr_ports, u32 irq);

/*
 * Name (_CRS, ResourceTemplate () { ... }), piece by piece: what begin returns end wants.
 * In between: I/O ports, fixed memory, and what a host bridge hands down to its bus.
 */
u32 aml_resources_begin(struct aml *aml);
void aml_resource_io(struct aml *aml, u16 port, u8 nr_ports);
void aml_resource_memory(struct aml *aml, u32 base, u32 size);
void aml_resource_bus_numbers(struct aml *aml, u16 first, u16 last);
void aml_resource_memory_window(struct aml *aml, u32 base, u32 size);
void aml_resources_end(struct aml *aml, u32 block);

#endif

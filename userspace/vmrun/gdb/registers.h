/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vCPU's registers as gdb sees them: numbered, each with a size, described by an XML text.
 */
#ifndef VMRUN_GDB_REGISTERS_H
#define VMRUN_GDB_REGISTERS_H

#include "../kvirt.h"
#include "packet.h"

#define GDB_MAX_REGISTER	16	/* bytes of the largest */

/* What the accelerator has of them, as one value. */
struct gdb_registers {
	struct kvirt_regs regs;
	struct kvirt_sregs sregs;
	u64 kernel_gs_base;
	u8 xsave[KVIRT_XSAVE_SIZE];
};

/* gdb disassembles code of 32 or 16 bits only where it is told of a CPU that has no more. */
enum gdb_bits {
	GDB_64_BITS,
	GDB_32_BITS,
	GDB_16_BITS,
};

/* Which of them gdb sees. */
struct gdb_view {
	bool has_avx;	/* the guest's CPUs have it, and the accelerator then takes it */
	enum gdb_bits bits;
};

unsigned int gdb_nr_registers(const struct gdb_view *view);

/* The bytes of register @n, which is less than gdb_nr_registers(). */
unsigned int gdb_register_size(const struct gdb_view *view, unsigned int n);

/* Reads and writes all, where the vCPU is out of the guest: 0, or -1 with @err filled in. */
int gdb_registers_load(struct gdb_registers *all, struct kvirt_vcpu *vcpu, struct vm_error *err);
/* Only what is not as in @before, since the accelerator checks what it is given. */
int gdb_registers_store(const struct gdb_registers *all, const struct gdb_registers *before,
			struct kvirt_vcpu *vcpu, struct vm_error *err);

/* Copies register @n out, gdb_register_size(@n) bytes. */
void gdb_register_get(const struct gdb_view *view, const struct gdb_registers *all, unsigned int n,
		      u8 *value);
/* Of a wider one the rest stays. */
void gdb_register_set(const struct gdb_view *view, struct gdb_registers *all, unsigned int n,
		      const u8 *value);

/* Shows the description through @window; returns whether more lies behind it. */
bool gdb_describe(const struct gdb_view *view, struct gdb_window *window);

#endif

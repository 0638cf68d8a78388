/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's memory as its debugger sees it: by a vCPU's virtual addresses, and without
 * the breakpoints that were written into it. The vCPUs stand meanwhile.
 */
#ifndef VMRUN_GDB_ACCESS_H
#define VMRUN_GDB_ACCESS_H

#include "../kvirt.h"
#include "../memory.h"

#define GDB_MAX_SOFT	256

/* An INT3 in the guest's memory. Two at the same physical address share it. */
struct gdb_soft {
	u64 address;		/* as gdb named it */
	u64 physical;
	u8 original;		/* what the guest has there */
};

struct gdb_access {
	const struct memory *mem;
	struct gdb_soft soft[GDB_MAX_SOFT];
	unsigned int nr_soft;
};

/* Where that address is, if it is mapped. */
bool gdb_translate(const struct gdb_access *access, struct kvirt_vcpu *vcpu, u64 address,
		   u64 *physical);

/* How many of @len bytes were read, or written, before the first that cannot be. */
size_t gdb_read(const struct gdb_access *access, struct kvirt_vcpu *vcpu, u64 address,
		u8 *data, size_t len);
size_t gdb_write(struct gdb_access *access, struct kvirt_vcpu *vcpu, u64 address,
		 const u8 *data, size_t len);

/* 0, or -1: not mapped, not RAM, too many; none of that name. */
int gdb_soft_add(struct gdb_access *access, struct kvirt_vcpu *vcpu, u64 address);
int gdb_soft_remove(struct gdb_access *access, u64 address);
void gdb_soft_clear(struct gdb_access *access);

enum gdb_soft_match {
	GDB_SOFT_NONE,		/* an INT3 there is the guest's own */
	GDB_SOFT_ALIAS,		/* gdb set it by another address of the same memory */
	GDB_SOFT_EXACT,
};

enum gdb_soft_match gdb_soft_at(const struct gdb_access *access, struct kvirt_vcpu *vcpu,
				u64 address);

/*
 * Puts the guest's own byte in the place of the INT3 that GDB_SOFT_ALIAS names at @address, so
 * that it can be stepped over; false, and nothing done, where there is none. Until
 * gdb_soft_put_back() of @physical no other vCPU may run, and no breakpoint come or go.
 */
bool gdb_soft_lift(struct gdb_access *access, struct kvirt_vcpu *vcpu, u64 address, u64 *physical);
void gdb_soft_put_back(struct gdb_access *access, u64 physical);

#endif

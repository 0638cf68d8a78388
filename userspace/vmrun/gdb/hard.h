/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Breakpoints and watchpoints in the CPU's debug registers, the same on each vCPU. Pure.
 */
#ifndef VMRUN_GDB_HARD_H
#define VMRUN_GDB_HARD_H

#include "../../../include/uapi/linux/kvirt.h"

#include "../types.h"

#define GDB_HARD_SLOTS	4

/* The R/W field of DR7 (SDM vol. 3, 18.2.4); the CPU has none for reads alone. */
enum gdb_hard_kind {
	GDB_HARD_CODE = 0,
	GDB_HARD_WRITE = 1,
	GDB_HARD_ACCESS = 3,
};

struct gdb_hard_slot {
	u8 len;			/* 1, 2, 4 or 8; 0: free */
	enum gdb_hard_kind kind;
	u64 address;
	u64 owner;		/* what gdb named, of which this is a part */
	u64 owner_len;
};

struct gdb_hard {
	struct gdb_hard_slot slot[GDB_HARD_SLOTS];
};

/* 0, or -1: too few registers are free; none of that name. */
int gdb_hard_add(struct gdb_hard *hard, enum gdb_hard_kind kind, u64 address, u64 len);
int gdb_hard_remove(struct gdb_hard *hard, enum gdb_hard_kind kind, u64 address, u64 len);

/* DR0 to DR3 and DR7 for them; returns whether there is any. */
bool gdb_hard_registers(const struct gdb_hard *hard, struct kvirt_guest_debug_arch *arch);

/* The slot that bits of @dr6 name, data before code, or NULL. */
const struct gdb_hard_slot *gdb_hard_hit(const struct gdb_hard *hard, u64 dr6);

#endif

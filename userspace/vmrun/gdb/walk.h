/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a guest's virtual addresses to its physical ones. Pure.
 */
#ifndef VMRUN_GDB_WALK_H
#define VMRUN_GDB_WALK_H

#include "../kvirt.h"
#include "../memory.h"

/*
 * Where @linear lies for a vCPU with these registers; false where nothing is mapped. Who may
 * access it does not count, and no bit of the guest's tables is written.
 */
bool gdb_walk(const struct memory *mem, const struct kvirt_sregs *sregs, u64 linear, u64 *physical);

#endif

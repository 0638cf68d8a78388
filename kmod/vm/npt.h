/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Nested page tables: guest-physical to host-physical, one walker for EPT's and NPT's
 * formats, which differ only in the bits of struct npt_format. vm/npt.c holds the
 * tables, run/fault.c fills them, vm/notifier.c and vm/slots.c empty them.
 */
#ifndef KVIRT_VM_NPT_H
#define KVIRT_VM_NPT_H

#include <linux/mm_types.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct vm;
struct vcpu;

/* Levels: 1 maps 4 KiB, 2 maps 2 MiB, 3 maps 1 GiB. */
#define NPT_LEVEL_4K	1
#define NPT_LEVEL_2M	2
#define NPT_LEVEL_1G	3

/* The bits of one table format, as data; a back end fills it at probe. */
struct npt_format {
	u64 present;		/* any of these set: the entry is present */
	u64 table;		/* an entry that points to a lower table, without address */
	u64 leaf;		/* a readable, executable, write-back leaf, without address */
	u64 write;		/* added to leaf: writable */
	u64 large;		/* added to a leaf above level 1 */
	u64 accessed;		/* 0: the hardware does not record it */
	u64 dirty;
	u64 uncached;		/* leaf bits to be changed (xor) for uncached memory */
	u8 levels;		/* depth of the tree, 4 or 5 */
	u8 max_level;		/* largest leaf, NPT_LEVEL_* */
};

#endif

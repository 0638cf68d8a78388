/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The partitions of a disk, as Linux counts them: MBR with logical ones, or GPT. UEFI
 * specification 2.10, sections 5.2 and 5.3.
 */
#ifndef VMRUN_DISK_PARTITION_H
#define VMRUN_DISK_PARTITION_H

#include "../types.h"

#define PARTITION_MAX	128

enum partition_kind {
	PARTITION_OTHER,	/* of another system, swap, boot loaders; or marked as not to be looked at */
	PARTITION_LINUX,	/* any Linux file system */
	PARTITION_ROOT,		/* the root of an x86-64 system, as it says itself */
};

struct partition {
	unsigned int number;	/* as in "vda1" */
	enum partition_kind kind;
	u64 offset, len;	/* bytes, inside the disk */
};

enum partition_table_kind {
	PARTITION_TABLE_NONE,
	PARTITION_TABLE_MBR,
	PARTITION_TABLE_GPT,
	PARTITION_TABLE_BROKEN,	/* a GPT that Linux will not read */
};

struct partition_table {
	enum partition_table_kind kind;
	struct partition item[PARTITION_MAX];
	unsigned int nr;
};

/*
 * Reads the table of the disk @fd, of @size bytes in sectors of @sector. What cannot be
 * read is not there. Nothing that the table says is trusted.
 */
void partition_read(struct partition_table *table, int fd, u64 size, u32 sector);

#endif

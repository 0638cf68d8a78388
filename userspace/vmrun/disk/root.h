/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where on a disk a root file system is, and which driver it needs.
 */
#ifndef VMRUN_DISK_ROOT_H
#define VMRUN_DISK_ROOT_H

#include "../log.h"
#include "../types.h"

struct disk_root {
	unsigned int partition;	/* 0: the whole disk */
	const char *fs;		/* the file system, as mount(2) calls it; its driver's name too */
	bool writable;		/* its driver writes */
};

/*
 * Looks into @path, a raw image or a block device: a file system as large as the disk, or
 * one in a partition, which is the first that its type makes an x86-64 root (Discoverable
 * Partitions Specification), else the only or largest one of Linux. Returns 0, or -1 with
 * @err filled in, which takes in everything that is no disk at all.
 */
int disk_find_root(struct disk_root *root, const char *path, struct vm_error *err);

/* The same of the open @fd of @size bytes, in sectors of @sector; @path is for messages. */
int disk_find_root_in(struct disk_root *root, int fd, u64 size, u32 sector, const char *path,
		      struct vm_error *err);

#endif

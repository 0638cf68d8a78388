/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A whole file in memory, unpacked when its first bytes say that it is compressed.
 */
#ifndef VMRUN_BOOT_UNPACK_H
#define VMRUN_BOOT_UNPACK_H

#include "../log.h"
#include "../types.h"

/* Packed or not; the largest modules of a distribution have 20 MiB. */
#define UNPACK_MAX_SIZE	MIB(128)

struct unpacked {
	u8 *data;
	u64 size;
};

/* Reads @path: plain, xz, zstd or gzip. Returns 0, or -1 with @err filled in. */
int unpack_file(struct unpacked *file, const char *path, struct vm_error *err);

void unpack_free(struct unpacked *file);

#endif

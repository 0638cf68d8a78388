/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a file that the user named is, and which kernel it holds: told by its content.
 */
#ifndef VMRUN_BOOT_VERSION_H
#define VMRUN_BOOT_VERSION_H

#include "../log.h"
#include "../types.h"

#define KERNEL_RELEASE_SIZE	65	/* as in struct utsname */

/*
 * The release ("6.1.0-13-amd64") of kernel @path, a bzImage or an ELF vmlinux; that of
 * its modules. Returns 0, or -1 with @err filled in.
 */
int kernel_release(const char *path, char release[KERNEL_RELEASE_SIZE], struct vm_error *err);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which module files a kernel needs, in the order in which they load, and their contents.
 * Only for the child process in which live.c makes an initramfs: what is loaded here for
 * it (libkmod, libraries that unpack) is large and goes with that process.
 */
#ifndef VMRUN_BOOT_MODULES_H
#define VMRUN_BOOT_MODULES_H

#include "../log.h"
#include "../types.h"

struct module_want {
	const char *name;	/* of a module, or an alias that leads to one */
	bool optional;		/* a kernel without it is as good */
	bool late;		/* the guest's command does not wait for it */
};

/*
 * Takes the unpacked contents of one module, the first that @want needs it. Returns 0, or
 * -1 with @err filled in.
 */
typedef int module_fn(void *ctx, const struct module_want *want, const char *name,
		      const void *data, u64 size, struct vm_error *err);

/*
 * Calls @fn for each module that @want needs and kernel @release of the folder @root
 * ("/lib/modules") has as a file, dependencies first. Returns 0, or -1 with @err filled in.
 */
int modules_find(const char *root, const char *release, const struct module_want *want,
		 unsigned int nr, module_fn *fn, void *ctx, struct vm_error *err);

#endif

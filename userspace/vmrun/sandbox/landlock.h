/* SPDX-License-Identifier: GPL-2.0 */
/*
 * landlock(7) as far as vmrun uses it: the numbers of all versions that it knows, since
 * the headers it is compiled with may be older than the kernel it runs on.
 */
#ifndef VMRUN_SANDBOX_LANDLOCK_H
#define VMRUN_SANDBOX_LANDLOCK_H

#include "sandbox.h"

/* The oldest version with which folders that a guest changes work: renames between them. */
#define LANDLOCK_OLDEST		2

/* 0: this kernel has none, or one that is switched off. */
int landlock_version(void);

/*
 * Confines the calling thread, and what it starts, to the grants of @sandbox. Returns 0,
 * or -1 with @err filled in. Where there is no landlock says so, and that is all.
 */
int landlock_confine(const struct sandbox *sandbox, struct vm_error *err);

#endif

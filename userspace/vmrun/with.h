/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vmrun with: another VMM, which finds kvirt's device where it looks for KVM's.
 */
#ifndef VMRUN_WITH_H
#define VMRUN_WITH_H

#include "config.h"

/* Becomes config->command and so returns only when that failed: 126, 127, or -1 with @err. */
int with_device(const struct vm_config *config, struct vm_error *err);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vmrun doctor: what this machine lacks to run vmrun's, and the command that mends it.
 */
#ifndef VMRUN_DOCTOR_H
#define VMRUN_DOCTOR_H

#include "config.h"

/* Returns the exit status: 0 when machines can run, 1 when they cannot; or -1 with @err. */
int doctor(const struct vm_config *config, struct vm_error *err);

#endif

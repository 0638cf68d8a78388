// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/module/kvirt/parameters/privops: privileged operations by kind, windows and entries since
 * load, "name value" a line; only in a module built with KVIRT_COUNT_PRIVOPS. host/msr.h counts.
 */
#include <linux/moduleparam.h>
#include <linux/sysfs.h>
#include "msr.h"

#ifdef KVIRT_COUNT_PRIVOPS
DEFINE_PER_CPU(unsigned long [PRIVOP_NR], host_privops);

static int privops_get(char *buffer, const struct kernel_param *param)
{
	static const char * const names[PRIVOP_NR] = {
		[PRIVOP_VMX] = "vmx_svm", [PRIVOP_RDMSR] = "rdmsr", [PRIVOP_WRMSR] = "wrmsr",
		[PRIVOP_CR] = "cr_dr", [PRIVOP_XSETBV] = "xsetbv",
		[WINDOWS_OPENED] = "windows", [GUEST_ENTRIES] = "entries",
	};
	int cpu, i, at = 0;

	for (i = 0; i < PRIVOP_NR; i++) {
		unsigned long sum = 0;

		for_each_possible_cpu(cpu)
			sum += READ_ONCE(per_cpu(host_privops, cpu)[i]);
		at += sysfs_emit_at(buffer, at, "%s %lu\n", names[i], sum);
	}
	return at;
}

static const struct kernel_param_ops privops_ops = { .get = privops_get };
module_param_cb(privops, &privops_ops, NULL, 0400);
#endif

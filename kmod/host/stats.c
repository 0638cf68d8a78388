// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/kvirt/privops: privileged operations by kind, windows and entries since
 * load, one "name value" a line; only in a module built with KVIRT_COUNT_PRIVOPS. Called by
 * main.c; host/msr.h counts.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include "msr.h"

#ifdef KVIRT_COUNT_PRIVOPS
DEFINE_PER_CPU(unsigned long [PRIVOP_NR], host_privops);
static struct dentry *directory;

static int privops_show(struct seq_file *file, void *data)
{
	static const char * const names[PRIVOP_NR] = {
		[PRIVOP_VMX] = "vmx_svm", [PRIVOP_RDMSR] = "rdmsr", [PRIVOP_WRMSR] = "wrmsr",
		[PRIVOP_CR] = "cr_dr", [PRIVOP_XSETBV] = "xsetbv",
		[WINDOWS_OPENED] = "windows", [GUEST_ENTRIES] = "entries",
	};
	unsigned long sum;
	int cpu, i;

	for (i = 0; i < PRIVOP_NR; i++) {
		sum = 0;
		for_each_possible_cpu(cpu)
			sum += READ_ONCE(per_cpu(host_privops, cpu)[i]);
		seq_printf(file, "%s %lu\n", names[i], sum);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(privops);

int __init host_stats_init(void)
{
	directory = debugfs_create_dir("kvirt", NULL);
	debugfs_create_file("privops", 0400, directory, NULL, &privops_fops);
	return 0;
}

void host_stats_exit(void)
{
	debugfs_remove(directory);
}
#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/kvirt/privops: privileged operations by kind, windows and entries since
 * load, one "name value" a line; only in a module built with KVIRT_COUNT_PRIVOPS. Writing
 * anything starts it afresh. Called by main.c; host/msr.h counts.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/seq_file.h>
#include "msr.h"

#ifdef KVIRT_COUNT_PRIVOPS
DEFINE_PER_CPU(struct privops, host_privops);
static struct dentry *directory;

static int privops_show(struct seq_file *file, void *data)
{
	static const char * const names[PRIVOP_NR] = {
		[PRIVOP_VMX] = "vmx_svm", [PRIVOP_RDMSR] = "rdmsr", [PRIVOP_WRMSR] = "wrmsr",
		[PRIVOP_CR] = "cr_dr", [PRIVOP_XSETBV] = "xsetbv",
	};
	struct privops sum = {};
	int cpu, i;

	for_each_possible_cpu(cpu) {
		const struct privops *one = per_cpu_ptr(&host_privops, cpu);

		for (i = 0; i < PRIVOP_NR; i++)
			sum.count[i] += READ_ONCE(one->count[i]);
		sum.windows += READ_ONCE(one->windows);
		sum.entries += READ_ONCE(one->entries);
	}
	for (i = 0; i < PRIVOP_NR; i++)
		seq_printf(file, "%s %lu\n", names[i], sum.count[i]);
	seq_printf(file, "windows %lu\nentries %lu\n", sum.windows, sum.entries);
	return 0;
}

static int privops_open(struct inode *inode, struct file *file)
{
	return single_open(file, privops_show, NULL);
}

static ssize_t privops_write(struct file *file, const char __user *data, size_t len, loff_t *pos)
{
	int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(&host_privops, cpu), 0, sizeof(struct privops));
	return len;
}

static const struct file_operations privops_fops = {
	.owner = THIS_MODULE,
	.open = privops_open,
	.read = seq_read,
	.write = privops_write,
	.llseek = seq_lseek,
	.release = single_release,
};

void __init host_stats_init(void)
{
	directory = debugfs_create_dir("kvirt", NULL);
	debugfs_create_file("privops", 0600, directory, NULL, &privops_fops);
}

void host_stats_exit(void)
{
	debugfs_remove(directory);
}
#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics files (KVM_GET_STATS_FD): a header, an id, descriptors and data, as one read-only
 * file that is made anew at each read. Called by vm_fd.c and vcpu_fd.c.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "api.h"

#define NAME_SIZE	48
#define EXITS		VCPU_NR_COUNTS		/* the sum of the kinds */

struct stats_file {
	struct vm *vm;
	struct vcpu *vcpu;	/* NULL: all of the VM's together */
};

struct stats_image {
	struct kvirt_stats_header header;
	char id[NAME_SIZE];
	/* Each a struct kvirt_stats_desc with its name behind it. */
	u8 row[EXITS + 1][sizeof(struct kvirt_stats_desc) + NAME_SIZE] __aligned(8);
	u64 data[EXITS + 1];
};

/* Where KVM counts the same, it has KVM's name. */
static const char * const names[EXITS + 1] = {
	[EXIT_HOST] = "host_exits", [EXIT_DEADLINE] = "deadline_exits",
	[EXIT_CPUID] = "cpuid_exits", [EXIT_HLT] = "halt_exits", [EXIT_PAUSE] = "pause_exits",
	[EXIT_IO] = "io_exits", [EXIT_RDMSR] = "rdmsr_exits", [EXIT_WRMSR] = "wrmsr_exits",
	[EXIT_CR_READ] = "cr_read_exits", [EXIT_CR_WRITE] = "cr_write_exits",
	[EXIT_DR] = "dr_exits", [EXIT_XSETBV] = "xsetbv_exits", [EXIT_HYPERCALL] = "hypercalls",
	[EXIT_RDPMC] = "rdpmc_exits", [EXIT_INVD] = "invd_exits",
	[EXIT_UNDEFINED] = "undefined_exits", [EXIT_NESTED_FAULT] = "nested_fault_exits",
	[EXIT_EXCEPTION] = "exception_exits", [EXIT_IRQ_WINDOW] = "irq_window_exits",
	[EXIT_NMI_WINDOW] = "nmi_window_exits", [EXIT_TRIPLE_FAULT] = "triple_fault_exits",
	[EXIT_MWAIT] = "mwait_exits", [EXIT_INIT] = "init_exits",
	[EXIT_TASK_SWITCH] = "task_switch_exits", [EXIT_INTERNAL] = "internal_exits",
	[EXIT_INVALID_STATE] = "failed_entries",
	[COUNT_USER_EXITS] = "user_exits", [COUNT_SIGNAL_EXITS] = "signal_exits",
	[COUNT_INJECTIONS] = "injections", [COUNT_HALT_WAITS] = "halt_waits", [EXITS] = "exits",
};

static ssize_t stats_read(struct file *file, char __user *user, size_t len, loff_t *pos)
{
	const struct stats_file *stats = file->private_data;
	struct stats_image *image = kzalloc(sizeof(*image), GFP_KERNEL_ACCOUNT);
	struct kvirt_stats_desc *desc;
	struct vcpu *vcpu;
	unsigned int i;
	ssize_t n;

	if (!image)
		return -ENOMEM;
	image->header = (struct kvirt_stats_header) {
		.name_size = NAME_SIZE, .num_desc = EXITS + 1,
		.id_offset = offsetof(struct stats_image, id),
		.desc_offset = offsetof(struct stats_image, row),
		.data_offset = offsetof(struct stats_image, data),
	};
	/* KVM's own test wants its name. */
	n = snprintf(image->id, NAME_SIZE, "kvm-%llu", stats->vm->id);
	if (stats->vcpu)
		snprintf(image->id + n, NAME_SIZE - n, "/vcpu-%u", stats->vcpu->id);
	for (i = 0; i <= EXITS; i++) {
		desc = (struct kvirt_stats_desc *)image->row[i];
		desc->size = 1;
		desc->offset = i * sizeof(u64);
		snprintf(desc->name, NAME_SIZE, "%s", names[i]);
	}
	vm_for_each_vcpu(stats->vm, i, vcpu) {
		if (stats->vcpu && stats->vcpu != vcpu)
			continue;
		for (n = 0; n < VCPU_NR_COUNTS; n++)
			image->data[n] += READ_ONCE(vcpu->counts[n]);
	}
	for (i = 0; i < EXIT_NR_KINDS; i++)
		image->data[EXITS] += image->data[i];
	n = simple_read_from_buffer(user, len, pos, image, sizeof(*image));
	kfree(image);
	return n;
}

static int stats_release(struct inode *inode, struct file *file)
{
	struct stats_file *stats = file->private_data;

	vm_put(stats->vm);
	kfree(stats);
	return 0;
}

static const struct file_operations stats_fops = {
	.owner = THIS_MODULE,
	.read = stats_read,
	.release = stats_release,
};

long stats_fd_create(struct vm *vm, struct vcpu *vcpu)
{
	struct stats_file *stats;
	struct file *file;
	long fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	stats = kmalloc(sizeof(*stats), GFP_KERNEL_ACCOUNT);
	file = stats ? anon_inode_getfile("kvirt-stats", &stats_fops, stats, O_RDONLY) :
		       ERR_PTR(-ENOMEM);
	if (IS_ERR(file)) {
		kfree(stats);
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	*stats = (struct stats_file) { vm, vcpu };
	refcount_inc(&vm->refs);
	file->f_mode |= FMODE_PREAD;
	fd_install(fd, file);
	return fd;
}

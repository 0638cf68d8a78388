// SPDX-License-Identifier: GPL-2.0
/* The file of a VM: its ioctls, and the references that keep it alive. */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "../irq/irqchip.h"
#include "../irq/lapic.h"
#include "../vm/slots.h"
#include "api.h"

/* Real-mode guests' task state lay there once: three pages below 4 GiB. Checked, not used. */
#define TSS_LIMIT ((u32)(-3 * PAGE_SIZE))
#define MMU_PAGES_MIN 64	/* as KVM has it for its shadow page tables */

void vm_put(struct vm *vm)
{
	unsigned int i;

	if (!refcount_dec_and_test(&vm->refs))
		return;
	irqfds_free(vm);
	for (i = 0; i < vm_nr_vcpus(vm); i++)
		lapic_free(vm_vcpu(vm, i));
	ioeventfds_free(vm);
	if (vm->chips)
		irqchips_free(vm);
	routes_free(vm);
	vm_destroy(vm);
}

static long create_vcpu(struct vm *vm, unsigned long id)
{
	struct vcpu *vcpu;
	long err;

	if (id >= VM_MAX_VCPU_ID)
		return -EINVAL;
	mutex_lock(&vm->lock);
	vm->max_vcpu_id = vm->max_vcpu_id ?: VM_MAX_VCPU_ID;
	vcpu = vcpu_create(vm, id);
	if (IS_ERR(vcpu)) {
		err = PTR_ERR(vcpu);
		goto unlock;
	}
	err = lapic_create(vcpu);
	if (err)
		goto free;
	/* The descriptor comes last: from then on other threads use the vCPU. */
	err = vcpu_fd_create(vcpu);
	if (err < 0)
		goto free_lapic;
	goto unlock;

free_lapic:
	lapic_free(vcpu);
free:
	vcpu_free(vcpu);
unlock:
	mutex_unlock(&vm->lock);
	return err;
}

static long set_gsi_routing(struct vm *vm, struct kvirt_irq_routing __user *argp)
{
	struct kvirt_irq_routing_entry *entries;
	struct kvirt_irq_routing head;
	long err;

	if (copy_from_user(&head, argp, sizeof(head)))
		return -EFAULT;
	if (vm->irqchip == IRQCHIP_NONE || head.nr > ROUTES_MAX || head.flags)
		return -EINVAL;
	entries = vmemdup_user(argp->entries, array_size(sizeof(*entries), head.nr));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	err = routes_set(vm, entries, head.nr);
	kvfree(entries);
	return err;
}

static long set_boot_cpu(struct vm *vm, unsigned long id)
{
	long err = -EBUSY;

	mutex_lock(&vm->lock);
	if (!vm_nr_vcpus(vm)) {
		vm->boot_vcpu_id = id;
		err = 0;
	}
	mutex_unlock(&vm->lock);
	return err;
}

static long set_tsc_khz(struct vm *vm, unsigned long khz)
{
	khz = khz ?: tsc_khz;
	if (!clock_khz_valid(khz))
		return -EINVAL;
	WRITE_ONCE(vm->default_tsc_khz, khz);
	return 0;
}

/* The ioctls with a structure of fixed size: each gets a kernel copy of it. */

static long set_irq_line(struct vm *vm, void *data)
{
	struct kvirt_irq_level *level = data;

	if (READ_ONCE(vm->irqchip) == IRQCHIP_NONE)
		return -ENXIO;
	level->status = irq_set(vm, IRQ_SOURCE_USER, level->irq, level->level);
	return 0;
}

/* The page table that real mode once needed lies elsewhere: nothing is kept. */
static long set_identity_map(struct vm *vm, void *data)
{
	return vm_nr_vcpus(vm) ? -EINVAL : 0;
}

static long get_clock(struct vm *vm, void *data)
{
	struct kvirt_clock_data *r = data;

	r->clock = clock_read(vm, &r->host_tsc);
	r->realtime = ktime_get_real_ns();
	r->flags = KVIRT_CLOCK_REALTIME | KVIRT_CLOCK_HOST_TSC;
	if (!check_tsc_unstable())
		r->flags |= KVIRT_CLOCK_TSC_STABLE;
	return 0;
}

static long set_clock(struct vm *vm, void *data)
{
	const struct kvirt_clock_data *r = data;
	u64 now = ktime_get_real_ns(), clock = r->clock;

	if (r->flags & ~CLOCK_FLAGS)
		return -EINVAL;
	/* Time that went by since the clock was read; a clock set back adds none. */
	if ((r->flags & KVIRT_CLOCK_REALTIME) && now > r->realtime)
		clock += now - r->realtime;
	clock_set(vm, clock);
	return 0;
}

static const struct {
	unsigned int cmd;
	long (*serve)(struct vm *vm, void *data);
	unsigned int means;	/* where cmd says another direction or size than it has */
	long (*state)(struct vm *vm, unsigned int cmd, void *data);	/* or: of several cmds */
} table[] = {
	{ KVIRT_GET_IRQCHIP, .state = irqchip_state },
	{ KVIRT_SET_IRQCHIP, NULL, _IOW(KVIRT_IO, 0x63, struct kvirt_irqchip), irqchip_state },
	{ KVIRT_CREATE_PIT2, pit_create },
	{ KVIRT_GET_PIT, .state = pit_state },
	{ KVIRT_SET_PIT, NULL, _IOW(KVIRT_IO, 0x66, struct kvirt_pit_state), pit_state },
	{ KVIRT_GET_PIT2, .state = pit_state }, { KVIRT_SET_PIT2, .state = pit_state },
	{ KVIRT_REINJECT_CONTROL, NULL, _IOW(KVIRT_IO, 0x71, struct kvirt_reinject_control),
	  pit_state },
	{ KVIRT_SET_USER_MEMORY_REGION, slots_set },
	{ KVIRT_GET_DIRTY_LOG, dirty_get },
	{ KVIRT_CLEAR_DIRTY_LOG, dirty_clear, _IOW(KVIRT_IO, 0xc0, struct kvirt_clear_dirty_log) },
	{ KVIRT_SIGNAL_MSI, msi_signal },
	{ KVIRT_IRQ_LINE, set_irq_line }, { KVIRT_IRQ_LINE_STATUS, set_irq_line },
	{ KVIRT_ENABLE_CAP, capability_enable },
	{ KVIRT_SET_IDENTITY_MAP_ADDR, set_identity_map },
	{ KVIRT_GET_CLOCK, get_clock }, { KVIRT_SET_CLOCK, set_clock },
	{ KVIRT_IOEVENTFD, ioeventfd_set }, { KVIRT_IRQFD, irqfd_set },
};

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	struct vm *vm = file->private_data;
	unsigned int means;
	void *data;
	long err;
	int i;

	if (vm->mm != current->mm || READ_ONCE(vm->dead))
		return -EIO;
	switch (cmd) {
	case KVIRT_CREATE_VCPU:
		return create_vcpu(vm, arg);
	case KVIRT_CREATE_IRQCHIP:
		return irqchips_create(vm);
	case KVIRT_CREATE_PIT:
		return pit_create(vm, NULL);
	case KVIRT_SET_GSI_ROUTING:
		return set_gsi_routing(vm, argp);
	case KVIRT_CHECK_EXTENSION:
		return capability(arg);
	case KVIRT_SET_TSS_ADDR:
		return arg > TSS_LIMIT ? -EINVAL : 0;
	case KVIRT_GET_STATS_FD:
		return stats_fd_create(vm, NULL);
	case KVIRT_SET_BOOT_CPU_ID:
		return set_boot_cpu(vm, arg);
	case KVIRT_SET_TSC_KHZ:
		return set_tsc_khz(vm, arg);
	case KVIRT_GET_TSC_KHZ:
		return READ_ONCE(vm->default_tsc_khz);
	case KVIRT_SET_NR_MMU_PAGES:
		if ((u32)arg < MMU_PAGES_MIN)
			return -EINVAL;
		WRITE_ONCE(vm->nr_mmu_pages, arg);
		return 0;
	case KVIRT_GET_NR_MMU_PAGES:
		return READ_ONCE(vm->nr_mmu_pages);
	}
	for (i = 0; i < ARRAY_SIZE(table) && table[i].cmd != cmd; i++)
		;
	if (i == ARRAY_SIZE(table))
		return -ENOTTY;
	means = table[i].means ?: cmd;
	data = structure_in(means, argp);
	if (IS_ERR(data))
		return PTR_ERR(data);
	err = table[i].serve ? table[i].serve(vm, data) : table[i].state(vm, cmd, data);
	return structure_out(means, argp, data, err);
}

static int vm_release(struct inode *inode, struct file *file)
{
	vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = vm_release,
	.llseek = noop_llseek,
};

int vm_fd_create(void)
{
	struct vm *vm = vm_create();
	int fd;

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	fd = anon_inode_getfd("kvirt-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		vm_put(vm);
	return fd;
}

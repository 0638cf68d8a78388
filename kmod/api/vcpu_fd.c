// SPDX-License-Identifier: GPL-2.0
/*
 * The file of a vCPU: KVM_RUN, the register ioctls as one table, and the run page's
 * mapping. All ioctls of a vCPU hold its mutex.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include "../host/cpu.h"
#include "../host/fpu.h"
#include "../irq/lapic.h"
#include "../run/run.h"
#include "api.h"

/* What the run page tells on every return, errors included (ABI.md, row 4). */
static void report(struct vcpu *vcpu)
{
	struct kvirt_run *run = vcpu->run;

	vcpu_pull(vcpu, X86_GROUP_RFLAGS | X86_GROUP_SHADOW);
	run->if_flag = !!(vcpu->state.rflags & X86_RFLAGS_IF);
	run->cr8 = vcpu->lapic ? lapic_get_cr8(vcpu) : vcpu->state.cr8;
	run->apic_base = vcpu->apic_base;
	run->flags = 0;
	run->ready_for_interrupt_injection = vcpu_ready_for_interrupt(vcpu);
}

static long ioctl_run(struct vcpu *vcpu, unsigned long arg)
{
	sigset_t saved;
	long err;

	/* KVM_CAP_SYNC_REGS is 0: no register class is there to be synchronised. */
	if (arg || READ_ONCE(vcpu->run->kvirt_valid_regs) ||
	    READ_ONCE(vcpu->run->kvirt_dirty_regs))
		return -EINVAL;
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &saved);
	vcpu_load(vcpu);
	err = vcpu_run(vcpu);
	report(vcpu);
	vcpu_put(vcpu);
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &saved, NULL);
	return err;
}

static long set_signal_mask(struct vcpu *vcpu, struct kvirt_signal_mask __user *argp)
{
	u32 len;

	if (!argp) {
		vcpu->sigset_active = false;
		return 0;
	}
	if (get_user(len, &argp->len))
		return -EFAULT;
	if (len != sizeof(vcpu->sigset))
		return -EINVAL;
	if (copy_from_user(&vcpu->sigset, argp->sigset, sizeof(vcpu->sigset)))
		return -EFAULT;
	sigdelsetmask(&vcpu->sigset, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->sigset_active = true;
	return 0;
}

/* The table may be set again as it is once the guest has run, not changed. */
static bool same_cpuid(const struct vcpu *vcpu, const struct x86_cpuid *table, u32 n)
{
	return vcpu->cpuid.n == n &&
	       !memcmp(vcpu->cpuid.entry, table->entry, n * sizeof(table->entry[0]));
}

static int check_cpuid(const struct x86_cpuid *table, u32 n)
{
	u32 i, bits;

	for (i = 0; i < n; i++) {
		if (table->entry[i].leaf != 0x80000008)
			continue;
		bits = (table->entry[i].eax >> 8) & 0xff;
		if (bits != 48 && bits != 57 && bits)
			return -EINVAL;
	}
	return 0;
}

static long set_cpuid2(struct vcpu *vcpu, struct kvirt_cpuid2 __user *argp)
{
	struct kvirt_cpuid2 head;
	struct x86_cpuid *table;
	long err = 0;

	static_assert(sizeof(struct x86_cpuid_entry) == sizeof(struct kvirt_cpuid_entry2));
	if (copy_from_user(&head, argp, sizeof(head)))
		return -EFAULT;
	if (head.nent > X86_CPUID_MAX)
		return -E2BIG;
	table = kvzalloc(sizeof(*table), GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	if (copy_from_user(table->entry, argp->entries, head.nent * sizeof(table->entry[0]))) {
		err = -EFAULT;
		goto free;
	}
	if (vcpu->ran) {
		err = same_cpuid(vcpu, table, head.nent) ? 0 : -EINVAL;
		goto free;
	}
	err = check_cpuid(table, head.nent);
	if (err)
		goto free;
	x86_cpuid_set(table, head.nent, &vcpu->guest, host_guest_cr4(), host_guest_efer(),
		      host_fpu_mask());
	vcpu->cpuid = *table;
	lapic_configure(vcpu);
free:
	kvfree(table);
	return err;
}

static long get_cpuid2(struct vcpu *vcpu, struct kvirt_cpuid2 __user *argp)
{
	struct kvirt_cpuid2 head;

	if (copy_from_user(&head, argp, sizeof(head)))
		return -EFAULT;
	if (head.nent < vcpu->cpuid.n)
		return -E2BIG;
	head.nent = vcpu->cpuid.n;
	if (copy_to_user(argp->entries, vcpu->cpuid.entry,
			 head.nent * sizeof(vcpu->cpuid.entry[0])) ||
	    copy_to_user(argp, &head, sizeof(head)))
		return -EFAULT;
	return 0;
}

static int queue_interrupt(struct vcpu *vcpu, u32 irq)
{
	if (irq >= KVIRT_NR_INTERRUPTS)
		return -EINVAL;
	/* Without an irqchip it goes in next, whatever RFLAGS.IF says: user space has looked. */
	if (!vcpu->lapic) {
		vcpu->events.interrupt.injected = true;
		vcpu->events.interrupt.soft = false;
		vcpu->events.interrupt.vector = irq;
		return 0;
	}
	/* Under the split irqchip there is one slot, for the 8259 in user space. */
	if (vcpu->events.external >= 0)
		return -EEXIST;
	vcpu->events.external = irq;
	return 0;
}

static long set_tsc_khz(struct vcpu *vcpu, unsigned long khz)
{
	khz = khz ?: tsc_khz;
	if (!clock_khz_valid(khz))
		return -EINVAL;
	vcpu->tsc_khz = khz;
	return 0;
}

/* No capability is enabled on a vCPU. */
static long enable_cap(void __user *argp)
{
	struct kvirt_enable_cap cap;

	return copy_from_user(&cap, argp, sizeof(cap)) ? -EFAULT : -EINVAL;
}

static long clock_stopped(struct vcpu *vcpu)
{
	if (!(vcpu->pv.clock_msr & 1))
		return -EINVAL;
	vcpu->pv.guest_stopped = true;
	vcpu_request(vcpu, REQUEST_CLOCK);
	return 0;
}

static long get_xsave(struct vcpu *vcpu, void *data)
{
	guest_fpu_export(&vcpu->fpu, data);
	return 0;
}

static long set_xsave(struct vcpu *vcpu, void *data)
{
	return guest_fpu_import(&vcpu->fpu, data, host_fpu_mask());
}

static long get_lapic(struct vcpu *vcpu, void *data)
{
	if (!vcpu->lapic)
		return -EINVAL;
	lapic_get_state(vcpu, data);
	return 0;
}

static long set_lapic(struct vcpu *vcpu, void *data)
{
	return vcpu->lapic ? lapic_set_state(vcpu, data) : -EINVAL;
}

static long set_interrupt(struct vcpu *vcpu, void *data)
{
	return queue_interrupt(vcpu, ((struct kvirt_interrupt *)data)->irq);
}

/* The FPU ioctls need a page to turn one layout into the other. */
static long with_page(struct vcpu *vcpu, void *data, bool set)
{
	void *page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	long err = 0;

	if (!page)
		return -ENOMEM;
	if (set)
		err = abi_set_fpu(vcpu, data, page);
	else
		abi_get_fpu(vcpu, data, page);
	free_page((unsigned long)page);
	return err;
}

static long get_fpu(struct vcpu *vcpu, void *data)
{
	return with_page(vcpu, data, false);
}

static long set_fpu(struct vcpu *vcpu, void *data)
{
	return with_page(vcpu, data, true);
}

#define GETTER(name)							\
	static long get_##name(struct vcpu *vcpu, void *data)		\
	{								\
		abi_get_##name(vcpu, data);				\
		return 0;						\
	}
#define SETTER(name)							\
	static long set_##name(struct vcpu *vcpu, void *data)		\
	{								\
		return abi_set_##name(vcpu, data);			\
	}
GETTER(regs) SETTER(regs)
GETTER(sregs) SETTER(sregs)
GETTER(sregs2) SETTER(sregs2)
GETTER(xcrs) SETTER(xcrs)
GETTER(debugregs) SETTER(debugregs)
GETTER(events) SETTER(events)
GETTER(mp_state) SETTER(mp_state)

/* Ioctls with a structure of fixed size: copied in whole, or out whole, never both. */
static const struct structure_ioctl {
	unsigned int cmd;
	enum { COPY_OUT, COPY_IN } copy;
	u16 size;
	long (*serve)(struct vcpu *vcpu, void *data);
} structure_ioctls[] = {
	{ KVIRT_GET_REGS, COPY_OUT, sizeof(struct kvirt_regs), get_regs },
	{ KVIRT_SET_REGS, COPY_IN, sizeof(struct kvirt_regs), set_regs },
	{ KVIRT_GET_SREGS, COPY_OUT, sizeof(struct kvirt_sregs), get_sregs },
	{ KVIRT_SET_SREGS, COPY_IN, sizeof(struct kvirt_sregs), set_sregs },
	{ KVIRT_GET_SREGS2, COPY_OUT, sizeof(struct kvirt_sregs2), get_sregs2 },
	{ KVIRT_SET_SREGS2, COPY_IN, sizeof(struct kvirt_sregs2), set_sregs2 },
	{ KVIRT_GET_FPU, COPY_OUT, sizeof(struct kvirt_fpu), get_fpu },
	{ KVIRT_SET_FPU, COPY_IN, sizeof(struct kvirt_fpu), set_fpu },
	{ KVIRT_GET_XSAVE, COPY_OUT, sizeof(struct kvirt_xsave), get_xsave },
	{ KVIRT_GET_XSAVE2, COPY_OUT, sizeof(struct kvirt_xsave), get_xsave },
	{ KVIRT_SET_XSAVE, COPY_IN, sizeof(struct kvirt_xsave), set_xsave },
	{ KVIRT_GET_XCRS, COPY_OUT, sizeof(struct kvirt_xcrs), get_xcrs },
	{ KVIRT_SET_XCRS, COPY_IN, sizeof(struct kvirt_xcrs), set_xcrs },
	{ KVIRT_GET_LAPIC, COPY_OUT, sizeof(struct kvirt_lapic_state), get_lapic },
	{ KVIRT_SET_LAPIC, COPY_IN, sizeof(struct kvirt_lapic_state), set_lapic },
	{ KVIRT_GET_DEBUGREGS, COPY_OUT, sizeof(struct kvirt_debugregs), get_debugregs },
	{ KVIRT_SET_DEBUGREGS, COPY_IN, sizeof(struct kvirt_debugregs), set_debugregs },
	{ KVIRT_GET_VCPU_EVENTS, COPY_OUT, sizeof(struct kvirt_vcpu_events), get_events },
	{ KVIRT_SET_VCPU_EVENTS, COPY_IN, sizeof(struct kvirt_vcpu_events), set_events },
	{ KVIRT_GET_MP_STATE, COPY_OUT, sizeof(struct kvirt_mp_state), get_mp_state },
	{ KVIRT_SET_MP_STATE, COPY_IN, sizeof(struct kvirt_mp_state), set_mp_state },
	{ KVIRT_INTERRUPT, COPY_IN, sizeof(struct kvirt_interrupt), set_interrupt },
};

static long serve_structure(struct vcpu *vcpu, const struct structure_ioctl *row,
			    void __user *argp)
{
	void *data = kzalloc(row->size, GFP_KERNEL_ACCOUNT);
	long err;

	if (!data)
		return -ENOMEM;
	err = -EFAULT;
	if (row->copy == COPY_IN && copy_from_user(data, argp, row->size))
		goto free;
	err = row->serve(vcpu, data);
	if (!err && row->copy == COPY_OUT && copy_to_user(argp, data, row->size))
		err = -EFAULT;
free:
	kfree(data);
	return err;
}

static long serve(struct vcpu *vcpu, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	int i;

	switch (cmd) {
	case KVIRT_GET_MSRS:
		return ioctl_msrs(vcpu, argp, MSRS_GET);
	case KVIRT_SET_MSRS:
		return ioctl_msrs(vcpu, argp, MSRS_SET);
	case KVIRT_SET_CPUID2:
		return set_cpuid2(vcpu, argp);
	case KVIRT_GET_CPUID2:
		return get_cpuid2(vcpu, argp);
	case KVIRT_SET_SIGNAL_MASK:
		return set_signal_mask(vcpu, argp);
	case KVIRT_NMI:
		irq_post_nmi(vcpu);
		return 0;
	case KVIRT_SET_TSC_KHZ:
		return set_tsc_khz(vcpu, arg);
	case KVIRT_GET_TSC_KHZ:
		return vcpu->tsc_khz;
	case KVIRT_ENABLE_CAP:
		return enable_cap(argp);
	case KVIRT_KVMCLOCK_CTRL:
		return clock_stopped(vcpu);
	}
	for (i = 0; i < ARRAY_SIZE(structure_ioctls); i++)
		if (structure_ioctls[i].cmd == cmd)
			return serve_structure(vcpu, &structure_ioctls[i], argp);
	return -EINVAL;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vcpu *vcpu = file->private_data;
	struct vm *vm = vcpu->vm;
	long err;

	if (vm->mm != current->mm || READ_ONCE(vm->dead))
		return -EIO;
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	if (likely(cmd == KVIRT_RUN)) {
		err = ioctl_run(vcpu, arg);
	} else {
		vcpu_load(vcpu);
		err = serve(vcpu, cmd, arg);
		vcpu_put(vcpu);
	}
	mutex_unlock(&vcpu->mutex);
	return err;
}

static vm_fault_t vcpu_mapping_fault(struct vm_fault *vmf)
{
	struct vcpu *vcpu = vmf->vma->vm_file->private_data;

	if (vmf->pgoff >= VCPU_RUN_PAGES)
		return VM_FAULT_SIGBUS;
	vmf->page = virt_to_page((void *)vcpu->run + (vmf->pgoff << PAGE_SHIFT));
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_mapping_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct vcpu *vcpu = file->private_data;

	vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
	.llseek = noop_llseek,
};

int vcpu_fd_create(struct vcpu *vcpu)
{
	char name[sizeof("kvirt-vcpu:4294967295")];
	struct file *file;
	int fd;

	snprintf(name, sizeof(name), "kvirt-vcpu:%u", vcpu->id);
	fd = get_unused_fd_flags(O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, &vcpu_fops, vcpu, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	vm_get(vcpu->vm);
	vcpu_publish(vcpu);
	fd_install(fd, file);
	return fd;
}

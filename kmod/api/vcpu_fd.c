// SPDX-License-Identifier: GPL-2.0
/*
 * The file of a vCPU: KVM_RUN, the run page's mapping, ioctls of variable size (abi.c has the
 * others). All ioctls of a vCPU hold its mutex.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/signal.h>
#include "../host/compat.h"
#include "../host/cpu.h"
#include "../irq/lapic.h"
#include "../run/run.h"
#include "api.h"

/* What the run page tells on every return, errors included, as KVM does. */
static void report(struct vcpu *vcpu)
{
	struct kvirt_run *run = vcpu->run;

	vcpu_pull(vcpu, X86_GROUP_RFLAGS | X86_GROUP_SHADOW);
	run->if_flag = !!(vcpu->state.rflags & X86_EFLAGS_IF);
	run->cr8 = lapic_get_cr8(vcpu);
	run->apic_base = vcpu->apic_base;
	run->flags = 0;
	run->ready_for_interrupt_injection = vcpu->vm->irqchip == IRQCHIP_KERNEL ||
					     vcpu_ready_for_interrupt(vcpu);
}

static long ioctl_run(struct vcpu *vcpu, unsigned long arg)
{
	sigset_t saved;
	long err = 0;

	if (arg)
		return -EINVAL;
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &saved);
	vcpu_load(vcpu);
	/* One that waits to be started takes no registers. */
	if (unlikely(READ_ONCE(vcpu->run->kvirt_dirty_regs) |
		     READ_ONCE(vcpu->run->kvirt_valid_regs)) &&
	    vcpu->mp_state != KVIRT_MP_STATE_UNINITIALIZED)
		err = sync_take(vcpu);
	WRITE_ONCE(vcpu->runner, current);
	err = err ?: vcpu_run(vcpu);
	WRITE_ONCE(vcpu->runner, NULL);
	vcpu->counts[COUNT_USER_EXITS] += !err;
	vcpu->counts[COUNT_SIGNAL_EXITS] += err == -EINTR;
	if (unlikely(READ_ONCE(vcpu->run->kvirt_valid_regs)))
		sync_give(vcpu);
	report(vcpu);
	vcpu_put(vcpu);
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &saved, NULL);
	return err;
}

static long set_signal_mask(struct vcpu *vcpu, struct kvirt_signal_mask __user *argp)
{
	sigset_t sigset;
	u32 len;

	if (!argp) {
		vcpu->sigset_active = false;
		return 0;
	}
	if (get_user(len, &argp->len))
		return -EFAULT;
	if (len != sizeof(sigset))
		return -EINVAL;
	if (copy_from_user(&sigset, argp->sigset, sizeof(sigset)))
		return -EFAULT;
	sigdelsetmask(&sigset, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->sigset = sigset;
	vcpu->sigset_active = true;
	return 0;
}

static long set_tsc_khz(struct vcpu *vcpu, unsigned long khz)
{
	int err = clock_set_khz(vcpu, khz ?: tsc_khz);

	if (!err && vcpu->lapic)
		lapic_timer_update(vcpu);
	return err;
}

static long tsc_attribute(struct vcpu *vcpu, unsigned int cmd, const void __user *argp)
{
	u64 offset = vcpu->state.tsc_offset;
	long err = attribute(cmd, argp, &offset);

	if (err || cmd != KVIRT_SET_DEVICE_ATTR)
		return err;
	clock_set_offset(vcpu, offset);
	if (vcpu->lapic)
		lapic_timer_update(vcpu);
	return 0;
}

static long clock_stopped(struct vcpu *vcpu)
{
	if (!(vcpu->pv.clock_msr & 1))
		return -EINVAL;
	vcpu->pv.guest_stopped = true;
	vcpu_request(vcpu, REQUEST_CLOCK);
	return 0;
}

static long serve(struct vcpu *vcpu, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case KVIRT_GET_MSRS:
	case KVIRT_SET_MSRS:
		return ioctl_msrs(vcpu, cmd, argp);
	case KVIRT_SET_CPUID2:
		return cpuid_set(vcpu, argp);
	case KVIRT_GET_CPUID2:
		return cpuid_get(vcpu, cmd, argp);
	case KVIRT_SET_SIGNAL_MASK:
		return set_signal_mask(vcpu, argp);
	case KVIRT_NMI:
		irq_post_nmi(vcpu);
		return 0;
	case KVIRT_SET_TSC_KHZ:
		return set_tsc_khz(vcpu, arg);
	case KVIRT_GET_TSC_KHZ:
		return vcpu->tsc_khz;
	case KVIRT_HAS_DEVICE_ATTR:
	case KVIRT_GET_DEVICE_ATTR:
	case KVIRT_SET_DEVICE_ATTR:
		return tsc_attribute(vcpu, cmd, argp);
	case KVIRT_GET_STATS_FD:
		return stats_fd_create(vcpu->vm, vcpu);
	case KVIRT_KVMCLOCK_CTRL:
		return clock_stopped(vcpu);
	default:
		return abi_ioctl(vcpu, cmd, argp);
	}
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
	void *page = (void *)vcpu->run + (vmf->pgoff << PAGE_SHIFT);

	/* A mapping that began elsewhere may be writable, and gets there all the same. */
	if (vmf->pgoff == KVIRT_RING_PAGE_OFFSET && !(vmf->vma->vm_flags & VM_MAYWRITE))
		page = vcpu->ring;
	else if (vmf->pgoff >= VCPU_RUN_PAGES)
		return VM_FAULT_SIGBUS;
	vmf->page = virt_to_page(page);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_mapping_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff == KVIRT_RING_PAGE_OFFSET) {
		if (vma_pages(vma) != 1)
			return -EINVAL;
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	vm_put(((struct vcpu *)file->private_data)->vm);
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
	refcount_inc(&vcpu->vm->refs);
	vcpu_publish(vcpu);
	fd_install(fd, file);
	return fd;
}

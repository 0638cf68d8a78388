/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that kvirt is built for (6.1, 6.12, 7.3): the only
 * file that asks LINUX_VERSION_CODE. Everything else is written for the newest name.
 */
#ifndef KVIRT_HOST_COMPAT_H
#define KVIRT_HOST_COMPAT_H

#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/version.h>
#include <asm/cpufeature.h>
#include <asm/mce.h>
#include <asm/msr-index.h>

#define KERNEL_SINCE(major, minor) (LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

/* The instruction CPUID, which was in <asm/processor.h> before. */
#if KERNEL_SINCE(6, 17)
#include <asm/cpuid/api.h>
#endif

/* Counts up by one; the number is no argument any more. Any context but NMI. */
static inline void host_eventfd_signal(struct eventfd_ctx *eventfd)
{
#if KERNEL_SINCE(6, 8)
	eventfd_signal(eventfd);
#else
	eventfd_signal(eventfd, 1);
#endif
}

/* Ahead of those who poll, who then see nothing. Newer kernels refuse a second: -EBUSY. */
static inline int host_add_wait_queue_first(wait_queue_head_t *queue, wait_queue_entry_t *entry)
{
#if KERNEL_SINCE(6, 17)
	return add_wait_queue_priority_exclusive(queue, entry);
#else
	add_wait_queue_priority(queue, entry);
	return 0;
#endif
}

/* The aging callbacks of an mmu notifier return int, and bool since 7.x. */
typedef typeof(((struct mmu_notifier_ops *)0)->test_young(NULL, NULL, 0)) notifier_young_t;

#if !KERNEL_SINCE(6, 13)
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

#if !KERNEL_SINCE(6, 3)
static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* Enums, which #ifdef would never see. Without the last, only a fatal signal ends a wait. */
#if KERNEL_SINCE(6, 6)
#define FAULT_FOLL_FLAGS (FOLL_HWPOISON | FOLL_HONOR_NUMA_FAULT | FOLL_INTERRUPTIBLE)
#else
#define FAULT_FOLL_FLAGS FOLL_HWPOISON
#endif

/* Pages of a device's own memory map: marked in the entry on kernels that have the bit. */
#ifdef _PAGE_DEVMAP
#define HOST_PAGE_DEVMAP _PAGE_DEVMAP
#else
#define HOST_PAGE_DEVMAP 0
#endif

/* A machine check that ended a guest's run, handed to the host; not every kernel has one. */
static inline void host_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = { .cs = 3, .flags = X86_EFLAGS_IF };

	do_machine_check(&regs);
#endif
}

/* The flag for "the kernel uses IBPB" has two names; PRED_CMD's bit lost its macro once. */
#ifdef X86_FEATURE_USE_IBPB
#define IBPB_BETWEEN_GUESTS boot_cpu_has(X86_FEATURE_USE_IBPB)
#else
#define IBPB_BETWEEN_GUESTS boot_cpu_has(X86_FEATURE_IBPB)
#endif
#ifndef PRED_CMD_IBPB
#define PRED_CMD_IBPB BIT(0)
#endif

/*
 * Set while another hypervisor's user-return notifier is armed on this CPU, which is how
 * KVM leaves its guest's SYSCALL MSRs and EFER there until the return to user space.
 */
#ifdef TIF_USER_RETURN_NOTIFY
#define host_msrs_may_be_guests() test_thread_flag(TIF_USER_RETURN_NOTIFY)
#else
#define host_msrs_may_be_guests() true
#endif

/*
 * A signal, a reschedule, task work: xfer_to_guest_mode_prepare(), interrupts off, once before
 * a window's first __xfer_to_guest_mode_work_pending(); what is pending is host/work.c's to do.
 */
#if KERNEL_SINCE(6, 18)
#include <linux/entry-virt.h>
#define XFER_TAKES_VCPU 0
#else
#include <linux/entry-kvm.h>
#define XFER_TAKES_VCPU 1
#endif

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual machine: its memory, its vCPUs, its clock. vm/vm.c makes and destroys it.
 *
 * Locks and lifetimes of the fields (order in kmod/README.md):
 *   I  set before the VM can be seen, constant after
 *   l  vm->lock           s  written under slots_lock, read under vm->srcu too
 *   n  npt.lock           a  atomic, or READ_ONCE/WRITE_ONCE
 *   r  written under routes_lock, read under vm->srcu
 *   b  bus_lock; the bus itself is read in a window, or under vm->srcu
 */
#ifndef KVIRT_VM_VM_H
#define KVIRT_VM_VM_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree_latch.h>
#include <linux/refcount.h>
#include <linux/srcu.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "../x86/msr.h"
#include "bus.h"
#include "npt.h"

#define VM_MAX_VCPUS	1024	/* KVM_CAP_MAX_VCPUS on x86 */
#define VM_MAX_VCPU_ID	4096	/* KVM_CAP_MAX_VCPU_ID */

struct irqchips;
struct mm_notifier;
struct routes;
struct vcpu;

/* What the vendor's hardware has, for neutral code to ask; filled by backend->probe(). */
struct backend_features {
	struct npt_format npt;
	bool deadline;		/* the hardware keeps vcpu->deadline_asked */
	bool unload;		/* backend->unload() is needed: a CPU keeps something */
	size_t hw_size;		/* of what vcpu->hw points at, zeroed before vcpu_init() */
	bool rdtscp, invpcid;	/* these instructions work in a guest */
	bool spec_ctrl;		/* SPEC_CTRL is switched around the guest */
	u8 tsc_ratio_bits;	/* of which are a TSC ratio's fraction; 0: the TSC is not scaled */
	u64 tsc_ratio_max;
	bool amd;		/* the vendor's CPUID conventions: AMD's, else Intel's */
};

extern struct backend_features features;	/* constant after load */

/* The in-kernel interrupt controllers of this VM. */
enum irqchip_mode {
	IRQCHIP_NONE,		/* user space has them all: KVM_INTERRUPT */
	IRQCHIP_SPLIT,		/* local APICs here, the rest in user space */
	IRQCHIP_KERNEL,		/* all of them, vm->chips */
};

/* kvm-clock's reference: a pair read together, and the TSC's rate. */
struct vm_clock {
	raw_spinlock_t lock;	/* for all below */
	u64 host_tsc;
	u64 boot_ns;		/* CLOCK_BOOTTIME-like nanoseconds at host_tsc */
	s64 offset;		/* kvm-clock = boot_ns + offset */
	/* TSC writes that belong together: guest value and host TSC of the last, if any */
	u64 last_write_value, last_write_host, last_write_offset;
	u32 written_khz;	/* 0: none */
};

struct vm {
	struct mm_struct *mm;		/* I: mmgrab'ed; ioctls of others get -EIO */
	u64 id;				/* I: never used twice */
	refcount_t refs;		/* fds of the VM and its vCPUs */
	struct mutex lock;		/* creation of vCPUs, irqchip, capabilities */
	bool dead;			/* a: an invariant broke; every ioctl is -EIO */

	struct vcpu *vcpus[VM_MAX_VCPUS]; /* l to write, a to read: in order of creation */
	atomic_t nr_vcpus;		/* written under l after the array */
	u32 boot_vcpu_id;		/* l */

	struct mutex slots_lock;	/* changes of memory slots */
	struct xarray slots;		/* under slots_lock: by user space's number, vm/slots.c */
	struct latch_tree_root slots_by_gfn;	/* s */
	struct rb_root_cached slots_by_hva;	/* under notifier's lock */
	u64 manual_dirty_log;		/* under slots_lock: KVIRT_DIRTY_LOG_* */
	struct srcu_struct srcu;
	struct npt npt;
	struct mm_notifier *notifier;	/* I: shared by the VMs of one mm */
	struct list_head notifier_link;	/* in notifier's list, under its lock */

	enum irqchip_mode irqchip;	/* l to write, a to read */
	struct irqchips *chips;		/* l to write: irq/irqchip.h; only with IRQCHIP_KERNEL */
	bool extint;			/* a: the 8259's INTR */
	u32 reserved_pins;		/* l: IOAPIC pins of the split form */
	bool x2apic_32bit, x2apic_no_broadcast_quirk;	/* l */
	u64 disabled_quirks;		/* l, a: KVM_CAP_DISABLE_QUIRKS2 */
	struct mutex routes_lock;
	struct routes __rcu *routes;	/* r: irq/route.c */
	struct mutex bus_lock;
	struct bus __rcu *bus[BUS_NR_KINDS]; /* b: vm/bus.c */
	struct list_head ioeventfds;	/* b: irq/eventfd.c */
	spinlock_t irqfds_lock;		/* a leaf, under the eventfds' wait queue locks */
	struct hlist_head irqfds;	/* under it, added with bus_lock too */
	atomic_t lowest_priority;	/* round robin of lowest-priority delivery */
	unsigned int last_yield;	/* a: round robin of directed yields */
	s64 halt_poll_ns;		/* a: KVM_CAP_HALT_POLL; -1: the module's parameter */

	struct vm_clock clock;
	u32 default_tsc_khz;		/* l */
	u64 wall_clock_msr;		/* a */
	bool hide_platform_info;	/* a: KVM_CAP_MSR_PLATFORM_INFO */
	u32 nr_mmu_pages;		/* a: as set, without effect */
	u32 max_vcpu_id;		/* l: 0 until it is set or used */
	bool exception_payload;		/* l: KVM_CAP_EXCEPTION_PAYLOAD */
	bool triple_fault_event;	/* l: KVM_CAP_X86_TRIPLE_FAULT_EVENT */

	struct work_struct release;	/* frees what must not be waited for at close */
};

/*
 * A VM of current's memory. May sleep, but waits for no grace period; nor does its end,
 * when nobody can reach it. -ENOMEM, or what mmu_notifier_get() gives (-EINTR when killed).
 */
struct vm *vm_create(void);
void vm_destroy(struct vm *vm);
/* At load and unload of the module; vm_module_exit() waits for all deferred releases. */
int vm_module_init(void);
void vm_module_exit(void);

static inline unsigned int vm_nr_vcpus(const struct vm *vm)
{
	/* Pairs with the release in vcpu_publish(): the array's entry is there first. */
	return atomic_read_acquire(&vm->nr_vcpus);
}

/* @i below vm_nr_vcpus(). */
static inline struct vcpu *vm_vcpu(const struct vm *vm, unsigned int i)
{
	return READ_ONCE(vm->vcpus[i]);
}

#define vm_for_each_vcpu(vm, i, vcpu)					\
	for ((i) = 0; (i) < vm_nr_vcpus(vm) && ((vcpu) = vm_vcpu(vm, i)); (i)++)

/* kvm-clock and the guest's TSC: vm/clock.c */
void clock_init(struct vm *vm);
/* The VM's kvm-clock in nanoseconds now; @host_tsc gets the TSC of it. */
u64 clock_read(struct vm *vm, u64 *host_tsc);
void clock_set(struct vm *vm, u64 ns);
/* Give @vcpu's TSC the value @value, matched to the other vCPUs' if it is close. */
void clock_write_tsc(struct vcpu *vcpu, u64 value, enum x86_msr_by by);
/* The same by the offset from the host's. */
void clock_set_offset(struct vcpu *vcpu, u64 offset);
/* @vcpu's TSC when the host's reads @host_tsc; host ticks in @ticks of it, cut at some minutes. */
u64 clock_guest_tsc(const struct vcpu *vcpu, u64 host_tsc);
u64 clock_host_ticks(const struct vcpu *vcpu, u64 ticks);
/*
 * The rate of @vcpu's TSC. -EINVAL: out of the hardware's range; without scaling in hardware only
 * a rate that a guest could take for the host's will do. Owner.
 */
bool clock_khz_valid(unsigned long khz);
int clock_set_khz(struct vcpu *vcpu, unsigned long khz);
/* Write @vcpu's pvclock page, if the guest gave one; the wall clock at its boot. May sleep. */
void clock_update_guest(struct vcpu *vcpu);
void clock_write_wall(struct vcpu *vcpu, u64 gpa);

#endif

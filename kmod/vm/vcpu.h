/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual CPU. vm/vcpu.c makes it and moves its registers; run/run.c runs it.
 *
 * Locks and lifetimes of the fields (order in kmod/README.md):
 *   I  set before the vCPU can be seen, constant after
 *   m  (or no letter) vcpu->mutex: the thread in KVM_RUN or in an ioctl, the "owner"
 *   a  atomic, or READ_ONCE/WRITE_ONCE, from anywhere
 *   u  shared with user space: written for it, read once and checked
 */
#ifndef KVIRT_VM_VCPU_H
#define KVIRT_VM_VCPU_H

#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <uapi/linux/kvirt.h>
#include "../host/fpu.h"
#include "../host/state.h"
#include "../x86/cpuid.h"
#include "../x86/decode.h"
#include "../x86/execute.h"
#include "../x86/msr.h"
#include "../x86/state.h"
#include "../x86/walk.h"
#include "event.h"
#include "gmem.h"
#include "npt.h"

struct chip_lapic;
struct vm;

/* Bits of vcpu->requests: tested as one word before every entry. */
enum vcpu_request {
	REQUEST_FLUSH_NESTED,	/* nested tables lost entries: flush before entering */
	REQUEST_EVENT,		/* look at posted interrupts, NMIs, INIT, SIPI */
	REQUEST_CLOCK,		/* the pvclock page is out of date */
	REQUEST_ROUTES,		/* EOI bitmap: scan the routes again */
	REQUEST_EOI_EXIT,	/* leave with IOAPIC_EOI for eoi_vector */
	REQUEST_BUS,		/* the bus has changed: out of the window is all it takes */
	REQUEST_TPR_ACCESS,	/* leave with TPR_ACCESS: tpr_access */
};

/* Pages of a vCPU that user space maps: the run page, and port data. */
#define VCPU_RUN_PAGES 2
#define VCPU_SHARED_PAGES (VCPU_RUN_PAGES + 1)	/* and the exit ring */

/* What a vCPU drops before its next entry. */
enum flush_scope {
	FLUSH_GUEST	= BIT(0),	/* linear translations of this vCPU */
	FLUSH_PREDICTORS = BIT(2),	/* indirect-branch predictors, L1D: the guest asked */
	FLUSH_NESTED	= BIT(1),	/* everything derived from the VM's nested tables */
};

/* Where the vCPU's thread is (BLOCKED: halted, on vcpu->wait): kickers read it last. */
enum vcpu_mode { VCPU_OUTSIDE, VCPU_IN_WINDOW, VCPU_BLOCKED };

/* Deliveries from other CPUs (all a), drained by the owner before an entry. */
struct irq_post {
	atomic64_t vectors[4];
	atomic64_t level[4];		/* of those, the level-triggered ones */
	atomic_t nmi;			/* pending NMIs */
	unsigned long signals;		/* bits IRQ_POST_* */
	u8 sipi_vector;
};

enum { IRQ_POST_INIT, IRQ_POST_SIPI };

/* What KVM_RUN has to finish first, after user space has answered an exit: run/io.c. */
enum completion_kind {
	COMPLETE_NOTHING,
	COMPLETE_PIO_OUT,	/* step over, if RIP is where it was */
	COMPLETE_PIO_IN,	/* and RAX gets the data */
	COMPLETE_PIO_STRING,	/* move what INS read, or go on with OUTS */
	COMPLETE_MMIO,		/* the next part, or commit the instruction */
};

struct vcpu_completion {	/* and vcpu->exit, which stays until then */
	enum completion_kind kind;
	u32 count;		/* PIO_STRING: elements in the page */
	u64 rip;		/* PIO_OUT: of the instruction; SREGS may move its segment */
	u64 linear;		/* PIO_STRING: of the first element */
};

#define VCPU_FETCHES 8	/* a power of two */

/* An instruction fetched lately, and what its fetch depended on: run/translate.c. */
struct vcpu_fetch {
	u64 linear, cr3, la57;
	struct gmem_words words;	/* table entries, then code; none: nothing is kept */
	struct x86_insn insn;
};

/* One MMIO instruction under way, across exits to user space: run/mmio.c. */
struct vcpu_mmio {
	struct x86_mmio steps;		/* of vcpu->insn */
	u64 gpa[2][2];			/* of each access: of its one or two pages */
	u8 done, pending;		/* bytes of the one under way: done, asked of user space */
};

struct vcpu {
	struct x86_state state;		/* first: the world switch indexes it */
	u32 valid, dirty;		/* X86_GROUP_*: state has it; push it on entry */
	struct vm *vm;			/* I: holds a reference */
	void *hw;			/* I: the back end's part, behind this one */
	u32 id, index;			/* I: KVM's vcpu_id, the initial APIC id; in vm->vcpus */
	struct mutex mutex;

	unsigned long requests;		/* a: BIT(enum vcpu_request) */
	int mode, cpu;			/* a: enum vcpu_mode; where it runs, or ran last */
	bool in_window;			/* between window open and close, irqs off */
	u64 window_limit;		/* host TSC at which this window ends */
	u64 deadline_asked;		/* what the hardware was told; 0: nothing yet */
	u8 windows;			/* WINDOW_*: asked for */
	u32 flush;			/* enum flush_scope to do when a window opens */
	u64 cr4_seen;			/* CR4 as last set: right in bits that always exit */
	struct x86_insn insn;		/* at RIP, where the exit needed decoding */
	struct vcpu_fetch fetch[VCPU_FETCHES];
	struct rcuwait wait;
	struct preempt_notifier preempt;

	struct kvirt_run *run;		/* u: the shared page */
	void *pio_data;			/* u: the page after it */
	struct kvirt_exit_ring *ring;	/* the one after that, which user space only reads */
	struct kvirt_exit exit;		/* the exit being served */
	u64 counts[VCPU_NR_COUNTS];	/* a to read: by enum exit_kind, enum vcpu_count */
	struct host_debug host_debug;	/* while a window is open */
	struct vcpu_completion complete;
	struct vcpu_mmio mmio;
	struct vcpu_events events;
	struct vcpu_debug debug;	/* KVM_SET_GUEST_DEBUG */
	bool ran;			/* KVM_RUN entered once: CPUID is fixed */

	struct x86_cpuid cpuid;
	struct x86_guest_features guest;	/* derived from cpuid */
	struct x86_msr_store msrs;	/* MSRs that hardware does not hold */
	struct guest_fpu fpu;

	struct chip_lapic *lapic;	/* I: NULL without in-kernel LAPIC; contents m */
	struct irq_post post;		/* a */
	u64 irq_address;		/* a: how others find this LAPIC, irq/lapic.h */
	u64 apic_base;
	u64 deadline;			/* LAPIC timer in host TSC, ~0 none */
	struct hrtimer timer;		/* armed while blocked, or without features.deadline */
	unsigned long eoi_exits[4];	/* vectors whose EOI goes to user space */
	u8 eoi_vector;			/* that of REQUEST_EOI_EXIT */
	bool tpr_reporting;		/* KVM_TPR_ACCESS_REPORTING */
	struct { u64 rip; bool write; } tpr_access;	/* the last one */
	u64 vapic;			/* gpa of the TPR shared with the guest, or 0 */
	u32 mp_state;			/* KVIRT_MP_STATE_* */
	bool unhalted;			/* a: KVM_HC_KICK_CPU woke it */

	struct npt_cache tables;	/* preallocated nested tables */
	u32 tsc_khz;
	u64 tsc_adjust;			/* IA32_TSC_ADJUST */
	struct {			/* run/pv.c */
		u64 clock_msr, steal_msr, eoi_msr;	/* as written */
		struct task_struct *thread;	/* of run_delay; only compared */
		u64 run_delay;		/* what it had waited when the guest was told */
		u32 version;
		bool guest_stopped;	/* KVM_KVMCLOCK_CTRL */
		bool steal_due, eoi_offered;	/* the guest's memory is, may be, out of date */
		bool enforce;		/* KVM_CAP_ENFORCE_PV_FEATURE_CPUID */
	} pv;
	struct task_struct *runner;	/* a: the thread in KVM_RUN, under RCU */
	u64 poll_ns;			/* how long HLT looks before it sleeps */
	bool sigset_active;		/* KVM_SET_SIGNAL_MASK */
	sigset_t sigset;
};

/* vm->lock held. -EINVAL: id too large or too many; -EEXIST: id taken; -ENOMEM. */
struct vcpu *vcpu_create(struct vm *vm, u32 id);
/* Make a whole one visible to the VM's other users; vm->lock held. */
void vcpu_publish(struct vcpu *vcpu);
/* Nobody can reach it any more. */
void vcpu_free(struct vcpu *vcpu);

/*
 * vcpu_pull() - make register groups valid in vcpu->state, if need be in a window of its own.
 * vcpu_dirty() - all of @groups was written: push them before the next entry. Owner.
 */
void vcpu_pull_slow(struct vcpu *vcpu, u32 groups);
static inline void vcpu_pull(struct vcpu *vcpu, u32 groups)
{
	if (unlikely(groups & ~vcpu->valid))
		vcpu_pull_slow(vcpu, groups & ~vcpu->valid);
}

static inline void vcpu_dirty(struct vcpu *vcpu, u32 groups)
{
	vcpu->valid |= groups;
	vcpu->dirty |= groups;
}

/* The first @n entries of vcpu->cpuid are the table (0: as the host). Owner. */
void vcpu_set_cpuid(struct vcpu *vcpu, unsigned int n);
/* CR4, or XCR0 in vcpu->state, has a new value: what depends on it follows. Owner. */
void vcpu_set_cr4(struct vcpu *vcpu, u64 cr4);

/* Interrupts off. 0, the back end's -EBUSY, or -EIO when the host is going down. */
int vcpu_open_window(struct vcpu *vcpu);
void vcpu_close_window(struct vcpu *vcpu);
/* Push dirty groups; window open. */
void vcpu_push(struct vcpu *vcpu);

/* Around an ioctl or KVM_RUN, mutex held: the preempt notifier that calls unload(). */
void vcpu_load(struct vcpu *vcpu);
void vcpu_put(struct vcpu *vcpu);

/* Set it, and bring the vCPU where it will see it: out of the guest, or awake. Any context. */
void vcpu_request(struct vcpu *vcpu, enum vcpu_request request);
/* Take it away, if it is there. Owner. */
static inline bool vcpu_take_request(struct vcpu *vcpu, enum vcpu_request request)
{
	return test_bit(request, &vcpu->requests) && test_and_clear_bit(request, &vcpu->requests);
}

/*
 * Set it for all, wait until those inside a window have left it. Wakes nobody, so not for what
 * vcpu_request() sets. No sleep; interrupts on; with spinlocks held that no window takes.
 */
void vm_request_all(struct vm *vm, enum vcpu_request request);

/* Where others are to look for the vCPU, with the barrier that their requests need. */
void vcpu_enter_mode(struct vcpu *vcpu, enum vcpu_mode mode);

/* Registers as after power-up or after INIT; the LAPIC is irq/lapic.c's. Owner's thread. */
enum vcpu_reset_kind { VCPU_POWER_UP, VCPU_INIT };
void vcpu_reset(struct vcpu *vcpu, enum vcpu_reset_kind kind);

#endif

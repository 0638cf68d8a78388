/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual CPU. vm/vcpu.c makes it and moves its registers; run/run.c runs it.
 *
 * Locks and lifetimes of the fields (order in kmod/README.md):
 *   I  set before the vCPU can be seen, constant after
 *   m  vcpu->mutex: the thread in KVM_RUN or in an ioctl
 *   a  atomic, or READ_ONCE/WRITE_ONCE, from anywhere
 *   u  shared with user space: written for it, read once and checked (R2)
 */
#ifndef KVIRT_VM_VCPU_H
#define KVIRT_VM_VCPU_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/signal_types.h>
#include <linux/types.h>
#include <uapi/linux/kvirt.h>
#include "../host/fpu.h"
#include "../host/state.h"
#include "../x86/cpuid.h"
#include "../x86/decode.h"
#include "../x86/execute.h"
#include "../x86/msr.h"
#include "../x86/state.h"
#include "../x86/walk.h"
#include "exit.h"
#include "npt.h"

struct chip_lapic;
struct vm;

/* Bits of vcpu->requests: tested as one word before every entry. */
enum vcpu_request {
	REQUEST_FLUSH_NESTED,	/* nested tables lost entries: flush before entering */
	REQUEST_FLUSH_GUEST,	/* drop linear translations */
	REQUEST_EVENT,		/* look at posted interrupts, NMIs, INIT, SIPI */
	REQUEST_CLOCK,		/* the pvclock page is out of date */
	REQUEST_ROUTES,		/* EOI bitmap: scan the routes again */
	REQUEST_EOI_EXIT,	/* leave with IOAPIC_EOI for eoi_vector */
	REQUEST_DEAD,		/* the VM is dead: leave with an error */
};

/* Pages of a vCPU that user space maps: the run page, and port data. */
#define VCPU_RUN_PAGES 2

/* What a vCPU drops before its next entry. */
enum flush_scope {
	FLUSH_GUEST	= BIT(0),	/* linear translations of this vCPU */
	FLUSH_PREDICTORS = BIT(2),	/* indirect-branch predictors, L1D: the guest asked */
	FLUSH_NESTED	= BIT(1),	/* everything derived from the VM's nested tables */
};

/* Where the vCPU's thread is; who wants it out of the guest reads it after the request. */
enum vcpu_mode {
	VCPU_OUTSIDE,
	VCPU_IN_WINDOW,
	VCPU_BLOCKED,		/* halted, on vcpu->wait */
};

/* Deliveries from other CPUs, drained by the owner before an entry. */
struct irq_post {
	atomic64_t vectors[4];		/* a */
	atomic64_t level[4];		/* a: of those, the level-triggered ones */
	atomic_t nmi;			/* a: pending NMIs, at most 2 */
	unsigned long signals;		/* a: IRQ_POST_* bits */
	u8 sipi_vector;			/* a */
};

#define IRQ_POST_INIT	0
#define IRQ_POST_SIPI	1

/*
 * Events on their way into the guest: vm/event.c. "pending" has not begun,
 * "injected" was cut short by an exit and goes in again as it was.
 */
struct vcpu_events {
	struct {
		bool pending, injected;
		u8 vector;
		bool has_error, has_payload;
		bool soft;		/* INT3, INTO: injected only */
		u8 insn_len;
		u32 error;
		u64 payload;
	} exception;
	struct {
		bool injected, soft;
		u8 vector, insn_len;
	} interrupt;
	struct {
		bool injected;
		u8 pending;		/* 0 to 2 */
	} nmi;
	bool triple_fault;
	/* Without an in-kernel PIC: the vector that KVM_INTERRUPT left, or -1. */
	s16 external;
};

/* What KVM_RUN has to finish first, after user space has answered an exit: run/complete.c. */
enum completion_kind {
	COMPLETE_NOTHING,
	COMPLETE_PIO_OUT,	/* step over, if RIP is where it was */
	COMPLETE_PIO_IN,	/* and RAX gets the data */
	COMPLETE_PIO_STRING,	/* move what INS read, or go on with OUTS */
	COMPLETE_MMIO,		/* the next part, or commit the instruction */
};

struct vcpu_completion {
	enum completion_kind kind;
	u8 insn_len;
	u8 size;
	u32 count;		/* PIO_STRING: elements in the page */
	u64 rip;		/* PIO_OUT: of the instruction, when it left */
	u64 linear;		/* PIO_STRING: of the first element */
};

/* The instruction fetched last, and what its fetch depended on: run/translate.c. */
struct vcpu_fetch {
	u64 linear, gpa;
	struct x86_walk_regs regs;
	u32 access;
	u8 mode, n, n_bytes;		/* n_bytes 0: nothing is kept */
	u8 bytes[X86_INSN_MAX];
	u64 where[X86_WALK_LEVELS], value[X86_WALK_LEVELS];	/* the n table entries */
	struct x86_insn insn;
};

/* One MMIO instruction under way, across exits to user space: run/mmio.c. */
struct vcpu_mmio {
	struct x86_mmio steps;
	struct x86_mmio_access access;	/* under way */
	u64 gpa[2];			/* of its one or two pages */
	u8 part_len[2];
	u8 done;			/* bytes of it that are done */
	u8 pending;			/* bytes that user space was asked for */
};

struct vcpu {
	struct x86_state state;		/* m: first, the world switch indexes it */
	u32 valid;			/* m: groups that state has (X86_GROUP_*) */
	u32 dirty;			/* m: groups to push before the next entry */
	struct vm *vm;			/* I: holds a reference */
	void *hw;			/* I: the back end's control block and more */
	u32 id;				/* I: KVM's vcpu_id, the initial APIC id */
	u32 index;			/* I: in vm->vcpus */
	struct mutex mutex;

	unsigned long requests;		/* a: BIT(enum vcpu_request) */
	int mode;			/* a: enum vcpu_mode */
	int cpu;			/* a: where it runs, or ran last */
	bool in_window;			/* m: between window open and close, irqs off */
	u64 window_limit;		/* m: host TSC at which this window ends */
	u64 deadline_asked;		/* m: what the hardware was told; 0: nothing yet */
	u8 windows;			/* m: BIT(0) interrupt, BIT(1) NMI window asked for */
	u32 flush;			/* m: enum flush_scope to do when a window opens */
	u64 cr4_seen;			/* m: CR4 as last set: right in bits that always exit */
	struct x86_insn insn;		/* m: at RIP, where the exit needed decoding */
	struct vcpu_fetch fetch;	/* m */
	struct rcuwait wait;
	struct preempt_notifier preempt;	/* m */

	struct kvirt_run *run;		/* u: the shared page; the pages after it: PIO data */
	void *pio_data;			/* u */
	struct kvirt_exit exit;		/* m: the exit being served */
	struct host_debug host_debug;	/* m: while a window is open */
	struct vcpu_completion complete;	/* m */
	struct vcpu_mmio mmio;		/* m */
	struct vcpu_events events;	/* m */
	u32 intercepts;			/* m: exception vectors intercepted, as bits */
	bool ran;			/* m: KVM_RUN entered once: CPUID is fixed */

	struct x86_cpuid cpuid;		/* m */
	struct x86_guest_features guest;	/* m: derived from cpuid */
	struct x86_msr_store msrs;	/* m: MSRs that hardware does not hold */
	struct guest_fpu fpu;		/* m */

	struct chip_lapic *lapic;	/* I: NULL without in-kernel LAPIC; contents m */
	struct irq_post post;		/* a */
	u64 irq_address;		/* a: how others find this LAPIC, irq/lapic.h */
	u64 apic_base;			/* m */
	u64 deadline;			/* m: LAPIC timer in host TSC, ~0 none */
	struct hrtimer timer;		/* armed while blocked, or without features.deadline */
	unsigned long eoi_exits[4];	/* m: vectors whose EOI goes to user space */
	u8 eoi_vector;			/* m: the one of REQUEST_EOI_EXIT */
	u32 mp_state;			/* m: KVIRT_MP_STATE_* */
	u8 sipi_vector;			/* m */
	bool unhalted;			/* a: KVM_HC_KICK_CPU woke it */

	struct npt_cache tables;	/* m: preallocated nested tables */
	u32 tsc_khz;			/* m */
	u64 tsc_adjust;			/* m: IA32_TSC_ADJUST */
	struct {
		u64 clock_msr;		/* m: MSR_KVM_SYSTEM_TIME_NEW as written */
		u32 version;		/* m */
		bool guest_stopped;	/* m: KVM_KVMCLOCK_CTRL */
	} pv;

	bool sigset_active;		/* m: KVM_SET_SIGNAL_MASK */
	sigset_t sigset;		/* m */
};

/*
 * vcpu_create() - process context, vm->lock held. vcpu_free() - nobody can reach it any
 * more. -EINVAL: id too large or too many; -EEXIST: id taken; -ENOMEM.
 */
struct vcpu *vcpu_create(struct vm *vm, u32 id);
void vcpu_free(struct vcpu *vcpu);
/* Make a whole one visible to the VM's other users; vm->lock held. */
void vcpu_publish(struct vcpu *vcpu);

/*
 * vcpu_pull() - make register groups valid in vcpu->state, opening a window of its own
 * where none is open. vcpu_dirty() - @groups of vcpu->state were written (all of each):
 * they are valid, and pushed before the next entry. Owner's thread.
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

/* CR4, or XCR0 in vcpu->state, has a new value: what depends on it follows. Owner. */
void vcpu_set_cr4(struct vcpu *vcpu, u64 cr4);

/*
 * vcpu_open_window() - interrupts must be off. 0, or the back end's -EBUSY, -EIO when
 * the host is going down. The guest's vector state is NOT loaded by it.
 */
int vcpu_open_window(struct vcpu *vcpu);
void vcpu_close_window(struct vcpu *vcpu);
/* Push dirty groups; window open. */
void vcpu_push(struct vcpu *vcpu);

/*
 * vcpu_load() and vcpu_put() bracket an ioctl or KVM_RUN of the owner, with its mutex
 * held: they register the preempt notifier that calls backend->unload().
 */
void vcpu_load(struct vcpu *vcpu);
void vcpu_put(struct vcpu *vcpu);

/*
 * vcpu_request() - set a request and bring the vCPU where it will see it: out of the
 * guest, or awake. Any context, any CPU; never waits. vcpu_kick() without a request.
 */
void vcpu_request(struct vcpu *vcpu, enum vcpu_request request);
void vcpu_kick(struct vcpu *vcpu);
/* A request is there (owner); take it away (owner). */
static inline bool vcpu_has_requests(const struct vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) != 0;
}

static inline bool vcpu_take_request(struct vcpu *vcpu, enum vcpu_request request)
{
	return test_bit(request, &vcpu->requests) &&
	       test_and_clear_bit(request, &vcpu->requests);
}

/*
 * Make every vCPU of @vm that is inside a window leave it, and wait until it has;
 * those outside see the request at their next entry. Does not sleep; interrupts on. The
 * caller may hold spinlocks that no window takes (memory notifiers do), so no allocation.
 */
void vm_request_all(struct vm *vm, enum vcpu_request request);

/* Where others are to look for the vCPU, with the barrier that their requests need. */
void vcpu_enter_mode(struct vcpu *vcpu, enum vcpu_mode mode);

/* Registers as after power-up or after INIT; the LAPIC is irq/lapic.c's. Owner's thread. */
enum vcpu_reset_kind { VCPU_POWER_UP, VCPU_INIT };
void vcpu_reset(struct vcpu *vcpu, enum vcpu_reset_kind kind);

/* vm/event.c: events in, in the order of priority that the SDM's table 6-2 gives. */
void event_queue_exception(struct vcpu *vcpu, u8 vector);
void event_queue_exception_error(struct vcpu *vcpu, u8 vector, u32 error);
void event_queue_page_fault(struct vcpu *vcpu, u32 error, u64 address);
void event_queue_debug(struct vcpu *vcpu, u64 dr6_bits);
/* The delivery that @exit cut short goes back into the queue. */
void event_requeue(struct vcpu *vcpu, const struct kvirt_event *vectoring);
/* What the next entry carries, and which windows to ask for: run/run.c tells the back end. */
struct event_plan {
	struct kvirt_event event;	/* .valid: inject it */
	bool took_interrupt;		/* the vector offered is in it: acknowledge it */
	bool irq_window, nmi_window;
};

/*
 * event_plan() - window open, before an entry: choose by priority what goes in.
 * @vector: the interrupt controllers' highest deliverable vector, or -1.
 * event_delivered() - after an entry: what was injected is in, unless @exit cut it short.
 */
static inline bool event_any(const struct vcpu *vcpu)
{
	const struct vcpu_events *ev = &vcpu->events;

	return ev->exception.pending | ev->exception.injected | ev->interrupt.injected |
	       ev->nmi.injected | ev->nmi.pending;
}

void event_plan(struct vcpu *vcpu, int vector, struct event_plan *plan);
void event_delivered(struct vcpu *vcpu, const struct kvirt_exit *exit);
/* RFLAGS.IF, no shadow, nothing on its way: the guest can take an interrupt, an NMI, now. */
bool event_interrupt_allowed(struct vcpu *vcpu);
bool event_nmi_allowed(struct vcpu *vcpu);
/* What comes with an exception into CR2, DR6: when it is injected, or when user space asks. */
void event_deliver_payload(struct vcpu *vcpu);
/* The step over an instruction is done: trap if the guest single-steps. */
void event_stepped(struct vcpu *vcpu);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_RUN: the loop, straight down. vcpu_run() is the outer one, with interrupts on and
 * room to sleep; run_window() is one strict window with the inner loop of exits that are
 * served without leaving it. What each exit does is in dispatch.c's table.
 */
#include <linux/sched/signal.h>
#include <asm/tsc.h>
#include "../host/msr.h"
#include "../host/state.h"
#include "../host/trace.h"
#include "../irq/irqchip.h"
#include "../irq/lapic.h"
#include "../vm/backend.h"
#include "run.h"

/* A window ends at the latest after this many milliseconds in the guest. */
#define WINDOW_MS 1

/* Interrupts off: from here to close_window() the CPU is the guest's, and no trace stays. */
static int open_window(struct vcpu *vcpu)
{
	int err = vcpu_open_window(vcpu);

	if (unlikely(err))
		return err;
	/* What another VM taught this CPU's branch predictors must not steer this one. */
	host_predictor_barrier(vcpu->vm->id);
	host_debug_save(&vcpu->host_debug, debug_breakpoints(&vcpu->debug, &vcpu->state));
	host_guest_time_enter();
	guest_fpu_load(&vcpu->fpu);
	if (lapic_timer_due(vcpu))
		lapic_drain(vcpu);
	vcpu->window_limit = rdtsc() + (u64)tsc_khz * WINDOW_MS;
	vcpu->deadline_asked = 0;
	return 0;
}

static void close_window(struct vcpu *vcpu, enum verdict verdict)
{
	/* What the handler or user space looks at comes along; the rest can wait. */
	if (verdict == SLOW)
		vcpu_pull(vcpu, dispatch_groups(vcpu));
	else if (verdict == TO_USER)
		vcpu_pull(vcpu, X86_GROUP_RFLAGS | X86_GROUP_SHADOW);
	guest_fpu_save(&vcpu->fpu);
	vcpu_close_window(vcpu);
	host_debug_restore(&vcpu->host_debug);
	host_guest_ran();
}

/* The guest's next deadline: the hardware's to keep, or a timer's. */
static void set_deadline(struct vcpu *vcpu)
{
	u64 deadline = features.deadline ? min(vcpu->deadline, vcpu->window_limit) : vcpu->deadline;

	if (vcpu->deadline_asked == deadline)
		return;
	vcpu->deadline_asked = deadline;
	if (!features.deadline && vcpu->lapic)
		lapic_timer_arm(vcpu);
}

/* What goes into the guest with this entry, and what it should exit for soon. */
static void inject_events(struct vcpu *vcpu)
{
	/* A window that user space would not hear of would open again and again. */
	bool asked = READ_ONCE(vcpu->run->request_interrupt_window) &&
		     vcpu_has_room_for_interrupt(vcpu);
	int vector = next_vector(vcpu);
	struct event_plan plan;

	/* Mostly there is nothing at all. */
	if (likely(vector < 0 && !asked && !vcpu->windows && !event_any(&vcpu->events)))
		return;
	event_plan(vcpu, vector, &plan);
	if (plan.took_interrupt) {
		plan.event.vector = take_vector(vcpu, vector);
		vcpu->events.interrupt.vector = plan.event.vector;
	}
	if (plan.event.valid) {
		trace_kvirt_inject(vcpu->id, plan.event.type, plan.event.vector, plan.event.error);
		static_call(backend_inject)(vcpu, &plan.event);
		vcpu->counts[COUNT_INJECTIONS]++;
	}
	if (asked || (plan.took_interrupt && next_vector(vcpu) >= 0))
		plan.windows |= WINDOW_IRQ;
	if (likely(plan.windows == vcpu->windows))
		return;
	vcpu->windows = plan.windows;
	static_call(backend_windows)(vcpu);
}

static_assert(offsetof(struct kvirt_exit, detail) == sizeof(u64));
static_assert(offsetof(struct kvirt_exit_record, code) ==
	      offsetof(struct kvirt_exit_record, kind) + sizeof(u64));
static_assert(offsetof(struct kvirt_exit, fault.gpa) == offsetof(struct kvirt_exit, detail));
static_assert(ACCESS_READ == KVIRT_RECORD_READ && ACCESS_WRITE == KVIRT_RECORD_WRITE &&
	      ACCESS_EXEC == KVIRT_RECORD_EXEC);
static_assert(sizeof(struct kvirt_exit_ring) <= PAGE_SIZE);

/* One more record in the ring, which user space may be reading. */
static __always_inline const struct kvirt_exit_record *record_exit(struct vcpu *vcpu)
{
	struct kvirt_exit_ring *ring = vcpu->ring;
	u64 n = ring->written;
	struct kvirt_exit_record *r = &ring->record[n % KVIRT_RING_RECORDS];

	r->tsc = rdtsc();
	r->rip = vcpu->state.rip;
	r->eax = vcpu->state.gpr[X86_RAX];
	r->ecx = vcpu->state.gpr[X86_RCX];
	/* From the kind to the reason, as one word. */
	*(u64 *)&r->kind = *(const u64 *)&vcpu->exit.kind;
	r->code = vcpu->exit.detail;
	/* Only now is it there, and from now on the oldest one may be torn. */
	smp_store_release(&ring->written, n + 1);
	return r;
}

/* One entry and its exit. Anything but STEP and RETRY ends the window. */
static enum verdict enter_once(struct vcpu *vcpu)
{
	/* Taken back before an event is in the control block, from where it goes in anyway. */
	if (unlikely(vcpu->pv.eoi_offered) && pv_eoi_to_guest(vcpu) == LEAVE)
		return LEAVE;
	inject_events(vcpu);
	if (unlikely(vcpu->pv.eoi_msr & 1) && vcpu->lapic)
		pv_eoi_to_guest(vcpu);
	if (vcpu->dirty)
		vcpu_push(vcpu);
	if (unlikely(vcpu->flush & FLUSH_PREDICTORS)) {
		host_flush_predictors();
		vcpu->flush &= ~FLUSH_PREDICTORS;
	}
	/* Last: a deadline that is near is waited for. */
	set_deadline(vcpu);

	count_privop(GUEST_ENTRIES);
	static_call(backend_enter)(vcpu, &vcpu->exit);
	vcpu->counts[vcpu->exit.kind]++;
	event_delivered(vcpu, &vcpu->exit);
	trace_kvirt_exit(vcpu->id, record_exit(vcpu));

	if (unlikely(vcpu->pv.eoi_offered) && pv_eoi_from_guest(vcpu) == LEAVE)
		return vcpu->exit.kind <= EXIT_DEADLINE ? LEAVE : SLOW;
	switch (vcpu->exit.kind) {
	case EXIT_HOST:
		return LEAVE;
	case EXIT_DEADLINE:
		/* The window's own limit, or the guest's timer. */
		vcpu->deadline_asked = 0;
		if (!lapic_timer_due(vcpu))
			return LEAVE;
		lapic_drain(vcpu);
		return RETRY;
	default:
		/* A TPR that the guest keeps in memory is looked at before its exit is served. */
		return unlikely(vcpu->vapic) ? SLOW : dispatch(vcpu);
	}
}

/* Enter again? Interrupts that were posted meanwhile are taken in here. */
static bool stay(struct vcpu *vcpu)
{
	unsigned long requests = READ_ONCE(vcpu->requests);

	if (unlikely(requests)) {
		if (requests != BIT(REQUEST_EVENT))
			return false;
		vcpu_take_request(vcpu, REQUEST_EVENT);
		lapic_drain(vcpu);
		if (lapic_has_signals(vcpu))
			return false;
		/* An hrtimer that was a little early has to be started again. */
		vcpu->deadline_asked = 0;
	}
	/* Hardware without a deadline keeps to the limit at exits; interrupts are exits too. */
	if (!features.deadline && unlikely(rdtsc() > vcpu->window_limit))
		return false;
	return !__xfer_to_guest_mode_work_pending() &&
	       likely(!vcpu->events.triple_fault && !vcpu->vapic);
}

/* One strict window: the verdict that ended it, or -errno if it did not open. */
static int run_window(struct vcpu *vcpu)
{
	bool timed = false;
	int verdict;

	local_irq_disable();
	vcpu_enter_mode(vcpu, VCPU_IN_WINDOW);
	xfer_to_guest_mode_prepare();
	if (unlikely(READ_ONCE(vcpu->requests) || __xfer_to_guest_mode_work_pending())) {
		verdict = LEAVE;
		goto out;
	}
	verdict = open_window(vcpu);
	if (unlikely(verdict))
		goto out;
	timed = true;
	do {
		verdict = enter_once(vcpu);
	} while ((verdict == STEP || verdict == RETRY) && stay(vcpu));
	close_window(vcpu, verdict);
out:
	vcpu_enter_mode(vcpu, VCPU_OUTSIDE);
	local_irq_enable();
	if (!timed)
		return verdict;
	/* After the interrupt that ended the window: its tick counts as the guest's. */
	local_irq_disable();
	vtime_account_guest_exit();
	local_irq_enable();
	return verdict;
}

/* Requests from others, served with interrupts on. 0, or -errno. */
static int serve_requests(struct vcpu *vcpu)
{
	if (READ_ONCE(vcpu->vm->dead))
		return -EIO;
	if (vcpu_take_request(vcpu, REQUEST_FLUSH_NESTED))
		vcpu->flush |= FLUSH_NESTED;
	vcpu_take_request(vcpu, REQUEST_BUS);
	if (vcpu_take_request(vcpu, REQUEST_EVENT))
		lapic_drain(vcpu);
	if (vcpu_take_request(vcpu, REQUEST_CLOCK))
		clock_update_guest(vcpu);
	if (vcpu_take_request(vcpu, REQUEST_ROUTES) && vcpu->lapic)
		eoi_scan(vcpu);
	if (lapic_has_signals(vcpu))
		lapic_apply_signals(vcpu);
	return 0;
}

static int interrupted(struct vcpu *vcpu)
{
	if (pv_steal_time(vcpu))
		pv_report_preempted(vcpu);
	vcpu->run->exit_reason = KVIRT_EXIT_INTR;
	return -EINTR;
}

/* A vCPU that was never started: user space asks again once INIT has come. */
static int wait_for_init(struct vcpu *vcpu)
{
	int err;

	while (!signal_pending(current)) {
		err = serve_requests(vcpu);
		if (err)
			return err;
		if (vcpu->mp_state != KVIRT_MP_STATE_UNINITIALIZED)
			return -EAGAIN;
		vcpu_block(vcpu);
	}
	return interrupted(vcpu);
}

/* What user space must hear before the guest goes on. */
static bool wants_user(struct vcpu *vcpu)
{
	struct kvirt_run *run = vcpu->run;

	if (vcpu_take_request(vcpu, REQUEST_EOI_EXIT)) {
		run->exit_reason = KVIRT_EXIT_IOAPIC_EOI;
		run->eoi.vector = vcpu->eoi_vector;
		return true;
	}
	if (vcpu_take_request(vcpu, REQUEST_TPR_ACCESS)) {
		run->exit_reason = KVIRT_EXIT_TPR_ACCESS;
		run->tpr_access.rip = vcpu->tpr_access.rip;
		run->tpr_access.is_write = vcpu->tpr_access.write;
		return true;
	}
	if (unlikely(vcpu->events.triple_fault)) {
		vcpu->events.triple_fault = false;
		return exit_triple_fault(vcpu) == TO_USER;
	}
	if (unlikely(READ_ONCE(run->request_interrupt_window)) &&
	    vcpu_ready_for_interrupt(vcpu)) {
		run->exit_reason = KVIRT_EXIT_IRQ_WINDOW_OPEN;
		return true;
	}
	return false;
}

int vcpu_run(struct vcpu *vcpu)
{
	int verdict, err;
	u64 cr8;

	if (vcpu->mp_state == KVIRT_MP_STATE_UNINITIALIZED)
		return READ_ONCE(vcpu->run->immediate_exit) ? -EINTR : wait_for_init(vcpu);
	if (!vcpu->lapic) {
		cr8 = READ_ONCE(vcpu->run->cr8);
		if (cr8 > 15)
			return -EINVAL;
		vcpu->state.cr8 = cr8;
	}
	/* Snapshots rely on it: an exit is finished even if the guest is not to run. */
	err = complete_last_exit(vcpu);
	if (err == TO_USER || err < 0)
		return err < 0 ? err : 0;
	if (READ_ONCE(vcpu->run->immediate_exit))
		return -EINTR;
	vcpu->ran = true;
	/*
	 * A shadow with TF means a pending step: the trap would come before the next instruction,
	 * where the debugger has been already (SDM vol. 3, 26.3.1.5). Pushing the group drops it.
	 */
	if (unlikely(vcpu->debug.control & KVIRT_GUESTDBG_SINGLESTEP)) {
		vcpu->state.shadow = 0;
		vcpu_dirty(vcpu, X86_GROUP_SHADOW);
	}

	for (;;) {
		/* Whoever wants something of this vCPU has left a bit. */
		err = 0;
		if (READ_ONCE(vcpu->requests) || lapic_has_signals(vcpu))
			err = serve_requests(vcpu);
		err = err ?: npt_cache_fill(&vcpu->tables);
		if (err)
			return err;
		if (wants_user(vcpu))
			return 0;
		/* Signals, the scheduler, task work: the host's own business goes first. */
		if (signal_pending(current))
			return interrupted(vcpu);
		if (__xfer_to_guest_mode_work_pending()) {
			if (pv_steal_time(vcpu) && need_resched())
				pv_report_preempted(vcpu);
			if (host_work_do())
				return interrupted(vcpu);
		}
		/* Halted, or waiting for SIPI: sleep, then look at everything again. */
		if (!vcpu_runnable(vcpu)) {
			vcpu_block(vcpu);
			lapic_drain(vcpu);
			continue;
		}
		if (pv_steal_time(vcpu) &&
		    (vcpu->pv.steal_due || vcpu->pv.run_delay != current->sched_info.run_delay))
			pv_report_steal(vcpu);
		/* Into the guest, until something needs more than a window can give. */
		if (unlikely(vcpu->vapic))
			lapic_store_vapic(vcpu);
		verdict = run_window(vcpu);
		if (unlikely(vcpu->vapic))
			lapic_load_vapic(vcpu);
		if (unlikely(vcpu->pv.eoi_offered))
			pv_eoi_from_guest(vcpu);
		if (verdict == SLOW)
			verdict = dispatch(vcpu);
		if (verdict == TO_USER || verdict < 0)
			return verdict < 0 ? verdict : 0;
	}
}

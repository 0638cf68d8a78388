// SPDX-License-Identifier: GPL-2.0
/*
 * May this vCPU run, and what interrupts it next; sleeping until it may, and
 * giving its turn to another. Called by run.c.
 */
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/sched/task.h>
#include "../irq/irqchip.h"
#include "../irq/lapic.h"
#include "run.h"

#define POLL_START_NS 10000ULL

static unsigned int halt_poll_ns = 200000;
module_param(halt_poll_ns, uint, 0644);
MODULE_PARM_DESC(halt_poll_ns, "A vCPU in HLT looks this long for work before it sleeps; 0: not");

int next_vector(struct vcpu *vcpu)
{
	unsigned int vector;

	/* What user space left with KVM_INTERRUPT comes from the 8259 and has its way in. */
	if (vcpu->events.external >= 0 && lapic_accepts_extint(vcpu))
		return vcpu->events.external;
	if (READ_ONCE(vcpu->vm->extint) && lapic_accepts_extint(vcpu))
		return VECTOR_OF_PIC;
	vector = lapic_pending(vcpu);
	return vector ? (int)vector : -1;
}

u8 take_vector(struct vcpu *vcpu, int vector)
{
	if (vector == VECTOR_OF_PIC)
		return pic_acknowledge(vcpu->vm);
	if (vcpu->events.external >= 0 && lapic_accepts_extint(vcpu))
		vcpu->events.external = -1;
	else
		chip_lapic_acknowledge(vcpu->lapic, vector);
	return vector;
}

bool vcpu_has_room_for_interrupt(struct vcpu *vcpu)
{
	return vcpu->vm->irqchip != IRQCHIP_KERNEL && vcpu->events.external < 0 &&
	       lapic_accepts_extint(vcpu);
}

bool vcpu_ready_for_interrupt(struct vcpu *vcpu)
{
	const struct vcpu_events *ev = &vcpu->events;

	return !ev->exception.pending && !ev->exception.event.valid && !ev->nmi.injected &&
	       !ev->interrupt.valid && vcpu_has_room_for_interrupt(vcpu) &&
	       event_interrupt_allowed(vcpu);
}

bool vcpu_runnable(struct vcpu *vcpu)
{
	const struct vcpu_events *ev = &vcpu->events;

	if (vcpu->mp_state != KVIRT_MP_STATE_HALTED)
		return vcpu->mp_state == KVIRT_MP_STATE_RUNNABLE;
	if (!READ_ONCE(vcpu->unhalted) && !ev->exception.pending &&
	    !(ev->nmi.pending && event_nmi_allowed(vcpu)) &&
	    !(next_vector(vcpu) >= 0 && event_interrupt_allowed(vcpu)))
		return false;
	WRITE_ONCE(vcpu->unhalted, false);
	vcpu->mp_state = KVIRT_MP_STATE_RUNNABLE;
	return true;
}

/* What is to leave after an access of the vCPU's own: while it waits for INIT, that waits too. */
#define LEAVING	(BIT(REQUEST_EOI_EXIT) | BIT(REQUEST_TPR_ACCESS))

static bool has_reason_to_wake(struct vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) & ~LEAVING || lapic_has_signals(vcpu) ||
	       lapic_timer_due(vcpu) || signal_pending(current);
}

static void sleep(struct vcpu *vcpu)
{
	vcpu->counts[COUNT_HALT_WAITS]++;
	vcpu_enter_mode(vcpu, VCPU_BLOCKED);
	if (vcpu->lapic)
		lapic_timer_arm(vcpu);
	prepare_to_rcuwait(&vcpu->wait);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (has_reason_to_wake(vcpu))
			break;
		schedule();
	}
	finish_rcuwait(&vcpu->wait);
	if (vcpu->lapic)
		lapic_timer_disarm(vcpu);
	vcpu_enter_mode(vcpu, VCPU_OUTSIDE);
}

void vcpu_block(struct vcpu *vcpu)
{
	s64 own = READ_ONCE(vcpu->vm->halt_poll_ns);
	u64 most = own < 0 ? READ_ONCE(halt_poll_ns) : own, start = ktime_get_ns(), took = 0;
	bool woken = false;

	/* The guest may want to poll for itself. */
	if (vcpu->mp_state != KVIRT_MP_STATE_HALTED ||
	    !(vcpu->msrs.value[X86_SLOT_POLL_CONTROL] & 1))
		most = 0;
	/* To look is cheaper than to sleep, while nobody else wants this CPU. */
	while (took < min(vcpu->poll_ns, most) && !need_resched() && single_task_running()) {
		woken = has_reason_to_wake(vcpu);
		if (woken)
			break;
		cpu_relax();
		took = ktime_get_ns() - start;
	}
	if (!woken)
		sleep(vcpu);
	took = ktime_get_ns() - start;
	/* Look longer where that would have been enough, and not at all after a long sleep. */
	if (took > most)
		vcpu->poll_ns = 0;
	else if (took > vcpu->poll_ns)
		vcpu->poll_ns = max(2 * vcpu->poll_ns, POLL_START_NS);
}

int vcpu_yield_to(struct vcpu *target)
{
	struct task_struct *task;
	int done;

	/* It takes itself away before it can end, so RCU keeps it until it is held. */
	rcu_read_lock();
	task = READ_ONCE(target->runner);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	if (!task)
		return 0;
	done = yield_to(task, true);
	put_task_struct(task);
	return done;
}

#define YIELD_TRIES 8	/* each takes locks of the scheduler's */

void vcpu_yield(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	unsigned int nr = vm_nr_vcpus(vm), next = READ_ONCE(vm->last_yield), tries;
	struct vcpu *target;

	for (tries = min(nr, YIELD_TRIES); tries; tries--) {
		next = (next + 1) % nr;
		target = vm_vcpu(vm, next);
		if (target != vcpu && READ_ONCE(target->mode) != VCPU_BLOCKED &&
		    vcpu_yield_to(target) > 0)
			break;
	}
	WRITE_ONCE(vm->last_yield, next);
}

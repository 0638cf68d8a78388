// SPDX-License-Identifier: GPL-2.0
/*
 * May this vCPU run, and what interrupts it next; sleeping until it may. Called by run.c.
 */
#include <linux/sched/signal.h>
#include "../irq/irqchip.h"
#include "../irq/lapic.h"
#include "../vm/vm.h"
#include "run.h"

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
		lapic_acknowledge(vcpu, vector);
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

	return !ev->exception.pending && !ev->exception.injected && !ev->nmi.injected &&
	       !ev->interrupt.injected && vcpu_has_room_for_interrupt(vcpu) &&
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

void vcpu_block(struct vcpu *vcpu)
{
	vcpu_enter_mode(vcpu, VCPU_BLOCKED);
	if (vcpu->lapic)
		lapic_timer_arm(vcpu);
	prepare_to_rcuwait(&vcpu->wait);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (vcpu_has_requests(vcpu) || lapic_has_signals(vcpu) ||
		    lapic_timer_due(vcpu) || signal_pending(current))
			break;
		schedule();
	}
	finish_rcuwait(&vcpu->wait);
	if (vcpu->lapic)
		lapic_timer_disarm(vcpu);
	vcpu_enter_mode(vcpu, VCPU_OUTSIDE);
}

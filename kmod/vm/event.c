// SPDX-License-Identifier: GPL-2.0
/*
 * Events on their way into a guest: what is queued, in which order it goes in, what is done when an
 * exit cuts a delivery short (SDM vol. 3, 6.5 to 6.9, 26.6; APM vol. 2, 8.5 and 15.20). Called by
 * run/; the interrupt controllers' vectors come from irq/.
 */
#include "vcpu.h"
#include "vm.h"

/* SDM vol. 3, table 6-5: how two exceptions combine. */
static const enum { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT } exception_class[32] = {
	[X86_DE] = CONTRIBUTORY, [X86_TS] = CONTRIBUTORY, [X86_NP] = CONTRIBUTORY,
	[X86_SSF] = CONTRIBUTORY, [X86_GP] = CONTRIBUTORY,
	[X86_PF] = PAGE_FAULT, [X86_DF] = DOUBLE_FAULT,
};

/* A fault sets RF in the image it pushes, not to hit the breakpoint again: all but these are. */
#define NO_FAULTS (BIT(X86_DB) | BIT(X86_BP) | BIT(X86_OF) | BIT(X86_DF) | BIT(X86_MC))

/* Exceptions have vectors below 32. */
static bool is_one_of(u8 vector, u32 exceptions)
{
	return exceptions & BIT(vector % 32);
}

/* Queue @next; one that was being delivered combines with it, or gives way to it. */
static void queue(struct vcpu *vcpu, struct vcpu_exception next)
{
	struct vcpu_exception *e = &vcpu->events.exception;
	u8 first, second;
	bool soft;

	if (e->pending || e->event.valid) {
		first = exception_class[e->event.vector % 32];
		second = exception_class[next.event.vector % 32];
		if (first == DOUBLE_FAULT && second != BENIGN) {
			e->pending = false;
			e->event.valid = false;
			vcpu->events.triple_fault = true;
			return;
		}
		if ((first == CONTRIBUTORY && second == CONTRIBUTORY) ||
		    (first == PAGE_FAULT && (second == CONTRIBUTORY || second == PAGE_FAULT)))
			next = (struct vcpu_exception){
				.event = { .vector = X86_DF, .has_error = true } };
		/* A benign pair: the first is raised again when its instruction restarts. */
	}
	*e = next;
	e->pending = true;
	/* Of INT3 and INTO the guest stands at its own. */
	soft = exception_is_soft(e->event.vector);
	e->event.type = soft ? EVENT_SOFT_EXC : EVENT_EXCEPTION;
	e->event.insn_len = soft;
}

void event_queue_exception(struct vcpu *vcpu, u8 vector, u32 error)
{
	struct vcpu_exception next = { .event.vector = vector };

	if (is_one_of(vector, X86_ERROR_CODE_VECTORS)) {
		/* Real mode pushes no error codes (SDM vol. 3, 20.1.4). */
		vcpu_pull(vcpu, X86_GROUP_CR0);
		next.event.has_error = vcpu->state.cr0 & X86_CR0_PE;
		next.event.error = error;
	}
	queue(vcpu, next);
}

void event_queue_page_fault(struct vcpu *vcpu, u32 error, u64 address)
{
	queue(vcpu, (struct vcpu_exception){
		.event = { .vector = X86_PF, .has_error = true, .error = error },
		.has_payload = true, .payload = address });
}

void event_queue_debug(struct vcpu *vcpu, u64 dr6_bits)
{
	queue(vcpu, (struct vcpu_exception){
		.event.vector = X86_DB, .has_payload = true, .payload = dr6_bits });
}

void event_deliver_payload(struct vcpu *vcpu)
{
	struct vcpu_exception *e = &vcpu->events.exception;
	struct x86_state *s = &vcpu->state;

	if (!e->has_payload)
		return;
	e->has_payload = false;
	if (e->event.vector == X86_PF) {
		s->cr2 = e->payload;
		vcpu_dirty(vcpu, X86_GROUP_CR2);
	} else if (e->event.vector == X86_DB) {
		/* B0 to B3 and BS are sticky but B0 to B3 are replaced; RTM is inverted. */
		s->dr6 = (s->dr6 & ~0xfULL) | (e->payload & ~BIT_ULL(16));
		if (e->payload & BIT_ULL(16))
			s->dr6 &= ~BIT_ULL(16);
		/* General detect disarms itself before the handler runs (SDM vol. 3, 17.2.4). */
		if (s->dr7 & X86_DR7_GD) {
			s->dr7 &= ~X86_DR7_GD;
			vcpu_dirty(vcpu, X86_GROUP_DEBUG);
		}
	}
	e->payload = 0;
}

bool event_interrupt_allowed(struct vcpu *vcpu)
{
	vcpu_pull(vcpu, X86_GROUP_RFLAGS | X86_GROUP_SHADOW);
	return (vcpu->state.rflags & X86_EFLAGS_IF) && !vcpu->state.shadow;
}

bool event_nmi_allowed(struct vcpu *vcpu)
{
	vcpu_pull(vcpu, X86_GROUP_SHADOW | X86_GROUP_NMI_MASK);
	return !vcpu->state.nmi_masked && !vcpu->state.shadow;
}

/* The pending exception begins: what comes with it is the guest's from now on. */
static struct kvirt_event begin_exception(struct vcpu *vcpu)
{
	struct vcpu_exception *e = &vcpu->events.exception;

	event_deliver_payload(vcpu);
	if (!is_one_of(e->event.vector, NO_FAULTS)) {
		vcpu_pull(vcpu, X86_GROUP_RFLAGS);
		vcpu->state.rflags |= X86_EFLAGS_RF;
		vcpu_dirty(vcpu, X86_GROUP_RFLAGS);
	}
	e->pending = false;
	e->event.valid = true;
	return e->event;
}

/* What was cut short goes in again first; then exceptions, NMI, interrupts. */
void event_plan(struct vcpu *vcpu, int vector, struct event_plan *plan)
{
	const struct kvirt_event nmi = { .valid = true, .type = EVENT_NMI, .vector = X86_NMI };
	struct vcpu_events *ev = &vcpu->events;

	memset(plan, 0, sizeof(*plan));
	if (ev->exception.event.valid) {
		plan->event = ev->exception.event;
	} else if (ev->nmi.injected) {
		plan->event = nmi;
	} else if (ev->interrupt.valid) {
		plan->event = ev->interrupt;
	} else if (ev->exception.pending) {
		plan->event = begin_exception(vcpu);
	} else if (unlikely(vcpu->debug.control & KVIRT_GUESTDBG_BLOCKIRQ)) {
		return;
	} else if (ev->nmi.pending && event_nmi_allowed(vcpu)) {
		ev->nmi.pending--;
		ev->nmi.injected = true;
		vcpu->state.nmi_masked = true;
		vcpu_dirty(vcpu, X86_GROUP_NMI_MASK);
		plan->event = nmi;
	} else if (vector >= 0 && event_interrupt_allowed(vcpu)) {
		ev->interrupt = (struct kvirt_event){ .valid = true, .vector = vector };
		plan->took_interrupt = true;
		plan->event = ev->interrupt;
	}
	plan->windows = (ev->nmi.pending ? WINDOW_NMI : 0) |
			(vector >= 0 && !plan->took_interrupt ? WINDOW_IRQ : 0);
}

/* The delivery that an exit cut short goes back into the queue. */
static void requeue(struct vcpu *vcpu, const struct kvirt_event *vectoring)
{
	bool soft = vectoring->type != EVENT_EXTERNAL && vectoring->type != EVENT_EXCEPTION;
	struct vcpu_events *ev = &vcpu->events;

	if (vectoring->type == EVENT_NMI) {
		ev->nmi.injected = true;
		/* The delivery set the mask, and the entry that repeats it wants it clear. */
		vcpu->state.nmi_masked = false;
		vcpu_dirty(vcpu, X86_GROUP_NMI_MASK);
		return;
	}
	/* A soft event of unknown length is executed again, not injected again. */
	if (soft && !vectoring->insn_len)
		return;
	if (vectoring->type == EVENT_EXTERNAL || vectoring->type == EVENT_SOFT_INT)
		ev->interrupt = *vectoring;
	else
		ev->exception = (struct vcpu_exception){ .event = *vectoring };
}

void event_delivered(struct vcpu *vcpu, const struct kvirt_exit *exit)
{
	struct vcpu_events *ev = &vcpu->events;

	/* An entry that failed delivered nothing: everything stays as it is. */
	if (unlikely(exit->kind == EXIT_INVALID_STATE))
		return;
	ev->exception.event.valid = false;
	ev->nmi.injected = false;
	ev->interrupt.valid = false;
	if (unlikely(exit->vectoring.valid))
		requeue(vcpu, &exit->vectoring);
}

bool event_stepped(struct vcpu *vcpu)
{
	vcpu_pull(vcpu, X86_GROUP_RFLAGS | X86_GROUP_SHADOW);
	if (unlikely(vcpu->state.shadow)) {
		vcpu->state.shadow = 0;
		vcpu_dirty(vcpu, X86_GROUP_SHADOW);
	}
	if (unlikely(vcpu->state.rflags & X86_EFLAGS_RF)) {
		vcpu->state.rflags &= ~X86_EFLAGS_RF;
		vcpu_dirty(vcpu, X86_GROUP_RFLAGS);
	}
	return vcpu->state.rflags & X86_EFLAGS_TF;
}

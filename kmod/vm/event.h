/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events on their way into the guest: the queue in each vCPU, for the owner's thread; and which of
 * them a debugger in user space catches.
 */
#ifndef KVIRT_VM_EVENT_H
#define KVIRT_VM_EVENT_H

#include <uapi/linux/kvirt.h>
#include "exit.h"

struct vcpu;

/* Pending has not begun; injected, or valid, was cut short by an exit and goes in again. */
struct vcpu_events {
	struct vcpu_exception {
		struct kvirt_event event;
		bool pending, has_payload;
		u64 payload;
	} exception;
	struct kvirt_event interrupt;
	struct { bool injected; u8 pending; } nmi;	/* 0 to 2 pending */
	bool triple_fault;
	s16 external;			/* the vector that KVM_INTERRUPT left, or -1 */
};

/* INT3 and INTO, a byte each: they return to the address behind them. */
static inline bool exception_is_soft(u8 vector)
{
	return vector == X86_BP || vector == X86_OF;
}

/* Something is queued. */
static inline bool event_any(const struct vcpu_events *ev)
{
	return ev->exception.pending | ev->exception.event.valid | ev->interrupt.valid |
	       ev->nmi.injected | ev->nmi.pending;
}

/* Set by run/debug.c, asked by run/ and the back ends. The guest's own registers stay. */
struct vcpu_debug {
	u32 control;		/* KVIRT_GUESTDBG_*; 0: nobody debugs the guest */
	u64 dr[4], dr7;		/* in force instead of the guest's, with USE_HW_BP */
	u64 step_rip;		/* linear RIP when SINGLESTEP was asked for */
};

/* #DB is the debugger's, not the guest's. */
static inline bool debug_active(const struct vcpu_debug *d)
{
	return d->control & (KVIRT_GUESTDBG_SINGLESTEP | KVIRT_GUESTDBG_USE_HW_BP);
}

/* DR7 in force; the breakpoints in force, NULL if none is armed; the exceptions that exit. */
static inline u64 debug_dr7(const struct vcpu_debug *d, const struct x86_state *s)
{
	return d->control & KVIRT_GUESTDBG_USE_HW_BP ? d->dr7 : s->dr7;
}

static inline const u64 *debug_breakpoints(const struct vcpu_debug *d, const struct x86_state *s)
{
	if (likely(!(debug_dr7(d, s) & X86_DR7_ENABLED)))
		return NULL;
	return d->control & KVIRT_GUESTDBG_USE_HW_BP ? d->dr : s->dr;
}

static inline u32 debug_exceptions(const struct vcpu_debug *d)
{
	return EXCEPTIONS_INTERCEPTED | (d->control & KVIRT_GUESTDBG_USE_SW_BP ? BIT(X86_BP) : 0);
}

/* @error is left out where @vector or the CPU's mode has none. */
void event_queue_exception(struct vcpu *vcpu, u8 vector, u32 error);
void event_queue_page_fault(struct vcpu *vcpu, u32 error, u64 address);
void event_queue_debug(struct vcpu *vcpu, u64 dr6_bits);

/* Bits of vcpu->windows: exit as soon as the guest can take an interrupt, an NMI. */
#define WINDOW_IRQ	BIT(0)
#define WINDOW_NMI	BIT(1)

/* What the next entry carries, and which windows to ask for: run/run.c tells the back end. */
struct event_plan {
	struct kvirt_event event;	/* .valid: inject it */
	bool took_interrupt;		/* the vector offered is in it: acknowledge it */
	u8 windows;
};

/*
 * event_plan() - window open, before an entry: choose by priority what goes in. @vector: the
 * interrupt controllers' highest deliverable vector, or -1. event_delivered() - after an entry:
 * what was injected is in, unless @exit cut it short.
 */
void event_plan(struct vcpu *vcpu, int vector, struct event_plan *plan);
void event_delivered(struct vcpu *vcpu, const struct kvirt_exit *exit);
/* RFLAGS.IF, no shadow, nothing on its way: the guest can take an interrupt, an NMI, now. */
bool event_interrupt_allowed(struct vcpu *vcpu);
bool event_nmi_allowed(struct vcpu *vcpu);
/* What comes with an exception into CR2, DR6: when it is injected, or when user space asks. */
void event_deliver_payload(struct vcpu *vcpu);
/* The step over an instruction is done; true: a single-step trap follows. */
bool event_stepped(struct vcpu *vcpu);

#endif

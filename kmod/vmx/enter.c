// SPDX-License-Identifier: GPL-2.0
/*
 * One entry into the guest and what comes with it: event injection, windows for
 * interrupts and NMIs, the preemption timer, flushes. What the exit meant is exit.c's.
 * Called through vm/backend.h by run/run.c, inside a strict window.
 */
#include <asm/tsc.h>
#include "../host/state.h"
#include "vmx.h"

static_assert(offsetof(struct vmx_vcpu, host_rsp) == VMX_HOST_RSP);
static_assert(offsetof(struct vmx_vcpu, spec_ctrl) == VMX_SPEC_CTRL);

#define TIMER_LONGEST_MS	100ULL	/* the field has 32 bits */
#define TIMER_SLACK_PER_MS	256	/* so 4 microseconds */

static void flush(struct vcpu *vcpu)
{
	enum vmx_result result = VMX_OK;
	u32 scope = vcpu->flush;

	vcpu->flush = 0;
	/* INVEPT drops what was combined with linear addresses too, whatever the VPID. */
	if (scope & FLUSH_NESTED)
		result = vmx_invept(vmx_caps.invept, npt_root_pa(&vcpu->vm->npt) | vmx_caps.eptp);
	else if ((scope & FLUSH_GUEST) && (to_vmx(vcpu)->cpu2 & CPU2_VPID))
		result = vmx_invvpid(vmx_caps.invvpid, vcpu->index + 1);
	if (result != VMX_OK)
		vmcs_access_failed(scope & FLUSH_NESTED ? EPT_POINTER : VPID);
}

void vmx_inject(struct vcpu *vcpu, const struct kvirt_event *event)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	u32 info = EVENT_VALID | event->vector | (u32)event->type << EVENT_TYPE_SHIFT;
	bool error = event->has_error;

	/*
	 * Entry insists: an error code exactly with the exceptions that have one, in
	 * protected mode, unless the CPU is free of that rule; never in real mode.
	 */
	if (event->type != EVENT_EXCEPTION || !(vcpu->state.cr0 & X86_CR0_PE))
		error = false;
	else if (!vmx_caps.error_code_free)
		error = X86_ERROR_CODE_VECTORS & BIT(event->vector & 31);
	if (error) {
		info |= EVENT_HAS_ERROR;
		/* Its upper half must be zero. */
		vmcs_write(ENTRY_EXCEPTION_ERROR, event->has_error ? (u16)event->error : 0);
	}
	if (event->type >= EVENT_SOFT_INT)
		vmcs_write(ENTRY_INSTRUCTION_LENGTH, event->insn_len);
	vmcs_write(ENTRY_INTERRUPTION_INFO, info);
	hw->injected = *event;
	if (event->type == EVENT_NMI)
		hw->due |= DUE_NMI;
}

void vmx_windows(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);

	set_bits_if(&hw->cpu, CPU_IRQ_WINDOW, vcpu->windows & WINDOW_IRQ);
	set_bits_if(&hw->cpu, CPU_NMI_WINDOW, vcpu->windows & WINDOW_NMI);
	vmcs_write(CPU_CONTROLS, hw->cpu);
}

/*
 * Let the preemption timer end this entry at the deadline. It starts anew from its field at every
 * entry, so the field is written only where it would be wrong by more than some microseconds, or by
 * half where the deadline is just the window's limit. False when there is no time left.
 */
static __always_inline bool set_timer(struct vcpu *vcpu, struct vmx_vcpu *hw)
{
	u64 deadline = vcpu->deadline_asked, now, left, slack = tsc_khz / TIMER_SLACK_PER_MS;

	if (unlikely(!(vmx_caps.pin & PIN_PREEMPTION_TIMER)))
		return true;
	now = rdtsc();
	if (unlikely(now >= deadline))
		return false;
	left = deadline - now;
	if (likely(deadline < vcpu->deadline))
		slack = max(slack, left / 2);
	if (likely(hw->timer - left + slack <= 2 * slack))
		return true;
	hw->timer = min_t(u64, left, TIMER_LONGEST_MS * tsc_khz);
	/* One more: the first tick can come at once. */
	vmcs_write(PREEMPTION_TIMER, (hw->timer >> vmx_caps.timer_shift) + 1);
	return true;
}

static noinline void do_due(struct vcpu *vcpu, struct vmx_vcpu *hw)
{
	u32 due = hw->due, state;

	hw->due = 0;
	if (due & DUE_ARM)
		vmx_arm(vcpu);
	if (due & DUE_MSRS)
		vmx_load_msrs(vcpu);
	if (vcpu->flush)
		flush(vcpu);
	if (!(due & DUE_NMI))
		return;
	/* Goes in only unblocked, and blocks; neutral code may have pushed the mask already. */
	state = vmcs_read(GUEST_INTERRUPTIBILITY);
	if (state & BLOCKED_BY_NMI)
		vmcs_write(GUEST_INTERRUPTIBILITY, state & ~BLOCKED_BY_NMI);
}

/* The guest was not entered: an event that was to go in comes back as cut short. */
static noinline void take_back_injected(struct vmx_vcpu *hw, struct kvirt_exit *exit)
{
	if (!hw->injected.valid)
		return;
	exit->vectoring = hw->injected;
	hw->injected.valid = false;
	vmcs_write(ENTRY_INTERRUPTION_INFO, 0);
}

static noinstr int run_guest(u64 *gpr, struct vmx_vcpu *hw, bool launched)
{
	int failed;

	context_tracking_guest_enter();
	failed = vmx_switch(gpr, hw, launched);
	context_tracking_guest_exit();
	return failed;
}

void vmx_enter(struct vcpu *vcpu, struct kvirt_exit *exit)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	struct x86_state *s = &vcpu->state;
	u64 host_rsp;
	u32 reason;

	exit->insn_len = 0;
	exit->fetched = 0;
	exit->vectoring.valid = false;
	if (unlikely(hw->due | vcpu->flush))
		do_due(vcpu, hw);
	if (unlikely(!set_timer(vcpu, hw))) {
		take_back_injected(hw, exit);
		exit->kind = EXIT_DEADLINE;
		exit->reason = ~0U;
		return;
	}
	hw->spec_ctrl = s->spec_ctrl;
	/* A fault of the host's own inside the window may have changed it. */
	if (host_read_cr2() != s->cr2)
		host_write_cr2(s->cr2);

	host_rsp = hw->host_rsp;
	count_privop(PRIVOP_VMX);
	if (unlikely(run_guest(s->gpr, hw, hw->launched))) {
		take_back_injected(hw, exit);
		hw->host_rsp = 0;
		exit->kind = EXIT_INVALID_STATE;
		exit->reason = ~0U;
		exit->internal.code = vmcs_read(INSTRUCTION_ERROR);
		return;
	}
	/* switch.S wrote the field. */
	if (hw->host_rsp != host_rsp)
		count_privop(PRIVOP_VMX);
	hw->launched = true;
	s->cr2 = host_read_cr2();
	reason = vmcs_read(EXIT_REASON);
	exit->reason = reason;
	s->rip = vmcs_read(GUEST_RIP);
	vcpu->valid = X86_GROUPS_OWN | X86_GROUP_RIP | X86_GROUP_CR2;
	vmx_decode_exit(vcpu, reason, exit);
	if (unlikely(reason & VMX_ENTRY_FAILED))
		take_back_injected(hw, exit);
	hw->injected.valid = false;
	if (unlikely(hw->failures | this_cpu_read(vmcs_failures))) {
		exit->kind = EXIT_INTERNAL;
		exit->internal.code = reason;
	}
}

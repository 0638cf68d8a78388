// SPDX-License-Identifier: GPL-2.0
/*
 * One entry into the guest and what comes with it: event injection, windows for
 * interrupts and NMIs, the preemption timer, flushes. What the exit meant is exit.c's.
 * Called through vm/backend.h by run/run.c, inside a strict window.
 */
#include <asm/tsc.h>
#include "../host/compat.h"
#include "../host/state.h"
#include "vmx.h"

static_assert(offsetof(struct vmx_vcpu, host_rsp) == VMX_HOST_RSP);
static_assert(offsetof(struct vmx_vcpu, spec_ctrl) == VMX_SPEC_CTRL);

#define INVEPT_SINGLE	1
#define INVEPT_ALL	2
#define INVVPID_SINGLE	1
#define INVVPID_ALL	2

/* Where VMLAUNCH or VMRESUME itself failed: not an exit reason, so above all of those. */
#define NOT_ENTERED	0x10000

#define TIMER_LONGEST_MS	100ULL	/* the field has 32 bits */
#define TIMER_SLACK_PER_MS	256	/* so 4 microseconds */

static void flush_ept(u64 eptp)
{
	struct { u64 eptp, reserved; } operand = { eptp, 0 };
	u64 type = vmx_caps.invept_single ? INVEPT_SINGLE : INVEPT_ALL;

	count_privop(PRIVOP_VMX);
	asm goto("1: invept %[operand], %[type]\n\tjna %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [operand] "m" (operand), [type] "r" (type) : "cc", "memory" : failed);
	return;
failed:
	vmcs_access_failed(EPT_POINTER);
}

static void flush_vpid(u16 vpid)
{
	struct { u64 vpid, address; } operand = { vpid, 0 };
	u64 type = vmx_caps.invvpid_single ? INVVPID_SINGLE : INVVPID_ALL;

	count_privop(PRIVOP_VMX);
	asm goto("1: invvpid %[operand], %[type]\n\tjna %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [operand] "m" (operand), [type] "r" (type) : "cc", "memory" : failed);
	return;
failed:
	vmcs_access_failed(VPID);
}

void vmx_flush(struct vcpu *vcpu, u32 scope)
{
	to_vmx(vcpu)->flush |= scope;
}

static void do_flush(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	u32 scope = hw->flush;

	hw->flush = 0;
	/* INVEPT drops what was combined with linear addresses too, whatever the VPID. */
	if (scope & FLUSH_NESTED)
		flush_ept(npt_root_pa(&vcpu->vm->npt) | vmx_caps.eptp);
	else if ((scope & FLUSH_GUEST) && (hw->cpu2 & CPU2_VPID))
		flush_vpid(vcpu->index + 1);
	if (!(scope & FLUSH_PREDICTORS))
		return;
	if (boot_cpu_has(X86_FEATURE_IBPB))
		host_wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
	if (boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		host_wrmsr(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
}

static bool has_error_code(u8 vector)
{
	return BIT(vector & 31) & (BIT(X86_DF) | BIT(X86_TS) | BIT(X86_NP) | BIT(X86_SSF) |
				   BIT(X86_GP) | BIT(X86_PF) | BIT(X86_AC));
}

void vmx_inject(struct vcpu *vcpu, const struct kvirt_event *event)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	u32 info = INTR_VALID | event->vector | (u32)event->type << INTR_TYPE_SHIFT;
	bool error = event->has_error;

	/*
	 * Entry insists: an error code exactly with the exceptions that have one, in
	 * protected mode, unless the CPU is free of that rule; never in real mode.
	 */
	if (event->type != EVENT_EXCEPTION || !(hw->cr0_shadow & X86_CR0_PE))
		error = false;
	else if (!vmx_caps.error_code_free)
		error = has_error_code(event->vector);
	if (error) {
		info |= INTR_HAS_ERROR;
		/* Its upper half must be zero. */
		vmcs_write(ENTRY_EXCEPTION_ERROR, event->has_error ? (u16)event->error : 0);
	}
	if (event->type >= EVENT_SOFT_INT)
		vmcs_write(ENTRY_INSTRUCTION_LENGTH, event->insn_len);
	vmcs_write(ENTRY_INTERRUPTION_INFO, info);
	hw->injected = *event;
}

static void set_cpu_control(struct vmx_vcpu *hw, u32 bit, enum window_request request)
{
	u32 cpu = request == WINDOW_ON ? hw->cpu | bit : hw->cpu & ~bit;

	if (cpu != hw->cpu)
		vmcs_write(CPU_CONTROLS, hw->cpu = cpu);
}

void vmx_irq_window(struct vcpu *vcpu, enum window_request request)
{
	set_cpu_control(to_vmx(vcpu), CPU_IRQ_WINDOW, request);
}

void vmx_nmi_window(struct vcpu *vcpu, enum window_request request)
{
	set_cpu_control(to_vmx(vcpu), CPU_NMI_WINDOW, request);
}

void vmx_deadline(struct vcpu *vcpu, u64 host_tsc)
{
	to_vmx(vcpu)->deadline = host_tsc;
}

/*
 * Let the preemption timer end this entry at the deadline. It starts anew from its field
 * at every entry, so the field is written only where it would be wrong by more than some
 * microseconds, or by half where the deadline is just the window's limit. False when there
 * is no time left.
 */
static bool set_timer(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	u64 now, left, slack;

	if (!vmx_caps.timer || hw->deadline == ~0ULL)
		return true;
	now = rdtsc();
	if (unlikely(now >= hw->deadline))
		return false;
	left = min_t(u64, hw->deadline - now, TIMER_LONGEST_MS * tsc_khz);
	slack = tsc_khz / TIMER_SLACK_PER_MS;
	if (hw->deadline < vcpu->deadline)
		slack = max(slack, left / 2);
	if (hw->timer > left + slack || hw->timer + slack < left) {
		hw->timer = left;
		/* One more: the first tick can come at once. */
		vmcs_write(PREEMPTION_TIMER, (left >> vmx_caps.timer_shift) + 1);
	}
	return true;
}

/*
 * An NMI goes in only while NMIs are not blocked; delivering it blocks them. Neutral code
 * may have pushed the mask already.
 */
static void unblock_for_nmi(void)
{
	u32 state = vmcs_read(GUEST_INTERRUPTIBILITY);

	if (state & BLOCKED_BY_NMI)
		vmcs_write(GUEST_INTERRUPTIBILITY, state & ~BLOCKED_BY_NMI);
}

/* The guest was not entered: an event that was to go in comes back as cut short. */
static void take_back_injected(struct vmx_vcpu *hw, struct kvirt_exit *exit)
{
	if (!hw->injected.valid)
		return;
	exit->vectoring = hw->injected;
	hw->injected.valid = false;
	vmcs_write(ENTRY_INTERRUPTION_INFO, 0);
}

static noinstr int run_guest(struct vmx_vcpu *hw, u64 *gpr, bool launched)
{
	int failed;

	host_guest_enter();
	failed = vmx_switch(hw, gpr, launched);
	host_guest_exit();
	return failed;
}

static void not_entered(struct vmx_vcpu *hw, struct kvirt_exit *exit)
{
	take_back_injected(hw, exit);
	hw->host_rsp = 0;
	exit->kind = EXIT_INVALID_STATE;
	exit->internal.code = vmcs_read(INSTRUCTION_ERROR);
	exit->internal.info = NOT_ENTERED;
}

void vmx_enter(struct vcpu *vcpu, struct kvirt_exit *exit)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	struct x86_state *s = &vcpu->state;
	u64 host_rsp;
	u32 reason;

	memset(exit, 0, sizeof(*exit));
	if (unlikely(!hw->window.armed))
		vmx_arm(vcpu);
	if (unlikely(!hw->msrs_loaded))
		vmx_load_msrs(vcpu);
	if (unlikely(hw->flush))
		do_flush(vcpu);
	if (unlikely(!set_timer(vcpu))) {
		take_back_injected(hw, exit);
		exit->kind = EXIT_DEADLINE;
		return;
	}
	if (unlikely(hw->injected.valid && hw->injected.type == EVENT_NMI))
		unblock_for_nmi();
	hw->spec_ctrl = s->spec_ctrl;
	/* A fault of the host's own inside the window may have changed it. */
	if (host_read_cr2() != s->cr2)
		host_write_cr2(s->cr2);

	count_privop(PRIVOP_VMX);
	host_rsp = hw->host_rsp;
	if (unlikely(run_guest(hw, s->gpr, hw->launched))) {
		not_entered(hw, exit);
		return;
	}
	hw->launched = true;
	if (hw->host_rsp != host_rsp)
		count_privop(PRIVOP_VMX);
	s->cr2 = host_read_cr2();
	reason = vmcs_read(EXIT_REASON);
	s->rip = vmcs_read(GUEST_RIP);
	vcpu->valid = VMX_GROUPS_KEPT | X86_GROUP_RIP | X86_GROUP_CR2;
	vmx_decode_exit(vcpu, reason, exit);
	if (unlikely(reason & VMX_ENTRY_FAILED))
		take_back_injected(hw, exit);
	hw->injected.valid = false;

	hw->failures += vmcs_take_failures();
	if (unlikely(hw->failures)) {
		exit->kind = EXIT_INTERNAL;
		exit->internal.code = reason;
		exit->internal.info = hw->failures;
	}
}

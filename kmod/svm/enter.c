// SPDX-License-Identifier: GPL-2.0
/*
 * One entry and its exit: what goes into the VMCB right before, the world switch, what is
 * taken out right after. Events, interrupt and NMI windows; the NMI mask, which AMD-V
 * leaves to software. What the exit means is exit.c's. Called through vm/backend.h by run/.
 *
 * Sources: APM vol. 2, 15.5, 15.20 (event injection), 15.21 (interrupts), 15.24 (RSM,
 * IRET and NMIs), 15.15 (clean bits).
 */
#include <asm/nospec-branch.h>
#include "../host/state.h"
#include "svm.h"

static_assert(offsetof(struct svm_vcpu, vmcb_pa) == 0);
static_assert(offsetof(struct svm_vcpu, host_pa) == 8);
static_assert(offsetof(struct svm_vcpu, spec_ctrl) == 16);

/* What one instruction can raise: none may push our RFLAGS.TF on the guest's stack. */
#define STEP_INTERCEPTED	(EXCEPTIONS_INTERCEPTED | BIT(X86_DE) | BIT(X86_BP) | \
				 BIT(X86_OF) | BIT(X86_BR) | BIT(X86_NM) | BIT(X86_TS) | \
				 BIT(X86_NP) | BIT(X86_SSF) | BIT(X86_GP) | BIT(X86_PF) | \
				 BIT(X86_MF) | BIT(X86_XM))

void svm_inject(struct vcpu *vcpu, const struct kvirt_event *event)
{
	struct svm_vcpu *hw = to_svm(vcpu);
	u32 type = event->type;

	/* INT3, INTO and INT1 go in as exceptions; only INT n has a type of its own. */
	if (type == EVENT_SOFT_EXC || type == EVENT_ICEBP)
		type = EVENT_EXCEPTION;
	hw->vmcb->event = EVENT_VALID | type << EVENT_TYPE_SHIFT | event->vector |
			  (event->has_error ? EVENT_HAS_ERROR : 0);
	hw->vmcb->event_error = event->error;
	hw->soft_len = event->type == EVENT_SOFT_INT || event->type == EVENT_SOFT_EXC ?
		       event->insn_len : 0;
}

/*
 * A virtual interrupt of the highest priority that exits instead of being taken. For NMIs
 * prepare_nmi() sees to it.
 */
void svm_windows(struct vcpu *vcpu)
{
	struct svm_vcpu *hw = to_svm(vcpu);
	bool on = vcpu->windows & WINDOW_IRQ;

	set_bits_if(&hw->vmcb->int_ctl, V_IRQ | V_IGN_TPR | V_INTR_PRIO_HIGH, on);
	set_bits_if(&hw->vmcb->intercepts[0], INTERCEPT_VINTR, on);
	hw->clean &= ~(CLEAN_INT_CTL | CLEAN_INTERCEPTS);
}

/*
 * A guest that touches one debug register soon touches others: from its first access on
 * they are its own until the window closes. DR6 and DR7 are in the VMCB all the time.
 */
void svm_intercept_debug(struct svm_vcpu *hw)
{
	hw->vmcb->intercept_dr = hw->debug_live ? 0 : DR_ALL;
	hw->vmcb->dr6 = X86_DR6_FIXED;
	hw->clean &= ~(CLEAN_INTERCEPTS | CLEAN_DR);
}

/*
 * NMIs are masked from an injection to the completion of the next IRET. The IRET exits
 * before it executes: from then on the mask ends as soon as RIP has moved. Where an NMI
 * waits for that, the IRET is single-stepped. So is the instruction after STI or MOV SS.
 */
static noinline void prepare_nmi(struct vcpu *vcpu, bool nmi)
{
	struct svm_vcpu *hw = to_svm(vcpu);
	struct vmcb *v = hw->vmcb;

	if (nmi) {
		hw->nmi_masked = true;
		hw->iret_seen = false;
	}
	set_bits_if(&v->intercepts[0], INTERCEPT_IRET, hw->nmi_masked && !hw->iret_seen);
	hw->clean &= ~CLEAN_INTERCEPTS;
	hw->stepping = (vcpu->windows & WINDOW_NMI) && !(v->event & EVENT_VALID) &&
		       (hw->nmi_masked ? hw->iret_seen && v->rip == hw->iret_rip :
					 v->int_state & INT_SHADOW);
	if (!hw->stepping)
		return;
	hw->step_rip = v->rip;
	hw->guest_tf = v->rflags & X86_EFLAGS_TF;
	v->rflags |= X86_EFLAGS_TF;
	v->intercept_exceptions = STEP_INTERCEPTED;
}

/* The return address of a soft event lies behind its instruction. */
static noinline void prepare_soft_event(struct svm_vcpu *hw)
{
	struct vmcb *v = hw->vmcb;

	hw->soft_rip = v->rip;
	if (svm.edx & SVM_EDX_NRIPS)
		v->next_rip = v->rip + hw->soft_len;
	else
		v->rip += hw->soft_len;
}

static __always_inline void prepare(struct vcpu *vcpu, struct svm_vcpu *hw)
{
	struct vmcb *v = hw->vmcb;
	bool nmi = (v->event & (EVENT_VALID | EVENT_TYPE)) ==
		   (EVENT_VALID | EVENT_NMI << EVENT_TYPE_SHIFT);

	if (unlikely(!hw->armed))
		svm_arm(vcpu);
	if (unlikely(nmi || hw->nmi_masked || (vcpu->windows & WINDOW_NMI) ||
		     (v->intercepts[0] & INTERCEPT_IRET)))
		prepare_nmi(vcpu, nmi);
	if (unlikely(hw->soft_len))
		prepare_soft_event(hw);
	/* Linear and nested translations carry the same name: either goes with both. */
	v->tlb_control = unlikely(vcpu->flush) ? svm.flush : TLB_NOTHING;
	vcpu->flush = 0;
	v->rax = vcpu->state.gpr[X86_RAX];
	if (unlikely(hw->debug_live)) {
		v->dr6 = vcpu->state.dr6;
		hw->clean &= ~CLEAN_DR;
	}
	hw->spec_ctrl = vcpu->state.spec_ctrl;
	if (svm.virtual_spec_ctrl) {
		v->spec_ctrl = vcpu->state.spec_ctrl;
		hw->spec_ctrl = this_cpu_read(x86_spec_ctrl_current);
	}
	v->clean = hw->clean;
}

/* GIF is clear from here to the host's registers being back; then a pending NMI is taken. */
static noinstr int run_guest(u64 *gpr, const struct svm_vcpu *hw)
{
	int faulted;

	svm_clgi();
	context_tracking_guest_enter();
	faulted = svm_switch(gpr, hw);
	context_tracking_guest_exit();
	svm_stgi();
	return faulted;
}

/*
 * The event whose delivery the exit cut short. A soft one of the guest's own is executed
 * again, which its missing length says: RIP is still at the instruction. One that we
 * injected has no instruction there, and goes in again.
 */
static void take_vectoring(struct svm_vcpu *hw, struct kvirt_event *event)
{
	struct vmcb *v = hw->vmcb;
	u32 info = v->exit_int_info;
	u8 soft_len = hw->soft_len;

	hw->soft_len = 0;
	v->event = 0;
	event->valid = info & EVENT_VALID;
	if (likely(!event->valid))
		return;
	*event = (struct kvirt_event) {
		.valid = true, .type = (info & EVENT_TYPE) >> EVENT_TYPE_SHIFT,
		.vector = info & EVENT_VECTOR, .has_error = info & EVENT_HAS_ERROR,
		.error = info & EVENT_HAS_ERROR ? v->exit_int_error : 0,
	};
	if (event->type == EVENT_EXCEPTION && exception_is_soft(event->vector))
		event->type = EVENT_SOFT_EXC;
	if (soft_len && (event->type == EVENT_SOFT_EXC || event->type == EVENT_SOFT_INT)) {
		event->insn_len = soft_len;
		v->rip = hw->soft_rip;
	}
}

/* An exception that only the step intercepted goes back as one whose delivery was cut short. */
static void return_exception(struct vcpu *vcpu, struct kvirt_exit *exit)
{
	u8 vector = exit->exception.vector;

	if (vector == X86_PF)
		to_svm(vcpu)->vmcb->cr2 = exit->exception.payload;
	exit->vectoring = (struct kvirt_event) {
		.valid = !exception_is_soft(vector), .type = EVENT_EXCEPTION,
		.vector = vector, .has_error = exit->exception.has_error,
		.error = exit->exception.error,
	};
	exit->kind = EXIT_HOST;
}

/* Take our RFLAGS.TF back, and what it caused. An IRET has loaded the guest's own by then. */
static void end_step(struct vcpu *vcpu, struct kvirt_exit *exit)
{
	struct svm_vcpu *hw = to_svm(vcpu);
	struct vmcb *v = hw->vmcb;
	bool was_iret = hw->iret_seen;

	hw->stepping = false;
	v->intercept_exceptions = debug_exceptions(&vcpu->debug);
	hw->clean &= ~CLEAN_INTERCEPTS;
	if (!hw->guest_tf && !(was_iret && v->rip != hw->step_rip))
		v->rflags &= ~X86_EFLAGS_TF;
	if (exit->kind != EXIT_EXCEPTION)
		return;
	if (exit->exception.vector != X86_DB) {
		if (!(debug_exceptions(&vcpu->debug) & BIT(exit->exception.vector)))
			return_exception(vcpu, exit);
	} else if (!hw->guest_tf) {
		exit->exception.payload &= ~X86_DR6_BS;
		if (!exit->exception.payload)
			exit->kind = EXIT_NMI_WINDOW;
	}
}

/* Move what every exit needs, tell which groups that makes valid. */
static void take_registers(struct vcpu *vcpu)
{
	struct x86_state *s = &vcpu->state;
	struct svm_vcpu *hw = to_svm(vcpu);
	struct vmcb *v = hw->vmcb;

	s->gpr[X86_RAX] = v->rax;
	s->gpr[X86_RSP] = v->rsp;
	s->rip = v->rip;
	s->rflags = v->rflags;
	s->cr2 = v->cr2;
	/* One bit for both: it keeps NMIs back after STI too. */
	s->shadow = v->int_state & INT_SHADOW ? X86_SHADOW_STI | X86_SHADOW_MOV_SS : 0;
	s->nmi_masked = hw->nmi_masked;
	if (unlikely(hw->debug_live)) {
		s->dr6 = v->dr6;
		s->dr7 = v->dr7;
	}
	vcpu->valid = X86_GROUPS_OWN | X86_GROUP_RIP | X86_GROUP_RSP | X86_GROUP_RFLAGS |
		      X86_GROUP_CR2 | X86_GROUP_CR4 | X86_GROUP_SHADOW | X86_GROUP_NMI_MASK;
}

/* After SHUTDOWN the VMCB holds nothing of meaning (APM vol. 2, 15.14.3): INIT's state. */
static void restart(struct vcpu *vcpu)
{
	struct svm_vcpu *hw = to_svm(vcpu);

	svm_init_control(vcpu);
	hw->stepping = false;
	hw->debug_live = false;
	/* The interrupt window that was asked for is no more in the block. */
	vcpu->windows = 0;
	vcpu->flush |= FLUSH_NESTED;
	x86_reset_by_init(&vcpu->state, vcpu->guest.signature);
	vcpu->cr4_seen = vcpu->state.cr4;
	svm_push(vcpu, X86_GROUPS_ALL);
	vcpu->valid = X86_GROUPS_ALL;
}

/* true: an IRET that ends an NMI handler, or a debug register, that nobody has to hear of. */
static bool finish(struct vcpu *vcpu, struct kvirt_exit *exit)
{
	struct svm_vcpu *hw = to_svm(vcpu);
	struct vmcb *v = hw->vmcb;

	hw->clean = svm.clean;
	if (unlikely(v->exit_code == VMEXIT_SHUTDOWN)) {
		memset(exit, 0, sizeof(*exit));
		exit->kind = EXIT_TRIPLE_FAULT;
		exit->reason = VMEXIT_SHUTDOWN;
		restart(vcpu);
		return false;
	}
	take_vectoring(hw, &exit->vectoring);
	svm_decode_exit(vcpu, exit);
	if (unlikely(hw->stepping))
		end_step(vcpu, exit);
	if (unlikely(hw->iret_seen) && v->rip != hw->iret_rip) {
		hw->iret_seen = false;
		hw->nmi_masked = false;
	}
	if (unlikely(exit->kind == EXIT_DR) && !exit->vectoring.valid && !vcpu->debug.control) {
		host_debug_lend(&vcpu->host_debug, vcpu->state.dr);
		hw->debug_live = true;
		svm_intercept_debug(hw);
		vcpu->state.gpr[X86_RAX] = v->rax;
		return true;
	}
	if (unlikely(v->exit_code == VMEXIT_IRET)) {
		hw->iret_seen = true;
		hw->iret_rip = v->rip;
		vcpu->state.gpr[X86_RAX] = v->rax;
		return !exit->vectoring.valid;
	}
	take_registers(vcpu);
	return false;
}

void svm_enter(struct vcpu *vcpu, struct kvirt_exit *exit)
{
	struct svm_vcpu *hw = to_svm(vcpu);
	int entry;

	/* A second entry lets an IRET go on, or a MOV DR; neither exits for the same again. */
	for (entry = 0; entry < 3; entry++) {
		prepare(vcpu, hw);
		/* VMLOAD, VMRUN, VMSAVE, VMLOAD. */
		count_privops(PRIVOP_VMX, 4);
		if (unlikely(run_guest(vcpu->state.gpr, hw))) {
			memset(exit, 0, sizeof(*exit));
			exit->kind = EXIT_INTERNAL;
			exit->reason = ~0U;
			exit->internal.code = ~0ULL;
			take_registers(vcpu);
			return;
		}
		if (likely(!finish(vcpu, exit)))
			return;
	}
	take_registers(vcpu);
	exit->kind = EXIT_HOST;
}

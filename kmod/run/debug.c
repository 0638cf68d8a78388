// SPDX-License-Identifier: GPL-2.0
/*
 * Guest debugging from user space: KVM_SET_GUEST_DEBUG, and the exits that it asks for. The
 * guest's own debug registers stay as they are; which are in force instead, the back ends
 * ask vm/event.h. RFLAGS.TF alone is shared, as in KVM: the guest's own is lost while it is
 * single-stepped. Called by api/, run.c, and the handlers.
 */
#include "run.h"

enum verdict debug_leave(struct vcpu *vcpu, u8 vector, u64 dr6_bits)
{
	vcpu->run->exit_reason = KVIRT_EXIT_DEBUG;
	vcpu->run->debug.arch = (struct kvirt_debug_exit_arch) {
		.exception = vector, .pc = linear_rip(vcpu),
		.dr6 = dr6_bits | X86_DR6_FIXED, .dr7 = debug_dr7(&vcpu->debug, &vcpu->state),
	};
	return TO_USER;
}

enum verdict debug_trap(struct vcpu *vcpu, u64 dr6_bits)
{
	if (debug_active(&vcpu->debug))
		return debug_leave(vcpu, X86_DB, dr6_bits);
	event_queue_debug(vcpu, dr6_bits);
	return RETRY;
}

void debug_keep_step(struct vcpu *vcpu)
{
	if ((vcpu->debug.control & KVIRT_GUESTDBG_SINGLESTEP) &&
	    linear_rip(vcpu) == vcpu->debug.step_rip)
		vcpu->state.rflags |= X86_EFLAGS_TF;
}

int debug_set(struct vcpu *vcpu, void *data)
{
	const struct kvirt_guest_debug *wanted = data;
	u32 control = wanted->control;

	if (control & (KVIRT_GUESTDBG_INJECT_DB | KVIRT_GUESTDBG_INJECT_BP)) {
		if (vcpu->events.exception.pending || vcpu->events.triple_fault)
			return -EBUSY;
		raise(vcpu, control & KVIRT_GUESTDBG_INJECT_DB ? X86_DB : X86_BP);
	}
	if (!(control & KVIRT_GUESTDBG_ENABLE))
		control = 0;
	/* Whether a step is pending depends on TF: the shadow is pushed with it. */
	vcpu_pull(vcpu, X86_GROUP_RFLAGS | X86_GROUP_SHADOW);
	vcpu_dirty(vcpu, X86_GROUP_RFLAGS | X86_GROUP_SHADOW | X86_GROUP_DEBUG);
	if (vcpu->debug.control & KVIRT_GUESTDBG_SINGLESTEP)
		vcpu->state.rflags &= ~X86_EFLAGS_TF;
	vcpu->debug.control = control;
	vcpu->debug.step_rip = linear_rip(vcpu);
	memcpy(vcpu->debug.dr, wanted->arch.debugreg, sizeof(vcpu->debug.dr));
	/* The CPU takes no DR7 with a bit above 31. */
	vcpu->debug.dr7 = (u32)wanted->arch.debugreg[7] | X86_DR7_FIXED;
	debug_keep_step(vcpu);
	return 0;
}

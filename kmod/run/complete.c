// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM_RUN does first: finish the exit that user space has answered. The kind says
 * what is left to do; nothing else is kept. Called by run.c.
 */
#include "run.h"

/* IN changes AL or AX alone, but EAX clears the upper half (SDM vol. 1, 3.4.1.1). */
static void load_rax(struct vcpu *vcpu, u8 size)
{
	u64 *rax = &vcpu->state.gpr[X86_RAX];
	u32 value = 0;

	/* Read once: the page is user space's too. */
	memcpy(&value, vcpu->pio_data, size);
	switch (size) {
	case 1:
		*rax = (*rax & ~0xffULL) | (u8)value;
		break;
	case 2:
		*rax = (*rax & ~0xffffULL) | (u16)value;
		break;
	default:
		*rax = value;
	}
}

int complete_last_exit(struct vcpu *vcpu)
{
	enum completion_kind kind = vcpu->complete.kind;

	vcpu->complete.kind = COMPLETE_NOTHING;
	switch (kind) {
	case COMPLETE_PIO_IN:
		load_rax(vcpu, vcpu->complete.size);
		dispatch_step(vcpu, vcpu->complete.insn_len);
		return 0;
	case COMPLETE_PIO_OUT:
		/* A reset or a jump set by user space is not to be stepped over. */
		vcpu_pull(vcpu, X86_GROUP_RIP);
		if (vcpu->state.rip == vcpu->complete.rip)
			dispatch_step(vcpu, vcpu->complete.insn_len);
		return 0;
	case COMPLETE_PIO_STRING:
		return complete_pio_string(vcpu);
	case COMPLETE_MMIO:
		return mmio_complete(vcpu);
	default:
		return 0;
	}
}

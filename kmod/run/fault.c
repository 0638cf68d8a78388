// SPDX-License-Identifier: GPL-2.0
/*
 * Nested faults, exceptions that the back end intercepts, and instructions that must
 * raise #UD. Called by dispatch.c.
 */
#include "../vm/npt.h"
#include "run.h"

enum verdict exit_nested_fault(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	int err = populate(vcpu, exit->fault.gpa, exit->fault.access);

	switch (err) {
	case 0:
	case -EHWPOISON:
		return RETRY;
	case -EAGAIN:
		return SLOW;
	case -ENOENT:
	case -EROFS:
		/* An event cut short on its way through MMIO has no instruction to emulate. */
		if (exit->vectoring.valid || exit->fault.access & ACCESS_EXEC)
			return vcpu->in_window ? SLOW : stop_emulation(vcpu, NULL, 0);
		return mmio_start(vcpu);
	case -EINTR:
		vcpu->run->exit_reason = KVIRT_EXIT_INTR;
		return err;
	default:
		return err;
	}
}

enum verdict exit_undefined(struct vcpu *vcpu)
{
	event_queue_exception(vcpu, X86_UD);
	return RETRY;
}

/* The other vendor's hypercall instruction raises #UD here: it is one all the same. */
static enum verdict undefined_opcode(struct vcpu *vcpu)
{
	struct x86_insn insn;
	int err;

	err = fetch_insn(vcpu, &insn);
	if (err == SLOW || err == RETRY)
		return err;
	if (err || (insn.op != X86_OP_VMCALL && insn.op != X86_OP_VMMCALL))
		return exit_undefined(vcpu);
	err = exit_hypercall(vcpu);
	if (err == STEP) {
		dispatch_step(vcpu, insn.len);
		return RETRY;
	}
	return err;
}

enum verdict exit_exception(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;

	switch (exit->exception.vector) {
	case X86_DB:
		/* INT1 is a trap, but exits at the instruction: only there a length comes along. */
		if (exit->insn_len)
			dispatch_step(vcpu, exit->insn_len);
		event_queue_debug(vcpu, exit->exception.payload);
		return RETRY;
	case X86_UD:
		return undefined_opcode(vcpu);
	case X86_PF:
		event_queue_page_fault(vcpu, exit->exception.error, exit->exception.payload);
		return RETRY;
	default:
		if (exit->exception.has_error)
			event_queue_exception_error(vcpu, exit->exception.vector,
						    exit->exception.error);
		else
			event_queue_exception(vcpu, exit->exception.vector);
		return RETRY;
	}
}

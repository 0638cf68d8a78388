// SPDX-License-Identifier: GPL-2.0
/*
 * Nested faults, exceptions that the back end intercepts, and exits at which the guest
 * cannot go on, each with its reason in the run page. Called by dispatch.c.
 */
#include "run.h"

enum verdict raise(struct vcpu *vcpu, u8 vector)
{
	event_queue_exception(vcpu, vector, 0);
	return RETRY;
}

enum verdict exit_nested_fault(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	int err = populate(vcpu, exit->fault.gpa, exit->access);

	switch (err) {
	case 0:
	case -EHWPOISON:
		return RETRY;
	case -EAGAIN:
		return SLOW;
	case -ENOENT:
	case -EROFS:
		/* An event cut short on its way through MMIO has no instruction to emulate. */
		if (exit->vectoring.valid || exit->access & ACCESS_EXEC)
			return stop_emulation(vcpu, NULL, 0);
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
	return raise(vcpu, X86_UD);
}

/* The other vendor's hypercall instruction raises #UD here: it is one all the same. */
static enum verdict undefined_opcode(struct vcpu *vcpu)
{
	const struct x86_insn *insn = &vcpu->insn;
	int err = fetch_insn(vcpu);

	if (err == SLOW || err == RETRY)
		return err;
	if (err || (insn->op != X86_OP_VMCALL && insn->op != X86_OP_VMMCALL))
		return raise(vcpu, X86_UD);
	vcpu->exit.insn_len = insn->len;
	return exit_hypercall(vcpu);
}

enum verdict exit_exception(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	u8 vector = exit->exception.vector;

	if (vector == X86_UD)
		return undefined_opcode(vcpu);
	if (vector == X86_BP)
		return debug_leave(vcpu, X86_BP, 0);
	if (vector == X86_DB) {
		/* INT1 is a trap, but exits at the instruction: only there a length comes along. */
		if (exit->insn_len && !debug_active(&vcpu->debug))
			dispatch_step(vcpu, exit->insn_len);
		return debug_trap(vcpu, exit->exception.payload);
	}
	if (vector == X86_PF)
		event_queue_page_fault(vcpu, exit->exception.error, exit->exception.payload);
	else
		event_queue_exception(vcpu, vector, exit->exception.error);
	return RETRY;
}

enum verdict exit_triple_fault(struct vcpu *vcpu)
{
	vcpu->run->exit_reason = KVIRT_EXIT_SHUTDOWN;
	return TO_USER;
}

enum verdict exit_invalid_state(struct vcpu *vcpu)
{
	struct kvirt_run *run = vcpu->run;

	run->exit_reason = KVIRT_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = vcpu->exit.internal.code;
	run->fail_entry.cpu = READ_ONCE(vcpu->cpu);
	return TO_USER;
}

enum verdict exit_internal(struct vcpu *vcpu)
{
	struct kvirt_run *run = vcpu->run;

	run->exit_reason = KVIRT_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVIRT_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON;
	run->internal.ndata = 2;
	run->internal.data[0] = vcpu->exit.internal.code;
	run->internal.data[1] = READ_ONCE(vcpu->cpu);
	return TO_USER;
}

enum verdict stop_emulation(struct vcpu *vcpu, const u8 *bytes, u8 nr_bytes)
{
	typeof(vcpu->run->emulation_failure) *failure = &vcpu->run->emulation_failure;

	if (vcpu->in_window)
		return SLOW;
	vcpu->run->exit_reason = KVIRT_EXIT_INTERNAL_ERROR;
	failure->suberror = KVIRT_INTERNAL_ERROR_EMULATION;
	failure->ndata = 0;
	failure->flags = 0;
	if (nr_bytes) {
		failure->ndata = 3;
		failure->flags = KVIRT_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
		failure->insn_size = nr_bytes;
		memset(failure->insn_bytes, 0x90, sizeof(failure->insn_bytes));
		memcpy(failure->insn_bytes, bytes, nr_bytes);
	}
	return TO_USER;
}

enum verdict exit_task_switch(struct vcpu *vcpu)
{
	return stop_emulation(vcpu, NULL, 0);
}

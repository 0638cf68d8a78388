// SPDX-License-Identifier: GPL-2.0
/*
 * Exits that leave KVM_RUN because the guest cannot go on, each with its reason in the
 * run page. Called by dispatch.c.
 */
#include <linux/smp.h>
#include "run.h"

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
	struct kvirt_run *run = vcpu->run;

	run->exit_reason = KVIRT_EXIT_INTERNAL_ERROR;
	run->emulation_failure.suberror = KVIRT_INTERNAL_ERROR_EMULATION;
	run->emulation_failure.ndata = 0;
	run->emulation_failure.flags = 0;
	if (nr_bytes) {
		run->emulation_failure.ndata = 3;
		run->emulation_failure.flags =
			KVIRT_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
		run->emulation_failure.insn_size = nr_bytes;
		memset(run->emulation_failure.insn_bytes, 0x90,
		       sizeof(run->emulation_failure.insn_bytes));
		memcpy(run->emulation_failure.insn_bytes, bytes, nr_bytes);
	}
	return TO_USER;
}

enum verdict exit_task_switch(struct vcpu *vcpu)
{
	return stop_emulation(vcpu, NULL, 0);
}

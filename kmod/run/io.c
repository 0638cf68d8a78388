// SPDX-License-Identifier: GPL-2.0
/*
 * IN, OUT, INS and OUTS: to user space by the run page, the data in the page after it.
 * What user space answered is finished by complete.c. Called by dispatch.c.
 */
#include "../vm/vm.h"
#include "../x86/walk.h"
#include "run.h"

/* A port that old firmware delays on: the step does not wait for the answer (KVM's quirk). */
#define PORT_STEP_FIRST 0x7e

static enum verdict to_user(struct vcpu *vcpu, u32 count)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	struct kvirt_run *run = vcpu->run;

	run->exit_reason = KVIRT_EXIT_IO;
	run->io.direction = exit->io.in ? KVIRT_EXIT_IO_IN : KVIRT_EXIT_IO_OUT;
	run->io.size = exit->io.size;
	run->io.port = exit->io.port;
	run->io.count = count;
	run->io.data_offset = PAGE_SIZE;
	vcpu->complete.size = exit->io.size;
	vcpu->complete.count = count;
	vcpu->complete.insn_len = exit->insn_len;
	return TO_USER;
}

enum verdict exit_io(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;

	if (exit->io.string)
		return SLOW;
	/* CS and RIP together tell at completion whether a reset came in between. */
	vcpu_pull(vcpu, X86_GROUP_RIP);
	vcpu->complete.rip = vcpu->state.rip;
	if (exit->io.in) {
		vcpu->complete.kind = COMPLETE_PIO_IN;
		return to_user(vcpu, 1);
	}
	memcpy(vcpu->pio_data, &vcpu->state.gpr[X86_RAX], exit->io.size);
	if (exit->io.port == PORT_STEP_FIRST &&
	    !(READ_ONCE(vcpu->vm->disabled_quirks) & KVIRT_X86_QUIRK_OUT_7E_INC_RIP)) {
		dispatch_step(vcpu, exit->insn_len);
		vcpu->complete.kind = COMPLETE_NOTHING;
		return to_user(vcpu, 1);
	}
	vcpu->complete.kind = COMPLETE_PIO_OUT;
	return to_user(vcpu, 1);
}

/* INS and OUTS, at most a page of elements at a time. Serves IN and OUT outside windows too. */
enum verdict exit_io_string(struct vcpu *vcpu)
{
	struct kvirt_exit *exit = &vcpu->exit;
	struct x86_string_io io;
	struct guest_fault fault;
	u32 count, bytes;
	int err;

	if (!exit->io.string)
		return exit_io(vcpu);
	err = fetch_insn(vcpu, &vcpu->insn);
	if (err)
		return err;
	exit->insn_len = vcpu->insn.len;
	vcpu_pull(vcpu, X86_GROUP_SEGMENTS | X86_GROUP_RFLAGS | X86_GROUP_CODE);
	x86_string_io(&vcpu->insn, &vcpu->state, &io);
	if (io.fault) {
		event_queue_exception_error(vcpu, io.fault, 0);
		return RETRY;
	}
	if (!io.count)
		return STEP;
	/* Falling addresses go one by one, rising ones as far as this page reaches. */
	count = io.down ? 1 : min_t(u64, io.count,
				    max_t(u64, 1, (PAGE_SIZE - (io.linear & ~PAGE_MASK)) / io.size));
	bytes = count * io.size;
	if (!exit->io.in) {
		err = linear_read(vcpu, io.linear, vcpu->pio_data, bytes, &fault);
	} else {
		u64 gpa;

		/* The page fault that INS may raise comes before the device is read. */
		err = translate(vcpu, io.linear, X86_ACCESS_WRITE, &gpa, &fault);
	}
	if (err > 0) {
		queue_guest_fault(vcpu, &fault);
		return RETRY;
	}
	if (err)
		return stop_emulation(vcpu, NULL, 0);
	vcpu->complete.kind = COMPLETE_PIO_STRING;
	vcpu->complete.linear = io.linear;
	return to_user(vcpu, count);
}

int complete_pio_string(struct vcpu *vcpu)
{
	struct vcpu_completion *c = &vcpu->complete;
	struct guest_fault fault;
	int err = 0;

	vcpu_pull(vcpu, X86_GROUP_RSP | X86_GROUP_RFLAGS | X86_GROUP_CODE);
	if (vcpu->insn.op == X86_OP_INS)
		err = linear_write(vcpu, c->linear, vcpu->pio_data, c->count * c->size, &fault);
	if (err > 0) {
		queue_guest_fault(vcpu, &fault);
		return 0;
	}
	if (err)
		return stop_emulation(vcpu, NULL, 0);
	if (x86_string_step(&vcpu->insn, &vcpu->state, c->count))
		dispatch_step(vcpu, c->insn_len);
	return 0;
}

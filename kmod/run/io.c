// SPDX-License-Identifier: GPL-2.0
/*
 * IN, OUT, INS and OUTS: to the kernel's devices on the bus, or to user space by the run page, the
 * data in the page after it; and what KVM_RUN does first: finish the exit that user space has
 * answered, of which the kind says what is left to do. Called by dispatch.c, run.c.
 */
#include "run.h"

/* A port that old firmware delays on: the step does not wait for the answer (KVM's quirk). */
#define PORT_STEP_FIRST 0x7e
#define STRING_GROUPS	(X86_GROUP_SEGMENTS | X86_GROUP_RFLAGS | X86_GROUP_CODE)

static enum verdict to_user(struct vcpu *vcpu, enum completion_kind kind, u32 count)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	struct kvirt_run *run = vcpu->run;

	run->exit_reason = KVIRT_EXIT_IO;
	run->io.direction = exit->io.in ? KVIRT_EXIT_IO_IN : KVIRT_EXIT_IO_OUT;
	run->io.size = exit->io.size;
	run->io.port = exit->io.port;
	run->io.count = count;
	run->io.data_offset = PAGE_SIZE;
	vcpu->complete.kind = kind;
	vcpu->complete.count = count;
	return TO_USER;
}

/* One element, by a device in the kernel: bus_access()'s answer. */
static int port_here(struct vcpu *vcpu, u32 *value)
{
	const struct kvirt_exit *exit = &vcpu->exit;

	return bus_access(vcpu, BUS_PIO, exit->io.port, value, exit->io.size,
			  exit->io.in ? BUS_READ : BUS_WRITE);
}

/* All elements: who takes the first has the others too, though it may go meanwhile. */
static bool string_here(struct vcpu *vcpu, u32 count)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	void *data = vcpu->pio_data;
	u32 i, value;

	for (i = 0; i < count; i++, data += exit->io.size) {
		value = 0;
		if (!exit->io.in)
			memcpy(&value, data, exit->io.size);
		if (port_here(vcpu, &value) && !i)
			return false;
		if (exit->io.in)
			memcpy(data, &value, exit->io.size);
	}
	return true;
}

/* IN changes AL or AX alone, but EAX clears the upper half (SDM vol. 1, 3.4.1.1). */
static void load_rax(struct vcpu *vcpu, const void *data, u8 size)
{
	u64 *rax = &vcpu->state.gpr[X86_RAX];
	u32 value = 0;

	/* Read once: the page is user space's too. */
	memcpy(&value, data, size);
	if (size == 4)
		*rax = value;
	else
		memcpy(rax, &value, size);
}

/* INS and OUTS, at most a page of elements at a time. */
static enum verdict io_string(struct vcpu *vcpu)
{
	const struct x86_insn *insn = &vcpu->insn;
	struct x86_mmio *m = &vcpu->mmio.steps;
	struct kvirt_exit *exit = &vcpu->exit;
	enum verdict verdict;
	u64 gpa, count, linear;
	int err;

	if (vcpu->in_window)
		return SLOW;
	err = fetch_insn(vcpu);
	if (err)
		return err;
	exit->insn_len = insn->len;
	vcpu_pull(vcpu, STRING_GROUPS);
	/* Somebody changed the code since it exited: the sizes that are trusted must agree. */
	if (insn->op != (exit->io.in ? X86_OP_INS : X86_OP_OUTS) || insn->op_size != exit->io.size)
		return RETRY;
	if (x86_mmio_start(m, insn, &vcpu->state) == X86_MMIO_FAULT)
		return raise(vcpu, m->fault);
	count = x86_string_count(insn, &vcpu->state);
	if (!count)
		return STEP;
	linear = m->access[0].linear;
	/* Falling addresses go one by one, rising ones as far as this page reaches. */
	count = vcpu->state.rflags & X86_EFLAGS_DF ? 1 :
		min_t(u64, count, max_t(u64, 1, PAGE_LEFT(linear) / insn->op_size));
	/* The page fault that INS may raise comes before the device is read. */
	err = exit->io.in ? translate(vcpu, linear, X86_ACCESS_WRITE, &gpa) :
			    linear_access(vcpu, linear, vcpu->pio_data, count * insn->op_size, 0);
	if (err)
		return err;
	vcpu->complete.linear = linear;
	verdict = to_user(vcpu, COMPLETE_PIO_STRING, count);
	return string_here(vcpu, count) ? complete_last_exit(vcpu) ?: RETRY : verdict;
}

enum verdict exit_io(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	u32 value = 0;
	int err;

	if (exit->io.string)
		return io_string(vcpu);
	if (!exit->io.in)
		memcpy(&value, &vcpu->state.gpr[X86_RAX], exit->io.size);
	err = port_here(vcpu, &value);
	if (err != -ENOENT) {
		if (!err && exit->io.in)
			load_rax(vcpu, &value, exit->io.size);
		return err ?: STEP;
	}
	if (exit->io.in)
		return to_user(vcpu, COMPLETE_PIO_IN, 1);
	memcpy(vcpu->pio_data, &value, exit->io.size);
	if (exit->io.port == PORT_STEP_FIRST &&
	    !(READ_ONCE(vcpu->vm->disabled_quirks) & KVIRT_X86_QUIRK_OUT_7E_INC_RIP)) {
		dispatch_step(vcpu, exit->insn_len);
		return to_user(vcpu, COMPLETE_NOTHING, 1);
	}
	vcpu_pull(vcpu, X86_GROUP_RIP);
	vcpu->complete.rip = vcpu->state.rip;
	return to_user(vcpu, COMPLETE_PIO_OUT, 1);
}

static int complete_string(struct vcpu *vcpu)
{
	struct vcpu_completion *c = &vcpu->complete;
	int err = 0;

	vcpu_pull(vcpu, STRING_GROUPS | X86_GROUP_RSP);
	/* User space may have made RCX less than the elements that it was given. */
	c->count = min_t(u64, c->count, x86_string_count(&vcpu->insn, &vcpu->state));
	if (vcpu->insn.op == X86_OP_INS)
		err = linear_access(vcpu, c->linear, vcpu->pio_data, c->count * vcpu->exit.io.size,
				    X86_ACCESS_WRITE);
	if (err)
		return err;
	if (x86_string_step(&vcpu->insn, &vcpu->state, c->count))
		return dispatch_step(vcpu, vcpu->exit.insn_len);
	return vcpu->state.rflags & X86_EFLAGS_TF ? debug_trap(vcpu, X86_DR6_BS) : RETRY;
}

int complete_last_exit(struct vcpu *vcpu)
{
	enum completion_kind kind = vcpu->complete.kind;

	vcpu->complete.kind = COMPLETE_NOTHING;
	switch (kind) {
	case COMPLETE_PIO_IN:
		load_rax(vcpu, vcpu->pio_data, vcpu->exit.io.size);
		return dispatch_step(vcpu, vcpu->exit.insn_len);
	case COMPLETE_PIO_OUT:
		/* A reset or a jump set by user space is not to be stepped over. */
		vcpu_pull(vcpu, X86_GROUP_RIP);
		if (vcpu->state.rip == vcpu->complete.rip)
			return dispatch_step(vcpu, vcpu->exit.insn_len);
		return 0;
	case COMPLETE_PIO_STRING:
		return complete_string(vcpu);
	case COMPLETE_MMIO:
		return mmio_complete(vcpu);
	default:
		return 0;
	}
}

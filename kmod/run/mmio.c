// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that touch what is no memory: decoded (x86/decode.h), executed step by step
 * (x86/execute.h), each access cut into pieces that memory, the local APIC's page, a device
 * on the bus or user space answers. Between the pieces vcpu->mmio is all the state there is.
 * Called by fault.c, io.c.
 *
 * Inside a window only what is one piece and cannot fail half-way is served.
 */
#include "../irq/lapic.h"
#include "run.h"

#define PIECE_MAX 8	/* bytes in one exit to user space */
#define ITERATIONS_MAX 64	/* of a string instruction, before interrupts are looked for */

/* All memory operands lie where the instruction faulted: no walk is needed. */
static bool gpa_known(const struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	const struct x86_mmio *m = &vcpu->mmio.steps;
	const struct x86_mmio_access *a;

	if (exit->kind != EXIT_NESTED_FAULT || exit->fault.walk)
		return false;
	for (a = m->access; a < m->access + m->n; a++) {
		/* Code changed since: the CPU has not allowed the guest this write. */
		if (a->write && !(exit->access & ACCESS_WRITE))
			return false;
		if (a->linear != m->access[0].linear || a->size > PAGE_LEFT(a->linear))
			return false;
	}
	return PAGE_LEFT(exit->fault.gpa) == PAGE_LEFT(m->access[0].linear);
}

/* Guest-physical addresses of all accesses, one for each page. 0, or a verdict. */
static int find_operands(struct vcpu *vcpu)
{
	const struct x86_mmio_access *a = vcpu->mmio.steps.access;
	bool known = gpa_known(vcpu);
	u64 (*gpa)[2] = vcpu->mmio.gpa;
	u32 access, i;
	int err = 0;

	if (!known && vcpu->in_window)
		return SLOW;
	for (i = 0; i < vcpu->mmio.steps.n && !err; i++, a++) {
		access = a->write ? X86_ACCESS_WRITE : 0;
		if (known)
			gpa[i][0] = vcpu->exit.fault.gpa;
		else
			err = translate(vcpu, a->linear, access, &gpa[i][0]);
		if (!err && a->size > PAGE_LEFT(a->linear))
			err = translate(vcpu, a->linear + PAGE_LEFT(a->linear), access, &gpa[i][1]);
	}
	return err;
}

/* One piece by memory, the LAPIC or the bus: 0 done, SLOW, -ENOENT user space's, -EFAULT. */
static int piece_here(struct vcpu *vcpu, u64 gpa, void *data, u32 len, bool write)
{
	struct vm *vm = vcpu->vm;
	int err;

	if (vcpu->in_window && write && vcpu->lapic && (gpa & PAGE_MASK) == lapic_page(vcpu) &&
	    (len < sizeof(u32) || !lapic_fast(vcpu, gpa & ~PAGE_MASK, *(u32 *)data)))
		return SLOW;
	if (lapic_mmio(vcpu, gpa, len, data, write))
		return 0;
	/* In a window the faulting access is known to be no memory. */
	if (!vcpu->in_window) {
		err = write ? gmem_write(vm, gpa, data, len) : gmem_read(vm, gpa, data, len);
		if (err != -EROFS && err != -ENOENT)
			return err;
	}
	return bus_access(vcpu, BUS_MMIO, gpa, data, len, write ? BUS_WRITE : BUS_READ);
}

static enum verdict piece_to_user(struct vcpu *vcpu, u64 gpa, const void *data, u32 len, bool write)
{
	struct kvirt_run *run = vcpu->run;

	run->exit_reason = KVIRT_EXIT_MMIO;
	run->mmio.phys_addr = gpa;
	run->mmio.len = len;
	run->mmio.is_write = write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (write)
		memcpy(run->mmio.data, data, len);
	vcpu->mmio.pending = len;
	vcpu->complete.kind = COMPLETE_MMIO;
	return TO_USER;
}

/* A verdict, or 0: one iteration of a string instruction is done, and the next can follow. */
static int commit(struct vcpu *vcpu)
{
	const struct x86_mmio *m = &vcpu->mmio.steps;
	struct x86_state *s = &vcpu->state;
	u64 rflags, rsp;
	bool over;

	if (m->insn->op == X86_OP_VECTOR && m->insn->dst != X86_MEM)
		memcpy(guest_fpu_xmm(&vcpu->fpu, m->insn->reg), m->data, 16);
	rflags = s->rflags;
	rsp = s->gpr[X86_RSP];
	over = x86_mmio_commit(m, s);
	/* Most instructions change neither. */
	if (s->rflags != rflags || s->gpr[X86_RSP] != rsp)
		vcpu_dirty(vcpu, X86_GROUP_RFLAGS | X86_GROUP_RSP);
	if (over)
		return dispatch_step(vcpu, m->insn->len);
	/* REP: each iteration is a step. */
	return s->rflags & X86_EFLAGS_TF ? debug_trap(vcpu, X86_DR6_BS) : 0;
}

/* What is left of the accesses, piece by piece; then as commit(). */
static int go_on(struct vcpu *vcpu)
{
	struct vcpu_mmio *mmio = &vcpu->mmio;
	struct x86_mmio *m = &mmio->steps;
	const struct x86_mmio_access *a;
	u32 len, first;
	void *data;
	int err;
	u64 gpa;

	for (; m->at < m->n; x86_mmio_feed(m), mmio->done = 0) {
		a = &m->access[m->at];
		first = min_t(u64, a->size, PAGE_LEFT(a->linear));
		for (; mmio->done < a->size; mmio->done += len) {
			if (mmio->done < first)
				gpa = mmio->gpa[m->at][0] + mmio->done;
			else
				gpa = mmio->gpa[m->at][1] + mmio->done - first;
			len = (mmio->done < first ? first : a->size) - mmio->done;
			len = min_t(u32, len, PIECE_MAX);
			data = m->data + mmio->done;
			err = piece_here(vcpu, gpa, data, len, a->write);
			if (err)
				return err == -ENOENT ?
				       piece_to_user(vcpu, gpa, data, len, a->write) : err;
		}
	}
	return commit(vcpu);
}

/* The next iteration touches the same page: its operand is as far on as its linear address. */
static bool follows(struct vcpu *vcpu, u64 before)
{
	const struct x86_mmio *m = &vcpu->mmio.steps;

	if (m->n != 1 || (m->access[0].linear ^ before) & PAGE_MASK)
		return false;
	vcpu->exit.fault.gpa += m->access[0].linear - before;
	return true;
}

/*
 * What drivers do, by the short way: in a window MOV stores a register or a constant where the
 * instruction faulted, in one piece. A verdict, or 0: it is something else.
 */
static int store(struct vcpu *vcpu, const struct x86_insn *insn)
{
	struct vcpu_mmio *mmio = &vcpu->mmio;
	struct x86_mmio *m = &mmio->steps;
	u64 gpa = vcpu->exit.fault.gpa, linear, value;
	int err;

	if (insn->op != X86_OP_MOV || insn->dst != X86_MEM || insn->mode != X86_MODE_64 ||
	    insn->seg == X86_FS || insn->seg == X86_GS || insn->reg >= X86_HIGH_BYTE ||
	    vcpu->exit.fault.walk || !(vcpu->exit.access & ACCESS_WRITE))
		return 0;
	linear = x86_effective(insn, &vcpu->state);
	if ((linear ^ gpa) & ~PAGE_MASK || insn->op_size > PAGE_LEFT(linear))
		return 0;
	value = insn->src == X86_IMM ? insn->imm : vcpu->state.gpr[insn->reg & 15];
	err = piece_here(vcpu, gpa, &value, insn->op_size, true);
	if (err != -ENOENT)
		return err ?: dispatch_step(vcpu, insn->len);
	/* As x86_mmio_start() and find_operands() leave it. */
	m->insn = insn;
	m->n = 1;
	m->at = 0;
	m->rflags = vcpu->state.rflags;
	m->access[0] = (struct x86_mmio_access){ linear, insn->op_size, true };
	mmio->done = 0;
	return piece_to_user(vcpu, gpa, &value, insn->op_size, true);
}

enum verdict mmio_start(struct vcpu *vcpu)
{
	const struct x86_insn *insn = &vcpu->insn;
	struct x86_mmio *m = &vcpu->mmio.steps;
	u64 linear = 0;
	int err, i;

	/* All that most of them need, and the step after them: one pull costs less than two. */
	vcpu_pull(vcpu, X86_GROUP_RSP | X86_GROUP_RFLAGS | X86_GROUP_MODE | X86_GROUP_CR3 |
		  X86_GROUP_SHADOW);
	err = fetch_insn(vcpu);
	if (!err && vcpu->in_window)
		err = store(vcpu, insn);
	if (err)
		return err;
	if (vcpu->in_window && insn->op == X86_OP_VECTOR)
		return SLOW;
	/* The code has changed since: these exit before they touch memory. */
	if (insn->op == X86_OP_INS || insn->op == X86_OP_OUTS)
		return RETRY;
	if (insn->mode != X86_MODE_64 || insn->seg == X86_FS || insn->seg == X86_GS)
		vcpu_pull(vcpu, X86_GROUP_SEGMENTS | X86_GROUP_CODE | X86_GROUP_CR0);
	/* What repeats goes on here: an entry and an exit for each iteration is what costs. */
	for (i = 0; i < ITERATIONS_MAX; i++) {
		switch (x86_mmio_start(m, insn, &vcpu->state)) {
		case X86_MMIO_OK:
			break;
		case X86_MMIO_FAULT:
			return raise(vcpu, m->fault);
		default:
			return stop_emulation(vcpu, NULL, 0);
		}
		/* More than one access may have done half its work when it finds it cannot stay. */
		if (vcpu->in_window && m->n != 1)
			return SLOW;
		if (i && !follows(vcpu, linear))
			return RETRY;
		linear = m->access[0].linear;
		if (insn->op == X86_OP_VECTOR && insn->dst == X86_MEM)
			memcpy(m->data, guest_fpu_xmm(&vcpu->fpu, insn->reg), 16);
		vcpu->mmio.done = 0;
		err = find_operands(vcpu) ?: go_on(vcpu);
		if (err)
			return err;
	}
	return RETRY;
}

int mmio_complete(struct vcpu *vcpu)
{
	struct vcpu_mmio *mmio = &vcpu->mmio;
	struct x86_mmio *m = &mmio->steps;

	if (!m->access[m->at].write)
		memcpy(m->data + mmio->done, vcpu->run->mmio.data, mmio->pending);
	mmio->done += mmio->pending;
	return go_on(vcpu);
}

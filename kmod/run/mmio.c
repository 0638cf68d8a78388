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
#include "../vm/gmem.h"
#include "../vm/vm.h"
#include "../x86/walk.h"
#include "run.h"

#define PIECE_MAX 8	/* bytes in one exit to user space */

/* The instruction's memory operands all lie where it faulted: no walk is needed. */
static bool gpa_known(struct vcpu *vcpu, const struct x86_mmio_access *access)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	const struct x86_mmio *m = &vcpu->mmio.steps;
	int i;

	if (exit->kind != EXIT_NESTED_FAULT || exit->fault.walk)
		return false;
	/* Code changed since: the CPU has not allowed the guest this write. */
	if (access->write && !(exit->fault.access & ACCESS_WRITE))
		return false;
	for (i = 0; i < m->n; i++)
		if (m->access[i].linear != access->linear)
			return false;
	return PAGE_LEFT(exit->fault.gpa) == PAGE_LEFT(access->linear) &&
	       access->size <= PAGE_LEFT(access->linear);
}

/* Guest-physical addresses of the access, one for each page. 0, or a verdict. */
static int plan_access(struct vcpu *vcpu)
{
	struct vcpu_mmio *mmio = &vcpu->mmio;
	const struct x86_mmio_access *access = &mmio->access;
	u32 flags = access->write ? X86_ACCESS_WRITE : 0;
	u32 first = min_t(u64, access->size, PAGE_LEFT(access->linear));
	int err;

	mmio->done = 0;
	mmio->part_len[0] = first;
	mmio->part_len[1] = access->size - first;
	if (gpa_known(vcpu, access)) {
		mmio->gpa[0] = vcpu->exit.fault.gpa;
		return 0;
	}
	err = translate(vcpu, access->linear, flags, &mmio->gpa[0]);
	if (!err && mmio->part_len[1])
		err = translate(vcpu, access->linear + first, flags, &mmio->gpa[1]);
	return err;
}

/* One piece by memory, the LAPIC or the bus: 0 done, SLOW, -ENOENT user space's, -EFAULT. */
static int piece_here(struct vcpu *vcpu, u64 gpa, void *data, u32 len, bool write)
{
	struct vm *vm = vcpu->vm;
	u32 value = 0;
	int err;

	memcpy(&value, data, min_t(u32, len, sizeof(value)));
	if (vcpu->in_window && write && vcpu->lapic && (gpa & PAGE_MASK) == lapic_page(vcpu) &&
	    !lapic_fast(vcpu, gpa & ~PAGE_MASK, value))
		return SLOW;
	if (lapic_mmio(vcpu, gpa, len, data, write))
		return 0;
	/* In a window the faulting access is known to be no memory. */
	if (!vcpu->in_window) {
		err = write ? gmem_write(vm, gpa, data, len) : gmem_read(vm, gpa, data, len);
		if (err != -EROFS && err != -ENOENT)
			return err;
	}
	return write ? bus_write(vcpu, BUS_MMIO, gpa, data, len) :
		       bus_read(vcpu, BUS_MMIO, gpa, data, len);
}

static enum verdict piece_to_user(struct vcpu *vcpu, u64 gpa, const void *data, u32 len)
{
	struct kvirt_run *run = vcpu->run;
	bool write = vcpu->mmio.access.write;

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

/* The pieces of the access under way that are left. 0 when it is done. */
static int do_access(struct vcpu *vcpu)
{
	struct vcpu_mmio *mmio = &vcpu->mmio;
	u32 len, in_part;
	int part, err;
	void *data;
	u64 gpa;

	while (mmio->done < mmio->access.size) {
		part = mmio->done >= mmio->part_len[0];
		in_part = part ? mmio->done - mmio->part_len[0] : mmio->done;
		len = min_t(u32, mmio->part_len[part] - in_part, PIECE_MAX);
		gpa = mmio->gpa[part] + in_part;
		data = mmio->steps.data + mmio->done;
		err = piece_here(vcpu, gpa, data, len, mmio->access.write);
		if (err)
			return err == -ENOENT ? piece_to_user(vcpu, gpa, data, len) : err;
		mmio->done += len;
	}
	return 0;
}

static enum verdict commit(struct vcpu *vcpu)
{
	const struct x86_mmio *m = &vcpu->mmio.steps;
	struct x86_state *s = &vcpu->state;
	u64 rflags, rsp;
	bool over;

	if (m->vector == X86_VECTOR_LOAD)
		guest_fpu_set_xmm(&vcpu->fpu, m->insn.reg, m->data);
	vcpu_pull(vcpu, X86_GROUP_RFLAGS | X86_GROUP_RSP);
	rflags = s->rflags;
	rsp = s->gpr[X86_RSP];
	over = x86_mmio_commit(m, s);
	/* Most instructions change neither. */
	if (s->rflags != rflags || s->gpr[X86_RSP] != rsp)
		vcpu_dirty(vcpu, X86_GROUP_RFLAGS | X86_GROUP_RSP);
	if (over)
		return dispatch_step(vcpu, m->insn.len);
	/* REP: each iteration is a step. */
	return s->rflags & X86_RFLAGS_TF ? debug_trap(vcpu, X86_DR6_BS) : RETRY;
}

/* Accesses from the one under way on. */
static enum verdict go_on(struct vcpu *vcpu)
{
	struct vcpu_mmio *mmio = &vcpu->mmio;
	int err;

	do {
		err = do_access(vcpu);
		if (err)
			return err;
		x86_mmio_feed(&mmio->steps);
		if (!x86_mmio_next(&mmio->steps, &mmio->access))
			return commit(vcpu);
		err = plan_access(vcpu);
	} while (!err);
	return err;
}

enum verdict mmio_start(struct vcpu *vcpu)
{
	struct vcpu_mmio *mmio = &vcpu->mmio;
	struct x86_insn insn;
	int err;

	err = fetch_insn(vcpu, &insn);
	if (err)
		return err;
	if (vcpu->in_window && insn.op == X86_OP_VECTOR)
		return SLOW;
	vcpu_pull(vcpu, X86_GROUP_RSP | X86_GROUP_RFLAGS | X86_GROUP_MODE | X86_GROUP_CR0 |
		  X86_GROUP_CR4);
	if (insn.mode != X86_MODE_64 || insn.seg == X86_FS || insn.seg == X86_GS)
		vcpu_pull(vcpu, X86_GROUP_SEGMENTS | X86_GROUP_CODE);
	switch (x86_mmio_start(&mmio->steps, &insn, &vcpu->state)) {
	case X86_MMIO_OK:
		break;
	case X86_MMIO_FAULT:
		return raise(vcpu, mmio->steps.fault);
	default:
		return stop_emulation(vcpu, NULL, 0);
	}
	/* More than one access may have done half its work when it finds it cannot stay. */
	if (vcpu->in_window && mmio->steps.n != 1)
		return SLOW;
	if (mmio->steps.vector == X86_VECTOR_STORE)
		guest_fpu_get_xmm(&vcpu->fpu, mmio->steps.insn.reg, mmio->steps.data);
	if (!x86_mmio_next(&mmio->steps, &mmio->access))
		return commit(vcpu);
	if (vcpu->in_window && !gpa_known(vcpu, &mmio->access))
		return SLOW;
	return plan_access(vcpu) ?: go_on(vcpu);
}

int mmio_complete(struct vcpu *vcpu)
{
	struct vcpu_mmio *mmio = &vcpu->mmio;

	if (!mmio->access.write)
		memcpy(mmio->steps.data + mmio->done, vcpu->run->mmio.data, mmio->pending);
	mmio->done += mmio->pending;
	/* The exit record may be another one by now: addresses come from walks alone. */
	vcpu->exit.kind = EXIT_HOST;
	return go_on(vcpu);
}

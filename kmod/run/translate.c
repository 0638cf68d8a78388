// SPDX-License-Identifier: GPL-2.0
/*
 * Guest linear memory: through the guest's own page tables (x86/walk.h) to guest memory
 * (vm/gmem.h), and the instruction at RIP. Called by io.c, mmio.c, dispatch.c.
 */
#include "../host/trace.h"
#include "../vm/gmem.h"
#include "../vm/vm.h"
#include "../x86/walk.h"
#include "run.h"

#define PAGE_LEFT(address) (PAGE_SIZE - ((address) & ~PAGE_MASK))

static int physical_read(struct vcpu *vcpu, u64 gpa, void *data, u32 len)
{
	return vcpu->in_window ? gmem_read_atomic(vcpu->vm, gpa, data, len) :
				 gmem_read(vcpu->vm, gpa, data, len);
}

static void walk_regs(struct vcpu *vcpu, struct x86_walk_regs *regs)
{
	struct x86_state *s = &vcpu->state;

	vcpu_pull(vcpu, X86_GROUP_CR0 | X86_GROUP_CR3 | X86_GROUP_CR4 | X86_GROUP_RFLAGS);
	*regs = (struct x86_walk_regs) {
		.cr0 = s->cr0,
		.cr3 = s->cr3,
		.cr4 = s->cr4,
		.efer = s->efer,
		.rflags = s->rflags,
		.maxphyaddr = vcpu->guest.maxphyaddr,
		.gbpages = vcpu->guest.has & X86_HAS_GBPAGES,
		.pdptr_in_memory = features.amd,
	};
	memcpy(regs->pdptr, s->pdptr, sizeof(regs->pdptr));
}

int translate(struct vcpu *vcpu, u64 linear, u32 access, u64 *gpa, struct guest_fault *fault)
{
	struct x86_walk_regs regs;
	struct x86_walk walk;
	unsigned int size;
	u64 where, entry;
	int err;

	walk_regs(vcpu, &regs);
	vcpu_pull(vcpu, X86_GROUP_CODE);
	if (x86_cpl(&vcpu->state) == 3)
		access |= X86_ACCESS_USER;
	x86_walk_start(&walk, linear, access, &regs);
	while (x86_walk_next(&walk, &where, &size)) {
		entry = 0;
		err = physical_read(vcpu, where, &entry, size);
		if (err)
			return err == -EAGAIN ? -EAGAIN : -EFAULT;
		x86_walk_feed(&walk, entry);
	}
	switch (walk.state) {
	case X86_WALK_DONE:
		*gpa = walk.gpa;
		return 0;
	case X86_WALK_FAULT:
		*fault = (struct guest_fault) { X86_PF, walk.error_code, linear };
		return 1;
	default:
		*fault = (struct guest_fault) { X86_GP, 0, linear };
		return 1;
	}
}

void queue_guest_fault(struct vcpu *vcpu, const struct guest_fault *fault)
{
	if (fault->vector == X86_PF)
		event_queue_page_fault(vcpu, fault->error, fault->address);
	else
		event_queue_exception_error(vcpu, fault->vector, fault->error);
}

int linear_read(struct vcpu *vcpu, u64 linear, void *data, u32 len, struct guest_fault *fault)
{
	u64 gpa;
	u32 n;
	int err;

	for (; len; len -= n, linear += n, data += n) {
		n = min_t(u64, len, PAGE_LEFT(linear));
		err = translate(vcpu, linear, 0, &gpa, fault);
		if (!err)
			err = physical_read(vcpu, gpa, data, n);
		if (err)
			return err;
	}
	return 0;
}

int linear_write(struct vcpu *vcpu, u64 linear, const void *data, u32 len,
		 struct guest_fault *fault)
{
	u64 gpa;
	u32 n;
	int err;

	for (; len; len -= n, linear += n, data += n) {
		n = min_t(u64, len, PAGE_LEFT(linear));
		err = translate(vcpu, linear, X86_ACCESS_WRITE, &gpa, fault);
		if (!err)
			err = vcpu->in_window ? gmem_write_atomic(vcpu->vm, gpa, data, n) :
						gmem_write(vcpu->vm, gpa, data, n);
		if (err)
			return err;
	}
	return 0;
}

/* Bytes of the instruction, up to the page's end and then, if it goes on, of the next. */
static int fetch_bytes(struct vcpu *vcpu, u64 linear, u8 *bytes, u32 n)
{
	struct guest_fault fault;
	u64 gpa;
	int err;

	err = translate(vcpu, linear, X86_ACCESS_EXEC, &gpa, &fault);
	if (err > 0) {
		queue_guest_fault(vcpu, &fault);
		return RETRY;
	}
	if (!err)
		err = physical_read(vcpu, gpa, bytes, n);
	return err;
}

static u64 linear_rip(struct vcpu *vcpu)
{
	struct x86_state *s = &vcpu->state;

	vcpu_pull(vcpu, X86_GROUP_RIP | X86_GROUP_CODE);
	return x86_64bit_mode(s) ? s->rip : (u32)(s->rip + s->seg[X86_CS].base);
}

int fetch_insn(struct vcpu *vcpu, struct x86_insn *insn)
{
	enum x86_decode_result result;
	u8 bytes[X86_INSN_MAX] = {};
	u64 linear = linear_rip(vcpu);
	enum x86_mode mode;
	u32 n;
	int err;

	vcpu_pull(vcpu, X86_GROUP_CR0 | X86_GROUP_RFLAGS);
	mode = x86_mode_of(&vcpu->state);
	n = vcpu->exit.fetched;
	if (n) {
		memcpy(bytes, vcpu->exit.bytes, n);
	} else {
		n = min_t(u64, sizeof(bytes), PAGE_LEFT(linear));
		err = fetch_bytes(vcpu, linear, bytes, n);
		if (err)
			goto failed;
	}
	result = x86_decode(insn, bytes, n, mode);
	if (result == X86_DECODE_MORE && n < sizeof(bytes)) {
		err = fetch_bytes(vcpu, linear + n, bytes + n, sizeof(bytes) - n);
		if (err)
			goto failed;
		n = sizeof(bytes);
		result = x86_decode(insn, bytes, n, mode);
	}
	if (result == X86_DECODE_OK)
		return 0;
	trace_kvirt_decode(vcpu->id, linear, mode, result, bytes);
	return vcpu->in_window ? SLOW : stop_emulation(vcpu, bytes, n);

failed:
	if (err == RETRY)
		return RETRY;
	trace_kvirt_decode(vcpu->id, linear, mode, err, bytes);
	/* Code in MMIO or nowhere cannot be read by us: user space is told. */
	return vcpu->in_window ? SLOW : stop_emulation(vcpu, NULL, 0);
}

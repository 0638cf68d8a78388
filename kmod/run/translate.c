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
		.rflags = s->rflags & X86_RFLAGS_AC,
		.maxphyaddr = vcpu->guest.maxphyaddr,
		.gbpages = vcpu->guest.has & X86_HAS_GBPAGES,
		.pdptr_in_memory = features.amd,
	};
	memcpy(regs->pdptr, s->pdptr, sizeof(regs->pdptr));
}

static int walk(struct vcpu *vcpu, struct x86_walk *w, const struct x86_walk_regs *regs,
		u64 linear, u32 access, struct guest_fault *fault)
{
	unsigned int size;
	u64 where, entry;
	int err;

	x86_walk_start(w, linear, access, regs);
	while (x86_walk_next(w, &where, &size)) {
		entry = 0;
		err = physical_read(vcpu, where, &entry, size);
		if (err)
			return err == -EAGAIN ? -EAGAIN : -EFAULT;
		x86_walk_feed(w, entry);
	}
	switch (w->state) {
	case X86_WALK_DONE:
		return 0;
	case X86_WALK_FAULT:
		*fault = (struct guest_fault) { X86_PF, w->error_code, linear };
		return 1;
	default:
		*fault = (struct guest_fault) { X86_GP, 0, linear };
		return 1;
	}
}

static u32 privilege(struct vcpu *vcpu)
{
	vcpu_pull(vcpu, X86_GROUP_CODE | X86_GROUP_CR0);
	return x86_cpl(&vcpu->state) == 3 ? X86_ACCESS_USER : 0;
}

int translate(struct vcpu *vcpu, u64 linear, u32 access, u64 *gpa, struct guest_fault *fault)
{
	struct x86_walk_regs regs;
	struct x86_walk w;
	int err;

	walk_regs(vcpu, &regs);
	err = walk(vcpu, &w, &regs, linear, access | privilege(vcpu), fault);
	*gpa = w.gpa;
	return err;
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

/*
 * Hot exits come from few instructions. The last one fetched is kept with all that its
 * fetch depended on; it is the same as long as registers, page-table entries and bytes are,
 * which is quicker to see than to walk and decode again.
 */
static bool fetched_before(struct vcpu *vcpu, u64 linear, u32 access, enum x86_mode mode,
			   const struct x86_walk_regs *regs)
{
	const struct vcpu_fetch *f = &vcpu->fetch;
	u8 bytes[X86_INSN_MAX];

	return f->n_bytes && f->linear == linear && f->mode == mode && f->access == access &&
	       !memcmp(&f->regs, regs, sizeof(*regs)) &&
	       gmem_match_atomic(vcpu->vm, f->where, f->value, f->n) &&
	       !physical_read(vcpu, f->gpa, bytes, f->n_bytes) &&
	       !memcmp(bytes, f->bytes, f->n_bytes);
}

static void remember_fetch(struct vcpu *vcpu, u64 linear, u32 access, enum x86_mode mode,
			   const struct x86_walk *w, const u8 *bytes, u8 n_bytes)
{
	struct vcpu_fetch *f = &vcpu->fetch;

	/* Entries of 4 bytes are not worth a case of their own. */
	f->n_bytes = w->n && w->entry_size != sizeof(u64) ? 0 : n_bytes;
	f->linear = linear;
	f->access = access;
	f->mode = mode;
	f->regs = w->regs;
	f->gpa = w->gpa;
	f->n = w->n;
	memcpy(f->where, w->where, sizeof(f->where));
	memcpy(f->value, w->value, sizeof(f->value));
	memcpy(f->bytes, bytes, n_bytes);
}

/* Bytes of the instruction from @linear on, all on one page. */
static int fetch_bytes(struct vcpu *vcpu, struct x86_walk *w, const struct x86_walk_regs *regs,
		       u64 linear, u32 access, u8 *bytes, u32 n)
{
	struct guest_fault fault;
	int err;

	err = walk(vcpu, w, regs, linear, access, &fault);
	if (err > 0) {
		queue_guest_fault(vcpu, &fault);
		return RETRY;
	}
	return err ?: physical_read(vcpu, w->gpa, bytes, n);
}

static u64 linear_rip(struct vcpu *vcpu)
{
	struct x86_state *s = &vcpu->state;

	vcpu_pull(vcpu, X86_GROUP_RIP | X86_GROUP_CODE);
	return x86_64bit_mode(s) ? s->rip : (u32)(s->rip + s->seg[X86_CS].base);
}

int fetch_insn(struct vcpu *vcpu, struct x86_insn *insn)
{
	u32 n = vcpu->exit.fetched, access = X86_ACCESS_EXEC | privilege(vcpu);
	u64 linear = linear_rip(vcpu);
	enum x86_decode_result result;
	u8 bytes[X86_INSN_MAX] = {};
	struct x86_walk_regs regs;
	enum x86_mode mode;
	struct x86_walk w;
	int err = 0;

	walk_regs(vcpu, &regs);
	mode = x86_mode_of(&vcpu->state);
	if (n) {
		memcpy(bytes, vcpu->exit.bytes, n);
		result = x86_decode(insn, bytes, n, mode);
	} else if (fetched_before(vcpu, linear, access, mode, &regs)) {
		*insn = vcpu->fetch.insn;
		return 0;
	} else {
		n = min_t(u64, sizeof(bytes), PAGE_LEFT(linear));
		err = fetch_bytes(vcpu, &w, &regs, linear, access, bytes, n);
		if (err)
			goto failed;
		result = x86_decode(insn, bytes, n, mode);
		if (result == X86_DECODE_OK) {
			remember_fetch(vcpu, linear, access, mode, &w, bytes, insn->len);
			vcpu->fetch.insn = *insn;
			return 0;
		}
	}
	/* The instruction goes on, on the next page. */
	if (result == X86_DECODE_MORE && n < sizeof(bytes)) {
		err = fetch_bytes(vcpu, &w, &regs, linear + n, access, bytes + n,
				  sizeof(bytes) - n);
		if (err)
			goto failed;
		n = sizeof(bytes);
		result = x86_decode(insn, bytes, n, mode);
	}
	if (result == X86_DECODE_OK)
		return 0;
	err = result;
failed:
	if (err == RETRY)
		return RETRY;
	trace_kvirt_decode(vcpu->id, linear, mode, err, bytes);
	/* Code in MMIO or nowhere cannot be read by us: user space is told, with the bytes. */
	return vcpu->in_window ? SLOW : stop_emulation(vcpu, bytes, err < 0 ? 0 : n);
}

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
		.cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4, .efer = s->efer,
		.rflags = s->rflags & X86_RFLAGS_AC,
		.maxphyaddr = vcpu->guest.maxphyaddr,
		.gbpages = vcpu->guest.has & X86_HAS_GBPAGES,
		.pdptr_in_memory = features.amd,
	};
	memcpy(regs->pdptr, s->pdptr, sizeof(regs->pdptr));
}

u64 linear_rip(struct vcpu *vcpu)
{
	const struct x86_state *s = &vcpu->state;

	vcpu_pull(vcpu, X86_GROUP_RIP | X86_GROUP_MODE);
	if (x86_64bit_mode(s))
		return s->rip;
	vcpu_pull(vcpu, X86_GROUP_CODE);
	return (u32)(s->rip + s->seg[X86_CS].base);
}

/* 0: w->state tells; -EAGAIN: not inside this window; -EFAULT: a table is nowhere. */
static int walk_tables(struct vcpu *vcpu, struct x86_walk *w, const struct x86_walk_regs *regs,
		       u64 linear, u32 access)
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
	return 0;
}

bool linear_to_physical(struct vcpu *vcpu, u64 linear, u64 *gpa)
{
	struct x86_walk_regs regs;
	struct x86_walk w;
	int err;

	walk_regs(vcpu, &regs);
	err = walk_tables(vcpu, &w, &regs, linear, 0);
	*gpa = w.gpa;
	return !err && w.state == X86_WALK_DONE;
}

/* Accessed and dirty bits, as the CPU sets them. -EAGAIN: an entry has changed; as above. */
static int set_used(struct vcpu *vcpu, const struct x86_walk *w)
{
	int i, err = 0;

	for (i = 0; i < w->n && !err; i++)
		if (unlikely(w->set[i]))
			err = vcpu->in_window ? -EAGAIN :
			      gmem_set_bits(vcpu->vm, w->where[i], w->value[i], w->set[i],
					    w->entry_size);
	return err;
}

/* As above; or RETRY: a fault was queued. */
static int walk(struct vcpu *vcpu, struct x86_walk *w, const struct x86_walk_regs *regs,
		u64 linear, u32 access)
{
	int err;

	do {
		err = walk_tables(vcpu, w, regs, linear, access);
		if (!err && w->state == X86_WALK_DONE)
			err = set_used(vcpu, w);
	} while (err == -EAGAIN && !vcpu->in_window);
	if (err || w->state == X86_WALK_DONE)
		return err;
	if (w->state != X86_WALK_FAULT)
		return raise(vcpu, X86_GP);
	event_queue_page_fault(vcpu, w->error_code, linear);
	return RETRY;
}

static u32 privilege(struct vcpu *vcpu)
{
	vcpu_pull(vcpu, X86_GROUP_MODE | X86_GROUP_CR0);
	return x86_cpl(&vcpu->state) == 3 ? X86_ACCESS_USER : 0;
}

int translate(struct vcpu *vcpu, u64 linear, u32 access, u64 *gpa)
{
	struct x86_walk_regs regs;
	struct x86_walk w;
	int err;

	walk_regs(vcpu, &regs);
	err = walk(vcpu, &w, &regs, linear, access | privilege(vcpu));
	*gpa = w.gpa;
	return err < 0 ? stop_emulation(vcpu, NULL, 0) : err;
}

int linear_access(struct vcpu *vcpu, u64 linear, void *data, u32 len, u32 access)
{
	u64 gpa;
	u32 n;
	int err;

	for (; len; len -= n, linear += n, data += n) {
		n = min_t(u64, len, PAGE_LEFT(linear));
		err = translate(vcpu, linear, access, &gpa);
		if (err)
			return err;
		if (!access)
			err = physical_read(vcpu, gpa, data, n);
		else if (vcpu->in_window)
			err = gmem_write_atomic(vcpu->vm, gpa, data, n);
		else
			err = gmem_write(vcpu->vm, gpa, data, n);
		if (err)
			return stop_emulation(vcpu, NULL, 0);
	}
	return 0;
}

/*
 * Hot exits come from few instructions. Those fetched last are kept with all that their
 * fetch depended on; it is the same as long as registers, page-table entries and bytes are,
 * which is quicker to see than to walk and decode again.
 */
static struct vcpu_fetch *kept_fetch(struct vcpu *vcpu, u64 linear)
{
	return &vcpu->fetch[(linear ^ linear >> 4) % VCPU_FETCHES];
}

static bool fetched_before(struct vcpu *vcpu, u64 linear, u32 access, enum x86_mode mode,
			   const struct x86_walk_regs *regs)
{
	const struct vcpu_fetch *f = kept_fetch(vcpu, linear);
	u8 bytes[X86_INSN_MAX];

	return f->n_bytes && f->linear == linear && f->mode == mode && f->access == access &&
	       !memcmp(&f->regs, regs, sizeof(*regs)) &&
	       gmem_match_atomic(vcpu->vm, f->where, f->value, f->n) &&
	       !physical_read(vcpu, f->gpa, bytes, f->n_bytes) &&
	       !memcmp(bytes, f->bytes, f->n_bytes);
}

static void keep_fetch(struct vcpu *vcpu, u64 linear, u32 access, enum x86_mode mode,
		       const struct x86_walk *w, const u8 *bytes, const struct x86_insn *insn)
{
	struct vcpu_fetch *f = kept_fetch(vcpu, linear);

	/* Entries of 4 bytes are not worth a case of their own. */
	f->n_bytes = w->n && w->entry_size != sizeof(u64) ? 0 : insn->len;
	f->insn = *insn;
	f->linear = linear;
	f->access = access;
	f->mode = mode;
	f->regs = *w->regs;
	f->gpa = w->gpa;
	f->n = w->n;
	memcpy(f->where, w->where, sizeof(f->where));
	memcpy(f->value, w->value, sizeof(f->value));
	memcpy(f->bytes, bytes, insn->len);
}

int fetch_insn(struct vcpu *vcpu, struct x86_insn *insn)
{
	u32 n = vcpu->exit.fetched, access = X86_ACCESS_EXEC | privilege(vcpu);
	enum x86_decode_result result;
	u8 bytes[X86_INSN_MAX] = {};
	struct x86_walk_regs regs;
	enum x86_mode mode;
	struct x86_walk w;
	u64 linear;
	int err;

	walk_regs(vcpu, &regs);
	linear = linear_rip(vcpu);
	mode = x86_mode_of(&vcpu->state);
	if (!n && fetched_before(vcpu, linear, access, mode, &regs)) {
		*insn = kept_fetch(vcpu, linear)->insn;
		return 0;
	}
	if (n) {
		memcpy(bytes, vcpu->exit.bytes, n);
		result = x86_decode(insn, bytes, n, mode);
	} else {
		n = min_t(u64, sizeof(bytes), PAGE_LEFT(linear));
		err = walk(vcpu, &w, &regs, linear, access) ?: physical_read(vcpu, w.gpa, bytes, n);
		if (err)
			goto failed;
		result = x86_decode(insn, bytes, n, mode);
		if (result == X86_DECODE_OK) {
			keep_fetch(vcpu, linear, access, mode, &w, bytes, insn);
			return 0;
		}
	}
	/* The instruction goes on, on the next page. */
	if (result == X86_DECODE_MORE && n < sizeof(bytes)) {
		err = walk(vcpu, &w, &regs, linear + n, access) ?:
		      physical_read(vcpu, w.gpa, bytes + n, sizeof(bytes) - n);
		if (err)
			goto failed;
		n = sizeof(bytes);
		result = x86_decode(insn, bytes, n, mode);
	}
	if (result == X86_DECODE_OK)
		return 0;
	trace_kvirt_decode(vcpu->id, linear, mode, result, bytes);
	return stop_emulation(vcpu, bytes, n);

failed:
	if (err == RETRY)
		return RETRY;
	/* Code in MMIO or nowhere cannot be read by us: user space is told. */
	trace_kvirt_decode(vcpu->id, linear, mode, err, bytes);
	return stop_emulation(vcpu, NULL, 0);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Guest linear memory: through the guest's own page tables (x86/walk.h) to guest memory
 * (vm/gmem.h), and the instruction at RIP. Called by io.c, mmio.c, dispatch.c.
 */
#include "../host/trace.h"
#include "run.h"

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
static int walk_tables(struct vcpu *vcpu, struct x86_walk *w, u64 linear, u32 access)
{
	u64 entry;
	int err;

	vcpu_pull(vcpu, X86_GROUP_CR0 | X86_GROUP_CR3 | X86_GROUP_CR4 | X86_GROUP_RFLAGS);
	x86_walk_start(w, linear, access, &vcpu->state, &vcpu->guest,
		       features.amd ? X86_PDPTRS_IN_MEMORY : X86_PDPTRS_LOADED);
	while (w->state == X86_WALK_READ) {
		entry = 0;
		err = physical_read(vcpu, w->where[w->n], &entry, w->entry_size);
		if (err)
			return err == -EAGAIN ? -EAGAIN : -EFAULT;
		x86_walk_feed(w, entry);
	}
	return 0;
}

bool linear_to_physical(struct vcpu *vcpu, u64 linear, u64 *gpa)
{
	struct x86_walk w;
	int err = walk_tables(vcpu, &w, linear, 0);

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
static int walk(struct vcpu *vcpu, struct x86_walk *w, u64 linear, u32 access)
{
	int err;

	do {
		err = walk_tables(vcpu, w, linear, access);
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
	return cpl(vcpu) == 3 ? X86_ACCESS_USER : 0;
}

int translate(struct vcpu *vcpu, u64 linear, u32 access, u64 *gpa)
{
	struct x86_walk w;
	int err = walk(vcpu, &w, linear, access | privilege(vcpu));

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

/* The decoded vcpu->insn at @linear; @code: the aligned words that it lies in. */
static void keep_fetch(struct vcpu *vcpu, struct vcpu_fetch *f, u64 linear,
		       const struct x86_walk *w, const u64 *code)
{
	u64 gpa = w->gpa & ~7ULL;
	unsigned int n;

	f->linear = linear;
	f->cr3 = vcpu->state.cr3;
	f->la57 = vcpu->cr4_seen & X86_CR4_LA57;
	f->insn = vcpu->insn;
	for (n = 0; n < w->n; n++) {
		f->words.word[n].gpa = w->where[n];
		f->words.word[n].value = w->value[n];
	}
	for (; gpa < w->gpa + vcpu->insn.len; n++, gpa += sizeof(u64)) {
		f->words.word[n].gpa = gpa;
		f->words.word[n].value = *code++;
	}
	f->words.n = n;
	if (!gmem_words_find(vcpu->vm, &f->words))
		f->words.n = 0;
}

/* @keep: for the next time, or NULL. */
static noinline int fetch_anew(struct vcpu *vcpu, struct vcpu_fetch *keep)
{
	u32 n = vcpu->exit.fetched, offset, part;
	enum x86_decode_result result;
	struct x86_insn *insn = &vcpu->insn;
	u8 bytes[X86_INSN_MAX] = {};
	enum x86_mode mode;
	struct x86_walk w;
	u64 code[3], linear;
	int err;

	if (!x86_long_mode(&vcpu->state))
		vcpu_pull(vcpu, X86_GROUP_CR0 | X86_GROUP_RFLAGS);
	linear = linear_rip(vcpu);
	mode = x86_mode_of(&vcpu->state);
	memcpy(bytes, vcpu->exit.bytes, n);
	while ((result = x86_decode(insn, bytes, n, mode)) == X86_DECODE_MORE &&
	       n < sizeof(bytes)) {
		part = min_t(u64, sizeof(bytes) - n, PAGE_LEFT(linear + n));
		err = walk(vcpu, &w, linear + n, X86_ACCESS_EXEC | privilege(vcpu));
		if (err == RETRY)
			return RETRY;
		offset = w.gpa & 7;
		err = err ?: physical_read(vcpu, w.gpa - offset, code, round_up(offset + part, 8));
		if (err) {
			/* Code in MMIO or nowhere cannot be read by us: user space is told. */
			trace_kvirt_decode(vcpu->id, linear, mode, err, bytes);
			return stop_emulation(vcpu, NULL, 0);
		}
		memcpy(bytes + n, (u8 *)code + offset, part);
		/* Its second half lies on another page. */
		keep = n ? NULL : keep;
		n += part;
	}
	if (result == X86_DECODE_OK) {
		if (keep)
			keep_fetch(vcpu, keep, linear, &w, code);
		return 0;
	}
	trace_kvirt_decode(vcpu->id, linear, mode, result, bytes);
	return stop_emulation(vcpu, bytes, n);
}

/*
 * Hot exits come from few instructions. Those fetched last in 64-bit mode are kept with the table
 * entries and the code that they came from: while these are the same the instruction is, which is
 * quicker to see than to walk and decode again. Rights are not looked at: the CPU has executed it.
 */
int fetch_insn(struct vcpu *vcpu)
{
	const struct x86_state *s = &vcpu->state;
	struct vcpu_fetch *f;

	vcpu_pull(vcpu, X86_GROUP_RIP | X86_GROUP_MODE | X86_GROUP_CR3);
	if (!x86_64bit_mode(s) || vcpu->exit.fetched)
		return fetch_anew(vcpu, NULL);
	f = &vcpu->fetch[(s->rip ^ s->rip >> 4) % VCPU_FETCHES];
	if (f->linear != s->rip || !f->words.n || f->cr3 != s->cr3 ||
	    f->la57 != (vcpu->cr4_seen & X86_CR4_LA57) ||
	    !gmem_words_same_atomic(vcpu->vm, &f->words))
		return fetch_anew(vcpu, f);
	vcpu->insn = f->insn;
	return 0;
}

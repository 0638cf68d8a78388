// SPDX-License-Identifier: GPL-2.0
/*
 * Register groups between struct x86_state and the VMCB's save area. No policy: what is
 * dirty and what is wanted is decided above the waist. Called through vm/backend.h.
 *
 * Sources: APM vol. 2, 4.8 (descriptors), 15.5.1 (VMRUN's view of segments), B.2.
 */
#include <asm/processor-flags.h>
#include "svm.h"

#define CR0_CACHE	(X86_CR0_CD | X86_CR0_NW)

/* A descriptor's bits 8 to 15 and 20 to 23, without the limit's four between them. */
static u16 pack_attributes(const struct x86_segment *s)
{
	if (s->unusable)
		return 0;
	return (s->attributes & 0xff) | ((s->attributes >> 4) & 0xf00);
}

static void push_segment(struct vmcb_segment *to, const struct x86_segment *from)
{
	to->selector = from->selector;
	to->attributes = pack_attributes(from);
	to->limit = from->limit;
	to->base = from->base;
}

/*
 * AMD-V keeps the limit in bytes and does not keep G, nor D in a segment that a null
 * selector made unusable; it runs on with either.
 */
static void pull_segment(struct x86_segment *to, const struct vmcb_segment *from)
{
	to->selector = from->selector;
	to->base = from->base;
	to->limit = from->limit;
	to->attributes = (from->attributes & 0xff) | ((from->attributes & 0x700) << 4);
	if (from->limit > 0xfffff)
		to->attributes |= X86_SEG_G;
	to->unusable = !(to->attributes & X86_SEG_P);
}

/* Data segments' accessed bit may be clear in memory, never in the CPU; VT-x insists. */
static void pull_data_segment(struct x86_segment *to, const struct vmcb_segment *from)
{
	pull_segment(to, from);
	if (to->unusable)
		to->attributes &= ~X86_SEG_DB;
	else
		to->attributes |= 1;
}

static void pull_code(struct x86_state *s, const struct vmcb *v)
{
	pull_segment(&s->seg[X86_CS], &v->cs);
	pull_data_segment(&s->seg[X86_SS], &v->ss);
	/* The CPL is a field of its own, and SS.DPL is it by definition on the other vendor. */
	s->seg[X86_SS].attributes &= ~X86_SEG_DPL;
	s->seg[X86_SS].attributes |= v->cpl << X86_SEG_DPL_SHIFT;
}

static void push_code(const struct x86_state *s, struct vmcb *v)
{
	push_segment(&v->cs, &s->seg[X86_CS]);
	push_segment(&v->ss, &s->seg[X86_SS]);
	/* In real mode it must be 0 (APM vol. 2, 15.5.1); the segment's DPL is 0 there too. */
	v->cpl = (s->seg[X86_SS].attributes & X86_SEG_DPL) >> X86_SEG_DPL_SHIFT;
}

static void pull_segments(struct x86_state *s, const struct vmcb *v)
{
	pull_data_segment(&s->seg[X86_ES], &v->es);
	pull_data_segment(&s->seg[X86_DS], &v->ds);
	pull_data_segment(&s->seg[X86_FS], &v->fs);
	pull_data_segment(&s->seg[X86_GS], &v->gs);
	pull_segment(&s->seg[X86_LDTR], &v->ldtr);
	pull_segment(&s->seg[X86_TR], &v->tr);
	/* A loaded TSS is busy; some CPUs leave the bit out. */
	if (!s->seg[X86_TR].unusable)
		s->seg[X86_TR].attributes |= 2;
}

static void push_segments(const struct x86_state *s, struct vmcb *v)
{
	push_segment(&v->es, &s->seg[X86_ES]);
	push_segment(&v->ds, &s->seg[X86_DS]);
	push_segment(&v->fs, &s->seg[X86_FS]);
	push_segment(&v->gs, &s->seg[X86_GS]);
	push_segment(&v->ldtr, &s->seg[X86_LDTR]);
	push_segment(&v->tr, &s->seg[X86_TR]);
}

static void pull_syscall(struct x86_state *s, const struct vmcb *v)
{
	s->star = v->star;
	s->lstar = v->lstar;
	s->cstar = v->cstar;
	s->sfmask = v->sfmask;
	s->kernel_gs_base = v->kernel_gs_base;
	/* tsc_aux: every write exits, so the state has it. */
}

static void push_syscall(const struct x86_state *s, struct vmcb *v)
{
	v->star = s->star;
	v->lstar = s->lstar;
	v->cstar = s->cstar;
	v->sfmask = s->sfmask;
	v->kernel_gs_base = s->kernel_gs_base;
}

static u64 guest_cr0(const struct svm_vcpu *hw)
{
	return (hw->vmcb->cr0 & ~CR0_CACHE) | hw->cr0_hidden;
}

/*
 * The guest's caches stay on, whatever it says: its memory is the host's write-back
 * memory, and uncached firmware is slow beyond use. While CR0 differs, every access exits:
 * the selective intercept would not see the guest write what the hardware has already.
 */
static void push_cr0(struct svm_vcpu *hw, u64 cr0)
{
	struct vmcb *v = hw->vmcb;

	hw->cr0_hidden = cr0 & CR0_CACHE;
	v->cr0 = (cr0 & ~CR0_CACHE) | X86_CR0_ET;
	if (hw->cr0_hidden)
		v->intercept_cr |= CR_READ(0) | CR_WRITE(0);
	else
		v->intercept_cr &= ~(CR_READ(0) | CR_WRITE(0));
	hw->clean &= ~(CLEAN_CR | CLEAN_INTERCEPTS);
}

/* Every write of CR4 exits, so the guest's value is kept beside the hardware's. */
static void push_cr4(struct svm_vcpu *hw, u64 cr4)
{
	struct vmcb *v = hw->vmcb;

	hw->cr4 = cr4;
	v->cr4 = cr4 | svm.host_cr4;
	if (v->cr4 != cr4)
		v->intercept_cr |= CR_READ(4);
	else
		v->intercept_cr &= ~CR_READ(4);
	hw->clean &= ~(CLEAN_CR | CLEAN_INTERCEPTS);
}

void svm_pull(struct vcpu *vcpu, u32 groups)
{
	const struct svm_vcpu *hw = to_svm(vcpu);
	const struct vmcb *v = hw->vmcb;
	struct x86_state *s = &vcpu->state;

	if (groups & X86_GROUP_RIP)
		s->rip = v->rip;
	if (groups & X86_GROUP_RFLAGS)
		s->rflags = v->rflags;
	/* One bit for both: it keeps NMIs back after STI too. */
	if (groups & X86_GROUP_SHADOW)
		s->shadow = v->int_state & INT_SHADOW ? X86_SHADOW_STI | X86_SHADOW_MOV_SS : 0;
	if (groups & X86_GROUP_NMI_MASK)
		s->nmi_masked = hw->nmi_masked;
	if (groups & X86_GROUP_RSP)
		s->gpr[X86_RSP] = v->rsp;
	if (groups & X86_GROUP_CODE)
		pull_code(s, v);
	if (groups & X86_GROUP_SEGMENTS)
		pull_segments(s, v);
	if (groups & X86_GROUP_TABLES) {
		s->gdtr = (struct x86_table){ v->gdtr.base, v->gdtr.limit };
		s->idtr = (struct x86_table){ v->idtr.base, v->idtr.limit };
	}
	if (groups & X86_GROUP_CR0)
		s->cr0 = guest_cr0(hw);
	/* PAE's four entries are read from memory as the CPU needs them (15.25.7). */
	if (groups & X86_GROUP_CR3)
		s->cr3 = v->cr3;
	if (groups & X86_GROUP_CR4)
		s->cr4 = hw->cr4;
	if (groups & X86_GROUP_CR2)
		s->cr2 = v->cr2;
	if (groups & X86_GROUP_SYSENTER) {
		s->sysenter_cs = v->sysenter_cs;
		s->sysenter_esp = v->sysenter_esp;
		s->sysenter_eip = v->sysenter_eip;
	}
	if (groups & X86_GROUP_SYSCALL)
		pull_syscall(s, v);
	if (groups & X86_GROUP_PAT)
		s->pat = v->pat;
	if (groups & X86_GROUP_DEBUG)
		s->dr7 = v->dr7;
}

static void push_event_groups(struct svm_vcpu *hw, const struct x86_state *s, u32 groups)
{
	struct vmcb *v = hw->vmcb;

	if (groups & X86_GROUP_RIP)
		v->rip = s->rip;
	if (groups & X86_GROUP_RFLAGS)
		v->rflags = s->rflags;
	if (groups & X86_GROUP_SHADOW)
		v->int_state = s->shadow ? INT_SHADOW : 0;
	if (groups & X86_GROUP_NMI_MASK) {
		hw->nmi_masked = s->nmi_masked;
		hw->iret_seen = false;
	}
	if (groups & X86_GROUP_RSP)
		v->rsp = s->gpr[X86_RSP];
	if (groups & X86_GROUP_CR2) {
		v->cr2 = s->cr2;
		hw->clean &= ~CLEAN_CR2;
	}
}

static void push_msr_groups(struct svm_vcpu *hw, const struct x86_state *s, u32 groups)
{
	struct vmcb *v = hw->vmcb;

	if (groups & X86_GROUP_SYSENTER) {
		v->sysenter_cs = s->sysenter_cs;
		v->sysenter_esp = s->sysenter_esp;
		v->sysenter_eip = s->sysenter_eip;
	}
	if (groups & X86_GROUP_SYSCALL)
		push_syscall(s, v);
	if (groups & X86_GROUP_PAT) {
		v->pat = s->pat;
		hw->clean &= ~CLEAN_NESTED;
	}
	if (groups & X86_GROUP_TSC) {
		v->tsc_offset = s->tsc_offset;
		hw->clean &= ~CLEAN_INTERCEPTS;
	}
	/* Without LBR virtualization the guest's DEBUGCTL is a value without effect. */
	if ((groups & X86_GROUP_DEBUGCTL) && svm.lbr) {
		v->debugctl = s->debugctl;
		v->lbr_control = s->debugctl ? LBR_ENABLE : 0;
		hw->clean &= ~CLEAN_LBR;
	}
}

void svm_push(struct vcpu *vcpu, u32 groups)
{
	struct svm_vcpu *hw = to_svm(vcpu);
	const struct x86_state *s = &vcpu->state;
	struct vmcb *v = hw->vmcb;

	push_event_groups(hw, s, groups);
	push_msr_groups(hw, s, groups);
	if (groups & X86_GROUP_CODE) {
		push_code(s, v);
		hw->clean &= ~CLEAN_SEGMENTS;
	}
	if (groups & X86_GROUP_SEGMENTS) {
		push_segments(s, v);
		hw->clean &= ~CLEAN_SEGMENTS;
	}
	if (groups & X86_GROUP_TABLES) {
		v->gdtr.base = s->gdtr.base;
		v->gdtr.limit = s->gdtr.limit;
		v->idtr.base = s->idtr.base;
		v->idtr.limit = s->idtr.limit;
		hw->clean &= ~CLEAN_TABLES;
	}
	if (groups & X86_GROUP_CR0)
		push_cr0(hw, s->cr0);
	if (groups & X86_GROUP_CR3) {
		v->cr3 = s->cr3;
		hw->clean &= ~CLEAN_CR;
	}
	if (groups & X86_GROUP_CR4)
		push_cr4(hw, s->cr4);
	/* VMRUN wants SVME set; the guest's own EFER is read and written by exits alone. */
	if (groups & X86_GROUP_EFER) {
		v->efer = s->efer | EFER_SVME;
		hw->clean &= ~CLEAN_CR;
	}
	if (groups & X86_GROUP_DEBUG) {
		v->dr7 = s->dr7;
		hw->clean &= ~CLEAN_DR;
	}
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Register groups to and from the VMCB's save area: the only file that knows which field
 * holds which register of struct x86_state. Called through vm/backend.h by vm/vcpu.c.
 *
 * Sources: APM vol. 2, 4.8 (descriptors), 15.5.1 (VMRUN's view of segments), B.2.
 */
#include "svm.h"

#define CR0_CACHE	(X86_CR0_CD | X86_CR0_NW)

static int place(int i)
{
	return i == X86_TR ? VMCB_TR : i == X86_LDTR ? VMCB_LDTR : i;
}

/* Attributes are a descriptor's bits 8 to 15 and 20 to 23, without the limit's four between. */
static void push_segment(struct svm_vcpu *hw, const struct x86_state *s, int i)
{
	const struct x86_segment *from = &s->seg[i];
	u16 attributes = (from->attributes & 0xff) | ((from->attributes >> 4) & 0xf00);

	hw->vmcb->seg[place(i)] = (struct vmcb_segment) {
		.selector = from->selector, .attributes = from->unusable ? 0 : attributes,
		.limit = from->limit, .base = from->base,
	};
	/* In real mode it must be 0 (APM vol. 2, 15.5.1); the segment's DPL is 0 there too. */
	if (i == X86_SS)
		hw->vmcb->cpl = (from->attributes & X86_SEG_DPL) >> X86_SEG_DPL_SHIFT;
	hw->clean &= ~CLEAN_SEGMENTS;
}

/*
 * AMD-V keeps the limit in bytes and does not keep G, nor D in a segment that a null
 * selector made unusable; it runs on with either.
 */
static __always_inline void pull_segment(struct x86_state *s, const struct vmcb *v, int i)
{
	const struct vmcb_segment *from = &v->seg[place(i)];
	struct x86_segment *to = &s->seg[i];
	u16 attributes = (from->attributes & 0xff) | ((from->attributes & 0x700) << 4);

	to->selector = from->selector;
	to->base = from->base;
	to->limit = from->limit;
	to->unusable = !(attributes & X86_SEG_P);
	if (from->limit > 0xfffff)
		attributes |= X86_SEG_G;
	/* Data segments' accessed bit may be clear in memory, never in the CPU; VT-x insists. */
	if (i < X86_LDTR && i != X86_CS)
		attributes = to->unusable ? attributes & ~X86_SEG_DB : attributes | 1;
	/* A loaded TSS is busy; some CPUs leave the bit out. */
	else if (i == X86_TR && !to->unusable)
		attributes |= 2;
	/* The CPL is a field of its own, and SS.DPL is it by definition on the other vendor. */
	if (i == X86_SS)
		attributes = (attributes & ~X86_SEG_DPL) | v->cpl << X86_SEG_DPL_SHIFT;
	to->attributes = attributes;
}

static void push_control_registers(struct svm_vcpu *hw, const struct x86_state *s, u32 groups)
{
	struct vmcb *v = hw->vmcb;

	/*
	 * The guest's caches stay on, whatever it says: its memory is the host's write-back memory,
	 * and uncached firmware is slow beyond use. While CR0 differs, every access exits: the
	 * selective intercept would not see the guest write what the hardware has already.
	 */
	if (groups & X86_GROUP_CR0) {
		v->cr0 = (s->cr0 & ~CR0_CACHE) | X86_CR0_ET;
		set_bits_if(&v->intercept_cr, CR_READ(0) | CR_WRITE(0), s->cr0 & CR0_CACHE);
	}
	/* Every write of CR4 exits: the guest's value is in the state, always. */
	if (groups & X86_GROUP_CR4) {
		v->cr4 = s->cr4 | svm.host_cr4;
		set_bits_if(&v->intercept_cr, CR_READ(4), v->cr4 != s->cr4);
	}
	/*
	 * VMRUN wants SVME set; the guest's own EFER is read and written by exits alone. LME
	 * means nothing before PG, and TCG's #VMEXIT from a guest with LME and without CR4.PAE
	 * leaves the host without paging.
	 */
	if (groups & (X86_GROUP_CR0 | X86_GROUP_EFER))
		v->efer = (v->cr0 & X86_CR0_PG ? s->efer : s->efer & ~EFER_LME) | EFER_SVME;
	hw->clean &= ~(CLEAN_INTERCEPTS | CLEAN_CR);
}

/* Registers that a field holds as they are, and the clean bit that a write of it ends. */
static const struct {
	u32 group;
	u16 field, offset, clean;
} plain[] = {
#define PLAIN(group, field, name, clean) { X86_GROUP_##group, offsetof(struct vmcb, field), \
					   offsetof(struct x86_state, name), clean }
	PLAIN(RSP, rsp, gpr[X86_RSP], 0),
	PLAIN(CR2, cr2, cr2, CLEAN_CR2), PLAIN(CR3, cr3, cr3, CLEAN_CR),
	PLAIN(TABLES, seg[VMCB_GDTR].base, gdtr.base, CLEAN_TABLES),
	PLAIN(TABLES, seg[VMCB_IDTR].base, idtr.base, CLEAN_TABLES),
	PLAIN(SYSENTER, sysenter_cs, sysenter_cs, 0),
	PLAIN(SYSENTER, sysenter_esp, sysenter_esp, 0),
	PLAIN(SYSENTER, sysenter_eip, sysenter_eip, 0),
	PLAIN(SYSCALL, star, star, 0), PLAIN(SYSCALL, lstar, lstar, 0),
	PLAIN(SYSCALL, cstar, cstar, 0), PLAIN(SYSCALL, sfmask, sfmask, 0),
	PLAIN(SYSCALL, kernel_gs_base, kernel_gs_base, 0),
	PLAIN(PAT, pat, pat, CLEAN_NESTED),
	PLAIN(TSC, tsc_offset, tsc_offset, CLEAN_INTERCEPTS),
};

#define state_field(s, i)	((u64 *)((void *)(s) + plain[i].offset))
#define vmcb_field(v, i)	((u64 *)((void *)(v) + plain[i].field))

static noinline void pull_rest(struct vcpu *vcpu, u32 groups)
{
	const struct vmcb *v = to_svm(vcpu)->vmcb;
	struct x86_state *s = &vcpu->state;
	int i;

	for (i = 0; i < ARRAY_SIZE(plain); i++)
		if (groups & plain[i].group)
			*state_field(s, i) = *vmcb_field(v, i);
	if (groups & X86_GROUP_TABLES) {
		s->gdtr.limit = v->seg[VMCB_GDTR].limit;
		s->idtr.limit = v->seg[VMCB_IDTR].limit;
	}
	for (i = 0; i < X86_NR_SEG; i++)
		if (groups & x86_segment_group(i))
			pull_segment(s, v, i);
	/* The others always are: enter.c takes them at each exit, or only exits write them. */
}

/* What the exits ask for most often has a short way. */
void svm_pull(struct vcpu *vcpu, u32 groups)
{
	const struct vmcb *v = to_svm(vcpu)->vmcb;
	struct x86_state *s = &vcpu->state;

	if (groups & X86_GROUP_CODE) {
		pull_segment(s, v, X86_CS);
		pull_segment(s, v, X86_SS);
	}
	/* What the hardware does not have is as it was pushed. */
	if (groups & X86_GROUP_CR0)
		s->cr0 = (v->cr0 & ~CR0_CACHE) | (s->cr0 & CR0_CACHE);
	/* PAE's four entries are read from memory as the CPU needs them (15.25.7). */
	if (groups & X86_GROUP_CR3)
		s->cr3 = v->cr3;
	groups &= ~(X86_GROUP_CODE | X86_GROUP_CR0 | X86_GROUP_CR3);
	if (unlikely(groups))
		pull_rest(vcpu, groups);
}

#define GROUPS_OF_A_STEP (X86_GROUP_RIP | X86_GROUP_RFLAGS | X86_GROUP_SHADOW | X86_GROUP_NMI_MASK)

static noinline void push_rest(struct vcpu *vcpu, u32 groups)
{
	const struct x86_state *s = &vcpu->state;
	struct svm_vcpu *hw = to_svm(vcpu);
	struct vmcb *v = hw->vmcb;
	int i;

	if (groups & X86_GROUP_RFLAGS)
		v->rflags = s->rflags;
	if (groups & X86_GROUP_SHADOW)
		v->int_state = s->shadow ? INT_SHADOW : 0;
	if (groups & X86_GROUP_NMI_MASK) {
		hw->nmi_masked = s->nmi_masked;
		hw->iret_seen = false;
	}
	if (likely(!(groups & ~GROUPS_OF_A_STEP)))
		return;
	if (groups & (X86_GROUP_CR0 | X86_GROUP_CR4 | X86_GROUP_EFER))
		push_control_registers(hw, s, groups);
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		if (groups & plain[i].group) {
			*vmcb_field(v, i) = *state_field(s, i);
			hw->clean &= ~plain[i].clean;
		}
	if (groups & X86_GROUP_TABLES) {
		v->seg[VMCB_GDTR].limit = s->gdtr.limit;
		v->seg[VMCB_IDTR].limit = s->idtr.limit;
	}
	for (i = 0; i < X86_NR_SEG; i++)
		if (groups & x86_segment_group(i))
			push_segment(hw, s, i);
	if (groups & X86_GROUP_SYSCALL)
		svm_load_tsc_aux(hw, s->tsc_aux);
	if (groups & X86_GROUP_DEBUG) {
		v->dr7 = debug_dr7(&vcpu->debug, &vcpu->state);
		v->intercept_exceptions = debug_exceptions(&vcpu->debug);
		hw->clean &= ~(CLEAN_DR | CLEAN_INTERCEPTS);
	}
	/* Without LBR virtualization the guest's DEBUGCTL is a value without effect. */
	if ((groups & X86_GROUP_DEBUGCTL) && (svm.edx & SVM_EDX_LBR)) {
		v->debugctl = s->debugctl;
		v->lbr_control = s->debugctl ? LBR_ENABLE : 0;
		hw->clean &= ~CLEAN_LBR;
	}
}

/* Most steps write RIP alone. */
void svm_push(struct vcpu *vcpu, u32 groups)
{
	if (groups & X86_GROUP_RIP)
		to_svm(vcpu)->vmcb->rip = vcpu->state.rip;
	if (groups & ~X86_GROUP_RIP)
		push_rest(vcpu, groups);
}

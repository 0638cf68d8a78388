// SPDX-License-Identifier: GPL-2.0
/*
 * Register groups to and from the VMCS: the only file that knows which field holds which
 * register of struct x86_state. Called through vm/backend.h by vm/vcpu.c, window open.
 *
 * CR0 and CR4: the CPU insists on bits the guest must not see (NE, VMXE), so the guest
 * reads those from a shadow, and its changes to what the host owns exit. SDM vol. 3, 24.6.6.
 */
#include "vmx.h"

#define DEBUGCTL_BTF	BIT_ULL(1)
#define TYPE_ACCESSED	1
#define TYPE_TSS_BUSY	2
#define TYPE_TSS_32BIT	8

/* In the field where struct x86_state has them. */
#define SHADOWS		(X86_SHADOW_STI | X86_SHADOW_MOV_SS)

static void push_cr0(u64 cr0)
{
	/*
	 * Caching is the host's: with CR0.CD the CPU would take all memory as uncached.
	 * PE and PG are free with unrestricted guest; NE is needed in VMX operation.
	 */
	u64 hardware = (cr0 | X86_CR0_NE | X86_CR0_ET) & ~(u64)(X86_CR0_CD | X86_CR0_NW);

	vmcs_write(GUEST_CR0, hardware & vmx_caps.cr0_fixed1);
	vmcs_write(CR0_SHADOW, cr0);
}

static void push_cr4(struct vcpu *vcpu, u64 cr4)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	u64 owned = CR4_GUEST_OWNED & vcpu->guest.cr4_allowed;

	if (owned != hw->cr4_owned) {
		vmcs_write(CR4_MASK, ~owned);
		hw->cr4_owned = owned;
	}
	vmcs_write(GUEST_CR4, (cr4 | vmx_caps.cr4_fixed0) & vmx_caps.cr4_fixed1);
	vmcs_write(CR4_SHADOW, cr4);
}

/* VM entry wants a busy 64-bit TSS in long mode, whatever TR was loaded with before. */
static void fix_tss(u64 efer)
{
	u32 access = vmcs_read(GUEST_TR_ACCESS);

	if ((efer & EFER_LMA) && !(access & TYPE_TSS_32BIT))
		vmcs_write(GUEST_TR_ACCESS, access | TYPE_TSS_32BIT);
}

static void push_efer(struct vmx_vcpu *hw, u64 efer)
{
	u32 entry = hw->entry;

	vmcs_write(GUEST_EFER, efer);
	set_bits_if(&entry, ENTRYCTL_IA32E, efer & EFER_LMA);
	if (entry != hw->entry)
		vmcs_write(ENTRY_CONTROLS, hw->entry = entry);
	fix_tss(efer);
}

static void push_segments(const struct x86_state *s, u32 groups)
{
	const struct x86_segment *seg = s->seg;
	int i;

	for (i = 0; i < X86_NR_SEG; i++, seg++) {
		u32 access = seg->attributes;

		if (!(groups & x86_segment_group(i)))
			continue;
		/* The CPU sets these bits when it loads a segment, and entry insists on them. */
		if (i == X86_TR)
			access |= TYPE_TSS_BUSY;
		else if (i != X86_LDTR)
			access |= TYPE_ACCESSED;
		vmcs_write(GUEST_ES_SELECTOR + 2 * i, seg->selector);
		vmcs_write(GUEST_ES_LIMIT + 2 * i, seg->limit);
		vmcs_write(GUEST_ES_ACCESS + 2 * i, seg->unusable ? ACCESS_UNUSABLE : access);
		vmcs_write(GUEST_ES_BASE + 2 * i, seg->base);
	}
	if (groups & X86_GROUP_SEGMENTS)
		fix_tss(s->efer);
}

static __always_inline void pull_attributes(struct x86_segment *seg, int i)
{
	u32 access = vmcs_read(GUEST_ES_ACCESS + 2 * i);

	seg->unusable = access & ACCESS_UNUSABLE;
	seg->attributes = seg->unusable ? 0 : (u16)access;
}

static void pull_segments(struct x86_state *s, u32 groups)
{
	struct x86_segment *seg = s->seg;
	int i;

	for (i = 0; i < X86_NR_SEG; i++, seg++) {
		if (!(groups & x86_segment_group(i)))
			continue;
		pull_attributes(seg, i);
		seg->selector = vmcs_read(GUEST_ES_SELECTOR + 2 * i);
		seg->limit = vmcs_read(GUEST_ES_LIMIT + 2 * i);
		seg->base = vmcs_read(GUEST_ES_BASE + 2 * i);
	}
}

/* Interruptibility has two of our groups; keep the one that is not asked for. */
static void push_interruptibility(const struct x86_state *s, u32 groups)
{
	u32 old = vmcs_read(GUEST_INTERRUPTIBILITY), new = old;
	u64 old_debug, debug;

	if (groups & X86_GROUP_NMI_MASK)
		new = (new & ~BLOCKED_BY_NMI) | (s->nmi_masked ? BLOCKED_BY_NMI : 0);
	/* Entry takes one of them. */
	if (groups & X86_GROUP_SHADOW)
		new = (new & ~SHADOWS) | (s->shadow & X86_SHADOW_MOV_SS ?: s->shadow);
	if (new != old)
		vmcs_write(GUEST_INTERRUPTIBILITY, new);
	if (!(groups & X86_GROUP_SHADOW))
		return;
	/*
	 * A single step held back by the shadow is pending: with TF it must say so, without
	 * it must not (SDM vol. 3, 26.3.1.5). When the shadow goes, what it held back has
	 * been delivered by whoever stepped over the instruction.
	 */
	old_debug = vmcs_read(GUEST_PENDING_DEBUG);
	debug = old_debug & ~(u64)PENDING_DEBUG_BS;
	if ((new & SHADOWS) && (vmcs_read(GUEST_RFLAGS) & X86_EFLAGS_TF) &&
	    !(s->debugctl & DEBUGCTL_BTF))
		debug |= PENDING_DEBUG_BS;
	if (debug != old_debug)
		vmcs_write(GUEST_PENDING_DEBUG, debug);
}

/* Registers that a field holds as they are. */
static const struct {
	u32 group;
	u16 field, offset;
} plain[] = {
#define PLAIN(group, field, name) { X86_GROUP_##group, field, offsetof(struct x86_state, name) }
	PLAIN(RSP, GUEST_RSP, gpr[X86_RSP]), PLAIN(CR3, GUEST_CR3, cr3),
	PLAIN(TABLES, GUEST_GDTR_BASE, gdtr.base), PLAIN(TABLES, GUEST_IDTR_BASE, idtr.base),
	PLAIN(SYSENTER, GUEST_SYSENTER_CS, sysenter_cs),
	PLAIN(SYSENTER, GUEST_SYSENTER_ESP, sysenter_esp),
	PLAIN(SYSENTER, GUEST_SYSENTER_EIP, sysenter_eip),
	PLAIN(PAT, GUEST_PAT, pat), PLAIN(TSC, TSC_OFFSET, tsc_offset),
};

#define GROUPS_PLAIN (X86_GROUP_TABLES | X86_GROUP_SYSENTER | X86_GROUP_PAT | X86_GROUP_TSC)

#define GROUPS_OF_A_STEP (X86_GROUP_RIP | X86_GROUP_RFLAGS | X86_GROUP_SHADOW | \
			  X86_GROUP_NMI_MASK | X86_GROUP_CR2)

static noinline void push_rest(struct vcpu *vcpu, u32 groups)
{
	const struct x86_state *s = &vcpu->state;
	struct vmx_vcpu *hw = to_vmx(vcpu);
	int i;

	if (groups & X86_GROUP_RFLAGS)
		vmcs_write(GUEST_RFLAGS, s->rflags);
	if (groups & (X86_GROUP_SHADOW | X86_GROUP_NMI_MASK))
		push_interruptibility(s, groups);
	if (likely(!(groups & ~GROUPS_OF_A_STEP)))
		return;
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		if (groups & plain[i].group)
			vmcs_write(plain[i].field, *(u64 *)((void *)s + plain[i].offset));
	if ((groups & X86_GROUP_TSC) && features.tsc_ratio_bits)
		vmcs_write(TSC_MULTIPLIER, s->tsc_ratio);
	if (groups & X86_GROUP_DEBUG) {
		vmcs_write(GUEST_DR7, debug_dr7(&vcpu->debug, &vcpu->state));
		vmcs_write(EXCEPTION_BITMAP, debug_exceptions(&vcpu->debug));
	}
	if (groups & X86_GROUP_TABLES) {
		vmcs_write(GUEST_GDTR_LIMIT, s->gdtr.limit);
		vmcs_write(GUEST_IDTR_LIMIT, s->idtr.limit);
	}
	if (groups & (X86_GROUP_CODE | X86_GROUP_SEGMENTS))
		push_segments(s, groups);
	if (groups & X86_GROUP_CR0)
		push_cr0(s->cr0);
	/* Entry loads PAE's four in that mode only; which it is may be pushed after this. */
	if ((groups & X86_GROUP_CR3) && !(s->efer & EFER_LMA))
		for (i = 0; i < 4; i++)
			vmcs_write(GUEST_PDPTE0 + 2 * i, s->pdptr[i]);
	if (groups & X86_GROUP_CR4)
		push_cr4(vcpu, s->cr4);
	if (groups & X86_GROUP_EFER)
		push_efer(hw, s->efer);
	if (groups & X86_GROUP_SYSCALL)
		hw->kernel_gs_base = s->kernel_gs_base;
	if ((groups & X86_GROUP_SYSCALL) && !(hw->due & DUE_ARM))
		vmx_exchange_kernel_gs_base(s->kernel_gs_base);
	if (groups & (X86_GROUP_SYSCALL | X86_GROUP_EFER))
		hw->due |= DUE_MSRS;
	if (groups & X86_GROUP_CONTROLS)
		vmcs_push_controls(vcpu);
	/* Branch recording would show the host's branches, so no more than BTF. */
	if (groups & X86_GROUP_DEBUGCTL)
		vmcs_write(GUEST_DEBUGCTL, s->debugctl & DEBUGCTL_BTF);
}

/* Most steps write RIP alone, and read the flags and the shadow: these have a short way. */
void vmx_push(struct vcpu *vcpu, u32 groups)
{
	if (groups & X86_GROUP_RIP)
		vmcs_write(GUEST_RIP, vcpu->state.rip);
	if (unlikely(groups & ~(X86_GROUP_RIP | X86_GROUP_CR2)))
		push_rest(vcpu, groups);
}

static noinline void pull_rest(struct vcpu *vcpu, u32 groups)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	struct x86_state *s = &vcpu->state;
	int i;

	for (i = 0; i < ARRAY_SIZE(plain) && groups & GROUPS_PLAIN; i++)
		if (groups & plain[i].group)
			*(u64 *)((void *)s + plain[i].offset) = vmcs_read(plain[i].field);
	if (groups & X86_GROUP_TABLES) {
		s->gdtr.limit = vmcs_read(GUEST_GDTR_LIMIT);
		s->idtr.limit = vmcs_read(GUEST_IDTR_LIMIT);
	}
	if (groups & (X86_GROUP_CODE | X86_GROUP_SEGMENTS) & ~X86_GROUP_MODE)
		pull_segments(s, groups);
	/* Bits that the host owns are in the state, always: their writes exit. */
	if (groups & X86_GROUP_CR0)
		s->cr0 = (vmcs_read(GUEST_CR0) & CR0_GUEST_OWNED) | (s->cr0 & ~CR0_GUEST_OWNED);
	if (groups & X86_GROUP_CR4)
		s->cr4 = (vmcs_read(GUEST_CR4) & hw->cr4_owned) | (s->cr4 & ~hw->cr4_owned);
	/* The CPU has PAE's four entries in that mode, which such bits show. */
	if ((groups & X86_GROUP_CR3) && x86_pae_paging(s->cr0, s->cr4, s->efer))
		for (i = 0; i < 4; i++)
			s->pdptr[i] = vmcs_read(GUEST_PDPTE0 + 2 * i);
	/* The guest writes only this one of its group without an exit. */
	if ((groups & X86_GROUP_SYSCALL) && !(hw->due & DUE_ARM)) {
		hw->kernel_gs_base = vmx_exchange_kernel_gs_base(0);
		vmx_exchange_kernel_gs_base(hw->kernel_gs_base);
	}
	if (groups & X86_GROUP_SYSCALL)
		s->kernel_gs_base = hw->kernel_gs_base;
	/* The other groups change only by our hand and stay valid: X86_GROUPS_OWN. */
}

void vmx_pull(struct vcpu *vcpu, u32 groups)
{
	struct x86_state *s = &vcpu->state;
	u32 value;

	if (groups & X86_GROUP_RFLAGS)
		s->rflags = vmcs_read(GUEST_RFLAGS);
	if (groups & (X86_GROUP_SHADOW | X86_GROUP_NMI_MASK)) {
		value = vmcs_read(GUEST_INTERRUPTIBILITY);
		if (groups & X86_GROUP_SHADOW)
			s->shadow = value & SHADOWS;
		if (groups & X86_GROUP_NMI_MASK)
			s->nmi_masked = value & BLOCKED_BY_NMI;
	}
	if (likely(!(groups & ~(GROUPS_OF_A_STEP & ~X86_GROUP_RIP))))
		return;
	if (groups & X86_GROUP_RIP)
		s->rip = vmcs_read(GUEST_RIP);
	if (groups & X86_GROUP_RSP)
		s->gpr[X86_RSP] = vmcs_read(GUEST_RSP);
	if (groups & X86_GROUP_CR3)
		s->cr3 = vmcs_read(GUEST_CR3);
	/* Mode and privilege are asked for more often than the rest of CS and SS. */
	if ((groups & X86_GROUP_CODE) == X86_GROUP_MODE) {
		pull_attributes(&s->seg[X86_CS], X86_CS);
		pull_attributes(&s->seg[X86_SS], X86_SS);
	}
	/* Outside long mode there is more to CR3. */
	if (s->efer & EFER_LMA)
		groups &= ~X86_GROUP_CR3;
	if (groups & ~(GROUPS_OF_A_STEP | X86_GROUP_RSP | X86_GROUP_MODE))
		pull_rest(vcpu, groups);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that the guest may not execute by itself: CPUID, HLT, PAUSE, XSETBV, RDPMC
 * and the moves to and from control and debug registers. The CPU has done its own
 * checks before it exits where the manuals say so (SDM vol. 3, 25.1.1; APM vol. 2, 15.9);
 * what comes after the intercept is checked here. Called by dispatch.c.
 */
#include "../irq/lapic.h"
#include "run.h"

/* Outside 64-bit mode registers are half as wide. */
static u64 gpr_read(struct vcpu *vcpu, u8 gpr)
{
	if (gpr == X86_RSP)
		vcpu_pull(vcpu, X86_GROUP_RSP);
	return long_code(vcpu) ? vcpu->state.gpr[gpr] : (u32)vcpu->state.gpr[gpr];
}

static void gpr_write(struct vcpu *vcpu, u8 gpr, u64 value)
{
	vcpu->state.gpr[gpr] = value;
	if (gpr == X86_RSP)
		vcpu_dirty(vcpu, X86_GROUP_RSP);
}

static bool has_quirk(const struct vcpu *vcpu, u64 quirk)
{
	return !(READ_ONCE(vcpu->vm->disabled_quirks) & quirk);
}

struct x86_cpuid_live cpuid_live(const struct vcpu *vcpu)
{
	return (struct x86_cpuid_live) {
		.cr4 = vcpu->cr4_seen,
		.xcr0 = vcpu->state.xcr0,
		.apic_base = vcpu->apic_base,
		.misc_enable = has_quirk(vcpu, KVIRT_X86_QUIRK_MISC_ENABLE_NO_MWAIT) ? NULL :
			       &vcpu->msrs.value[X86_SLOT_MISC_ENABLE],
	};
}

enum verdict exit_cpuid(struct vcpu *vcpu)
{
	struct x86_cpuid_live live = cpuid_live(vcpu);
	u64 *gpr = vcpu->state.gpr;
	u32 regs[4];

	/* CPUID faulting, which PLATFORM_INFO offers. */
	if (unlikely(vcpu->msrs.value[X86_SLOT_MISC_FEATURES] & 1) && cpl(vcpu))
		return raise(vcpu, X86_GP);
	x86_cpuid(&vcpu->cpuid, &live, gpr[X86_RAX], gpr[X86_RCX], regs);
	gpr[X86_RAX] = regs[0];
	gpr[X86_RBX] = regs[1];
	gpr[X86_RCX] = regs[2];
	gpr[X86_RDX] = regs[3];
	return STEP;
}

enum verdict exit_hlt(struct vcpu *vcpu)
{
	if (!vcpu->lapic) {
		dispatch_step(vcpu, vcpu->exit.insn_len);
		vcpu->run->exit_reason = KVIRT_EXIT_HLT;
		return TO_USER;
	}
	/* With something to wake for already there, it is a step. */
	if (vcpu->in_window)
		return next_vector(vcpu) >= 0 && event_interrupt_allowed(vcpu) ? STEP : SLOW;
	vcpu->mp_state = KVIRT_MP_STATE_HALTED;
	return STEP;
}

/* It waits for another vCPU, which may wait for this CPU. */
enum verdict exit_pause(struct vcpu *vcpu)
{
	if (vm_nr_vcpus(vcpu->vm) == 1)
		return STEP;
	if (vcpu->in_window)
		return SLOW;
	vcpu_yield(vcpu);
	return STEP;
}

/* KVM lets them do nothing, whatever CPUID says, until user space wants the #UD. */
enum verdict exit_mwait(struct vcpu *vcpu)
{
	struct x86_cpuid_live live = cpuid_live(vcpu);
	u32 regs[4];

	x86_cpuid(&vcpu->cpuid, &live, 1, 0, regs);
	return (regs[2] & BIT(3)) || has_quirk(vcpu, KVIRT_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) ?
	       STEP : raise(vcpu, X86_UD);
}

enum verdict exit_rdpmc(struct vcpu *vcpu)
{
	return raise(vcpu, X86_GP);
}

/* The memory operand of SMSW, LMSW: @value to it (X86_ACCESS_WRITE) or from it. 0, or a verdict. */
static int msw_memory(struct vcpu *vcpu, u32 access, u16 *value)
{
	const struct x86_insn *insn = &vcpu->insn;
	u64 linear;
	u8 vector;

	vcpu_pull(vcpu, X86_GROUP_SEGMENTS | X86_GROUP_RSP | X86_GROUP_CODE | X86_GROUP_CR0);
	vector = x86_linear(&vcpu->state, insn->seg, x86_effective(insn, &vcpu->state), 2,
			    access, &linear);
	if (vector)
		return raise(vcpu, vector);
	return linear_access(vcpu, linear, value, sizeof(*value), access);
}

static enum verdict store_msw(struct vcpu *vcpu)
{
	u64 old, cr0 = vcpu->state.cr0;
	u16 msw = cr0;

	if (vcpu->insn.dst == X86_MEM)
		return msw_memory(vcpu, X86_ACCESS_WRITE, &msw) ?: STEP;
	old = gpr_read(vcpu, vcpu->exit.cr.gpr);
	gpr_write(vcpu, vcpu->exit.cr.gpr,
		  vcpu->insn.op_size == 2 ? (old & ~0xffffULL) | msw : cr0);
	return STEP;
}

enum verdict exit_cr_read(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	struct x86_state *s = &vcpu->state;

	vcpu_pull(vcpu, X86_GROUP_CR0 | X86_GROUP_CR4);
	/* SMSW is for every privilege level (CR4.UMIP makes it fault before it exits). */
	if (exit->cr.how == CR_SMSW)
		return store_msw(vcpu);
	if (cpl(vcpu))
		return raise(vcpu, X86_GP);
	gpr_write(vcpu, exit->cr.gpr, exit->cr.nr == 0 ? s->cr0 : exit->cr.nr == 4 ? s->cr4 :
		  lapic_get_cr8(vcpu));
	return STEP;
}

/* The entries that PAE paging loads, if it is that. 0, or a verdict: nothing changed. */
static int load_pdptrs(struct vcpu *vcpu, u64 cr0, u64 cr4)
{
	struct x86_state *s = &vcpu->state;
	u64 pdptr[4];
	int i, err;

	if (!x86_pae_paging(cr0, cr4, s->efer))
		return 0;
	err = physical_read(vcpu, s->cr3 & X86_CR3_PDPT, pdptr, sizeof(pdptr));
	if (err == -EAGAIN)
		return SLOW;
	for (i = 0; i < 4; i++)
		if (err || !x86_pdpte_valid(pdptr[i], vcpu->guest.maxphyaddr))
			return raise(vcpu, X86_GP);
	memcpy(s->pdptr, pdptr, sizeof(pdptr));
	vcpu_dirty(vcpu, X86_GROUP_CR3);
	return 0;
}

/* EFER.LMA follows CR0.PG where LME is set (SDM vol. 3, 9.8.5). */
static void set_long_mode(struct vcpu *vcpu, u64 cr0)
{
	struct x86_state *s = &vcpu->state;
	u64 efer = s->efer & ~X86_EFER_LMA_BIT;

	if ((efer & X86_EFER_LME_BIT) && (cr0 & X86_CR0_PG))
		efer |= X86_EFER_LMA_BIT;
	if (efer == s->efer)
		return;
	s->efer = efer;
	vcpu_dirty(vcpu, X86_GROUP_EFER);
}

/* Intel's CPUs do not enter long mode with one (SDM vol. 2, MOV to CR0); AMD's may. */
static bool tss_is_16bit(struct vcpu *vcpu)
{
	vcpu_pull(vcpu, X86_GROUP_SEGMENTS);
	return (vcpu->guest.has & X86_HAS_INTEL) && !(vcpu->state.seg[X86_TR].attributes & 8);
}

#define PDPTR_CR0_BITS	(X86_CR0_PG | X86_CR0_CD | X86_CR0_NW)
#define PDPTR_CR4_BITS	(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP)
/* Bits whose change drops linear translations (SDM vol. 3, 4.10.4.1). */
#define FLUSH_CR4_BITS	(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | \
			 X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PCIDE | X86_CR4_LA57)

static enum verdict set_cr0(struct vcpu *vcpu, u64 value)
{
	struct x86_state *s = &vcpu->state;
	u64 old = s->cr0, cr0 = (value & X86_CR0_DEFINED) | X86_CR0_ET;
	int verdict;

	if (!x86_cr0_valid(value))
		return raise(vcpu, X86_GP);
	if ((cr0 & X86_CR0_PG) && !(old & X86_CR0_PG) && (s->efer & X86_EFER_LME_BIT) &&
	    (!(s->cr4 & X86_CR4_PAE) || (s->seg[X86_CS].attributes & X86_SEG_L) ||
	     tss_is_16bit(vcpu)))
		return raise(vcpu, X86_GP);
	if (!(cr0 & X86_CR0_PG) && (old & X86_CR0_PG) &&
	    ((s->cr4 & X86_CR4_PCIDE) || long_code(vcpu)))
		return raise(vcpu, X86_GP);
	verdict = (cr0 ^ old) & PDPTR_CR0_BITS ? load_pdptrs(vcpu, cr0, s->cr4) : 0;
	if (verdict)
		return verdict;
	s->cr0 = cr0;
	vcpu_dirty(vcpu, X86_GROUP_CR0);
	set_long_mode(vcpu, cr0);
	if ((cr0 ^ old) & (X86_CR0_PG | X86_CR0_PE | X86_CR0_WP))
		vcpu->flush |= FLUSH_GUEST;
	return STEP;
}

static enum verdict set_cr4(struct vcpu *vcpu, u64 value)
{
	struct x86_state *s = &vcpu->state;
	u64 old = s->cr4;
	int verdict;

	if (value & ~vcpu->guest.cr4_allowed)
		return raise(vcpu, X86_GP);
	if (x86_long_mode(s)) {
		if (!(value & X86_CR4_PAE) || ((value ^ old) & X86_CR4_LA57))
			return raise(vcpu, X86_GP);
		if ((value & X86_CR4_PCIDE) && !(old & X86_CR4_PCIDE) && (s->cr3 & 0xfff))
			return raise(vcpu, X86_GP);
	} else if (value & X86_CR4_PCIDE) {
		return raise(vcpu, X86_GP);
	}
	verdict = (value ^ old) & PDPTR_CR4_BITS ? load_pdptrs(vcpu, s->cr0, value) : 0;
	if (verdict)
		return verdict;
	vcpu_set_cr4(vcpu, value);
	if ((value ^ old) & FLUSH_CR4_BITS)
		vcpu->flush |= FLUSH_GUEST;
	return STEP;
}

static enum verdict set_cr8(struct vcpu *vcpu, u64 value)
{
	u64 old = vcpu->state.cr8;

	if (value & ~0xfULL)
		return raise(vcpu, X86_GP);
	if (vcpu->lapic) {
		lapic_set_cr8(vcpu, value);
		return STEP;
	}
	vcpu->state.cr8 = value;
	if (value >= old)
		return STEP;
	/* User space holds the interrupts that a lower priority may let through. */
	dispatch_step(vcpu, vcpu->exit.insn_len);
	vcpu->run->exit_reason = KVIRT_EXIT_SET_TPR;
	return TO_USER;
}

/* LMSW sets PE but never clears it, and changes MP, EM and TS (SDM vol. 2, LMSW). */
static enum verdict load_msw(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	u16 msw = exit->cr.msw;
	int verdict = 0;

	if (exit->cr.undecoded && (vcpu->insn.src == X86_MEM || vcpu->insn.dst == X86_MEM))
		verdict = msw_memory(vcpu, 0, &msw);
	else if (exit->cr.undecoded)
		msw = gpr_read(vcpu, exit->cr.gpr);
	return verdict ?: set_cr0(vcpu, (vcpu->state.cr0 & ~0xeULL) | (msw & 0xf));
}

enum verdict exit_cr_write(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	struct x86_state *s = &vcpu->state;
	u64 value;

	/* All of the combination is checked together. */
	vcpu_pull(vcpu, X86_GROUP_CR0 | X86_GROUP_CR3 | X86_GROUP_CR4 | X86_GROUP_MODE);
	if (x86_cpl(s))
		return raise(vcpu, X86_GP);
	if (exit->cr.how == CR_CLTS)
		return set_cr0(vcpu, s->cr0 & ~X86_CR0_TS);
	if (exit->cr.how == CR_LMSW)
		return load_msw(vcpu);
	value = gpr_read(vcpu, exit->cr.gpr);
	switch (exit->cr.nr) {
	case 0:
		return set_cr0(vcpu, value);
	case 4:
		return set_cr4(vcpu, value);
	default:
		return set_cr8(vcpu, value);
	}
}

/* General detect and the aliases of DR4, DR5: SDM vol. 3, 17.2. */
enum verdict exit_dr(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	struct x86_state *s = &vcpu->state;
	u8 nr = exit->dr.nr;
	u64 value;

	if (cpl(vcpu))
		return raise(vcpu, X86_GP);
	if (nr == 4 || nr == 5) {
		vcpu_pull(vcpu, X86_GROUP_CR4);
		if (s->cr4 & X86_CR4_DE)
			return raise(vcpu, X86_UD);
		nr += 2;
	}
	if (debug_dr7(&vcpu->debug, &vcpu->state) & X86_DR7_GD)
		return debug_trap(vcpu, X86_DR6_BD);
	if (exit->dr.read) {
		value = nr < 4 ? s->dr[nr] : nr == 6 ? s->dr6 : s->dr7;
		gpr_write(vcpu, exit->dr.gpr, value);
		return STEP;
	}
	/* The breakpoint registers change hands when a window opens. */
	if (vcpu->in_window)
		return SLOW;
	value = gpr_read(vcpu, exit->dr.gpr);
	if (nr >= 4 && value >> 32)
		return raise(vcpu, X86_GP);
	if (nr < 4)
		s->dr[nr] = value;
	else if (nr == 6)
		s->dr6 = (value & 0x1e00fULL & ~vcpu->guest.dr6_fixed) | vcpu->guest.dr6_fixed;
	else
		s->dr7 = (value & 0xffff2bffULL) | X86_DR7_FIXED;
	vcpu_dirty(vcpu, X86_GROUP_DEBUG);
	return STEP;
}

enum verdict exit_xsetbv(struct vcpu *vcpu)
{
	struct x86_state *s = &vcpu->state;
	u64 value = (u32)s->gpr[X86_RAX] | s->gpr[X86_RDX] << 32;

	if (!(vcpu->cr4_seen & X86_CR4_OSXSAVE))
		return raise(vcpu, X86_UD);
	if (cpl(vcpu) || (u32)s->gpr[X86_RCX] ||
	    !x86_xcr0_valid(value, vcpu->guest.xcr0_allowed))
		return raise(vcpu, X86_GP);
	vcpu_pull(vcpu, X86_GROUP_CR4);
	s->xcr0 = value;
	vcpu_set_cr4(vcpu, s->cr4);
	return STEP;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that the guest may not execute by itself: CPUID, HLT, PAUSE, XSETBV,
 * RDPMC, INVD and the moves to and from control and debug registers. The CPU has done
 * its own checks before it exits where the manuals say so (SDM vol. 3, 25.1.1; APM vol. 2,
 * 15.9); what comes after the intercept is checked here.
 */
#include <linux/sched.h>
#include "../irq/lapic.h"
#include "../vm/gmem.h"
#include "../vm/vm.h"
#include "../x86/check.h"
#include "../x86/walk.h"
#include "run.h"

static enum verdict raise(struct vcpu *vcpu, u8 vector)
{
	if (vector == X86_UD)
		event_queue_exception(vcpu, vector);
	else
		event_queue_exception_error(vcpu, vector, 0);
	return RETRY;
}

static unsigned int cpl(struct vcpu *vcpu)
{
	vcpu_pull(vcpu, X86_GROUP_CODE | X86_GROUP_CR0);
	return x86_cpl(&vcpu->state);
}

static bool long_code(struct vcpu *vcpu)
{
	if (!x86_long_mode(&vcpu->state))
		return false;
	vcpu_pull(vcpu, X86_GROUP_CODE);
	return x86_64bit_mode(&vcpu->state);
}

static u64 gpr_read(struct vcpu *vcpu, u8 gpr)
{
	if (gpr == X86_RSP)
		vcpu_pull(vcpu, X86_GROUP_RSP);
	return vcpu->state.gpr[gpr];
}

static void gpr_write(struct vcpu *vcpu, u8 gpr, u64 value)
{
	vcpu->state.gpr[gpr] = value;
	if (gpr == X86_RSP)
		vcpu_dirty(vcpu, X86_GROUP_RSP);
}

enum verdict exit_cpuid(struct vcpu *vcpu)
{
	struct x86_cpuid_live live = {
		.cr4 = vcpu->cr4_seen,
		.xcr0 = vcpu->state.xcr0,
		.apic_base = vcpu->apic_base,
	};
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

/* With something to wake for already there, HLT is a step. */
enum verdict exit_hlt_fast(struct vcpu *vcpu)
{
	return vcpu->lapic && next_vector(vcpu) >= 0 && event_interrupt_allowed(vcpu) ?
	       STEP : SLOW;
}

enum verdict exit_hlt(struct vcpu *vcpu)
{
	if (vcpu->lapic) {
		vcpu->mp_state = KVIRT_MP_STATE_HALTED;
		return STEP;
	}
	dispatch_step(vcpu, vcpu->exit.insn_len);
	vcpu->run->exit_reason = KVIRT_EXIT_HLT;
	return TO_USER;
}

enum verdict exit_pause(struct vcpu *vcpu)
{
	/* It waits for another vCPU, which may wait for this CPU. */
	if (vm_nr_vcpus(vcpu->vm) > 1)
		yield();
	return STEP;
}

enum verdict exit_rdpmc(struct vcpu *vcpu)
{
	return raise(vcpu, X86_GP);
}

enum verdict exit_invd(struct vcpu *vcpu)
{
	return STEP;
}

/* The memory operand of SMSW and LMSW: its linear address, or the fault it raises. */
static int msw_address(struct vcpu *vcpu, u32 access, u64 *linear)
{
	const struct x86_insn *insn = &vcpu->insn;
	u8 vector;

	vcpu_pull(vcpu, X86_GROUP_SEGMENTS | X86_GROUP_RSP | X86_GROUP_CODE | X86_GROUP_CR0);
	vector = x86_linear(&vcpu->state, insn->seg, x86_effective(insn, &vcpu->state), 2,
			    access, linear);
	return vector ? (int)raise(vcpu, vector) : 0;
}

/* The machine status word in memory: @value to it, or from it. 0, or a verdict. */
static int msw_memory(struct vcpu *vcpu, u32 access, u16 *value)
{
	struct guest_fault fault;
	u64 linear;
	int err;

	err = msw_address(vcpu, access, &linear);
	if (err)
		return err;
	err = access ? linear_write(vcpu, linear, value, sizeof(*value), &fault) :
		       linear_read(vcpu, linear, value, sizeof(*value), &fault);
	if (err > 0) {
		queue_guest_fault(vcpu, &fault);
		return RETRY;
	}
	if (err)
		return vcpu->in_window ? SLOW : stop_emulation(vcpu, NULL, 0);
	return 0;
}

static enum verdict store_msw(struct vcpu *vcpu)
{
	u64 old, cr0 = vcpu->state.cr0;
	u16 msw = cr0;
	int verdict;

	if (vcpu->insn.dst == X86_MEM) {
		verdict = msw_memory(vcpu, X86_ACCESS_WRITE, &msw);
		return verdict ?: STEP;
	}
	old = gpr_read(vcpu, vcpu->exit.cr.gpr);
	gpr_write(vcpu, vcpu->exit.cr.gpr,
		  vcpu->insn.op_size == 2 ? (old & ~0xffffULL) | msw : cr0);
	return STEP;
}

enum verdict exit_cr_read(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	struct x86_state *s = &vcpu->state;
	u64 value;

	vcpu_pull(vcpu, X86_GROUP_CR0 | X86_GROUP_CR4);
	/* SMSW is for every privilege level (CR4.UMIP makes it fault before it exits). */
	if (exit->cr.how == CR_SMSW)
		return store_msw(vcpu);
	if (cpl(vcpu))
		return raise(vcpu, X86_GP);
	switch (exit->cr.nr) {
	case 0:
		value = s->cr0;
		break;
	case 4:
		value = s->cr4;
		break;
	default:
		value = vcpu->lapic ? lapic_get_cr8(vcpu) : s->cr8;
	}
	gpr_write(vcpu, exit->cr.gpr, value);
	return STEP;
}

/* PAE paging without long mode loads four entries into the CPU with CR3 (SDM vol. 3, 4.4.1). */
static int load_pdptrs(struct vcpu *vcpu)
{
	struct x86_state *s = &vcpu->state;
	u64 pdptr[4], base = s->cr3 & 0xffffffe0ULL;
	int i, err;

	err = vcpu->in_window ? gmem_read_atomic(vcpu->vm, base, pdptr, sizeof(pdptr)) :
				gmem_read(vcpu->vm, base, pdptr, sizeof(pdptr));
	if (err == -EAGAIN)
		return SLOW;
	for (i = 0; i < 4; i++)
		if (err || !x86_pdpte_valid(pdptr[i], vcpu->guest.maxphyaddr))
			return raise(vcpu, X86_GP);
	memcpy(s->pdptr, pdptr, sizeof(pdptr));
	vcpu_dirty(vcpu, X86_GROUP_CR3);
	return 0;
}

static bool pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & X86_EFER_LME_BIT);
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
	    (!(s->cr4 & X86_CR4_PAE) || (s->seg[X86_CS].attributes & X86_SEG_L)))
		return raise(vcpu, X86_GP);
	if (!(cr0 & X86_CR0_PG) && (old & X86_CR0_PG) &&
	    ((s->cr4 & X86_CR4_PCIDE) || long_code(vcpu)))
		return raise(vcpu, X86_GP);
	if (pae_paging(cr0, s->cr4, s->efer) && ((cr0 ^ old) & PDPTR_CR0_BITS)) {
		verdict = load_pdptrs(vcpu);
		if (verdict)
			return verdict;
	}
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
		if ((value & X86_CR4_PCIDE) && !(old & X86_CR4_PCIDE) &&
		    (s->cr3 & 0xfff))
			return raise(vcpu, X86_GP);
	} else if (value & X86_CR4_PCIDE) {
		return raise(vcpu, X86_GP);
	}
	if (pae_paging(s->cr0, value, s->efer) && ((value ^ old) & PDPTR_CR4_BITS)) {
		verdict = load_pdptrs(vcpu);
		if (verdict)
			return verdict;
	}
	vcpu_set_cr4(vcpu, value);
	if ((value ^ old) & FLUSH_CR4_BITS)
		vcpu->flush |= FLUSH_GUEST;
	return STEP;
}

static enum verdict set_cr3(struct vcpu *vcpu, u64 value)
{
	struct x86_state *s = &vcpu->state;
	bool keep = false;
	int verdict;

	if ((s->cr4 & X86_CR4_PCIDE) && long_code(vcpu)) {
		keep = value >> 63;
		value &= ~BIT_ULL(63);
	}
	if (x86_long_mode(s) && (value & vcpu->guest.phys_reserved))
		return raise(vcpu, X86_GP);
	s->cr3 = value;
	if (pae_paging(s->cr0, s->cr4, s->efer)) {
		verdict = load_pdptrs(vcpu);
		if (verdict)
			return verdict;
	}
	vcpu_dirty(vcpu, X86_GROUP_CR3);
	if (!keep)
		vcpu->flush |= FLUSH_GUEST;
	return STEP;
}

static enum verdict set_cr8(struct vcpu *vcpu, u64 value)
{
	u64 old;

	if (value & ~0xfULL)
		return raise(vcpu, X86_GP);
	if (vcpu->lapic) {
		lapic_set_cr8(vcpu, value);
		return STEP;
	}
	old = vcpu->state.cr8;
	vcpu->state.cr8 = value;
	if (value >= old)
		return STEP;
	/* User space holds the interrupts that a lower priority may let through. */
	dispatch_step(vcpu, vcpu->exit.insn_len);
	vcpu->run->exit_reason = KVIRT_EXIT_SET_TPR;
	return TO_USER;
}

static int load_msw(struct vcpu *vcpu, u64 *value)
{
	u16 msw;
	int verdict;

	if (vcpu->insn.src != X86_MEM && vcpu->insn.dst != X86_MEM) {
		*value = gpr_read(vcpu, vcpu->exit.cr.gpr);
		return 0;
	}
	verdict = msw_memory(vcpu, 0, &msw);
	*value = msw;
	return verdict;
}

enum verdict exit_cr_write(struct vcpu *vcpu)
{
	const struct kvirt_exit *exit = &vcpu->exit;
	struct x86_state *s = &vcpu->state;
	u64 value;
	int verdict;

	/* All of the combination is checked together. */
	vcpu_pull(vcpu, X86_GROUP_CR0 | X86_GROUP_CR3 | X86_GROUP_CR4 | X86_GROUP_CODE);
	if (x86_cpl(s))
		return raise(vcpu, X86_GP);
	switch (exit->cr.how) {
	case CR_CLTS:
		return set_cr0(vcpu, s->cr0 & ~X86_CR0_TS);
	case CR_LMSW:
		/* Sets PE but never clears it, and changes MP, EM and TS (SDM vol. 2, LMSW). */
		value = exit->cr.msw;
		if (exit->cr.undecoded) {
			verdict = load_msw(vcpu, &value);
			if (verdict)
				return verdict;
		}
		return set_cr0(vcpu, (s->cr0 & ~0xeULL) | (value & 0xf));
	default:
		break;
	}
	value = gpr_read(vcpu, exit->cr.gpr);
	if (!long_code(vcpu))
		value = (u32)value;
	switch (exit->cr.nr) {
	case 0:
		return set_cr0(vcpu, value);
	case 3:
		return set_cr3(vcpu, value);
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
	if (s->dr7 & X86_DR7_GD) {
		event_queue_debug(vcpu, X86_DR6_BD);
		return RETRY;
	}
	if (exit->dr.read) {
		value = nr < 4 ? s->dr[nr] : nr == 6 ? s->dr6 : s->dr7;
		gpr_write(vcpu, exit->dr.gpr, value);
		return STEP;
	}
	/* The breakpoint registers change hands when a window opens. */
	if (vcpu->in_window)
		return SLOW;
	value = gpr_read(vcpu, exit->dr.gpr);
	if (!long_code(vcpu))
		value = (u32)value;
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

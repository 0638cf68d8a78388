// SPDX-License-Identifier: GPL-2.0
/*
 * RDMSR and WRMSR, and the same for user space's KVM_GET_MSRS and KVM_SET_MSRS. Values
 * without effects are x86/msr.c's; here are those that do something. Called by
 * dispatch.c and api/.
 */
#include <asm/tsc.h>
#include "../host/cpu.h"
#include "../irq/lapic.h"
#include "run.h"

/* x86/msr.c's verdict is what msr_read() and msr_write() give. */
static_assert(X86_MSR_OK == 0 && X86_MSR_FAULT == 1);

static bool is_lapic_msr(u32 index)
{
	return (index >= X86_MSR_X2APIC_FIRST && index <= X86_MSR_X2APIC_LAST) ||
	       index == X86_MSR_APIC_BASE || index == X86_MSR_TSC_DEADLINE;
}

static u64 read_emulated(struct vcpu *vcpu, u32 index)
{
	switch (index) {
	case X86_MSR_TSC:
		return clock_guest_tsc(vcpu, rdtsc());
	case X86_MSR_EFER:
		return vcpu->state.efer;
	case X86_MSR_TSC_ADJUST:
		return vcpu->tsc_adjust;
	case X86_MSR_KVM_WALL_CLOCK:
	case X86_MSR_KVM_WALL_CLOCK_NEW:
		return READ_ONCE(vcpu->vm->wall_clock_msr);
	case X86_MSR_KVM_SYSTEM_TIME:
	case X86_MSR_KVM_SYSTEM_TIME_NEW:
		return vcpu->pv.clock_msr;
	case X86_MSR_KVM_STEAL_TIME:
		return vcpu->pv.steal_msr;
	default:
		return vcpu->pv.eoi_msr;
	}
}

static int write_efer(struct vcpu *vcpu, u64 value, enum x86_msr_by by)
{
	struct x86_state *s = &vcpu->state;

	if (value & ~(vcpu->guest.efer_allowed | X86_EFER_LMA_BIT))
		return 1;
	if (by == X86_MSR_BY_GUEST) {
		/* LME cannot change under paging (SDM vol. 3, 9.8.5). */
		vcpu_pull(vcpu, X86_GROUP_CR0);
		if ((s->cr0 & X86_CR0_PG) && ((s->efer ^ value) & X86_EFER_LME_BIT))
			return 1;
	}
	/* LMA is the CPU's, for user space too: without paging no entry would succeed. */
	value = (value & ~X86_EFER_LMA_BIT) | (s->efer & X86_EFER_LMA_BIT);
	if ((s->efer ^ value) & X86_EFER_NX_BIT)
		vcpu->flush |= FLUSH_GUEST;
	s->efer = value;
	vcpu_dirty(vcpu, X86_GROUP_EFER);
	return 0;
}

static int write_emulated(struct vcpu *vcpu, u32 index, u64 value, enum x86_msr_by by)
{
	u64 now;

	switch (index) {
	case X86_MSR_EFER:
		return write_efer(vcpu, value, by);
	case X86_MSR_PRED_CMD:
	case X86_MSR_FLUSH_CMD:
		/* Commands: done for the guest by the back end's own barriers. */
		vcpu->flush |= FLUSH_PREDICTORS;
		return 0;
	}
	/* The others write guest memory, take locks or move the timer. */
	if (vcpu->in_window)
		return SLOW;
	now = clock_guest_tsc(vcpu, rdtsc());
	switch (index) {
	case X86_MSR_TSC:
		/* A guest's write moves TSC_ADJUST along (SDM vol. 3, 17.17.3). */
		if (by == X86_MSR_BY_GUEST)
			vcpu->tsc_adjust += value - now;
		break;
	case X86_MSR_TSC_ADJUST:
		now += value - vcpu->tsc_adjust;
		vcpu->tsc_adjust = value;
		if (by == X86_MSR_BY_USER)
			return 0;
		value = now;
		break;
	default:
		return pv_write_msr(vcpu, index, value);
	}
	clock_write_tsc(vcpu, value, by);
	if (vcpu->lapic)
		lapic_timer_update(vcpu);
	return 0;
}

int msr_read(struct vcpu *vcpu, u32 index, u64 *value, enum x86_msr_by by)
{
	struct x86_msr_file file = { &vcpu->state, &vcpu->msrs, &vcpu->guest, index };
	const struct x86_msr *row;
	enum x86_msr_verdict verdict;

	if (is_lapic_msr(index))
		return lapic_read_msr(vcpu, index, value) ? 1 : 0;
	row = x86_msr_find(index);
	if (!row)
		return 1;
	if (index == X86_MSR_PLATFORM_INFO && by == X86_MSR_BY_GUEST &&
	    READ_ONCE(vcpu->vm->hide_platform_info))
		return 1;
	if (row->kind == X86_MSR_STATE)
		vcpu_pull(vcpu, row->group);
	verdict = x86_msr_read(row, &file, by, value);
	if (verdict != X86_MSR_EMULATE)
		return verdict;
	*value = read_emulated(vcpu, index);
	return 0;
}

int msr_write(struct vcpu *vcpu, u32 index, u64 value, enum x86_msr_by by)
{
	struct x86_msr_file file = { &vcpu->state, &vcpu->msrs, &vcpu->guest, index };
	const struct x86_msr *row;
	enum x86_msr_verdict verdict;

	if (is_lapic_msr(index)) {
		if (vcpu->in_window && !lapic_fast_msr(vcpu, index, value))
			return SLOW;
		return lapic_write_msr(vcpu, index, value, by) ? 1 : 0;
	}
	row = x86_msr_find(index);
	if (!row)
		return 1;
	/* The rest of the group stays as it is: it must be here before it is pushed. */
	if (row->kind == X86_MSR_STATE)
		vcpu_pull(vcpu, row->group);
	/* The world switch writes it as it is, and there no #GP is caught. */
	if (index == X86_MSR_SPEC_CTRL && !host_spec_ctrl_valid(value))
		return 1;
	verdict = x86_msr_write(row, &file, by, value);
	if (verdict == X86_MSR_EMULATE)
		return write_emulated(vcpu, index, value, by);
	if (verdict == X86_MSR_OK && row->kind == X86_MSR_STATE)
		vcpu_dirty(vcpu, row->group);
	return verdict;
}

enum verdict exit_rdmsr(struct vcpu *vcpu)
{
	u64 *gpr = vcpu->state.gpr, value;

	if (msr_read(vcpu, gpr[X86_RCX], &value, X86_MSR_BY_GUEST))
		return raise(vcpu, X86_GP);
	gpr[X86_RAX] = (u32)value;
	gpr[X86_RDX] = value >> 32;
	return STEP;
}

enum verdict exit_wrmsr(struct vcpu *vcpu)
{
	u64 *gpr = vcpu->state.gpr, value = (u32)gpr[X86_RAX] | gpr[X86_RDX] << 32;
	int result = msr_write(vcpu, gpr[X86_RCX], value, X86_MSR_BY_GUEST);

	if (likely(!result))
		return STEP;
	return result == SLOW ? SLOW : raise(vcpu, X86_GP);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * RDMSR and WRMSR, and the same for user space's KVM_GET_MSRS and KVM_SET_MSRS. Values
 * without effects are x86/msr.c's; here are those that do something. Called by
 * dispatch.c and api/.
 */
#include <asm/tsc.h>
#include "../host/cpu.h"
#include "../irq/lapic.h"
#include "../vm/vm.h"
#include "run.h"

#define SYSTEM_TIME_ENABLE 1ULL

static bool is_lapic_msr(u32 index)
{
	return (index >= X86_MSR_X2APIC_FIRST && index <= X86_MSR_X2APIC_LAST) ||
	       index == X86_MSR_APIC_BASE || index == X86_MSR_TSC_DEADLINE;
}

static int read_emulated(struct vcpu *vcpu, u32 index, u64 *value)
{
	switch (index) {
	case X86_MSR_TSC:
		*value = rdtsc() + vcpu->state.tsc_offset;
		return 0;
	case X86_MSR_EFER:
		*value = vcpu->state.efer;
		return 0;
	case X86_MSR_TSC_ADJUST:
		*value = vcpu->tsc_adjust;
		return 0;
	case X86_MSR_KVM_WALL_CLOCK:
	case X86_MSR_KVM_WALL_CLOCK_NEW:
		*value = READ_ONCE(vcpu->vm->wall_clock_msr);
		return 0;
	case X86_MSR_KVM_SYSTEM_TIME:
	case X86_MSR_KVM_SYSTEM_TIME_NEW:
		*value = vcpu->pv.clock_msr;
		return 0;
	default:
		return 1;
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
	now = rdtsc() + vcpu->state.tsc_offset;
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
	case X86_MSR_KVM_WALL_CLOCK:
	case X86_MSR_KVM_WALL_CLOCK_NEW:
		WRITE_ONCE(vcpu->vm->wall_clock_msr, value);
		if (value)
			clock_write_wall(vcpu, value);
		return 0;
	case X86_MSR_KVM_SYSTEM_TIME:
	case X86_MSR_KVM_SYSTEM_TIME_NEW:
		vcpu->pv.clock_msr = value;
		if (value & SYSTEM_TIME_ENABLE)
			set_bit(REQUEST_CLOCK, &vcpu->requests);
		return 0;
	default:
		return 1;
	}
	clock_write_tsc(vcpu, value, by);
	if (vcpu->lapic)
		lapic_timer_update(vcpu);
	return 0;
}

int msr_read(struct vcpu *vcpu, u32 index, u64 *value, enum x86_msr_by by)
{
	struct x86_msr_file file = { &vcpu->state, &vcpu->msrs, &vcpu->guest };
	const struct x86_msr *row;

	if (is_lapic_msr(index))
		return lapic_read_msr(vcpu, index, value) ? 1 : 0;
	row = x86_msr_find(index);
	if (!row)
		return 1;
	if (row->kind == X86_MSR_STATE)
		vcpu_pull(vcpu, row->group);
	switch (x86_msr_read(row, &file, by, value)) {
	case X86_MSR_OK:
		return 0;
	case X86_MSR_EMULATE:
		return read_emulated(vcpu, index, value);
	default:
		return 1;
	}
}

int msr_write(struct vcpu *vcpu, u32 index, u64 value, enum x86_msr_by by)
{
	struct x86_msr_file file = { &vcpu->state, &vcpu->msrs, &vcpu->guest };
	const struct x86_msr *row;

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
	switch (x86_msr_write(row, &file, by, value)) {
	case X86_MSR_OK:
		if (row->kind == X86_MSR_STATE)
			vcpu_dirty(vcpu, row->group);
		return 0;
	case X86_MSR_EMULATE:
		return write_emulated(vcpu, index, value, by);
	default:
		return 1;
	}
}

static enum verdict answer(struct vcpu *vcpu, int result)
{
	if (result == SLOW)
		return SLOW;
	return result ? raise(vcpu, X86_GP) : STEP;
}

enum verdict exit_rdmsr(struct vcpu *vcpu)
{
	u64 *gpr = vcpu->state.gpr, value = 0;
	int result = msr_read(vcpu, (u32)gpr[X86_RCX], &value, X86_MSR_BY_GUEST);

	if (!result) {
		gpr[X86_RAX] = (u32)value;
		gpr[X86_RDX] = value >> 32;
	}
	return answer(vcpu, result);
}

enum verdict exit_wrmsr(struct vcpu *vcpu)
{
	u64 *gpr = vcpu->state.gpr;
	u64 value = (u32)gpr[X86_RAX] | gpr[X86_RDX] << 32;

	return answer(vcpu, msr_write(vcpu, (u32)gpr[X86_RCX], value, X86_MSR_BY_GUEST));
}

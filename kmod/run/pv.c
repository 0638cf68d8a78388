// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest is offered beyond hardware: hypercalls, the MSRs of kvm-clock, steal time and
 * PV EOI, and what is kept for them in its memory (Documentation/virt/kvm/x86/{hypercalls,
 * msr}.rst). Not here: the clock's own arithmetic (vm/clock.c). Called by run/.
 */
#include <linux/ktime.h>
#include <linux/sched.h>
#include <asm/tsc.h>
#include <uapi/linux/kvirt_para.h>
#include "../irq/lapic.h"
#include "run.h"

#define STEAL_ADDRESS	(~0x3fULL)
#define EOI_ADDRESS	(~3ULL)
#define EOI_ENABLED	1

static bool has(const struct vcpu *vcpu, unsigned int feature)
{
	return vcpu->guest.pv_features & BIT(feature);
}

int pv_write_msr(struct vcpu *vcpu, u32 index, u64 value)
{
	u8 byte;

	switch (index) {
	case X86_MSR_KVM_WALL_CLOCK:
	case X86_MSR_KVM_WALL_CLOCK_NEW:
		WRITE_ONCE(vcpu->vm->wall_clock_msr, value);
		if (value)
			clock_write_wall(vcpu, value);
		return 0;
	case X86_MSR_KVM_SYSTEM_TIME:
	case X86_MSR_KVM_SYSTEM_TIME_NEW:
		vcpu->pv.clock_msr = value;
		if (value & KVIRT_MSR_ENABLED)
			set_bit(REQUEST_CLOCK, &vcpu->requests);
		return 0;
	case X86_MSR_KVM_STEAL_TIME:
		vcpu->pv.steal_msr = value;
		/* What a vCPU that was moved here left in memory may say that it does not run. */
		vcpu->pv.steal_due = true;
		return 0;
	case X86_MSR_KVM_PV_EOI:
		if ((value & KVIRT_MSR_ENABLED) &&
		    gmem_read(vcpu->vm, value & EOI_ADDRESS, &byte, sizeof(byte)))
			return 1;
		vcpu->pv.eoi_msr = value;
		return 0;
	default:
		return 1;
	}
}

void pv_report_preempted(struct vcpu *vcpu)
{
	u8 preempted = KVIRT_VCPU_PREEMPTED;

	vcpu->pv.steal_due = true;
	gmem_write(vcpu->vm, (vcpu->pv.steal_msr & STEAL_ADDRESS) +
		   offsetof(struct kvirt_steal_time, preempted), &preempted, sizeof(preempted));
}

void pv_report_steal(struct vcpu *vcpu)
{
	u64 gpa = vcpu->pv.steal_msr & STEAL_ADDRESS, waited = current->sched_info.run_delay;
	struct { u64 steal; u32 version; } __packed time;
	u32 preempted = 0;

	/* From here on others send an IPI to have the TLB flushed; was it asked for before? */
	if (gmem_xchg32(vcpu->vm, gpa + offsetof(struct kvirt_steal_time, preempted), &preempted) ||
	    (preempted & KVIRT_VCPU_FLUSH_TLB && has(vcpu, KVIRT_FEATURE_PV_TLB_FLUSH)))
		vcpu->flush |= FLUSH_GUEST;
	if (!gmem_read(vcpu->vm, gpa, &time, sizeof(time))) {
		/* What another thread waited, when it ran this vCPU, is told already. */
		if (vcpu->pv.thread == current)
			time.steal += waited - vcpu->pv.run_delay;
		time.version += time.version & 1;
		gmem_write_versioned(vcpu->vm, gpa, &time, sizeof(time),
				     offsetof(struct kvirt_steal_time, version));
	}
	vcpu->pv.thread = current;
	vcpu->pv.run_delay = waited;
	vcpu->pv.steal_due = false;
}

/*
 * While a bit in its memory is set, the guest ends the interrupt in service by clearing it.
 * That is allowed while nothing else waits for this EOI. In a window.
 */
enum verdict pv_eoi_to_guest(struct vcpu *vcpu)
{
	bool offer = lapic_eoi_is_private(vcpu);
	u8 byte = offer ? EOI_ENABLED : 0;

	if (offer == vcpu->pv.eoi_offered)
		return RETRY;
	if (!gmem_write_atomic(vcpu->vm, vcpu->pv.eoi_msr & EOI_ADDRESS, &byte, sizeof(byte)))
		vcpu->pv.eoi_offered = offer;
	else if (!offer)
		return LEAVE;
	return RETRY;
}

enum verdict pv_eoi_from_guest(struct vcpu *vcpu)
{
	u64 gpa = vcpu->pv.eoi_msr & EOI_ADDRESS;
	u8 byte;
	int err = physical_read(vcpu, gpa, &byte, sizeof(byte));

	if (err && vcpu->in_window)
		return LEAVE;
	if (err || !(byte & EOI_ENABLED)) {
		lapic_eoi(vcpu);
	} else {
		if (vcpu->in_window)
			return RETRY;
		/* The LAPIC's state is to be whole where others may see it. */
		byte = 0;
		gmem_write(vcpu->vm, gpa, &byte, sizeof(byte));
	}
	vcpu->pv.eoi_offered = false;
	return RETRY;
}

/* @icr's low word for those whose APIC ids, less @first, are set in @map: how many took it. */
static u64 send_ipi(struct vcpu *vcpu, const u64 map[2], u32 first, u64 icr, unsigned int width)
{
	struct irq_message m = { .vector = icr & 0xff, .mode = LVT_MODE(icr) };
	struct vcpu *target;
	unsigned int i;
	u64 taken = 0, bits;

	if (icr & (ICR_LOGICAL | ICR_SHORTHAND))
		return -KVIRT_HC_EINVAL;
	for (i = 0; i < 2; i++) {
		for (bits = map[i]; bits; bits &= bits - 1) {
			target = irq_find(vcpu->vm, (u64)first + i * width + __ffs(bits));
			if (target)
				taken += irq_post(target, &m);
		}
	}
	return taken;
}

static u64 pair_clocks(struct vcpu *vcpu, u64 gpa, u64 type)
{
	struct kvirt_clock_pairing pairing = {};
	struct timespec64 now;
	unsigned long flags;

	if (type != KVIRT_CLOCK_PAIRING_WALLCLOCK || check_tsc_unstable())
		return -KVIRT_HC_EOPNOTSUPP;
	local_irq_save(flags);
	pairing.tsc = rdtsc_ordered();
	ktime_get_real_ts64(&now);
	/* The middle of two readings is the nearest there is to that of the clock. */
	pairing.tsc = clock_guest_tsc(vcpu, pairing.tsc + (rdtsc_ordered() - pairing.tsc) / 2);
	local_irq_restore(flags);
	pairing.sec = now.tv_sec;
	pairing.nsec = now.tv_nsec;
	return gmem_write(vcpu->vm, gpa, &pairing, sizeof(pairing)) ? -KVIRT_HC_EFAULT : 0;
}

/* The answer to a hypercall. */
static u64 serve(struct vcpu *vcpu, u64 nr, const u64 arg[4], bool wide)
{
	struct vcpu *target;

	switch (nr) {
	case KVIRT_HC_VAPIC_POLL_IRQ:
		return 0;
	case KVIRT_HC_KICK_CPU:
		if (!has(vcpu, KVIRT_FEATURE_PV_UNHALT))
			break;
		/* Awake out of HLT: a spinlock it waits for is free. */
		target = irq_find(vcpu->vm, (u32)arg[1]);
		if (target) {
			WRITE_ONCE(target->unhalted, true);
			vcpu_request(target, REQUEST_EVENT);
		}
		return 0;
	case KVIRT_HC_SEND_IPI:
		if (!has(vcpu, KVIRT_FEATURE_PV_SEND_IPI))
			break;
		return send_ipi(vcpu, arg, arg[2], arg[3], wide ? 64 : 32);
	case KVIRT_HC_SCHED_YIELD:
		if (!has(vcpu, KVIRT_FEATURE_PV_SCHED_YIELD))
			break;
		target = irq_find(vcpu->vm, arg[0]);
		if (target && target != vcpu)
			vcpu_yield_to(target);
		return 0;
	case KVIRT_HC_CLOCK_PAIRING:
		return pair_clocks(vcpu, arg[0], arg[1]);
	}
	/* Not there, or not for this guest. */
	return -KVIRT_HC_ENOSYS;
}

/* Number in RAX, arguments in RBX, RCX, RDX, RSI, the answer in RAX. */
enum verdict exit_hypercall(struct vcpu *vcpu)
{
	u64 *gpr = vcpu->state.gpr, answer;
	bool wide = long_code(vcpu);
	u64 cut = wide ? ~0ULL : ~0U, nr = gpr[X86_RAX] & cut;
	const u64 arg[] = { gpr[X86_RBX] & cut, gpr[X86_RCX] & cut, gpr[X86_RDX] & cut,
			    gpr[X86_RSI] & cut };

	/* Those that sleep, write memory or take long. */
	if (vcpu->in_window && (nr == KVIRT_HC_SCHED_YIELD || nr == KVIRT_HC_CLOCK_PAIRING ||
				hweight64(arg[0]) + hweight64(arg[1]) > IRQ_FAST_TARGETS))
		return SLOW;
	answer = cpl(vcpu) ? -KVIRT_HC_EPERM : serve(vcpu, nr, arg, wide);
	gpr[X86_RAX] = answer & cut;
	return STEP;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Time in the guest: its TSC's offset and kvm-clock (Documentation/virt/kvm/x86/msr.rst,
 * pvclock in cpuid.rst). One pair of host TSC and nanoseconds for the whole VM, read
 * together once, so that all vCPUs' pages tell the same time. Called by run/ and api/.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <asm/pvclock-abi.h>
#include <asm/tsc.h>
#include "gmem.h"
#include "vcpu.h"
#include "vm.h"

/* CLOCK_MONOTONIC_RAW's pace, with the time that the host was suspended. */
static u64 boot_ns(u64 *host_tsc)
{
	*host_tsc = rdtsc_ordered();
	return ktime_get_raw_ns() + ktime_get_boottime_ns() - ktime_get_ns();
}

/* ns = (ticks << shift) * multiplier >> 32, as the guest computes it. */
static void pvclock_scale(u32 khz, s8 *shift, u32 *multiplier)
{
	u64 hz = khz * 1000ULL;

	*shift = 0;
	while (hz > 2 * (u64)NSEC_PER_SEC) {
		hz >>= 1;
		--*shift;
	}
	while (hz <= NSEC_PER_SEC) {
		hz <<= 1;
		++*shift;
	}
	*multiplier = div64_u64((u64)NSEC_PER_SEC << 32, hz);
}

static u64 ticks_to_ns(u64 ticks)
{
	u32 multiplier;
	s8 shift;

	pvclock_scale(tsc_khz, &shift, &multiplier);
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return mul_u64_u32_shr(ticks, multiplier, 32);
}

void clock_init(struct vm *vm)
{
	raw_spin_lock_init(&vm->clock.lock);
	clock_set(vm, 0);
	vm->default_tsc_khz = tsc_khz;
}

/* An unstable TSC makes the pair worthless with time: take a new one. */
static void refresh_reference(struct vm_clock *clock)
{
	lockdep_assert_held(&clock->lock);
	if (unlikely(check_tsc_unstable()))
		clock->boot_ns = boot_ns(&clock->host_tsc);
}

u64 clock_read(struct vm *vm, u64 *host_tsc)
{
	struct vm_clock *clock = &vm->clock;
	unsigned long flags;
	u64 ns;

	raw_spin_lock_irqsave(&clock->lock, flags);
	refresh_reference(clock);
	*host_tsc = rdtsc_ordered();
	ns = clock->boot_ns + clock->offset + ticks_to_ns(*host_tsc - clock->host_tsc);
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	return ns;
}

void clock_set(struct vm *vm, u64 ns)
{
	struct vm_clock *clock = &vm->clock;
	struct vcpu *vcpu;
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&clock->lock, flags);
	clock->boot_ns = boot_ns(&clock->host_tsc);
	clock->offset = (s64)(ns - clock->boot_ns);
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	vm_for_each_vcpu(vm, i, vcpu)
		vcpu_request(vcpu, REQUEST_CLOCK);
}

static bool is_host_khz(unsigned long khz)
{
	unsigned long slack = tsc_khz / 4000;

	return khz <= tsc_khz + slack && khz + slack >= tsc_khz;
}

bool clock_khz_valid(unsigned long khz)
{
	return is_host_khz(khz) || (features.tsc_ratio_bits && khz < INT_MAX &&
		khz < mul_u64_u64_shr(tsc_khz, features.tsc_ratio_max, features.tsc_ratio_bits));
}

int clock_set_khz(struct vcpu *vcpu, unsigned long khz)
{
	const u64 one = BIT_ULL(features.tsc_ratio_bits);

	if (!clock_khz_valid(khz))
		return -EINVAL;
	vcpu->tsc_khz = khz;
	vcpu->state.tsc_ratio = is_host_khz(khz) ? one : mul_u64_u32_div(one, khz, tsc_khz);
	vcpu_dirty(vcpu, X86_GROUP_TSC);
	set_bit(REQUEST_CLOCK, &vcpu->requests);
	return 0;
}

static u64 scale(const struct vcpu *vcpu, u64 host_tsc)
{
	return mul_u64_u64_shr(host_tsc, vcpu->state.tsc_ratio, features.tsc_ratio_bits);
}

u64 clock_guest_tsc(const struct vcpu *vcpu, u64 host_tsc)
{
	return scale(vcpu, host_tsc) + vcpu->state.tsc_offset;
}

/* The cut keeps the product below 2^63: x86 divides no larger one. */
u64 clock_host_ticks(const struct vcpu *vcpu, u64 ticks)
{
	if (is_host_khz(vcpu->tsc_khz))
		return ticks;
	return mul_u64_u32_div(min(ticks, BIT_ULL(40)), tsc_khz, vcpu->tsc_khz);
}

static void set_offset(struct vcpu *vcpu, u64 offset)
{
	vcpu->state.tsc_offset = offset;
	vcpu_dirty(vcpu, X86_GROUP_TSC);
	set_bit(REQUEST_CLOCK, &vcpu->requests);
}

void clock_write_tsc(struct vcpu *vcpu, u64 value, enum x86_msr_by by)
{
	struct vm_clock *clock = &vcpu->vm->clock;
	u64 now, course, tolerance = vcpu->tsc_khz * 1000ULL;	/* a second */
	unsigned long flags;

	if (by == X86_MSR_BY_GUEST) {
		set_offset(vcpu, value - scale(vcpu, rdtsc_ordered()));
		return;
	}
	raw_spin_lock_irqsave(&clock->lock, flags);
	now = rdtsc_ordered();
	course = clock->last_write_value + scale(vcpu, now - clock->last_write_host);
	/* Within the tolerance on either side: the vCPUs' TSCs are to be one. */
	if (clock->written_khz != vcpu->tsc_khz || check_tsc_unstable() ||
	    (value && value - course + tolerance > 2 * tolerance)) {
		clock->last_write_offset = value - scale(vcpu, now);
		clock->written_khz = vcpu->tsc_khz;
	}
	clock->last_write_value = value;
	clock->last_write_host = now;
	set_offset(vcpu, clock->last_write_offset);
	raw_spin_unlock_irqrestore(&clock->lock, flags);
}

void clock_set_offset(struct vcpu *vcpu, u64 offset)
{
	struct vm_clock *clock = &vcpu->vm->clock;
	unsigned long flags;

	raw_spin_lock_irqsave(&clock->lock, flags);
	clock->last_write_host = rdtsc_ordered();
	clock->last_write_value = scale(vcpu, clock->last_write_host) + offset;
	clock->last_write_offset = offset;
	clock->written_khz = vcpu->tsc_khz;
	set_offset(vcpu, offset);
	raw_spin_unlock_irqrestore(&clock->lock, flags);
}

void clock_update_guest(struct vcpu *vcpu)
{
	struct vm_clock *clock = &vcpu->vm->clock;
	struct pvclock_vcpu_time_info info = {};
	unsigned long flags;

	if (!(vcpu->pv.clock_msr & 1))
		return;
	raw_spin_lock_irqsave(&clock->lock, flags);
	refresh_reference(clock);
	info.tsc_timestamp = clock_guest_tsc(vcpu, clock->host_tsc);
	info.system_time = clock->boot_ns + clock->offset;
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	pvclock_scale(is_host_khz(vcpu->tsc_khz) ? tsc_khz : vcpu->tsc_khz, &info.tsc_shift,
		      &info.tsc_to_system_mul);
	if (!check_tsc_unstable())
		info.flags |= PVCLOCK_TSC_STABLE_BIT;
	if (vcpu->pv.guest_stopped)
		info.flags |= PVCLOCK_GUEST_STOPPED;
	vcpu->pv.guest_stopped = false;

	/* A guest that gave a bad address gets no time. */
	info.version = vcpu->pv.version;
	gmem_write_versioned(vcpu->vm, vcpu->pv.clock_msr & ~1ULL, &info, sizeof(info), 0);
	vcpu->pv.version = info.version;
}

void clock_write_wall(struct vcpu *vcpu, u64 gpa)
{
	u64 host_tsc, ns = ktime_get_real_ns() - clock_read(vcpu->vm, &host_tsc);
	struct pvclock_wall_clock wall = {};
	u32 nsec;

	/* The guest may have left any version there. */
	if (gmem_read(vcpu->vm, gpa, &wall.version, sizeof(wall.version)))
		return;
	wall.sec = div_u64_rem(ns, NSEC_PER_SEC, &nsec);
	wall.nsec = nsec;
	gmem_write_versioned(vcpu->vm, gpa, &wall, sizeof(wall), 0);
}

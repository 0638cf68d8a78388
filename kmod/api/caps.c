// SPDX-License-Identifier: GPL-2.0
/*
 * What this build can do, as KVM_CHECK_EXTENSION tells it: one table. A capability that is not in
 * it is 0. Also those that can be enabled.
 */
#include <linux/cpumask.h>
#include "../irq/irqchip.h"
#include "../vm/slots.h"
#include "api.h"

#define QUIRKS		(KVIRT_X86_QUIRK_LINT0_REENABLED | KVIRT_X86_QUIRK_LAPIC_MMIO_HOLE | \
			 KVIRT_X86_QUIRK_OUT_7E_INC_RIP | KVIRT_X86_QUIRK_MISC_ENABLE_NO_MWAIT | \
			 KVIRT_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)
#define X2APIC_API	(KVIRT_X2APIC_API_USE_32BIT_IDS | KVIRT_X2APIC_API_DISABLE_BROADCAST_QUIRK)
#define DIRTY_LOG_MANUAL (KVIRT_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVIRT_DIRTY_LOG_INITIALLY_SET)
#define GUEST_DEBUG	(KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_SINGLESTEP | \
			 KVIRT_GUESTDBG_USE_SW_BP | KVIRT_GUESTDBG_USE_HW_BP | \
			 KVIRT_GUESTDBG_INJECT_DB | KVIRT_GUESTDBG_INJECT_BP | \
			 KVIRT_GUESTDBG_BLOCKIRQ)

#define VALUE(name, value) { KVIRT_CAP_##name, value }
#define HAS(name) { KVIRT_CAP_##name, 1 }

static const struct { u16 number; long value; } capabilities[] = {
	VALUE(NR_MEMSLOTS, SLOTS_MAX), VALUE(IRQ_ROUTING, ROUTES_MAX),
	VALUE(ADJUST_CLOCK, CLOCK_FLAGS), VALUE(MAX_VCPUS, VM_MAX_VCPUS),
	VALUE(MAX_VCPU_ID, VM_MAX_VCPU_ID), VALUE(X2APIC_API, X2APIC_API),
	VALUE(SET_GUEST_DEBUG2, GUEST_DEBUG), VALUE(MCE, X86_MCE_BANKS),
	VALUE(SYNC_REGS, SYNC_CLASSES), VALUE(XSAVE2, sizeof(struct kvirt_xsave)),
	VALUE(MANUAL_DIRTY_LOG_PROTECT2, DIRTY_LOG_MANUAL), VALUE(DISABLE_QUIRKS2, QUIRKS),
	VALUE(EXIT_RING, PAGE_SIZE),
	HAS(IRQCHIP), HAS(HLT), HAS(PIT), HAS(REINJECT_CONTROL), HAS(PIT2), HAS(PIT_STATE2),
	HAS(IOAPIC_POLARITY_IGNORED), HAS(USER_MEMORY), HAS(SET_TSS_ADDR), HAS(EXT_CPUID),
	HAS(CLOCKSOURCE), HAS(NOP_IO_DELAY), HAS(MP_STATE), HAS(SYNC_MMU),
	HAS(DESTROY_MEMORY_REGION_WORKS), HAS(USER_NMI), HAS(IRQ_INJECT_STATUS),
	HAS(JOIN_MEMORY_REGIONS_WORKS), HAS(SET_BOOT_CPU_ID), HAS(SET_IDENTITY_MAP_ADDR),
	HAS(INTERNAL_ERROR_DATA), HAS(VCPU_EVENTS), HAS(DEBUGREGS), HAS(ENABLE_CAP_VM),
	HAS(XSAVE), HAS(GET_TSC_KHZ), HAS(TSC_DEADLINE_TIMER), HAS(KVMCLOCK_CTRL),
	HAS(SIGNAL_MSI), HAS(READONLY_MEM), HAS(CHECK_EXTENSION_VM), HAS(DISABLE_QUIRKS),
	HAS(SPLIT_IRQCHIP), HAS(IMMEDIATE_EXIT), HAS(GET_MSR_FEATURES), HAS(EXCEPTION_PAYLOAD),
	HAS(SET_GUEST_DEBUG), HAS(X86_ROBUST_SINGLESTEP), HAS(MMU_SHADOW_CACHE_CONTROL),
	HAS(VAPIC), HAS(EXT_EMUL_CPUID), HAS(VCPU_ATTRIBUTES), HAS(SYS_ATTRIBUTES),
	HAS(MSR_PLATFORM_INFO), HAS(LAST_CPU), HAS(SREGS2), HAS(BINARY_STATS_FD),
	HAS(IOEVENTFD), HAS(IOEVENTFD_NO_LENGTH), HAS(IOEVENTFD_ANY_LENGTH), HAS(IRQFD),
	HAS(IRQFD_RESAMPLE), HAS(ENABLE_CAP), HAS(X86_TRIPLE_FAULT_EVENT), HAS(STEAL_TIME),
	HAS(HALT_POLL), HAS(ENFORCE_PV_FEATURE_CPUID),
};

long capability(long number)
{
	int i;

	switch (number) {
	case KVIRT_CAP_NR_VCPUS:
		return min_t(long, num_online_cpus(), VM_MAX_VCPUS);
	case KVIRT_CAP_TSC_CONTROL:
	case KVIRT_CAP_VM_TSC_CONTROL:
		return features.tsc_ratio_bits != 0;
	case KVIRT_CAP_XCRS:
		return host_fpu_mask() != 0;
	}
	for (i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (capabilities[i].number == number)
			return capabilities[i].value;
	return 0;
}

static int enable_locked(struct vm *vm, const struct kvirt_enable_cap *cap)
{
	u64 arg = cap->args[0];

	switch (cap->cap) {
	case KVIRT_CAP_SPLIT_IRQCHIP:
		if (arg > ROUTES_MAX)
			return -EINVAL;
		if (vm->irqchip != IRQCHIP_NONE || vm_nr_vcpus(vm))
			return -EEXIST;
		vm->reserved_pins = arg;
		WRITE_ONCE(vm->irqchip, IRQCHIP_SPLIT);
		return 0;
	case KVIRT_CAP_DISABLE_QUIRKS2:
		if (arg & ~(u64)QUIRKS)
			return -EINVAL;
		fallthrough;
	case KVIRT_CAP_DISABLE_QUIRKS:
		WRITE_ONCE(vm->disabled_quirks, arg);
		return 0;
	case KVIRT_CAP_X2APIC_API:
		if (arg & ~X2APIC_API)
			return -EINVAL;
		vm->x2apic_32bit |= !!(arg & KVIRT_X2APIC_API_USE_32BIT_IDS);
		vm->x2apic_no_broadcast_quirk |= !!(arg & KVIRT_X2APIC_API_DISABLE_BROADCAST_QUIRK);
		return 0;
	case KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		/* The second needs the first. */
		if (arg & ~DIRTY_LOG_MANUAL || arg == KVIRT_DIRTY_LOG_INITIALLY_SET)
			return -EINVAL;
		mutex_lock(&vm->slots_lock);
		vm->manual_dirty_log = arg;
		mutex_unlock(&vm->slots_lock);
		return 0;
	case KVIRT_CAP_HALT_POLL:
		if (arg > ~0U)
			return -EINVAL;
		WRITE_ONCE(vm->halt_poll_ns, arg);
		return 0;
	case KVIRT_CAP_EXCEPTION_PAYLOAD:
		vm->exception_payload = arg;
		return 0;
	case KVIRT_CAP_X86_TRIPLE_FAULT_EVENT:
		vm->triple_fault_event = arg;
		return 0;
	case KVIRT_CAP_MSR_PLATFORM_INFO:
		WRITE_ONCE(vm->hide_platform_info, !arg);
		return 0;
	case KVIRT_CAP_MAX_VCPU_ID:
		if (arg > VM_MAX_VCPU_ID || (vm->max_vcpu_id && vm->max_vcpu_id != arg))
			return -EINVAL;
		vm->max_vcpu_id = arg;
		return 0;
	default:
		return -EINVAL;
	}
}

long capability_enable(struct vm *vm, void *data)
{
	const struct kvirt_enable_cap *cap = data;
	int err;

	if (cap->flags)
		return -EINVAL;
	mutex_lock(&vm->lock);
	err = enable_locked(vm, cap);
	mutex_unlock(&vm->lock);
	return err;
}

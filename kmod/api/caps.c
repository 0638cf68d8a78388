// SPDX-License-Identifier: GPL-2.0
/*
 * What this build can do, as KVM_CHECK_EXTENSION tells it: one table. A capability that
 * is not in it is 0. Also those that can be enabled, and the CPUID that guests may have.
 */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <uapi/linux/kvirt_para.h>
#include "../host/cpu.h"
#include "../host/fpu.h"
#include "../irq/route.h"
#include "api.h"

#define NR_SLOTS	32764
#define QUIRKS		(KVIRT_X86_QUIRK_LINT0_REENABLED | KVIRT_X86_QUIRK_LAPIC_MMIO_HOLE | \
			 KVIRT_X86_QUIRK_OUT_7E_INC_RIP | KVIRT_X86_QUIRK_MISC_ENABLE_NO_MWAIT | \
			 KVIRT_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)
#define MSR_EXITS	((u64)(KVIRT_MSR_EXIT_REASON_INVAL | KVIRT_MSR_EXIT_REASON_UNKNOWN | \
			       KVIRT_MSR_EXIT_REASON_FILTER))
#define X2APIC_API	(KVIRT_X2APIC_API_USE_32BIT_IDS | \
			 KVIRT_X2APIC_API_DISABLE_BROADCAST_QUIRK)

#define DIRTY_LOG_MANUAL (KVIRT_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVIRT_DIRTY_LOG_INITIALLY_SET)
#define GUEST_DEBUG	(KVIRT_GUESTDBG_ENABLE | KVIRT_GUESTDBG_SINGLESTEP | \
			 KVIRT_GUESTDBG_USE_SW_BP | KVIRT_GUESTDBG_USE_HW_BP | \
			 KVIRT_GUESTDBG_INJECT_DB | KVIRT_GUESTDBG_INJECT_BP | \
			 KVIRT_GUESTDBG_BLOCKIRQ)

static const struct { u16 number; long value; } capabilities[] = {
	{ KVIRT_CAP_IRQCHIP, 1 }, { KVIRT_CAP_HLT, 1 }, { KVIRT_CAP_PIT, 1 },
	{ KVIRT_CAP_REINJECT_CONTROL, 1 }, { KVIRT_CAP_PIT2, 1 }, { KVIRT_CAP_PIT_STATE2, 1 },
	{ KVIRT_CAP_IOAPIC_POLARITY_IGNORED, 1 },
	{ KVIRT_CAP_USER_MEMORY, 1 }, { KVIRT_CAP_SET_TSS_ADDR, 1 },
	{ KVIRT_CAP_EXT_CPUID, 1 }, { KVIRT_CAP_CLOCKSOURCE, 1 },
	{ KVIRT_CAP_NR_MEMSLOTS, NR_SLOTS }, { KVIRT_CAP_NOP_IO_DELAY, 1 },
	{ KVIRT_CAP_MP_STATE, 1 }, { KVIRT_CAP_SYNC_MMU, 1 },
	{ KVIRT_CAP_DESTROY_MEMORY_REGION_WORKS, 1 }, { KVIRT_CAP_USER_NMI, 1 },
	{ KVIRT_CAP_IRQ_ROUTING, ROUTES_MAX }, { KVIRT_CAP_IRQ_INJECT_STATUS, 1 },
	{ KVIRT_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 }, { KVIRT_CAP_SET_BOOT_CPU_ID, 1 },
	{ KVIRT_CAP_SET_IDENTITY_MAP_ADDR, 1 }, { KVIRT_CAP_ADJUST_CLOCK, CLOCK_FLAGS },
	{ KVIRT_CAP_INTERNAL_ERROR_DATA, 1 }, { KVIRT_CAP_VCPU_EVENTS, 1 },
	{ KVIRT_CAP_DEBUGREGS, 1 },
	{ KVIRT_CAP_ENABLE_CAP_VM, 1 }, { KVIRT_CAP_XSAVE, 1 },
	{ KVIRT_CAP_GET_TSC_KHZ, 1 }, { KVIRT_CAP_MAX_VCPUS, VM_MAX_VCPUS },
	{ KVIRT_CAP_MAX_VCPU_ID, VM_MAX_VCPU_ID }, { KVIRT_CAP_TSC_DEADLINE_TIMER, 1 },
	{ KVIRT_CAP_KVMCLOCK_CTRL, 1 }, { KVIRT_CAP_SIGNAL_MSI, 1 },
	{ KVIRT_CAP_READONLY_MEM, 1 }, { KVIRT_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVIRT_CAP_DISABLE_QUIRKS, 1 }, { KVIRT_CAP_SPLIT_IRQCHIP, 1 },
	{ KVIRT_CAP_X2APIC_API, X2APIC_API }, { KVIRT_CAP_IMMEDIATE_EXIT, 1 },
	{ KVIRT_CAP_GET_MSR_FEATURES, 1 }, { KVIRT_CAP_EXCEPTION_PAYLOAD, 1 },
	{ KVIRT_CAP_SET_GUEST_DEBUG, 1 }, { KVIRT_CAP_X86_ROBUST_SINGLESTEP, 1 },
	{ KVIRT_CAP_SET_GUEST_DEBUG2, GUEST_DEBUG },
	{ KVIRT_CAP_MMU_SHADOW_CACHE_CONTROL, 1 }, { KVIRT_CAP_VAPIC, 1 },
	{ KVIRT_CAP_MCE, X86_MCE_BANKS }, { KVIRT_CAP_EXT_EMUL_CPUID, 1 },
	{ KVIRT_CAP_VCPU_ATTRIBUTES, 1 }, { KVIRT_CAP_SYS_ATTRIBUTES, 1 },
	{ KVIRT_CAP_MSR_PLATFORM_INFO, 1 }, { KVIRT_CAP_LAST_CPU, 1 },
	{ KVIRT_CAP_X86_USER_SPACE_MSR, 1 }, { KVIRT_CAP_X86_MSR_FILTER, 1 },
	{ KVIRT_CAP_SYNC_REGS, SYNC_CLASSES }, { KVIRT_CAP_BINARY_STATS_FD, 1 },
	{ KVIRT_CAP_SREGS2, 1 }, { KVIRT_CAP_XSAVE2, sizeof(struct kvirt_xsave) },
	{ KVIRT_CAP_IOEVENTFD, 1 }, { KVIRT_CAP_IOEVENTFD_NO_LENGTH, 1 },
	{ KVIRT_CAP_IOEVENTFD_ANY_LENGTH, 1 }, { KVIRT_CAP_IRQFD, 1 },
	{ KVIRT_CAP_IRQFD_RESAMPLE, 1 },
	{ KVIRT_CAP_MANUAL_DIRTY_LOG_PROTECT2, DIRTY_LOG_MANUAL },
	{ KVIRT_CAP_COALESCED_MMIO, KVIRT_COALESCED_MMIO_PAGE_OFFSET },
	{ KVIRT_CAP_COALESCED_PIO, 1 },
	{ KVIRT_CAP_DISABLE_QUIRKS2, QUIRKS }, { KVIRT_CAP_X86_TRIPLE_FAULT_EVENT, 1 },
	{ KVIRT_CAP_ENABLE_CAP, 1 }, { KVIRT_CAP_STEAL_TIME, 1 }, { KVIRT_CAP_HALT_POLL, 1 },
	{ KVIRT_CAP_ENFORCE_PV_FEATURE_CPUID, 1 },
};

long capability(const struct vm *vm, long number)
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
	case KVIRT_CAP_X86_USER_SPACE_MSR:
		if (arg & ~MSR_EXITS)
			return -EINVAL;
		WRITE_ONCE(vm->msr_exits, arg);
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

int capability_enable(struct vm *vm, const struct kvirt_enable_cap *cap)
{
	int err;

	if (cap->flags)
		return -EINVAL;
	mutex_lock(&vm->lock);
	err = enable_locked(vm, cap);
	mutex_unlock(&vm->lock);
	return err;
}

static struct x86_cpuid_entry *snapshot;
static unsigned int nr_snapshot;

int __init cpuid_snapshot(void)
{
	struct x86_cpuid_entry e = {};

	snapshot = kvcalloc(X86_CPUID_MAX, sizeof(*snapshot), GFP_KERNEL);
	if (!snapshot)
		return -ENOMEM;
	do {
		host_cpuid(e.leaf, e.subleaf, &e.eax, &e.ebx, &e.ecx, &e.edx);
		snapshot[nr_snapshot++] = e;
	} while (x86_cpuid_next(&e) && nr_snapshot < X86_CPUID_MAX);
	return 0;
}

void cpuid_snapshot_free(void)
{
	kvfree(snapshot);
}

u32 pv_features(void)
{
	return BIT(KVIRT_FEATURE_CLOCKSOURCE) | BIT(KVIRT_FEATURE_NOP_IO_DELAY) |
	       BIT(KVIRT_FEATURE_CLOCKSOURCE2) | BIT(KVIRT_FEATURE_PV_UNHALT) |
	       BIT(KVIRT_FEATURE_STEAL_TIME) | BIT(KVIRT_FEATURE_PV_TLB_FLUSH) |
	       BIT(KVIRT_FEATURE_PV_EOI) | BIT(KVIRT_FEATURE_PV_SEND_IPI) |
	       BIT(KVIRT_FEATURE_PV_SCHED_YIELD) | BIT(KVIRT_FEATURE_POLL_CONTROL) |
	       BIT(KVIRT_FEATURE_CLOCKSOURCE_STABLE_BIT);
}

int cpuid_supported(struct x86_cpuid_entry *entries, unsigned int max)
{
	const struct x86_cpuid_policy policy = {
		.host = snapshot,
		.nr_host = nr_snapshot,
		.xcr0 = host_fpu_mask(),
		.pv_features = pv_features(),
		.maxphyaddr = host_maxphyaddr(),
		.nested_bits = 12 + 9 * features.npt.levels,
		.rdtscp = features.rdtscp,
		.invpcid = features.invpcid,
		.spec_ctrl = features.spec_ctrl,
	};

	return x86_cpuid_supported(&policy, entries, max);
}

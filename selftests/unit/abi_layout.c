// SPDX-License-Identifier: GPL-2.0
/*
 * Compares every number, size and offset of the ABI headers with the host's <linux/kvm.h>, which must be 6.1 or newer.
 * Runs natively, from the top of the tree (or with that path as --top); needs no device.
 *
 * That the tables are whole is tested too: a number in our headers without a row here fails, and so does a structure
 * with a byte that no row covers.
 */
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/uapi/linux/kvirt.h"
#include "../../include/uapi/linux/kvirt_para.h"
#include "../lib/ktap.h"

struct row {
	const char *name;
	unsigned long long ours, theirs;
};

#define N(name)			{ #name, KVIRT_##name, KVM_##name }
#define R(name, kvm_name)	{ #name, KVIRT_##name, kvm_name }

static const struct row numbers[] = {
	N(API_VERSION), N(PIO_PAGE_OFFSET), N(DIRTY_LOG_PAGE_OFFSET), N(NR_INTERRUPTS),
	N(SREGS2_FLAGS_PDPTRS_VALID), N(MAX_XCRS), N(CPUID_FLAG_SIGNIFCANT_INDEX), N(CPUID_FLAG_STATEFUL_FUNC),
	N(CPUID_FLAG_STATE_READ_NEXT), N(VCPUEVENT_VALID_NMI_PENDING), N(VCPUEVENT_VALID_SIPI_VECTOR),
	N(VCPUEVENT_VALID_SHADOW), N(VCPUEVENT_VALID_SMM), N(VCPUEVENT_VALID_PAYLOAD),
	N(VCPUEVENT_VALID_TRIPLE_FAULT), N(X86_SHADOW_INT_MOV_SS), N(X86_SHADOW_INT_STI), N(APIC_REG_SIZE),
	N(MP_STATE_RUNNABLE), N(MP_STATE_UNINITIALIZED), N(MP_STATE_INIT_RECEIVED), N(MP_STATE_HALTED),
	N(MP_STATE_SIPI_RECEIVED), N(MP_STATE_STOPPED), N(MP_STATE_CHECK_STOP), N(MP_STATE_OPERATING),
	N(MP_STATE_LOAD), N(MP_STATE_AP_RESET_HOLD), N(MP_STATE_SUSPENDED), N(MEM_LOG_DIRTY_PAGES), N(MEM_READONLY),
	N(IRQ_ROUTING_IRQCHIP), N(IRQ_ROUTING_MSI), N(IRQ_ROUTING_HV_SINT), N(MSI_VALID_DEVID), N(IRQCHIP_PIC_MASTER),
	N(IRQCHIP_PIC_SLAVE), N(IRQCHIP_IOAPIC), N(NR_IRQCHIPS), N(IOAPIC_NUM_PINS), N(PIT_SPEAKER_DUMMY),
	N(PIT_FLAGS_HPET_LEGACY), N(PIT_FLAGS_SPEAKER_DATA_ON), N(IRQFD_FLAG_DEASSIGN), N(IRQFD_FLAG_RESAMPLE),
	N(IOEVENTFD_FLAG_DATAMATCH), N(IOEVENTFD_FLAG_PIO), N(IOEVENTFD_FLAG_DEASSIGN), N(CLOCK_TSC_STABLE),
	N(CLOCK_REALTIME), N(CLOCK_HOST_TSC), N(X2APIC_API_USE_32BIT_IDS), N(X2APIC_API_DISABLE_BROADCAST_QUIRK),
	N(X86_QUIRK_LINT0_REENABLED), N(X86_QUIRK_CD_NW_CLEARED), N(X86_QUIRK_LAPIC_MMIO_HOLE),
	N(X86_QUIRK_OUT_7E_INC_RIP), N(X86_QUIRK_MISC_ENABLE_NO_MWAIT), N(X86_QUIRK_FIX_HYPERCALL_INSN),
	N(X86_QUIRK_MWAIT_NEVER_UD_FAULTS), N(X86_DISABLE_EXITS_MWAIT), N(X86_DISABLE_EXITS_HLT),
	N(X86_DISABLE_EXITS_PAUSE), N(X86_DISABLE_EXITS_CSTATE), N(GUESTDBG_ENABLE), N(GUESTDBG_SINGLESTEP),
	N(GUESTDBG_USE_SW_BP), N(GUESTDBG_USE_HW_BP), N(GUESTDBG_INJECT_DB), N(GUESTDBG_INJECT_BP),
	N(GUESTDBG_BLOCKIRQ), N(VCPU_TSC_CTRL), N(VCPU_TSC_OFFSET), N(X86_XCOMP_GUEST_SUPP), N(EXIT_UNKNOWN),
	N(EXIT_EXCEPTION), N(EXIT_IO), N(EXIT_HYPERCALL), N(EXIT_DEBUG), N(EXIT_HLT), N(EXIT_MMIO),
	N(EXIT_IRQ_WINDOW_OPEN), N(EXIT_SHUTDOWN), N(EXIT_FAIL_ENTRY), N(EXIT_INTR), N(EXIT_SET_TPR),
	N(EXIT_TPR_ACCESS), N(EXIT_NMI), N(EXIT_INTERNAL_ERROR), N(EXIT_WATCHDOG), N(EXIT_SYSTEM_EVENT),
	N(EXIT_IOAPIC_EOI), N(EXIT_HYPERV), N(EXIT_X86_RDMSR), N(EXIT_X86_WRMSR), N(EXIT_DIRTY_RING_FULL),
	N(EXIT_AP_RESET_HOLD), N(EXIT_X86_BUS_LOCK), N(EXIT_XEN), N(EXIT_NOTIFY), N(INTERNAL_ERROR_EMULATION),
	N(INTERNAL_ERROR_SIMUL_EX), N(INTERNAL_ERROR_DELIVERY_EV), N(INTERNAL_ERROR_UNEXPECTED_EXIT_REASON),
	N(INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES), N(EXIT_IO_IN), N(EXIT_IO_OUT), N(SYSTEM_EVENT_SHUTDOWN),
	N(SYSTEM_EVENT_RESET), N(SYSTEM_EVENT_CRASH), N(MSR_EXIT_REASON_INVAL), N(MSR_EXIT_REASON_UNKNOWN),
	N(MSR_EXIT_REASON_FILTER), N(NOTIFY_CONTEXT_INVALID), N(RUN_X86_SMM), N(RUN_X86_BUS_LOCK), N(SYNC_X86_REGS),
	N(SYNC_X86_SREGS), N(SYNC_X86_EVENTS), N(GET_API_VERSION), N(CREATE_VM), N(GET_MSR_INDEX_LIST),
	N(CHECK_EXTENSION), N(GET_VCPU_MMAP_SIZE), N(GET_SUPPORTED_CPUID), N(GET_EMULATED_CPUID),
	N(GET_MSR_FEATURE_INDEX_LIST), N(CREATE_VCPU), N(GET_DIRTY_LOG), N(SET_NR_MMU_PAGES), N(GET_NR_MMU_PAGES),
	N(SET_USER_MEMORY_REGION), N(SET_TSS_ADDR), N(SET_IDENTITY_MAP_ADDR), N(CREATE_IRQCHIP), N(IRQ_LINE),
	N(GET_IRQCHIP), N(SET_IRQCHIP), N(CREATE_PIT), N(IRQ_LINE_STATUS), N(SET_GSI_ROUTING),
	N(REINJECT_CONTROL), N(IRQFD), N(CREATE_PIT2),
	N(SET_BOOT_CPU_ID), N(IOEVENTFD), N(SET_CLOCK), N(GET_CLOCK), N(GET_PIT2), N(SET_PIT2), N(GET_PIT), N(SET_PIT), N(SET_TSC_KHZ),
	N(GET_TSC_KHZ), N(SIGNAL_MSI), N(CLEAR_DIRTY_LOG), N(RESET_DIRTY_RINGS), N(GET_STATS_FD), N(SET_DEVICE_ATTR),
	N(GET_DEVICE_ATTR), N(HAS_DEVICE_ATTR), N(RUN), N(GET_REGS), N(SET_REGS), N(GET_SREGS), N(SET_SREGS),
	N(TRANSLATE), N(INTERRUPT), N(GET_MSRS), N(SET_MSRS), N(SET_SIGNAL_MASK), N(GET_FPU), N(SET_FPU),
	N(GET_LAPIC), N(SET_LAPIC), N(SET_CPUID2), N(GET_CPUID2), N(TPR_ACCESS_REPORTING), N(SET_VAPIC_ADDR),
	N(GET_MP_STATE), N(SET_MP_STATE), N(NMI), N(SET_GUEST_DEBUG), N(X86_SETUP_MCE), N(X86_GET_MCE_CAP_SUPPORTED),
	N(X86_SET_MCE), N(GET_VCPU_EVENTS), N(SET_VCPU_EVENTS), N(GET_DEBUGREGS), N(SET_DEBUGREGS), N(ENABLE_CAP),
	N(GET_XSAVE), N(SET_XSAVE), N(GET_XCRS), N(SET_XCRS), N(KVMCLOCK_CTRL), N(SMI), N(GET_SREGS2), N(SET_SREGS2),
	N(GET_XSAVE2), N(CAP_IRQCHIP), N(CAP_HLT), N(CAP_MMU_SHADOW_CACHE_CONTROL), N(CAP_USER_MEMORY),
	N(CAP_SET_TSS_ADDR), N(CAP_VAPIC), N(CAP_EXT_CPUID), N(CAP_CLOCKSOURCE), N(CAP_NR_VCPUS), N(CAP_NR_MEMSLOTS),
	N(CAP_PIT), N(CAP_NOP_IO_DELAY), N(CAP_PV_MMU), N(CAP_MP_STATE), N(CAP_COALESCED_MMIO), N(CAP_SYNC_MMU),
	N(CAP_DESTROY_MEMORY_REGION_WORKS), N(CAP_USER_NMI), N(CAP_SET_GUEST_DEBUG), N(CAP_REINJECT_CONTROL),
	N(CAP_IRQ_ROUTING), N(CAP_IRQ_INJECT_STATUS), N(CAP_JOIN_MEMORY_REGIONS_WORKS), N(CAP_MCE), N(CAP_IRQFD),
	N(CAP_PIT2), N(CAP_SET_BOOT_CPU_ID), N(CAP_PIT_STATE2), N(CAP_IOEVENTFD), N(CAP_SET_IDENTITY_MAP_ADDR),
	N(CAP_XEN_HVM), N(CAP_ADJUST_CLOCK), N(CAP_INTERNAL_ERROR_DATA), N(CAP_VCPU_EVENTS), N(CAP_HYPERV),
	N(CAP_HYPERV_VAPIC), N(CAP_HYPERV_SPIN), N(CAP_PCI_SEGMENT), N(CAP_INTR_SHADOW), N(CAP_DEBUGREGS),
	N(CAP_X86_ROBUST_SINGLESTEP), N(CAP_ENABLE_CAP), N(CAP_XSAVE), N(CAP_XCRS), N(CAP_ASYNC_PF),
	N(CAP_TSC_CONTROL), N(CAP_GET_TSC_KHZ), N(CAP_MAX_VCPUS), N(CAP_TSC_DEADLINE_TIMER), N(CAP_SYNC_REGS),
	N(CAP_KVMCLOCK_CTRL), N(CAP_SIGNAL_MSI), N(CAP_READONLY_MEM), N(CAP_IRQFD_RESAMPLE), N(CAP_DEVICE_CTRL),
	N(CAP_EXT_EMUL_CPUID), N(CAP_HYPERV_TIME), N(CAP_IOAPIC_POLARITY_IGNORED), N(CAP_ENABLE_CAP_VM),
	N(CAP_IOEVENTFD_NO_LENGTH), N(CAP_VM_ATTRIBUTES), N(CAP_CHECK_EXTENSION_VM), N(CAP_DISABLE_QUIRKS),
	N(CAP_X86_SMM), N(CAP_MULTI_ADDRESS_SPACE), N(CAP_GUEST_DEBUG_HW_BPS), N(CAP_GUEST_DEBUG_HW_WPS),
	N(CAP_SPLIT_IRQCHIP), N(CAP_IOEVENTFD_ANY_LENGTH), N(CAP_VCPU_ATTRIBUTES), N(CAP_MAX_VCPU_ID),
	N(CAP_X2APIC_API), N(CAP_MSI_DEVID), N(CAP_IMMEDIATE_EXIT), N(CAP_X86_DISABLE_EXITS), N(CAP_GET_MSR_FEATURES),
	N(CAP_NESTED_STATE), N(CAP_MSR_PLATFORM_INFO), N(CAP_COALESCED_PIO), N(CAP_EXCEPTION_PAYLOAD),
	N(CAP_MANUAL_DIRTY_LOG_PROTECT2), N(DIRTY_LOG_MANUAL_PROTECT_ENABLE), N(DIRTY_LOG_INITIALLY_SET), N(CAP_PMU_EVENT_FILTER), N(CAP_HALT_POLL), N(CAP_ASYNC_PF_INT),
	N(CAP_LAST_CPU), N(CAP_SMALLER_MAXPHYADDR), N(CAP_STEAL_TIME), N(CAP_X86_USER_SPACE_MSR),
	N(CAP_X86_MSR_FILTER), N(CAP_ENFORCE_PV_FEATURE_CPUID), N(CAP_DIRTY_LOG_RING), N(CAP_X86_BUS_LOCK_EXIT),
	N(CAP_SET_GUEST_DEBUG2), N(CAP_SREGS2), N(CAP_EXIT_HYPERCALL), N(CAP_BINARY_STATS_FD),
	N(CAP_EXIT_ON_EMULATION_FAILURE), N(CAP_VM_GPA_BITS), N(CAP_XSAVE2), N(CAP_SYS_ATTRIBUTES),
	N(CAP_PMU_CAPABILITY), N(CAP_DISABLE_QUIRKS2), N(CAP_VM_TSC_CONTROL), N(CAP_SYSTEM_EVENT_DATA),
	N(CAP_X86_TRIPLE_FAULT_EVENT), N(CAP_X86_NOTIFY_VMEXIT), N(CAP_VM_DISABLE_NX_HUGE_PAGES),
	N(CAP_DIRTY_LOG_RING_ACQ_REL), N(CPUID_SIGNATURE), N(CPUID_FEATURES), N(FEATURE_CLOCKSOURCE),
	N(FEATURE_NOP_IO_DELAY), N(FEATURE_MMU_OP), N(FEATURE_CLOCKSOURCE2), N(FEATURE_ASYNC_PF),
	N(FEATURE_STEAL_TIME), N(FEATURE_PV_EOI), N(FEATURE_PV_UNHALT), N(FEATURE_PV_TLB_FLUSH),
	N(FEATURE_ASYNC_PF_VMEXIT), N(FEATURE_PV_SEND_IPI), N(FEATURE_POLL_CONTROL), N(FEATURE_PV_SCHED_YIELD),
	N(FEATURE_ASYNC_PF_INT), N(FEATURE_MSI_EXT_DEST_ID), N(FEATURE_HC_MAP_GPA_RANGE),
	N(FEATURE_MIGRATION_CONTROL), N(FEATURE_CLOCKSOURCE_STABLE_BIT), N(HINTS_REALTIME), N(MSR_ENABLED),
	N(VCPU_PREEMPTED), N(VCPU_FLUSH_TLB), N(CLOCK_PAIRING_WALLCLOCK), N(HC_VAPIC_POLL_IRQ), N(HC_MMU_OP),
	N(HC_FEATURES), N(HC_KICK_CPU), N(HC_CLOCK_PAIRING), N(HC_SEND_IPI), N(HC_SCHED_YIELD), N(HC_MAP_GPA_RANGE),
	R(IO, KVMIO), R(SYNC_REGS_SIZE_BYTES, SYNC_REGS_SIZE_BYTES), R(MSR_WALL_CLOCK, MSR_KVM_WALL_CLOCK),
	R(MSR_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME), R(MSR_WALL_CLOCK_NEW, MSR_KVM_WALL_CLOCK_NEW),
	R(MSR_SYSTEM_TIME_NEW, MSR_KVM_SYSTEM_TIME_NEW), R(MSR_ASYNC_PF_EN, MSR_KVM_ASYNC_PF_EN),
	R(MSR_STEAL_TIME, MSR_KVM_STEAL_TIME), R(MSR_PV_EOI_EN, MSR_KVM_PV_EOI_EN),
	R(MSR_POLL_CONTROL, MSR_KVM_POLL_CONTROL), R(MSR_ASYNC_PF_INT, MSR_KVM_ASYNC_PF_INT),
	R(MSR_ASYNC_PF_ACK, MSR_KVM_ASYNC_PF_ACK), R(MSR_MIGRATION_CONTROL, MSR_KVM_MIGRATION_CONTROL),
	R(HC_ENOSYS, KVM_ENOSYS), R(HC_EFAULT, KVM_EFAULT), R(HC_EINVAL, KVM_EINVAL), R(HC_E2BIG, KVM_E2BIG),
	R(HC_EPERM, KVM_EPERM), R(HC_EOPNOTSUPP, KVM_EOPNOTSUPP),
};

/* In our headers, and in no header of KVM's for user space. */
static const char *const our_own[] = {
	"PVCLOCK_TSC_STABLE", "PVCLOCK_GUEST_STOPPED", "SIGNATURE", "RING_PAGE_OFFSET", "CAP_EXIT_RING",
	"RECORD_READ", "RECORD_WRITE", "RECORD_EXEC", "RING_RECORDS",
};

/* One row is a structure's size (no field) or a field's place and size. */
struct field {
	const char *structure, *name;
	size_t offset, size, kvm_offset, kvm_size;
};

#define SIZE(type, field)	sizeof(((type *)0)->field)
#define S(s)		{ #s, NULL, 0, sizeof(struct kvirt_##s), 0, sizeof(struct kvm_##s) }
#define G(s, ours, theirs)	{ #s, #ours, offsetof(struct kvirt_##s, ours), SIZE(struct kvirt_##s, ours), \
				  offsetof(struct kvm_##s, theirs), SIZE(struct kvm_##s, theirs) }
#define F(s, f)		G(s, f, f)
/* A flexible array: where it begins, and how large one element is. */
#define E(s, f)		{ #s, #f, offsetof(struct kvirt_##s, f), SIZE(struct kvirt_##s, f[0]), \
			  offsetof(struct kvm_##s, f), SIZE(struct kvm_##s, f[0]) }

static const struct field fields[] = {
	S(regs), F(regs, rax), F(regs, rbx), F(regs, rcx), F(regs, rdx), F(regs, rsi), F(regs, rdi), F(regs, rsp),
	F(regs, rbp), F(regs, r8), F(regs, r9), F(regs, r10), F(regs, r11), F(regs, r12), F(regs, r13), F(regs, r14),
	F(regs, r15), F(regs, rip), F(regs, rflags),
	S(segment), F(segment, base), F(segment, limit), F(segment, selector), F(segment, type), F(segment, present),
	F(segment, dpl), F(segment, db), F(segment, s), F(segment, l), F(segment, g), F(segment, avl),
	F(segment, unusable), F(segment, padding),
	S(dtable), F(dtable, base), F(dtable, limit), F(dtable, padding),
	S(sregs), F(sregs, cs), F(sregs, ds), F(sregs, es), F(sregs, fs), F(sregs, gs), F(sregs, ss), F(sregs, tr),
	F(sregs, ldt), F(sregs, gdt), F(sregs, idt), F(sregs, cr0), F(sregs, cr2), F(sregs, cr3), F(sregs, cr4),
	F(sregs, cr8), F(sregs, efer), F(sregs, apic_base), F(sregs, interrupt_bitmap),
	S(sregs2), F(sregs2, cs), F(sregs2, ds), F(sregs2, es), F(sregs2, fs), F(sregs2, gs), F(sregs2, ss),
	F(sregs2, tr), F(sregs2, ldt), F(sregs2, gdt), F(sregs2, idt), F(sregs2, cr0), F(sregs2, cr2), F(sregs2, cr3),
	F(sregs2, cr4), F(sregs2, cr8), F(sregs2, efer), F(sregs2, apic_base), F(sregs2, flags), F(sregs2, pdptrs),
	S(fpu), F(fpu, fpr), F(fpu, fcw), F(fpu, fsw), F(fpu, ftwx), F(fpu, pad1), F(fpu, last_opcode),
	F(fpu, last_ip), F(fpu, last_dp), F(fpu, xmm), F(fpu, mxcsr), F(fpu, pad2),
	S(xsave), F(xsave, region), E(xsave, extra),
	S(xcr), F(xcr, xcr), F(xcr, reserved), F(xcr, value),
	S(xcrs), F(xcrs, nr_xcrs), F(xcrs, flags), F(xcrs, xcrs), F(xcrs, padding),
	S(debugregs), F(debugregs, db), F(debugregs, dr6), F(debugregs, dr7), F(debugregs, flags),
	F(debugregs, reserved),
	S(msr_entry), F(msr_entry, index), F(msr_entry, reserved), F(msr_entry, data),
	S(msrs), F(msrs, nmsrs), F(msrs, pad), E(msrs, entries),
	S(msr_list), F(msr_list, nmsrs), E(msr_list, indices),
	S(cpuid_entry2), F(cpuid_entry2, function), F(cpuid_entry2, index), F(cpuid_entry2, flags),
	F(cpuid_entry2, eax), F(cpuid_entry2, ebx), F(cpuid_entry2, ecx), F(cpuid_entry2, edx),
	F(cpuid_entry2, padding),
	S(cpuid2), F(cpuid2, nent), F(cpuid2, padding), E(cpuid2, entries),
	S(vcpu_events), F(vcpu_events, exception.injected), F(vcpu_events, exception.nr),
	F(vcpu_events, exception.has_error_code), F(vcpu_events, exception.pending),
	F(vcpu_events, exception.error_code), F(vcpu_events, interrupt.injected), F(vcpu_events, interrupt.nr),
	F(vcpu_events, interrupt.soft), F(vcpu_events, interrupt.shadow), F(vcpu_events, nmi.injected),
	F(vcpu_events, nmi.pending), F(vcpu_events, nmi.masked), F(vcpu_events, nmi.pad), F(vcpu_events, sipi_vector),
	F(vcpu_events, flags), F(vcpu_events, smi.smm), F(vcpu_events, smi.pending),
	F(vcpu_events, smi.smm_inside_nmi), F(vcpu_events, smi.latched_init), F(vcpu_events, triple_fault.pending),
	F(vcpu_events, reserved), F(vcpu_events, exception_has_payload), F(vcpu_events, exception_payload),
	S(interrupt), F(interrupt, irq),
	S(lapic_state), F(lapic_state, regs),
	S(mp_state), F(mp_state, mp_state),
	S(stats_header), F(stats_header, flags), F(stats_header, name_size), F(stats_header, num_desc),
	F(stats_header, id_offset), F(stats_header, desc_offset), F(stats_header, data_offset),
	S(stats_desc), F(stats_desc, flags), F(stats_desc, exponent), F(stats_desc, size), F(stats_desc, offset),
	F(stats_desc, bucket_size), E(stats_desc, name),
	S(vapic_addr), F(vapic_addr, vapic_addr),
	S(tpr_access_ctl), F(tpr_access_ctl, enabled), F(tpr_access_ctl, flags), F(tpr_access_ctl, reserved),
	S(userspace_memory_region), F(userspace_memory_region, slot), F(userspace_memory_region, flags),
	F(userspace_memory_region, guest_phys_addr), F(userspace_memory_region, memory_size),
	F(userspace_memory_region, userspace_addr),
	S(dirty_log), F(dirty_log, slot), F(dirty_log, padding1), F(dirty_log, dirty_bitmap), F(dirty_log, padding2),
	S(clear_dirty_log), F(clear_dirty_log, slot), F(clear_dirty_log, num_pages), F(clear_dirty_log, first_page),
	F(clear_dirty_log, dirty_bitmap), F(clear_dirty_log, padding2),
	S(translation), F(translation, linear_address), F(translation, physical_address), F(translation, valid),
	F(translation, writeable), F(translation, usermode), F(translation, pad),
	S(irq_level), F(irq_level, irq), F(irq_level, status), F(irq_level, level),
	S(irq_routing_irqchip), F(irq_routing_irqchip, irqchip), F(irq_routing_irqchip, pin),
	S(irq_routing_msi), F(irq_routing_msi, address_lo), F(irq_routing_msi, address_hi), F(irq_routing_msi, data),
	F(irq_routing_msi, pad), F(irq_routing_msi, devid),
	S(irq_routing_hv_sint), F(irq_routing_hv_sint, vcpu), F(irq_routing_hv_sint, sint),
	S(irq_routing_entry), F(irq_routing_entry, gsi), F(irq_routing_entry, type), F(irq_routing_entry, flags),
	F(irq_routing_entry, pad), F(irq_routing_entry, u.irqchip), F(irq_routing_entry, u.msi),
	F(irq_routing_entry, u.hv_sint), F(irq_routing_entry, u.pad),
	S(irq_routing), F(irq_routing, nr), F(irq_routing, flags), E(irq_routing, entries),
	S(msi), F(msi, address_lo), F(msi, address_hi), F(msi, data), F(msi, flags), F(msi, devid), F(msi, pad),
	S(pic_state), F(pic_state, last_irr), F(pic_state, irr), F(pic_state, imr), F(pic_state, isr),
	F(pic_state, priority_add), F(pic_state, irq_base), F(pic_state, read_reg_select), F(pic_state, poll),
	F(pic_state, special_mask), F(pic_state, init_state), F(pic_state, auto_eoi),
	F(pic_state, rotate_on_auto_eoi), F(pic_state, special_fully_nested_mode), F(pic_state, init4),
	F(pic_state, elcr), F(pic_state, elcr_mask),
	S(ioapic_state), F(ioapic_state, base_address), F(ioapic_state, ioregsel), F(ioapic_state, id),
	F(ioapic_state, irr), F(ioapic_state, pad), F(ioapic_state, redirtbl[0].bits),
	F(ioapic_state, redirtbl[0].fields.vector), F(ioapic_state, redirtbl[0].fields.reserved),
	F(ioapic_state, redirtbl[0].fields.dest_id),
	S(irqchip), F(irqchip, chip_id), F(irqchip, pad), F(irqchip, chip.dummy), F(irqchip, chip.pic),
	F(irqchip, chip.ioapic),
	S(pit_config), F(pit_config, flags), F(pit_config, pad),
	S(pit_channel_state), F(pit_channel_state, count), F(pit_channel_state, latched_count),
	F(pit_channel_state, count_latched), F(pit_channel_state, status_latched), F(pit_channel_state, status),
	F(pit_channel_state, read_state), F(pit_channel_state, write_state), F(pit_channel_state, write_latch),
	F(pit_channel_state, rw_mode), F(pit_channel_state, mode), F(pit_channel_state, bcd),
	F(pit_channel_state, gate), F(pit_channel_state, count_load_time),
	S(pit_state), F(pit_state, channels), S(reinject_control), F(reinject_control, pit_reinject), F(reinject_control, reserved),
	S(pit_state2), F(pit_state2, channels), F(pit_state2, flags), F(pit_state2, reserved),
	S(irqfd), F(irqfd, fd), F(irqfd, gsi), F(irqfd, flags), F(irqfd, resamplefd), F(irqfd, pad),
	S(ioeventfd), F(ioeventfd, datamatch), F(ioeventfd, addr), F(ioeventfd, len), F(ioeventfd, fd),
	F(ioeventfd, flags), F(ioeventfd, pad),
	S(clock_data), F(clock_data, clock), F(clock_data, flags), F(clock_data, pad0), F(clock_data, realtime),
	F(clock_data, host_tsc), F(clock_data, pad),
	S(enable_cap), F(enable_cap, cap), F(enable_cap, flags), F(enable_cap, args), F(enable_cap, pad),
	S(signal_mask), F(signal_mask, len), E(signal_mask, sigset),
	S(guest_debug_arch), F(guest_debug_arch, debugreg),
	S(guest_debug), F(guest_debug, control), F(guest_debug, pad), F(guest_debug, arch),
	S(debug_exit_arch), F(debug_exit_arch, exception), F(debug_exit_arch, pad), F(debug_exit_arch, pc),
	F(debug_exit_arch, dr6), F(debug_exit_arch, dr7),
	S(x86_mce), F(x86_mce, status), F(x86_mce, addr), F(x86_mce, misc), F(x86_mce, mcg_status), F(x86_mce, bank),
	F(x86_mce, pad1), F(x86_mce, pad2),
	S(device_attr), F(device_attr, flags), F(device_attr, group), F(device_attr, attr), F(device_attr, addr),
	S(sync_regs), F(sync_regs, regs), F(sync_regs, sregs), F(sync_regs, events),
	S(run), F(run, request_interrupt_window), F(run, immediate_exit), F(run, padding1), F(run, exit_reason),
	F(run, ready_for_interrupt_injection), F(run, if_flag), F(run, flags), F(run, cr8), F(run, apic_base),
	F(run, hw.hardware_exit_reason), F(run, fail_entry.hardware_entry_failure_reason), F(run, fail_entry.cpu),
	F(run, ex.exception), F(run, ex.error_code), F(run, io.direction), F(run, io.size), F(run, io.port),
	F(run, io.count), F(run, io.data_offset), F(run, debug.arch), F(run, mmio.phys_addr), F(run, mmio.data),
	F(run, mmio.len), F(run, mmio.is_write), F(run, hypercall.nr), F(run, hypercall.args), F(run, hypercall.ret),
	F(run, hypercall.longmode), F(run, hypercall.pad), F(run, tpr_access.rip), F(run, tpr_access.is_write),
	F(run, tpr_access.pad), F(run, internal.suberror), F(run, internal.ndata), F(run, internal.data),
	F(run, emulation_failure.suberror), F(run, emulation_failure.ndata), F(run, emulation_failure.flags),
	F(run, emulation_failure.insn_size), F(run, emulation_failure.insn_bytes), F(run, system_event.type),
	F(run, system_event.ndata), F(run, system_event.flags), F(run, system_event.data), F(run, eoi.vector),
	F(run, msr.error), F(run, msr.pad), F(run, msr.reason), F(run, msr.index), F(run, msr.data),
	F(run, notify.flags), F(run, padding), G(run, kvirt_valid_regs, kvm_valid_regs),
	G(run, kvirt_dirty_regs, kvm_dirty_regs), F(run, s.regs), F(run, s.padding),
	S(steal_time), F(steal_time, steal), F(steal_time, version), F(steal_time, flags), F(steal_time, preempted),
	F(steal_time, u8_pad), F(steal_time, pad),
	S(clock_pairing), F(clock_pairing, sec), F(clock_pairing, nsec), F(clock_pairing, tsc),
	F(clock_pairing, flags), F(clock_pairing, pad),
};

static void values_are_kvms(void)
{
	for (size_t i = 0; i < COUNT(numbers); i++)
		if (numbers[i].ours != numbers[i].theirs)
			test_fail(__FILE__, __LINE__, "KVIRT_%s is %#llx, not %#llx", numbers[i].name, numbers[i].ours,
				  numbers[i].theirs);
	EXPECT(!memcmp(KVIRT_SIGNATURE, KVM_SIGNATURE, 12));
}

static void layouts_are_kvms(void)
{
	for (size_t i = 0; i < COUNT(fields); i++) {
		const struct field *f = &fields[i];

		if (f->offset != f->kvm_offset || f->size != f->kvm_size)
			test_fail(__FILE__, __LINE__, "kvirt_%s.%s: %zu bytes at %zu, not %zu at %zu", f->structure,
				  f->name ? f->name : "", f->size, f->offset, f->kvm_size, f->kvm_offset);
	}
}

static void ioapic_bits_are_kvms(void)
{
	struct kvirt_ioapic_state ours = { 0 };
	struct kvm_ioapic_state theirs = { 0 };

#define BITS(field, value)						\
	do {								\
		ours.redirtbl[0].bits = theirs.redirtbl[0].bits = 0;	\
		ours.redirtbl[0].fields.field = (value);		\
		theirs.redirtbl[0].fields.field = (value);		\
		EXPECT_EQ(ours.redirtbl[0].bits, theirs.redirtbl[0].bits); \
		EXPECT(ours.redirtbl[0].bits != 0);			\
	} while (0)
	BITS(vector, 0x5a);
	BITS(delivery_mode, 5);
	BITS(dest_mode, 1);
	BITS(delivery_status, 1);
	BITS(polarity, 1);
	BITS(remote_irr, 1);
	BITS(trig_mode, 1);
	BITS(mask, 1);
	BITS(reserve, 0x55);
	BITS(dest_id, 0xa5);
}

static bool has_row(const char *name)
{
	for (size_t i = 0; i < COUNT(numbers); i++)
		if (!strcmp(numbers[i].name, name))
			return true;
	for (size_t i = 0; i < COUNT(our_own); i++)
		if (!strcmp(our_own[i], name))
			return true;
	return false;
}

static void every_number_has_a_row(void)
{
	static const char *const headers[] = { "kvirt.h", "kvirt_para.h" };
	const char *top = test_option("--top");
	char path[4096], line[512], name[128];
	size_t found = 0;

	for (size_t i = 0; i < COUNT(headers); i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/include/uapi/linux/%s", top ? top : ".", headers[i]);
		f = fopen(path, "r");
		if (!f)
			test_fail(__FILE__, __LINE__, "%s: %s", path, strerror(errno));
		ASSERT(f);
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "#define KVIRT_%127[A-Za-z0-9_]", name) != 1)
				continue;
			found++;
			if (!has_row(name))
				test_fail(__FILE__, __LINE__, "KVIRT_%s has no row", name);
		}
		fclose(f);
	}
	EXPECT_EQ(found, COUNT(numbers) + COUNT(our_own));
}

/* The bit fields of the IOAPIC's entry have no offsets; bits covers their bytes. */
static void every_byte_has_a_row(void)
{
	static unsigned char covered[16384];

	for (size_t i = 0; i < COUNT(fields); ) {
		const struct field *s = &fields[i++];

		ASSERT(!s->name && s->size <= sizeof(covered));
		memset(covered, 0, s->size);
		for (; i < COUNT(fields) && fields[i].name; i++)
			if (fields[i].offset < s->size)
				memset(covered + fields[i].offset, 1, fields[i].size);
		for (size_t b = 0; b < s->size; b++) {
			if (covered[b])
				continue;
			/* One entry of the table of 24 has rows; the others repeat it. */
			if (!strcmp(s->structure, "ioapic_state") && b >= 32)
				break;
			test_fail(__FILE__, __LINE__, "byte %zu of kvirt_%s has no row", b, s->structure);
			break;
		}
	}
}

static const struct test tests[] = {
	TEST(values_are_kvms),
	TEST(layouts_are_kvms),
	TEST(ioapic_bits_are_kvms),
	TEST(every_number_has_a_row),
	TEST(every_byte_has_a_row),
};

int main(int argc, char **argv)
{
	return test_main(argc, argv, tests, COUNT(tests));
}

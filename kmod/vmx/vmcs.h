/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMCS: its fields and control bits by the SDM's names (vol. 3, appendix B and
 * chapter 24), and the VMX instructions. Nothing here decides anything. Included by
 * vmx/ only. All of it may be executed inside a strict window only.
 */
#ifndef KVIRT_VMX_VMCS_H
#define KVIRT_VMX_VMCS_H

#include <linux/compiler.h>
#include "../host/msr.h"

enum vmcs_field {
	VPID = 0x0000, GUEST_ES_SELECTOR = 0x0800, /* then CS SS DS FS GS LDTR TR */
	HOST_ES_SELECTOR = 0x0c00, HOST_CS_SELECTOR = 0x0c02, HOST_SS_SELECTOR = 0x0c04,
	HOST_DS_SELECTOR = 0x0c06, HOST_FS_SELECTOR = 0x0c08, HOST_GS_SELECTOR = 0x0c0a,
	HOST_TR_SELECTOR = 0x0c0c, MSR_BITMAP = 0x2004, TSC_OFFSET = 0x2010, EPT_POINTER = 0x201a,
	ENCLS_EXITING_BITMAP = 0x202e, TSC_MULTIPLIER = 0x2032, ENCLV_EXITING_BITMAP = 0x2036,
	GUEST_PHYSICAL_ADDRESS = 0x2400, VMCS_LINK_POINTER = 0x2800, GUEST_DEBUGCTL = 0x2802,
	GUEST_PAT = 0x2804, GUEST_EFER = 0x2806, GUEST_PERF_GLOBAL_CTRL = 0x2808,
	GUEST_PDPTE0 = 0x280a, /* then PDPTE1 to PDPTE3 */
	HOST_PAT = 0x2c00, HOST_EFER = 0x2c02, HOST_PERF_GLOBAL_CTRL = 0x2c04,
	PIN_CONTROLS = 0x4000, CPU_CONTROLS = 0x4002,
	EXCEPTION_BITMAP = 0x4004, PAGE_FAULT_ERROR_MASK = 0x4006,
	PAGE_FAULT_ERROR_MATCH = 0x4008, CR3_TARGET_COUNT = 0x400a, EXIT_CONTROLS = 0x400c,
	EXIT_MSR_STORE_COUNT = 0x400e, EXIT_MSR_LOAD_COUNT = 0x4010, ENTRY_CONTROLS = 0x4012,
	ENTRY_MSR_LOAD_COUNT = 0x4014, ENTRY_INTERRUPTION_INFO = 0x4016,
	ENTRY_EXCEPTION_ERROR = 0x4018, ENTRY_INSTRUCTION_LENGTH = 0x401a, CPU2_CONTROLS = 0x401e,
	PLE_GAP = 0x4020, PLE_WINDOW = 0x4022, INSTRUCTION_ERROR = 0x4400, EXIT_REASON = 0x4402,
	EXIT_INTERRUPTION_INFO = 0x4404, EXIT_INTERRUPTION_ERROR = 0x4406,
	IDT_VECTORING_INFO = 0x4408, IDT_VECTORING_ERROR = 0x440a,
	EXIT_INSTRUCTION_LENGTH = 0x440c, GUEST_ES_LIMIT = 0x4800, GUEST_GDTR_LIMIT = 0x4810,
	GUEST_IDTR_LIMIT = 0x4812, GUEST_ES_ACCESS = 0x4814, GUEST_TR_ACCESS = 0x4822,
	GUEST_INTERRUPTIBILITY = 0x4824, GUEST_ACTIVITY = 0x4826, GUEST_SYSENTER_CS = 0x482a,
	PREEMPTION_TIMER = 0x482e, HOST_SYSENTER_CS = 0x4c00,
	CR0_MASK = 0x6000, CR4_MASK = 0x6002, /* bits set: the host owns them */
	CR0_SHADOW = 0x6004, CR4_SHADOW = 0x6006, EXIT_QUALIFICATION = 0x6400, GUEST_CR0 = 0x6800,
	GUEST_CR3 = 0x6802, GUEST_CR4 = 0x6804, GUEST_ES_BASE = 0x6806, GUEST_GDTR_BASE = 0x6816,
	GUEST_IDTR_BASE = 0x6818, GUEST_DR7 = 0x681a, GUEST_RSP = 0x681c, GUEST_RIP = 0x681e,
	GUEST_RFLAGS = 0x6820, GUEST_PENDING_DEBUG = 0x6822, GUEST_SYSENTER_ESP = 0x6824,
	GUEST_SYSENTER_EIP = 0x6826, HOST_CR0 = 0x6c00, HOST_CR3 = 0x6c02, HOST_CR4 = 0x6c04,
	HOST_FS_BASE = 0x6c06, HOST_GS_BASE = 0x6c08, HOST_TR_BASE = 0x6c0a,
	HOST_GDTR_BASE = 0x6c0c, HOST_IDTR_BASE = 0x6c0e, HOST_SYSENTER_ESP = 0x6c10,
	HOST_SYSENTER_EIP = 0x6c12, HOST_RIP = 0x6c16, /* HOST_RSP: switch.S */
};

enum pin_control {
	PIN_INTERRUPT_EXITING = BIT(0), PIN_NMI_EXITING = BIT(3), PIN_VIRTUAL_NMIS = BIT(5),
	PIN_PREEMPTION_TIMER = BIT(6),
};

enum cpu_control {		/* primary processor-based */
	CPU_IRQ_WINDOW = BIT(2), CPU_TSC_OFFSETTING = BIT(3), CPU_HLT_EXITING = BIT(7),
	CPU_MWAIT_EXITING = BIT(10), CPU_RDPMC_EXITING = BIT(11),
	CPU_CR3_EXITING = BIT(15) | BIT(16), CPU_CR8_LOAD_EXITING = BIT(19),
	CPU_CR8_STORE_EXITING = BIT(20), CPU_NMI_WINDOW = BIT(22), CPU_DR_EXITING = BIT(23),
	CPU_IO_EXITING = BIT(24), CPU_MSR_BITMAPS = BIT(28), CPU_MONITOR_EXITING = BIT(29),
	CPU_SECONDARY = BIT(31),
};

enum cpu2_control {		/* secondary processor-based */
	CPU2_EPT = BIT(1), CPU2_RDTSCP = BIT(3), CPU2_VPID = BIT(5), CPU2_WBINVD_EXITING = BIT(6),
	CPU2_UNRESTRICTED = BIT(7), CPU2_PAUSE_LOOP = BIT(10), CPU2_INVPCID = BIT(12),
	CPU2_ENCLS_EXITING = BIT(15), CPU2_TSC_SCALING = BIT(25), CPU2_ENCLV_EXITING = BIT(28),
};

enum exit_control {
	EXITCTL_SAVE_DEBUG = BIT(2), EXITCTL_HOST_64BIT = BIT(9), EXITCTL_LOAD_PERF = BIT(12),
	EXITCTL_LOAD_PAT = BIT(19), EXITCTL_LOAD_EFER = BIT(21),
};

enum entry_control {
	ENTRYCTL_LOAD_DEBUG = BIT(2), ENTRYCTL_IA32E = BIT(9), ENTRYCTL_LOAD_PERF = BIT(13),
	ENTRYCTL_LOAD_PAT = BIT(14), ENTRYCTL_LOAD_EFER = BIT(15),
};

/* Guest interruptibility: by STI and by MOV SS are X86_SHADOW_*. */
#define BLOCKED_BY_NMI		BIT(3)

#define ACCESS_UNUSABLE		BIT(16)		/* in a segment's access rights */
#define PENDING_DEBUG_BS	BIT(14)
#define INTR_IRET_UNBLOCKED	BIT(12)		/* of exits: NMIs, by an IRET that faulted */

/* What a VMX instruction came to. A fault means: not in VMX operation, or no such bit. */
enum vmx_result { VMX_OK, VMX_FAILED, VMX_FAULTED };

/* @type: INVALIDATE_*; @what: the EPT pointer or VPID. */
#define INVALIDATE_SINGLE	1
#define INVALIDATE_ALL		2
struct vmx_invalidation {
	u64 what, address;
};

#define VMX_INSTRUCTION(name, arguments, text, operands...)			\
static __always_inline enum vmx_result vmx_##name arguments			\
{										\
	count_privop(PRIVOP_VMX);						\
	asm goto("1: " #name " " text "\n\tjna %l[failed]\n\t"			\
		 _ASM_EXTABLE(1b, %l[faulted])					\
		 : : operands : "cc", "memory" : failed, faulted);		\
	return VMX_OK;								\
failed:										\
	return VMX_FAILED;							\
faulted:									\
	return VMX_FAULTED;							\
}

VMX_INSTRUCTION(vmxon, (u64 pa), "%0", "m" (pa))
VMX_INSTRUCTION(vmclear, (u64 pa), "%0", "m" (pa))
VMX_INSTRUCTION(vmptrld, (u64 pa), "%0", "m" (pa))
VMX_INSTRUCTION(vmptrst, (u64 *pa), "%0", "m" (*pa))
VMX_INSTRUCTION(invept, (u64 type, u64 what), "%0, %1",
		"m" ((struct vmx_invalidation){ what }), "r" (type))
VMX_INSTRUCTION(invvpid, (u64 type, u64 what), "%0, %1",
		"m" ((struct vmx_invalidation){ what }), "r" (type))

/* Its failure cannot be helped, nor can anything be left to put back. */
static __always_inline void vmx_vmxoff(void)
{
	count_privop(PRIVOP_VMX);
	asm volatile("1: vmxoff\n2:" _ASM_EXTABLE(1b, 2b) : : : "cc", "memory");
}

/* A field that cannot be accessed is our bug: remembered, and the VM stops (vmcs.c). */
void vmcs_access_failed(enum vmcs_field field) __cold;

static __always_inline u64 vmcs_read(enum vmcs_field field)
{
	u64 value = 0;
	bool failed;

	count_privop(PRIVOP_VMX);
	/* CF is set before: where VMREAD faults it stays so, and reads as failed. */
	asm volatile("stc\n\t1: vmread %[field], %[value]\n\t2:\n\t" _ASM_EXTABLE(1b, 2b)
		     : [value] "+r" (value), "=@ccbe" (failed) : [field] "r" ((u64)field));
	if (unlikely(failed))
		vmcs_access_failed(field);
	return value;
}

static __always_inline void vmcs_write(enum vmcs_field field, u64 value)
{
	count_privop(PRIVOP_VMX);
	asm goto("1: vmwrite %[value], %[field]\n\tjna %l[failed]\n\t" _ASM_EXTABLE(1b, %l[failed])
		 : : [field] "r" ((u64)field), [value] "r" (value) : "cc" : failed);
	return;
failed:
	vmcs_access_failed(field);
}

#endif

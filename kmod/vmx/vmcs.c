// SPDX-License-Identifier: GPL-2.0
/*
 * VMCS regions: their pages, the fields of a new one that never or seldom change, the
 * MSR bitmaps, and what becomes of a failed access. Guest state is state.c's, host state
 * window.c's. Called by backend.c and window.c.
 */
#include <linux/gfp.h>
#include <asm/desc_defs.h>
#include <asm/segment.h>
#include "vmx.h"

#define BITMAP_WRITE	0x800	/* byte offset of the half for WRMSR */
#define BITMAP_HIGH	0x400	/* of MSRs from 0xc0000000, in each half */

static unsigned long *msr_bitmap;	/* shared by all vCPUs, constant after load */
DEFINE_PER_CPU(u32, vmcs_failures);

void vmcs_access_failed(enum vmcs_field field)
{
	this_cpu_inc(vmcs_failures);
	pr_warn_ratelimited("kvirt: VMCS field %#x could not be accessed\n", field);
}

void *vmcs_alloc(void)
{
	u32 *region = (u32 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	if (region)
		*region = vmx_caps.revision;
	return region;
}

static void pass(u32 msr, unsigned int half)
{
	unsigned int byte = half + (msr >= 0xc0000000 ? BITMAP_HIGH : 0);

	__clear_bit(byte * 8 + (msr & 0x1fff), msr_bitmap);
}

/* All exit but what the VMCS or the window swaps, and the CPU checks as it does without us. */
int vmcs_module_init(void)
{
	static const u32 passed[] = {
		MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
		MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	};
	int i;

	msr_bitmap = (void *)__get_free_page(GFP_KERNEL);
	if (!msr_bitmap)
		return -ENOMEM;
	memset(msr_bitmap, 0xff, PAGE_SIZE);
	pass(MSR_IA32_TSC, 0);
	for (i = 0; i < ARRAY_SIZE(passed); i++) {
		pass(passed[i], 0);
		pass(passed[i], BITMAP_WRITE);
	}
	return 0;
}

void vmcs_module_exit(void)
{
	free_page((unsigned long)msr_bitmap);
}

/* Fields of a new VMCS that are zero, for good or until somebody writes them. */
static const u16 zero_fields[] = {
	/* Mask and match of zero: bit 14 of the exception bitmap alone decides about #PF. */
	PAGE_FAULT_ERROR_MASK, PAGE_FAULT_ERROR_MATCH, CR3_TARGET_COUNT,
	EXIT_MSR_STORE_COUNT, EXIT_MSR_LOAD_COUNT, ENTRY_MSR_LOAD_COUNT,
	ENTRY_INTERRUPTION_INFO, GUEST_ACTIVITY, GUEST_INTERRUPTIBILITY, GUEST_PENDING_DEBUG,
	/* Null selectors for what 64-bit code ignores. */
	HOST_DS_SELECTOR, HOST_ES_SELECTOR, HOST_FS_SELECTOR, HOST_GS_SELECTOR,
};

void vmcs_fill(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	int i;

	hw->cpu = vmx_caps.cpu;
	hw->cpu2 = vmx_caps.cpu2;
	hw->entry = vmx_caps.entry;
	vmcs_write(PIN_CONTROLS, vmx_caps.pin);
	vmcs_write(CPU_CONTROLS, hw->cpu);
	vmcs_write(EXIT_CONTROLS, vmx_caps.exit);
	vmcs_write(ENTRY_CONTROLS, hw->entry);
	/* Together with the EPT root: VPIDs differ within a VM only. 0 is the host. */
	if (hw->cpu2 & CPU2_VPID)
		vmcs_write(VPID, vcpu->index + 1);
	vmcs_write(MSR_BITMAP, __pa(msr_bitmap));
	vmcs_write(EPT_POINTER, npt_root_pa(&vcpu->vm->npt) | vmx_caps.eptp);
	if (hw->cpu2 & CPU2_ENCLS_EXITING)
		vmcs_write(ENCLS_EXITING_BITMAP, ~0ULL);
	if (hw->cpu2 & CPU2_ENCLV_EXITING)
		vmcs_write(ENCLV_EXITING_BITMAP, ~0ULL);
	/* PAUSEs at most so many ticks apart are one loop, which exits when it is so long. */
	if (hw->cpu2 & CPU2_PAUSE_LOOP) {
		vmcs_write(PLE_GAP, 128);
		vmcs_write(PLE_WINDOW, 4096);
	}
	if (vmx_caps.pin & PIN_PREEMPTION_TIMER) {
		vmcs_write(PREEMPTION_TIMER, ~0U);
		hw->timer = (u64)~0U << vmx_caps.timer_shift;
	}
	for (i = 0; i < ARRAY_SIZE(zero_fields); i++)
		vmcs_write(zero_fields[i], 0);
	if (vmx_caps.exit & EXITCTL_LOAD_PERF)
		vmcs_write(GUEST_PERF_GLOBAL_CTRL, 0);
	vmcs_write(VMCS_LINK_POINTER, ~0ULL);
	vmcs_write(CR0_MASK, ~CR0_GUEST_OWNED);
	vmcs_write(CR4_MASK, ~hw->cr4_owned);
	/* Host state that is the same on every CPU. */
	vmcs_write(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write(HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmcs_write(HOST_RIP, (unsigned long)vmx_switch_exit);
	vmcs_write(HOST_PAT, host_rdmsr(MSR_IA32_CR_PAT));
}

void vmcs_push_controls(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);

	hw->cpu2 = vmx_caps.cpu2;
	if (!(vcpu->guest.has & X86_HAS_TSC_AUX))
		hw->cpu2 &= ~CPU2_RDTSCP;
	vmcs_write(CPU2_CONTROLS, hw->cpu2);
}

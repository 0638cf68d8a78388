// SPDX-License-Identifier: GPL-2.0
/*
 * The strict window: SVM mode taken and given back, and all host state that a guest's run destroys
 * put back as it was found. The VMCB is plain memory, so a window that only moves registers touches
 * nothing; the first entry arms it. Nothing outlives close(), so KVM may turn SVM mode on and off,
 * run and unload between any two windows. Called through vm/backend.h by vm/vcpu.c, and by enter.c.
 *
 * Sources: APM vol. 2, 15.4 (EFER.SVME), 15.5 (what VMRUN saves), 15.30 (SVM's MSRs).
 */
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include "../host/compat.h"
#include "../host/state.h"
#include "svm.h"

/* Not in the VMCB, there where RDTSCP or RDPID is; guests reach it by exits and reading. */
void svm_load_tsc_aux(struct svm_vcpu *hw, u64 value)
{
	if (features.rdtscp && hw->armed && hw->guest_tsc_aux != value) {
		host_wrmsr(MSR_TSC_AUX, value);
		hw->guest_tsc_aux = value;
	}
}

void svm_mode_enter(struct svm_mode *found, const void *hsave)
{
	found->efer = host_rdmsr(MSR_EFER);
	if (!(found->efer & EFER_SVME))
		host_wrmsr(MSR_EFER, found->efer | EFER_SVME);
	found->hsave_pa = host_rdmsr(MSR_VM_HSAVE_PA);
	host_wrmsr(MSR_VM_HSAVE_PA, svm_pa(hsave));
}

void svm_mode_leave(const struct svm_mode *found)
{
	host_wrmsr(MSR_VM_HSAVE_PA, found->hsave_pa);
	if (!(found->efer & EFER_SVME))
		host_wrmsr(MSR_EFER, found->efer);
}

void svm_arm(struct vcpu *vcpu)
{
	struct svm_cpu *c = this_cpu_ptr(&svm_cpu);
	struct svm_vcpu *hw = to_svm(vcpu);

	svm_mode_enter(&hw->mode, c->hsave);
	svm_asid_arm(vcpu, hw->mode.efer & EFER_SVME);
	/* KVM leaves its guest's ratio in the CPU. It is not in the VMCB. */
	if (boot_cpu_has(X86_FEATURE_TSCRATEMSR)) {
		hw->host_tsc_ratio = host_rdmsr(MSR_AMD64_TSC_RATIO);
		if (hw->host_tsc_ratio != vcpu->state.tsc_ratio)
			host_wrmsr(MSR_AMD64_TSC_RATIO, vcpu->state.tsc_ratio);
	}
	if (features.rdtscp) {
		hw->host_tsc_aux = host_rdmsr(MSR_TSC_AUX);
		hw->guest_tsc_aux = hw->host_tsc_aux;
	}
	/* XSAVES has no intercept: a guest must not reach the host's supervisor components. */
	if (boot_cpu_has(X86_FEATURE_XSAVES)) {
		hw->host_xss = host_rdmsr(MSR_IA32_XSS);
		if (hw->host_xss)
			host_wrmsr(MSR_IA32_XSS, 0);
	}
	/* FS, GS, TR, LDTR and SYSCALL's MSRs do not change while the window is open. */
	hw->host_pa = svm_pa(c->host);
	svm_vmsave(hw->host_pa);
	hw->machine_check = false;
	hw->armed = true;
	svm_load_tsc_aux(hw, vcpu->state.tsc_aux);
}

void svm_close(struct vcpu *vcpu)
{
	struct svm_vcpu *hw = to_svm(vcpu);

	if (!hw->armed)
		return;
	if (unlikely(hw->debug_live)) {
		host_debug_take(vcpu->state.dr);
		hw->debug_live = false;
		svm_intercept_debug(hw);
	}
	svm_load_tsc_aux(hw, hw->host_tsc_aux);
	hw->armed = false;
	if (hw->host_xss)
		host_wrmsr(MSR_IA32_XSS, hw->host_xss);
	if (boot_cpu_has(X86_FEATURE_TSCRATEMSR) && hw->host_tsc_ratio != vcpu->state.tsc_ratio)
		host_wrmsr(MSR_AMD64_TSC_RATIO, hw->host_tsc_ratio);
	svm_mode_leave(&hw->mode);
	if (unlikely(hw->machine_check))
		host_machine_check();
}

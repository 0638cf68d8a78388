// SPDX-License-Identifier: GPL-2.0
/*
 * AMD-V's row of the waist, and the life of a vCPU's control block. Reached through
 * vm/backend.h; main.c names the table.
 */
#include <linux/gfp.h>
#include "svm.h"

/*
 * The control half as it is before the first entry: everything that is not listed as
 * harmless exits. Intercepts for events follow in enter.c (APM vol. 2, B.1).
 */
void svm_init_control(struct vcpu *vcpu)
{
	struct svm_vcpu *hw = to_svm(vcpu);
	struct vmcb *v = hw->vmcb;

	memset(v, 0, sizeof(*v));
	v->intercept_cr = CR_WRITE(4) | CR_READ(8) | CR_WRITE(8);
	v->intercept_dr = DR_ALL;
	v->intercepts[0] = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_SMI | INTERCEPT_INIT |
			   INTERCEPT_CR0_SELECTIVE | INTERCEPT_RDPMC | INTERCEPT_CPUID |
			   INTERCEPT_RSM | INTERCEPT_INVD | INTERCEPT_HLT | INTERCEPT_INVLPGA |
			   INTERCEPT_IOIO | INTERCEPT_MSR | INTERCEPT_TASK_SWITCH |
			   INTERCEPT_FERR_FREEZE | INTERCEPT_SHUTDOWN;
	v->intercepts[1] = INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD |
			   INTERCEPT_VMSAVE | INTERCEPT_STGI | INTERCEPT_CLGI |
			   INTERCEPT_SKINIT | INTERCEPT_WBINVD | INTERCEPT_MONITOR |
			   INTERCEPT_MWAIT | INTERCEPT_XSETBV | INTERCEPT_RDPRU;
	v->intercepts[2] = INTERCEPT_INVLPGB | INTERCEPT_INVLPGB_BAD | INTERCEPT_MCOMMIT |
			   INTERCEPT_TLBSYNC;
	/* Without the filter every PAUSE would exit: worse than a spinning guest. */
	if (svm.edx & SVM_EDX_PAUSE_FILTER) {
		v->intercepts[0] |= INTERCEPT_PAUSE;
		v->pause_count = 3000;
	}
	v->iopm_pa = svm.iopm_pa;
	v->msrpm_pa = svm.msrpm_pa;
	v->asid = svm.asid;
	v->int_ctl = V_INTR_MASKING;
	v->np_control = NP_ENABLE;
	v->nested_cr3 = npt_root_pa(&vcpu->vm->npt) | svm.encryption;
	v->dr6 = X86_DR6_FIXED;
	hw->clean = 0;
}

int svm_vcpu_init(struct vcpu *vcpu)
{
	struct svm_vcpu *hw = to_svm(vcpu);

	hw->vmcb = svm_alloc_page();
	if (!hw->vmcb)
		return -ENOMEM;
	hw->vmcb_pa = svm_pa(hw->vmcb);
	hw->last_cpu = -1;
	svm_init_control(vcpu);
	return 0;
}

void svm_vcpu_fini(struct vcpu *vcpu)
{
	free_page((unsigned long)to_svm(vcpu)->vmcb);
}

/* The VMCB is plain memory: a window changes the CPU with its first entry (window.c). */
int svm_open(struct vcpu *vcpu)
{
	return 0;
}

const struct kvirt_backend svm_backend = {
	.name = "AMD-V",
	.probe = svm_probe,
	.remove = svm_remove,
	.unload = svm_unload,
#define CALL(name) .name = svm_##name,
	BACKEND_CALLS(CALL)
};

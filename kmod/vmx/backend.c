// SPDX-License-Identifier: GPL-2.0
/*
 * The VT-x back end's table for the waist, what it makes at load and for each vCPU.
 * Called by main.c and, through vm/backend.h, by vm/vcpu.c.
 */
#include <linux/slab.h>
#include "vmx.h"

static int vmx_probe(struct backend_features *features)
{
	int err = vmx_caps_init(features);

	if (err)
		return err;
	err = vmcs_module_init();
	if (err)
		return err;
	err = vmx_window_init();
	if (err)
		vmcs_module_exit();
	return err;
}

static void vmx_remove(void)
{
	vmx_window_exit();
	vmcs_module_exit();
}

static int vmx_vcpu_init(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = kzalloc(sizeof(*hw), GFP_KERNEL_ACCOUNT);

	if (!hw)
		return -ENOMEM;
	hw->vmcs = vmcs_alloc();
	if (!hw->vmcs) {
		kfree(hw);
		return -ENOMEM;
	}
	/* Values that no field has yet, so that the first window writes them all. */
	hw->host_cpu = -1;
	hw->host_cr0 = ~0ULL;
	hw->host_cr3 = ~0ULL;
	hw->host_cr4 = ~0ULL;
	hw->host_fs_base = ~0ULL;
	hw->host_efer = ~0ULL;
	hw->host_perf = ~0ULL;
	hw->deadline = ~0ULL;
	hw->guest_has = ~0ULL;
	vcpu->hw = hw;
	return 0;
}

static void vmx_vcpu_fini(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);

	vmcs_free(hw->vmcs);
	kfree(hw);
	vcpu->hw = NULL;
}

const struct kvirt_backend vmx_backend = {
	.name		= "VT-x",
	.probe		= vmx_probe,
	.remove		= vmx_remove,
	.vcpu_init	= vmx_vcpu_init,
	.vcpu_fini	= vmx_vcpu_fini,
	.open		= vmx_open,
	.close		= vmx_close,
	.pull		= vmx_pull,
	.push		= vmx_push,
	.enter		= vmx_enter,
	.inject		= vmx_inject,
	.irq_window	= vmx_irq_window,
	.nmi_window	= vmx_nmi_window,
	.deadline	= vmx_deadline,
	.flush		= vmx_flush,
	.intercept	= vmx_intercept,
};

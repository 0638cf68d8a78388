// SPDX-License-Identifier: GPL-2.0
/*
 * VT-x's table for the waist, what it makes at load and for each vCPU. Reached through
 * vm/backend.h; main.c names the table.
 */
#include <linux/slab.h>
#include "vmx.h"

static void vmx_remove(void)
{
	vmx_window_exit();
	vmcs_module_exit();
}

static int vmx_probe(struct backend_features *features)
{
	int err = vmx_caps_init(features);

	if (err)
		return err;
	err = vmcs_module_init() ?: vmx_window_init();
	if (err)
		vmx_remove();
	return err;
}

static int vmx_vcpu_init(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = kzalloc(sizeof(*hw), GFP_KERNEL_ACCOUNT);
	void *vmcs = vmcs_alloc();

	if (!hw || !vmcs) {
		vmcs_free(vmcs);
		kfree(hw);
		return -ENOMEM;
	}
	hw->vmcs = vmcs;
	hw->vmcs_pa = __pa(vmcs);
	/* Values that no field has yet, so that the first window writes them all. */
	memset(&hw->host, 0xff, sizeof(hw->host));
	hw->guest_has = ~0ULL;
	hw->deadline = ~0ULL;
	vcpu->hw = hw;
	return 0;
}

static void vmx_vcpu_fini(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);

	vmcs_free(hw->vmcs);
	kfree(hw);
}

const struct kvirt_backend vmx_backend = {
	.name = "VT-x",
	.probe = vmx_probe,
	.remove = vmx_remove,
	.vcpu_init = vmx_vcpu_init,
	.vcpu_fini = vmx_vcpu_fini,
	.open = vmx_open,
	.close = vmx_close,
	.pull = vmx_pull,
	.push = vmx_push,
	.enter = vmx_enter,
	.inject = vmx_inject,
	.irq_window = vmx_irq_window,
	.nmi_window = vmx_nmi_window,
	.deadline = vmx_deadline,
	.flush = vmx_flush,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * VT-x's table for the waist, what it makes at load and for each vCPU. Reached through
 * vm/backend.h; main.c names the table.
 */
#include <linux/gfp.h>
#include "vmx.h"

static void vmx_remove(void)
{
	vmx_window_exit();
	vmcs_module_exit();
}

static int vmx_probe(struct backend_features *features)
{
	return vmx_caps_init(features) ?: vmcs_module_init() ?: vmx_window_init();
}

int vmx_vcpu_init(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);

	hw->vmcs = vmcs_alloc();
	if (!hw->vmcs)
		return -ENOMEM;
	hw->vmcs_pa = __pa(hw->vmcs);
	/* Values that no field has yet, so that the first window writes them all. */
	memset(&hw->host, 0xff, sizeof(hw->host));
	return 0;
}

void vmx_vcpu_fini(struct vcpu *vcpu)
{
	free_page((unsigned long)to_vmx(vcpu)->vmcs);
}

const struct kvirt_backend vmx_backend = {
	.name = "VT-x",
	.probe = vmx_probe,
	.remove = vmx_remove,
#define CALL(name) .name = vmx_##name,
	BACKEND_CALLS(CALL)
};

// SPDX-License-Identifier: GPL-2.0
/*
 * Signals, rescheduling and task work before entering a guest. The only file that
 * includes linux/kvm_host.h: up to 6.12 the kernel's own function takes a KVM vCPU, of
 * which it touches two fields when a signal is pending, and reads none: one stands in for all.
 */
#include "state.h"

#if !XFER_TAKES_VCPU
int host_work_do(void) { return xfer_to_guest_mode_handle_work(); }
#else
#include <linux/kvm_host.h>

int host_work_do(void)
{
	static struct kvm_run run;
	static struct kvm_vcpu stand_in = { .run = &run };

	return xfer_to_guest_mode_handle_work(&stand_in);
}
#endif

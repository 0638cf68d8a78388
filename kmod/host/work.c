// SPDX-License-Identifier: GPL-2.0
/*
 * Signals, rescheduling and task work before entering a guest. The only file that
 * includes linux/kvm_host.h: up to 6.12 the kernel's own function takes a KVM vCPU, of
 * which it touches two fields when a signal is pending. A zeroed one stands in for it.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "compat.h"
#include "work.h"

#if !XFER_TAKES_VCPU
int __init host_work_init(void) { return 0; }
void host_work_exit(void) { }
int host_work_do(void) { return xfer_to_guest_mode_handle_work(); }
#else
#include <linux/kvm_host.h>

static struct kvm_vcpu *stand_in;

int __init host_work_init(void)
{
	stand_in = kvzalloc(sizeof(*stand_in), GFP_KERNEL);
	if (!stand_in)
		return -ENOMEM;
	stand_in->run = (void *)get_zeroed_page(GFP_KERNEL);
	if (!stand_in->run) {
		kvfree(stand_in);
		return -ENOMEM;
	}
	return 0;
}

void host_work_exit(void)
{
	free_page((unsigned long)stand_in->run);
	kvfree(stand_in);
}

int host_work_do(void)
{
	return xfer_to_guest_mode_handle_work(stand_in);
}
#endif

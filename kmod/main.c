// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload, and the choice of a back end: the only file that names both. Each
 * layer's init comes before those above it; unloading is the same list backwards.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include "api/api.h"
#include "host/cpu.h"
#include "host/fpu.h"
#include "host/state.h"
#include "host/msr.h"
#include "host/work.h"
#include "vm/backend.h"

static const struct kvirt_backend *const backends[] __initconst = {
	&vmx_backend,
	&svm_backend,
};

static const struct kvirt_backend *backend;

/* The first whose hardware is there decides, for better or worse. */
static int __init choose_backend(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(backends); i++) {
		err = backends[i]->probe(&features);
		if (err == -ENODEV)
			continue;
		if (err)
			return err;
		backend = backends[i];
		backend_select(backend);
		return 0;
	}
	pr_err("kvirt: refused: this CPU has neither VT-x nor AMD-V\n");
	return -ENODEV;
}

static int __init kvirt_init(void)
{
	int err;

	err = host_cpu_check();
	if (err)
		return err;
	err = host_fpu_init();
	if (err)
		return err;
	err = host_state_init();
	if (err)
		return err;
	err = host_work_init();
	if (err)
		goto state_exit;
	err = choose_backend();
	if (err)
		goto work_exit;
	err = vm_module_init();
	if (err)
		goto backend_remove;
	preempt_notifier_inc();
	host_stats_init();
	err = device_init();
	if (err)
		goto stats_exit;
	pr_info("kvirt: ready on %s\n", backend->name);
	return 0;

stats_exit:
	host_stats_exit();
	preempt_notifier_dec();
	vm_module_exit();
backend_remove:
	backend->remove();
work_exit:
	host_work_exit();
state_exit:
	host_state_exit();
	return err;
}

static void __exit kvirt_exit(void)
{
	device_exit();
	host_stats_exit();
	preempt_notifier_dec();
	vm_module_exit();
	backend->remove();
	host_work_exit();
	host_state_exit();
}

module_init(kvirt_init);
module_exit(kvirt_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A small hypervisor with KVM's ABI, on VT-x and AMD-V");

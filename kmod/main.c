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
#include "vm/backend.h"

static const struct kvirt_backend *const backends[] __initconst = { &vmx_backend, &svm_backend };

static const struct kvirt_backend *backend;

/* The first whose hardware is there decides, for better or worse. */
static int __init backend_init(void)
{
	int i, err = -ENODEV;

	for (i = 0; i < ARRAY_SIZE(backends) && err == -ENODEV; i++) {
		backend = backends[i];
		err = backend->probe(&features);
	}
	if (err == -ENODEV)
		pr_err("kvirt: refused: this CPU has neither VT-x nor AMD-V\n");
	if (err) {
		backend->remove();
		return err;
	}
	backend_select(backend);
	preempt_notifier_inc();
	return 0;
}

static void backend_exit(void)
{
	preempt_notifier_dec();
	backend->remove();
}

static const struct { int (*init)(void); void (*exit)(void); } layers[] = {
	{ host_cpu_check }, { host_fpu_init },		/* nothing to undo */
	{ host_state_init, host_state_exit },
	{ backend_init, backend_exit },
	{ vm_module_init, vm_module_exit },
	{ cpuid_snapshot, cpuid_snapshot_free },
	{ device_init, device_exit },
};

static void undo(int n)
{
	while (n--)
		if (layers[n].exit)
			layers[n].exit();
}

static int __init kvirt_init(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(layers); i++) {
		err = layers[i].init();
		if (err) {
			undo(i);
			return err;
		}
	}
	pr_info("kvirt: ready on %s\n", backend->name);
	return 0;
}

static void __exit kvirt_exit(void)
{
	undo(ARRAY_SIZE(layers));
}

module_init(kvirt_init);
module_exit(kvirt_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A small hypervisor with KVM's ABI, on VT-x and AMD-V");

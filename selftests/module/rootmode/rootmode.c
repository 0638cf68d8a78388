// SPDX-License-Identifier: GPL-2.0
/*
 * Refuses to load (-EBUSY) when any CPU is ready for VMX or SVM: CR4.VMXE or EFER.SVME set. module/load.sh loads it
 * when neither kvirt nor KVM is there, to see that kvirt's unloading leaves no trace. Reads the hardware, not the
 * kernel's copy of CR4.
 */
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>

static atomic_t busy = ATOMIC_INIT(0);

static void look(void *unused)
{
	unsigned long cr4;
	u64 efer = __rdmsr(MSR_EFER);

	asm volatile("mov %%cr4, %0" : "=r" (cr4));
	if ((cr4 & X86_CR4_VMXE) || (efer & EFER_SVME)) {
		pr_notice("CPU %d: CR4 %#lx, EFER %#llx\n", smp_processor_id(), cr4, efer);
		atomic_inc(&busy);
	}
}

static int __init rootmode_init(void)
{
	on_each_cpu(look, NULL, 1);
	return atomic_read(&busy) ? -EBUSY : 0;
}

static void __exit rootmode_exit(void)
{
}

module_init(rootmode_init);
module_exit(rootmode_exit);
MODULE_DESCRIPTION("Tells whether a CPU was left in VMX or SVM mode");
MODULE_LICENSE("GPL");

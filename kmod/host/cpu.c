// SPDX-License-Identifier: GPL-2.0
/* What the host's CPUs are, and the refusals that do not depend on the vendor. */
#include <linux/kernel.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include <asm/smp.h>
#include "cpu.h"
#include "msr.h"

#ifdef KVIRT_COUNT_PRIVOPS
DEFINE_PER_CPU(struct privops, host_privops);
#endif

#define CR4_LA57_BIT	12
#define CR4_FRED_BIT	32

int __init host_cpu_check(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		pr_err("kvirt: refused: PREEMPT_RT kernels are not supported\n");
		return -EOPNOTSUPP;
	}
	if (boot_cpu_has(X86_FEATURE_XENPV)) {
		pr_err("kvirt: refused: a Xen PV domain owns no virtualization hardware\n");
		return -EOPNOTSUPP;
	}
	if (host_read_cr4() & BIT_ULL(CR4_FRED_BIT)) {
		pr_err("kvirt: refused: FRED is in use; boot with fred=off\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

void host_cpuid(u32 leaf, u32 subleaf, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	cpuid_count(leaf, subleaf, eax, ebx, ecx, edx);
}

unsigned int host_maxphyaddr(void)
{
	return boot_cpu_data.x86_phys_bits;
}

bool host_la57(void)
{
	return host_read_cr4() & BIT_ULL(CR4_LA57_BIT);
}

void host_kick_cpu(int cpu)
{
	/* The parentheses keep a macro of the same name (since 6.4) away. */
	(smp_ops.smp_send_reschedule)(cpu);
}

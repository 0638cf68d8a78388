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

u64 host_guest_cr4(void)
{
	u64 cr4 = X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE |
		  X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | X86_CR4_OSFXSR |
		  X86_CR4_OSXMMEXCPT;

	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		cr4 |= X86_CR4_OSXSAVE;
	if (boot_cpu_has(X86_FEATURE_SMEP))
		cr4 |= X86_CR4_SMEP;
	if (boot_cpu_has(X86_FEATURE_SMAP))
		cr4 |= X86_CR4_SMAP;
	if (boot_cpu_has(X86_FEATURE_FSGSBASE))
		cr4 |= X86_CR4_FSGSBASE;
	if (boot_cpu_has(X86_FEATURE_UMIP))
		cr4 |= X86_CR4_UMIP;
	if (boot_cpu_has(X86_FEATURE_LA57))
		cr4 |= X86_CR4_LA57;
	if (boot_cpu_has(X86_FEATURE_PCID))
		cr4 |= X86_CR4_PCIDE;
	return cr4;
}

u64 host_guest_efer(void)
{
	u64 efer = EFER_SCE | EFER_LME | EFER_LMA;

	if (boot_cpu_has(X86_FEATURE_NX))
		efer |= EFER_NX;
	if (boot_cpu_has(X86_FEATURE_FXSR_OPT))
		efer |= EFER_FFXSR;
	return efer;
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

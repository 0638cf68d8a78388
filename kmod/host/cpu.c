// SPDX-License-Identifier: GPL-2.0
/* What the host's CPUs are, and the refusals that do not depend on the vendor. */
#include <linux/kernel.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include <asm/smp.h>
#include "cpu.h"
#include "msr.h"

#define PSFD		BIT_ULL(7)	/* in SPEC_CTRL; no name for it before 6.9 */
#define CR4_FRED	BIT_ULL(32)	/* no name for it before 6.9 */

int __init host_cpu_check(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return host_refuse("PREEMPT_RT kernels are not supported");
	if (boot_cpu_has(X86_FEATURE_XENPV))
		return host_refuse("a Xen PV domain owns no virtualization hardware");
	if (host_read_cr4() & CR4_FRED)
		return host_refuse("FRED is in use; boot with fred=off");
	return 0;
}

u64 host_guest_cr4(void)
{
	static const struct { u32 feature, cr4; } optional[] = {
		{ X86_FEATURE_OSXSAVE, X86_CR4_OSXSAVE }, { X86_FEATURE_SMEP, X86_CR4_SMEP },
		{ X86_FEATURE_SMAP, X86_CR4_SMAP }, { X86_FEATURE_FSGSBASE, X86_CR4_FSGSBASE },
		{ X86_FEATURE_UMIP, X86_CR4_UMIP }, { X86_FEATURE_LA57, X86_CR4_LA57 },
		{ X86_FEATURE_PCID, X86_CR4_PCIDE },
	};
	u64 cr4 = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(optional); i++)
		if (boot_cpu_has(optional[i].feature))
			cr4 |= optional[i].cr4;
	return cr4;
}

u64 host_guest_efer(void)
{
	return EFER_SCE | EFER_LME | EFER_LMA | (boot_cpu_has(X86_FEATURE_NX) ? EFER_NX : 0) |
	       (boot_cpu_has(X86_FEATURE_FXSR_OPT) ? EFER_FFXSR : 0);
}

bool host_spec_ctrl_valid(u64 value)
{
	u32 eax = 0, ebx, ecx, edx = 0;

	if (value && !boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL))
		return false;
	if (boot_cpu_has(X86_FEATURE_IBRS))
		value &= ~SPEC_CTRL_IBRS;
	if (boot_cpu_has(X86_FEATURE_STIBP))
		value &= ~SPEC_CTRL_STIBP;
	if (boot_cpu_has(X86_FEATURE_SPEC_CTRL_SSBD) || boot_cpu_has(X86_FEATURE_AMD_SSBD))
		value &= ~SPEC_CTRL_SSBD;
	if (value != PSFD)
		return !value;
	/* Each vendor has a bit of its own for it; the kernel's names came late. */
	if (cpuid_eax(0) >= 7 && cpuid_eax(7) >= 2)
		cpuid_count(7, 2, &eax, &ebx, &ecx, &edx);
	return edx & 1 || (boot_cpu_data.extended_cpuid_level >= 0x80000008 &&
			   cpuid_ebx(0x80000008) & BIT(28));
}

void host_kick_cpu(int cpu)
{
	/* The parentheses keep a macro of the same name (since 6.4) away. */
	(smp_ops.smp_send_reschedule)(cpu);
}

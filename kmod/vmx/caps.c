// SPDX-License-Identifier: GPL-2.0
/*
 * What this machine's VT-x offers and kvirt uses: the controls of a new VMCS, built from
 * allow-lists against the capability MSRs (SDM vol. 3, appendix A). Refuses machines that
 * lack what kvirt needs. Called by backend.c at load; the rest of vmx/ reads vmx_caps.
 */
#include <linux/cpumask.h>
#include <linux/moduleparam.h>
#include <linux/smp.h>
#include <linux/topology.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include "../host/cpu.h"
#include "vmx.h"

struct vmx_caps vmx_caps __ro_after_init;

static bool allow_large_pages;
module_param(allow_large_pages, bool, 0444);
MODULE_PARM_DESC(allow_large_pages, "map large pages on CPUs with the iTLB multihit erratum");

static bool l1d_flush = true;
module_param(l1d_flush, bool, 0444);
MODULE_PARM_DESC(l1d_flush, "flush the L1 data cache before guests on CPUs with L1TF");

static bool allow_unsafe_smt;
module_param(allow_unsafe_smt, bool, 0444);
MODULE_PARM_DESC(allow_unsafe_smt, "load on CPUs with L1TF although hyper-threading is on");

enum ept_vpid_cap {		/* IA32_VMX_EPT_VPID_CAP */
	EPT_CAP_WALK_4 = BIT(6), EPT_CAP_WRITE_BACK = BIT(14), EPT_CAP_2M = BIT(16),
	EPT_CAP_1G = BIT(17), EPT_CAP_INVEPT = BIT(20), EPT_CAP_AD = BIT(21),
	EPT_CAP_SINGLE = BIT(25), EPT_CAP_ALL = BIT(26),
};

#define VPID_CAP_INVVPID	BIT_ULL(32)
#define VPID_CAP_SINGLE		BIT_ULL(41)
#define VPID_CAP_ALL		BIT_ULL(42)

/* An EPT pointer's low bits, and an EPT entry's. */
#define EPTP_WRITE_BACK		6
#define EPTP_WALK_4		(3 << 3)
#define EPTP_AD			BIT_ULL(6)

enum ept_bit {
	EPT_READ = BIT(0), EPT_WRITE = BIT(1), EPT_EXEC = BIT(2), EPT_WRITE_BACK = 6 << 3,
	EPT_IGNORE_PAT = BIT(6), EPT_LARGE = BIT(7), EPT_ACCESSED = BIT(8), EPT_DIRTY = BIT(9),
};

#define BASIC_TRUE_CONTROLS	BIT_ULL(55)
#define BASIC_ERROR_CODE_FREE	BIT_ULL(56)
#define MISC_TIMER_SHIFT	0x1f
#define MISC_PT_IN_VMX		BIT_ULL(14)
#define FEATURE_USABLE		(FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)
#define CPUID_1_ECX_VMX		BIT(5)

struct control {
	const char *name;
	u32 msr;			/* capabilities; all but one have a "true" one too */
	u32 needed, wanted;
	u32 *result;
};

/* Low half of a capability MSR: bits that must be 1. High half: bits that may be 1. */
static int control_init(const struct control *c, bool has_true)
{
	u32 msr = c->msr;
	u64 cap;

	if (has_true && c->msr != MSR_IA32_VMX_PROCBASED_CTLS2)
		msr += MSR_IA32_VMX_TRUE_PINBASED_CTLS - MSR_IA32_VMX_PINBASED_CTLS;
	if (host_rdmsr_safe(msr, &cap))
		return host_refuse("VT-x without EPT (no secondary controls)");
	if (c->result == &vmx_caps.cpu2 && !(cap >> 32 & CPU2_EPT))
		return host_refuse("VT-x without EPT");
	if (c->result == &vmx_caps.cpu2 && !(cap >> 32 & CPU2_UNRESTRICTED))
		return host_refuse("VT-x without unrestricted guest");
	if (c->needed & ~(u32)(cap >> 32)) {
		pr_err("kvirt: refused: VT-x lacks %s controls %#x\n", c->name,
		       c->needed & ~(u32)(cap >> 32));
		return -EOPNOTSUPP;
	}
	*c->result = (u32)cap | c->needed | (c->wanted & (u32)(cap >> 32));
	return 0;
}

static int controls_init(struct vmx_caps *caps)
{
	const struct control table[] = {
		{ "pin-based", MSR_IA32_VMX_PINBASED_CTLS,
		  PIN_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, PIN_PREEMPTION_TIMER,
		  &caps->pin },
		{ "processor-based", MSR_IA32_VMX_PROCBASED_CTLS,
		  CPU_TSC_OFFSETTING | CPU_HLT_EXITING | CPU_MWAIT_EXITING | CPU_RDPMC_EXITING |
		  CPU_CR8_LOAD_EXITING | CPU_CR8_STORE_EXITING | CPU_DR_EXITING | CPU_IO_EXITING |
		  CPU_MSR_BITMAPS | CPU_MONITOR_EXITING | CPU_SECONDARY | CPU_IRQ_WINDOW |
		  CPU_NMI_WINDOW, 0, &caps->cpu },
		/* What is not named here stays off, and its instructions #UD: XSAVES, VMFUNC... */
		{ "secondary", MSR_IA32_VMX_PROCBASED_CTLS2, CPU2_EPT | CPU2_UNRESTRICTED,
		  CPU2_RDTSCP | CPU2_VPID | CPU2_WBINVD_EXITING | CPU2_INVPCID |
		  CPU2_ENCLS_EXITING | CPU2_ENCLV_EXITING | CPU2_PAUSE_LOOP |
		  CPU2_TSC_SCALING, &caps->cpu2 },
		{ "exit", MSR_IA32_VMX_EXIT_CTLS,
		  EXITCTL_SAVE_DEBUG | EXITCTL_HOST_64BIT | EXITCTL_LOAD_PAT | EXITCTL_LOAD_EFER,
		  EXITCTL_LOAD_PERF, &caps->exit },
		{ "entry", MSR_IA32_VMX_ENTRY_CTLS,
		  ENTRYCTL_LOAD_DEBUG | ENTRYCTL_IA32E | ENTRYCTL_LOAD_PAT | ENTRYCTL_LOAD_EFER,
		  ENTRYCTL_LOAD_PERF, &caps->entry },
	};
	u64 basic = host_rdmsr(MSR_IA32_VMX_BASIC);
	int i, err;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		err = control_init(&table[i], basic & BASIC_TRUE_CONTROLS);
		if (err)
			return err;
	}
	/* MOV CR3 must not exit: CPUs with these capabilities' "true" form let it be turned off. */
	if (caps->cpu & CPU_CR3_EXITING)
		return host_refuse("VT-x forces exits on CR3");
	/* Asked for to see that they exist; each vCPU turns them on when it needs them. */
	caps->cpu &= ~(CPU_IRQ_WINDOW | CPU_NMI_WINDOW);
	caps->entry &= ~ENTRYCTL_IA32E;
	caps->revision = basic & 0x7fffffff;
	caps->error_code_free = basic & BASIC_ERROR_CODE_FREE;
	if (!(caps->exit & EXITCTL_LOAD_PERF) || !(caps->entry & ENTRYCTL_LOAD_PERF) ||
	    cpuid_eax(0) < 0xa || (cpuid_eax(0xa) & 0xff) < 2) {
		caps->exit &= ~EXITCTL_LOAD_PERF;
		caps->entry &= ~ENTRYCTL_LOAD_PERF;
	}
	return 0;
}

static int ept_init(struct vmx_caps *caps, struct npt_format *npt)
{
	u64 cap = host_rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);

	if (!(cap & EPT_CAP_WALK_4) || !(cap & EPT_CAP_WRITE_BACK))
		return host_refuse("EPT without 4-level tables or write-back memory");
	if (!(cap & EPT_CAP_INVEPT) || !(cap & (EPT_CAP_SINGLE | EPT_CAP_ALL)))
		return host_refuse("EPT without INVEPT");
	caps->invept = cap & EPT_CAP_SINGLE ? INVALIDATE_SINGLE : INVALIDATE_ALL;
	caps->invvpid = cap & VPID_CAP_SINGLE ? INVALIDATE_SINGLE : INVALIDATE_ALL;
	/* A VPID that cannot be flushed is worse than none. */
	if (!(cap & VPID_CAP_INVVPID) || !(cap & (VPID_CAP_SINGLE | VPID_CAP_ALL)))
		caps->cpu2 &= ~CPU2_VPID;
	caps->eptp = EPTP_WRITE_BACK | EPTP_WALK_4 | (cap & EPT_CAP_AD ? EPTP_AD : 0);

	/* RAM is write-back whatever the guest's PAT says, as on KVM without assigned devices. */
	*npt = (struct npt_format) {
		.present = EPT_READ | EPT_WRITE | EPT_EXEC,
		.table = EPT_READ | EPT_WRITE | EPT_EXEC,
		.leaf = EPT_READ | EPT_EXEC | EPT_WRITE_BACK | EPT_IGNORE_PAT,
		.write = EPT_WRITE, .large = EPT_LARGE,
		.accessed = cap & EPT_CAP_AD ? EPT_ACCESSED : 0,
		.dirty = cap & EPT_CAP_AD ? EPT_DIRTY : 0,
		.levels = 4, .max_level = NPT_LEVEL_4K,
	};
	/* An executable large page can hang such a CPU: the guest's to provoke, so not given. */
	if ((cap & EPT_CAP_2M) && (allow_large_pages || !boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT)))
		npt->max_level = cap & EPT_CAP_1G ? NPT_LEVEL_1G : NPT_LEVEL_2M;
	return 0;
}

/* Every CPU must be as the first: a VMCS wanders between them. */
static void check_cpu(void *different)
{
	u64 basic = 0, ept = 0, feature = 0;

	if (host_rdmsr_safe(MSR_IA32_VMX_BASIC, &basic) ||
	    host_rdmsr_safe(MSR_IA32_VMX_EPT_VPID_CAP, &ept) ||
	    host_rdmsr_safe(MSR_IA32_FEAT_CTL, &feature) ||
	    (basic & 0x7fffffff) != vmx_caps.revision ||
	    (feature & FEATURE_USABLE) != FEATURE_USABLE)
		WRITE_ONCE(*(bool *)different, true);
}

static bool smt_active(void)
{
	int cpu;

	for_each_online_cpu(cpu)
		if (cpumask_weight(topology_sibling_cpumask(cpu)) > 1)
			return true;
	return false;
}

/*
 * L1TF: a guest reads whatever of the host's lies in the first-level data cache, so that
 * is emptied before it runs. Against the sibling thread nothing helps but its absence.
 */
static int l1tf_init(struct vmx_caps *caps)
{
	u64 arch = 0;

	caps->l1d = L1D_KEEP;
	if (!boot_cpu_has_bug(X86_BUG_L1TF) || !l1d_flush)
		return 0;
	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		arch = host_rdmsr(MSR_IA32_ARCH_CAPABILITIES);
	if (arch & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH)
		return 0;
	if (smt_active() && !allow_unsafe_smt)
		return host_refuse("L1TF with hyper-threading on (nosmt, or allow_unsafe_smt=1)");
	caps->l1d = boot_cpu_has(X86_FEATURE_FLUSH_L1D) ? L1D_BY_MSR : L1D_BY_FILL;
	return 0;
}

/*
 * The firmware's word is the MSR, locked: of a VT-x that it disabled the kernel's own feature bits
 * say nothing. Where it left the MSR open, the kernel has locked it, without VT-x if told so.
 */
static int check_enabled(void)
{
	u64 feature;

	if (host_rdmsr_safe(MSR_IA32_FEAT_CTL, &feature) || !(feature & FEAT_CTL_LOCKED))
		return host_refuse("VT-x: firmware and kernel left it off (IA32_FEATURE_CONTROL)");
	if (!(feature & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX))
		return host_refuse("VT-x is disabled by firmware: turn it on in its setup");
	if (!boot_cpu_has(X86_FEATURE_VMX))
		return host_refuse("VT-x is disabled by clearcpuid= on the command line");
	return 0;
}

int vmx_caps_init(struct backend_features *features)
{
	struct vmx_caps *caps = &vmx_caps;
	bool different = false;
	u64 misc;
	int err;

	if (!(cpuid_ecx(1) & CPUID_1_ECX_VMX))
		return -ENODEV;
	err = check_enabled() ?: controls_init(caps) ?: ept_init(caps, &features->npt) ?:
	      l1tf_init(caps);
	if (err)
		return err;
	misc = host_rdmsr(MSR_IA32_VMX_MISC);
	caps->timer_shift = misc & MISC_TIMER_SHIFT;
	caps->trace_forbids_vmxon = boot_cpu_has(X86_FEATURE_INTEL_PT) && !(misc & MISC_PT_IN_VMX);
	caps->cr0_fixed1 = host_rdmsr(MSR_IA32_VMX_CR0_FIXED1);
	caps->cr4_fixed0 = host_rdmsr(MSR_IA32_VMX_CR4_FIXED0);
	caps->cr4_fixed1 = host_rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	caps->pebs = (caps->exit & EXITCTL_LOAD_PERF) && boot_cpu_has(X86_FEATURE_PEBS);
	caps->msrs = BIT(VMX_LSTAR) | BIT(VMX_STAR) | BIT(VMX_SFMASK);
	if (boot_cpu_data.x86_vendor != X86_VENDOR_INTEL)
		caps->msrs |= BIT(VMX_CSTAR);	/* there SYSCALL uses it */
	if (boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID))
		caps->msrs |= BIT(VMX_TSC_AUX);
	on_each_cpu(check_cpu, &different, 1);
	if (different)
		return host_refuse("VT-x differs between CPUs, or is disabled on some");

	features->hw_size = sizeof(struct vmx_vcpu);
	features->deadline = caps->pin & PIN_PREEMPTION_TIMER;
	/* The multiplier has 16 bits before the point, 48 after it (SDM vol. 3, 25.3). */
	features->tsc_ratio_bits = caps->cpu2 & CPU2_TSC_SCALING ? 48 : 0;
	features->tsc_ratio_max = ~0ULL;
	features->rdtscp = caps->cpu2 & CPU2_RDTSCP;
	features->invpcid = caps->cpu2 & CPU2_INVPCID;
	features->spec_ctrl = boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL);
	return 0;
}

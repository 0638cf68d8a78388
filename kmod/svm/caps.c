// SPDX-License-Identifier: GPL-2.0
/*
 * What this machine's AMD-V offers and kvirt uses; refuses machines that lack what it
 * needs. Allocates what belongs to CPUs and not to guests: host save areas, permission
 * maps. Called by main.c at load and unload; the rest of svm/ reads `svm`.
 *
 * Sources: APM vol. 2, 15.4 (enabling), 15.10, 15.11 (permission maps), 15.25 (nested
 * paging), 15.33, 15.34; vol. 3, E.4.9 (CPUID 8000_000Ah).
 */
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include "../host/cpu.h"
#include "svm.h"

struct svm_features svm __ro_after_init;
DEFINE_PER_CPU(struct svm_cpu, svm_cpu);

#define FEATURES_LEAF		0x80000001
#define CPUID_ECX_SVM		BIT(2)
#define SVM_LEAF		0x8000000a
#define ENCRYPTION_LEAF		0x8000001f
#define VM_CR_MSR		0xc0010114
#define VM_CR_DISABLED		BIT_ULL(4)

#define IOPM_ORDER		2	/* 12 KiB are used */
#define MSRPM_ORDER		1

enum npt_bit {			/* nested tables have the format of the host's own */
	NPT_PRESENT = BIT(0), NPT_WRITE = BIT(1), NPT_USER = BIT(2) /* as every guest's access */,
	NPT_ACCESSED = BIT(5), NPT_DIRTY = BIT(6), NPT_LARGE = BIT(7),
};

/*
 * MSRs that a guest reads and writes without an exit: VMLOAD and VMSAVE move them, the
 * CPU itself refuses what is not canonical, and none of them matters to the host.
 */
static const u32 passed_msrs[] __initconst = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

static void *iopm, *msrpm, *empty_root;

void *svm_alloc_page(void)
{
	/*
	 * An SNP host may fault on a 2 MiB page that begins with one in use (APM vol. 2, 15.36):
	 * the second of two never does.
	 */
	void *two = alloc_pages_exact(2 * PAGE_SIZE, GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!two)
		return NULL;
	free_page((unsigned long)two);
	return two + PAGE_SIZE;
}

/* Two bits for each MSR, read and write, of three ranges of 8192 (APM vol. 2, 15.11). */
static void __init pass_msr(u8 *map, u32 msr)
{
	u32 bit = (msr & 0x1fff) * 2;

	if (msr >= 0xc0010000)
		map += 0x1000;
	else if (msr >= 0xc0000000)
		map += 0x800;
	map[bit / 8] &= ~(3 << (bit & 7));
}

static int __init alloc_maps(void)
{
	int i;

	iopm = (void *)__get_free_pages(GFP_KERNEL, IOPM_ORDER);
	msrpm = (void *)__get_free_pages(GFP_KERNEL, MSRPM_ORDER);
	empty_root = (void *)get_zeroed_page(GFP_KERNEL);
	if (!iopm || !msrpm || !empty_root)
		return -ENOMEM;
	memset(iopm, 0xff, PAGE_SIZE << IOPM_ORDER);
	memset(msrpm, 0xff, PAGE_SIZE << MSRPM_ORDER);
	for (i = 0; i < ARRAY_SIZE(passed_msrs); i++)
		pass_msr(msrpm, passed_msrs[i]);
	svm.iopm_pa = svm_pa(iopm);
	svm.msrpm_pa = svm_pa(msrpm);
	return 0;
}

/*
 * The guest of the flush run: real mode, no nested translation at all, so that its first
 * fetch exits. It needs a valid state all the same (APM vol. 2, 15.5.1).
 */
static void __init init_flush_vmcb(struct vmcb *v)
{
	v->intercepts[0] = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_SHUTDOWN;
	v->intercepts[1] = INTERCEPT_VMRUN;
	v->iopm_pa = svm.iopm_pa;
	v->msrpm_pa = svm.msrpm_pa;
	v->asid = svm.asid;
	v->tlb_control = svm.flush;
	v->int_ctl = V_INTR_MASKING;
	v->np_control = NP_ENABLE;
	v->nested_cr3 = svm_pa(empty_root);
	v->seg[X86_CS] = (struct vmcb_segment) { .attributes = 0x09b, .limit = 0xffff };
	v->seg[X86_SS] = (struct vmcb_segment) { .attributes = 0x093, .limit = 0xffff };
	v->efer = EFER_SVME;
	v->cr0 = X86_CR0_ET;
	v->dr6 = X86_DR6_FIXED;
	v->dr7 = X86_DR7_FIXED;
	v->rflags = X86_EFLAGS_FIXED;
}

static int __init alloc_cpus(void)
{
	struct svm_cpu *c;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(&svm_cpu, cpu);
		c->hsave = svm_alloc_page();
		c->host = svm_alloc_page();
		c->flush = svm_alloc_page();
		if (!c->hsave || !c->host || !c->flush)
			return -ENOMEM;
		init_flush_vmcb(c->flush);
	}
	return 0;
}

void svm_remove(void)
{
	struct svm_cpu *c;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(&svm_cpu, cpu);
		free_page((unsigned long)c->flush);
		free_page((unsigned long)c->host);
		free_page((unsigned long)c->hsave);
	}
	free_page((unsigned long)empty_root);
	free_pages((unsigned long)msrpm, MSRPM_ORDER);
	free_pages((unsigned long)iopm, IOPM_ORDER);
}

/* With memory encryption on, the host's own page tables carry its address bit. */
static u64 __init encryption_bit(void)
{
	u32 eax, ebx, ecx, edx;

	if (boot_cpu_data.extended_cpuid_level < ENCRYPTION_LEAF)
		return 0;
	cpuid_count(ENCRYPTION_LEAF, 0, &eax, &ebx, &ecx, &edx);
	return eax & 3 ? host_read_cr3() & BIT_ULL(ebx & 0x3f) : 0;
}

static void __init read_features(struct backend_features *f, u32 edx, u32 nr_asids)
{
	svm.edx = edx;
	svm.flush = edx & SVM_EDX_FLUSH_BY_ASID ? TLB_CONTROL_ASID : TLB_CONTROL_ALL;
	svm.clean = edx & SVM_EDX_CLEAN_BITS ? CLEAN_ALL : 0;
	svm.virtual_spec_ctrl = boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL) &&
				(edx & SVM_EDX_SPEC_CTRL);
	/* One ASID serves: asid.c empties it whenever somebody else may use it next. */
	svm.asid = nr_asids - 1;
	svm.encryption = encryption_bit();
	/* With MCE clear a machine check during the guest would shut the machine down. */
	svm.host_cr4 = host_read_cr4() & X86_CR4_MCE;

	f->npt = (struct npt_format) {
		.present = NPT_PRESENT,
		.table = NPT_PRESENT | NPT_WRITE | NPT_USER | NPT_ACCESSED | svm.encryption,
		.leaf = NPT_PRESENT | NPT_USER | svm.encryption,
		.write = NPT_WRITE, .large = NPT_LARGE,
		.accessed = NPT_ACCESSED, .dirty = NPT_DIRTY,
		/* VMRUN walks them in the host's paging mode (APM vol. 2, 15.25.3). */
		.levels = host_read_cr4() & X86_CR4_LA57 ? 5 : 4,
		.max_level = boot_cpu_has(X86_FEATURE_GBPAGES) ? NPT_LEVEL_1G : NPT_LEVEL_2M,
	};
	f->hw_size = sizeof(struct svm_vcpu);
	f->unload = true;
	f->amd = true;
	/* Eight bits before the point, 32 after it (APM vol. 2, 15.30.5). */
	f->tsc_ratio_bits = boot_cpu_has(X86_FEATURE_TSCRATEMSR) ? 32 : 0;
	f->tsc_ratio_max = 0xffffffffffULL;
	f->rdtscp = boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID);
	f->invpcid = boot_cpu_has(X86_FEATURE_INVPCID);
}

int __init svm_probe(struct backend_features *f)
{
	u32 eax, nr_asids, ecx, edx;
	u64 vm_cr;

	if (boot_cpu_data.extended_cpuid_level < FEATURES_LEAF ||
	    !(cpuid_ecx(FEATURES_LEAF) & CPUID_ECX_SVM))
		return -ENODEV;
	/* Since 6.7 the kernel's feature bits say nothing of an AMD-V that firmware disabled. */
	if (!host_rdmsr_safe(VM_CR_MSR, &vm_cr) && (vm_cr & VM_CR_DISABLED))
		return host_refuse("AMD-V is disabled by firmware: turn it on in its setup (SVM)");
	if (!boot_cpu_has(X86_FEATURE_SVM))
		return host_refuse("AMD-V is disabled by clearcpuid= on the command line");
	cpuid_count(SVM_LEAF, 0, &eax, &nr_asids, &ecx, &edx);
	if (boot_cpu_data.extended_cpuid_level < SVM_LEAF || !(edx & SVM_EDX_NPT))
		return host_refuse("AMD-V without nested paging");
	if (nr_asids < 2)
		return host_refuse("AMD-V without an address space identifier for guests");
	read_features(f, edx, nr_asids);
	return alloc_maps() ?: alloc_cpus();
}

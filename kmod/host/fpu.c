// SPDX-License-Identifier: GPL-2.0
/*
 * The swap of vector state around a window, and its copies to and from user space.
 * The host's registers go where the kernel keeps a task's (kernel_fpu_begin), the
 * guest's into an area of our own. Called by run/run.c and api/abi.c.
 */
#include <linux/gfp.h>
#include <linux/string.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include "cpu.h"
#include "fpu.h"
#include "msr.h"

#define FCW_INITIAL	0x37f
#define NR_COMPONENTS	8

static u64 host_xcr0 __ro_after_init;	/* 0: a CPU or kernel without XSAVE, so FXSAVE */
static u64 component_mask __ro_after_init = XFEATURE_MASK_FPSSE;
static u32 mxcsr_mask __ro_after_init;
static struct { u32 offset, size; } component[NR_COMPONENTS] __ro_after_init;

static void write_xcr0(u64 value)
{
	count_privop(PRIVOP_XSETBV);
	xsetbv(XCR_XFEATURE_ENABLED_MASK, value);
}

int __init host_fpu_init(void)
{
	struct xregs_state image = {};
	u32 eax, ebx, ecx, edx;
	int i;

	kernel_fpu_begin();
	asm volatile("fxsave %0" : "+m" (image.i387));
	kernel_fpu_end();
	mxcsr_mask = image.i387.mxcsr_mask ?: 0xffbf;
	if (!boot_cpu_has(X86_FEATURE_OSXSAVE))
		return 0;
	host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	component_mask = host_xcr0 & FPU_COMPONENTS;
	for (i = 2; i < NR_COMPONENTS; i++) {
		if (!(component_mask & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		component[i].size = eax;
		component[i].offset = ebx;
		if (ebx < sizeof(image) || eax > PAGE_SIZE || ebx > PAGE_SIZE - eax) {
			pr_err("kvirt: XSAVE component %d lies outside one page: %u+%u\n",
			       i, ebx, eax);
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

u64 host_fpu_mask(void)
{
	return host_xcr0 & FPU_COMPONENTS;
}

int guest_fpu_init(struct guest_fpu *fpu)
{
	fpu->area = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return fpu->area ? 0 : -ENOMEM;
}

void guest_fpu_free(struct guest_fpu *fpu)
{
	free_page((unsigned long)fpu->area);
}

void guest_fpu_reset(struct guest_fpu *fpu)
{
	memset(fpu->area, 0, PAGE_SIZE);
	fpu->area->i387.cwd = FCW_INITIAL;
	fpu->area->i387.mxcsr = MXCSR_DEFAULT;
	fpu->area->header.xfeatures = XFEATURE_MASK_FPSSE;
	fpu->xcr0 = host_xcr0;
}

/* XGETBV, XSETBV and the AVX instructions are undefined without CR4.OSXSAVE. */
void guest_fpu_set_xcr0(struct guest_fpu *fpu, u64 xcr0, u64 cr4, bool loaded)
{
	u64 old = fpu->xcr0;

	fpu->xcr0 = cr4 & X86_CR4_OSXSAVE ? xcr0 : host_xcr0;
	if (loaded && fpu->xcr0 != old)
		write_xcr0(fpu->xcr0);
}

/* The area was checked when it came in, so a fault here is ours: start afresh. */
static bool restore(const struct xregs_state *area)
{
	if (host_xcr0)
		asm goto("1: xrstor64 %[area]\n\t" _ASM_EXTABLE(1b, %l[fault])
			 : : [area] "m" (*area), "a" ((u32)component_mask),
			     "d" ((u32)(component_mask >> 32)) : "memory" : fault);
	else
		asm goto("1: fxrstor64 %[area]\n\t" _ASM_EXTABLE(1b, %l[fault])
			 : : [area] "m" (*area) : "memory" : fault);
	return true;
fault:
	return false;
}

void guest_fpu_load(struct guest_fpu *fpu)
{
	kernel_fpu_begin_mask(0);
	/* AMD leaves FIP, FDP and FOP of the task before: give them harmless values. */
	if (static_cpu_has_bug(X86_BUG_FXSAVE_LEAK))
		asm volatile("fnclex\n\temms\n\tfildl %0" : : "m" (mxcsr_mask));
	if (unlikely(!restore(fpu->area))) {
		pr_warn_ratelimited("kvirt: guest vector state did not load, reset\n");
		guest_fpu_reset(fpu);
		/* The registers still hold what is the host's. */
		restore(fpu->area);
	}
	if (fpu->xcr0 != host_xcr0)
		write_xcr0(fpu->xcr0);
}

void guest_fpu_save(struct guest_fpu *fpu)
{
	if (fpu->xcr0 != host_xcr0)
		write_xcr0(host_xcr0);
	if (host_xcr0)
		asm volatile("xsave64 %[area]" : [area] "+m" (*fpu->area)
			     : "a" ((u32)component_mask), "d" ((u32)(component_mask >> 32))
			     : "memory");
	else
		asm volatile("fxsave64 %[area]" : [area] "+m" (*fpu->area) : : "memory");
	kernel_fpu_end();
}

int guest_fpu_import(struct guest_fpu *fpu, const void *data)
{
	const struct xregs_state *area = data;

	if ((area->i387.mxcsr & ~mxcsr_mask) || (area->header.xfeatures & ~component_mask))
		return -EINVAL;
	/* Compacted format and reserved header words would fault in XRSTOR. */
	if (host_xcr0 && (area->header.xcomp_bv ||
			  memchr_inv(area->header.reserved, 0, sizeof(area->header.reserved))))
		return -EINVAL;
	memcpy(fpu->area, area, PAGE_SIZE);
	/* FXRSTOR loads both, whatever the header says. */
	if (!host_xcr0)
		fpu->area->header.xfeatures = XFEATURE_MASK_FPSSE;
	return 0;
}

struct fxregs_state *guest_fpu_legacy(struct guest_fpu *fpu)
{
	struct fxregs_state *legacy = &fpu->area->i387;
	u64 saved = fpu->area->header.xfeatures;

	/* Components in their initial state were not written out. MXCSR was. */
	if (!(saved & XFEATURE_MASK_FP)) {
		memset(legacy, 0, offsetof(struct fxregs_state, mxcsr));
		memset(legacy->st_space, 0, sizeof(legacy->st_space));
		legacy->cwd = FCW_INITIAL;
	}
	if (!(saved & XFEATURE_MASK_SSE))
		memset(legacy->xmm_space, 0, sizeof(legacy->xmm_space));
	return legacy;
}

void guest_fpu_export(struct guest_fpu *fpu, void *data)
{
	u64 saved = fpu->area->header.xfeatures & component_mask;
	struct xregs_state *area = data;
	int i;

	memset(area, 0, PAGE_SIZE);
	memcpy(&area->i387, guest_fpu_legacy(fpu), offsetof(struct fxregs_state, padding));
	/* MXCSR belongs to SSE and AVX alike (SDM vol. 1, 13.7). */
	if (!(saved & (XFEATURE_MASK_SSE | XFEATURE_MASK_YMM)))
		area->i387.mxcsr = MXCSR_DEFAULT;
	area->i387.mxcsr_mask = mxcsr_mask;
	area->header.xfeatures = saved;
	for (i = 2; i < NR_COMPONENTS; i++)
		if (saved & BIT_ULL(i))
			memcpy(data + component[i].offset,
			       (void *)fpu->area + component[i].offset, component[i].size);
}

void *guest_fpu_xmm(struct guest_fpu *fpu, unsigned int nr)
{
	struct fxregs_state *legacy = guest_fpu_legacy(fpu);

	fpu->area->header.xfeatures |= XFEATURE_MASK_SSE;
	return &legacy->xmm_space[4 * (nr & 15)];
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The swap of vector state around a window, and its copies to and from user space.
 * The host's registers go where the kernel keeps a task's (kernel_fpu_begin), the
 * guest's into an area of our own. Called by run/run.c and api/abi.c.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include "cpu.h"
#include "fpu.h"
#include "msr.h"

/* The legacy region (SDM vol. 1, 13.4.1) and the header after it (13.4.2). */
enum {
	LEGACY_SIZE = 512, HEADER_SIZE = 64,
	MXCSR_OFFSET = 24, MXCSR_MASK_OFFSET = 28, ST0_OFFSET = 32, XMM0_OFFSET = 160,
	FCW_INITIAL = 0x37f, MXCSR_INITIAL = 0x1f80,
};

#define COMPONENT_X87	BIT_ULL(0)
#define COMPONENT_SSE	BIT_ULL(1)
#define COMPONENT_AVX	BIT_ULL(2)
#define NR_COMPONENTS	8

/* XSTATE_BV: the components that are not in their initial state. */
static u64 *present(void *area)
{
	return area + LEGACY_SIZE;
}

static bool has_xsave __ro_after_init;
static u64 host_xcr0 __ro_after_init;
static u64 component_mask __ro_after_init = COMPONENT_X87 | COMPONENT_SSE;
static u32 mxcsr_mask __ro_after_init;
static struct { u32 offset, size; } component[NR_COMPONENTS] __ro_after_init;

static u64 read_xcr0(void)
{
	u32 low, high;

	asm volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (0));
	return low | (u64)high << 32;
}

static void write_xcr0(u64 value)
{
	count_privop(PRIVOP_XSETBV);
	asm volatile("xsetbv" : : "c" (0), "a" ((u32)value), "d" ((u32)(value >> 32)));
}

int __init host_fpu_init(void)
{
	struct { u8 bytes[LEGACY_SIZE]; } __aligned(16) image = {};
	u32 eax, ebx, ecx, edx;
	int i;

	kernel_fpu_begin();
	asm volatile("fxsave %0" : "+m" (image));
	kernel_fpu_end();
	mxcsr_mask = *(u32 *)(image.bytes + MXCSR_MASK_OFFSET) ?: 0xffbf;
	if (!boot_cpu_has(X86_FEATURE_OSXSAVE))
		return 0;
	has_xsave = true;
	host_xcr0 = read_xcr0();
	component_mask = host_xcr0 & FPU_COMPONENTS;
	for (i = 2; i < NR_COMPONENTS; i++) {
		if (!(component_mask & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		component[i].size = eax;
		component[i].offset = ebx;
		if (ebx < LEGACY_SIZE + HEADER_SIZE || eax > PAGE_SIZE || ebx > PAGE_SIZE - eax) {
			pr_err("kvirt: XSAVE component %d lies outside one page: %u+%u\n",
			       i, ebx, eax);
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

u64 host_fpu_mask(void)
{
	return has_xsave ? component_mask : 0;
}

int guest_fpu_init(struct guest_fpu *fpu)
{
	fpu->area = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!fpu->area)
		return -ENOMEM;
	guest_fpu_reset(fpu);
	return 0;
}

void guest_fpu_free(struct guest_fpu *fpu)
{
	free_page((unsigned long)fpu->area);
	fpu->area = NULL;
}

void guest_fpu_reset(struct guest_fpu *fpu)
{
	memset(fpu->area, 0, PAGE_SIZE);
	*(u16 *)fpu->area = FCW_INITIAL;
	*(u32 *)(fpu->area + MXCSR_OFFSET) = MXCSR_INITIAL;
	*present(fpu->area) = COMPONENT_X87 | COMPONENT_SSE;
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
static bool restore(const void *area)
{
	if (has_xsave)
		asm goto("1: xrstor64 %[area]\n\t" _ASM_EXTABLE(1b, %l[fault])
			 : : [area] "m" (*(const char (*)[PAGE_SIZE])area),
			     "a" ((u32)component_mask), "d" ((u32)(component_mask >> 32))
			 : "memory" : fault);
	else
		asm goto("1: fxrstor64 %[area]\n\t" _ASM_EXTABLE(1b, %l[fault])
			 : : [area] "m" (*(const char (*)[LEGACY_SIZE])area) : "memory" : fault);
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
	if (has_xsave)
		asm volatile("xsave64 %[area]" : [area] "+m" (*(char (*)[PAGE_SIZE])fpu->area)
			     : "a" ((u32)component_mask), "d" ((u32)(component_mask >> 32))
			     : "memory");
	else
		asm volatile("fxsave64 %[area]"
			     : [area] "+m" (*(char (*)[LEGACY_SIZE])fpu->area) : : "memory");
	kernel_fpu_end();
}

int guest_fpu_import(struct guest_fpu *fpu, const void *area)
{
	const u64 *header = area + LEGACY_SIZE;
	u32 mxcsr = *(u32 *)(area + MXCSR_OFFSET);
	int i;

	if ((mxcsr & ~mxcsr_mask) || (header[0] & ~component_mask))
		return -EINVAL;
	/* Compacted format and reserved header words would fault in XRSTOR. */
	for (i = 1; has_xsave && i < HEADER_SIZE / 8; i++)
		if (header[i])
			return -EINVAL;
	memcpy(fpu->area, area, PAGE_SIZE);
	/* FXRSTOR loads both, whatever the header says. */
	if (!has_xsave)
		*present(fpu->area) = COMPONENT_X87 | COMPONENT_SSE;
	return 0;
}

void guest_fpu_export(const struct guest_fpu *fpu, void *area)
{
	u64 saved = *present(fpu->area) & component_mask;
	int i;

	memset(area, 0, PAGE_SIZE);
	*present(area) = saved;
	*(u32 *)(area + MXCSR_OFFSET) = MXCSR_INITIAL;
	*(u16 *)area = FCW_INITIAL;
	if (saved & COMPONENT_X87) {
		memcpy(area, fpu->area, MXCSR_OFFSET);
		memcpy(area + ST0_OFFSET, fpu->area + ST0_OFFSET, XMM0_OFFSET - ST0_OFFSET);
	}
	/* MXCSR belongs to SSE and AVX alike (SDM vol. 1, 13.7). */
	if (saved & (COMPONENT_SSE | COMPONENT_AVX))
		*(u32 *)(area + MXCSR_OFFSET) = *(u32 *)(fpu->area + MXCSR_OFFSET);
	*(u32 *)(area + MXCSR_MASK_OFFSET) = mxcsr_mask;
	if (saved & COMPONENT_SSE)
		memcpy(area + XMM0_OFFSET, fpu->area + XMM0_OFFSET, 256);
	for (i = 2; i < NR_COMPONENTS; i++)
		if (saved & BIT_ULL(i))
			memcpy(area + component[i].offset, fpu->area + component[i].offset,
			       component[i].size);
}

void *guest_fpu_xmm(struct guest_fpu *fpu, unsigned int nr)
{
	/* Registers in their initial state were not written out: they are zeros. MXCSR was. */
	if (!(*present(fpu->area) & COMPONENT_SSE)) {
		memset(fpu->area + XMM0_OFFSET, 0, 256);
		*present(fpu->area) |= COMPONENT_SSE;
	}
	return fpu->area + XMM0_OFFSET + 16 * (nr & 15);
}

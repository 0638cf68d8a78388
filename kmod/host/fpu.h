/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Vector state of a guest, swapped with the host's once a window: PORTABILITY.md, D.
 * The area has XSAVE's standard format, which is what user space gets and sets; the
 * mask of components is constant for a vCPU, since those that the guest's XCR0 turns
 * off must survive too. Without XSAVE on the host: FXSAVE, and no XCR0 for the guest.
 */
#ifndef KVIRT_HOST_FPU_H
#define KVIRT_HOST_FPU_H

#include <linux/types.h>

/* Components kvirt offers: x87, SSE, AVX, AVX-512's three. */
#define FPU_COMPONENTS	0xe7ULL
#define FPU_PKRU	BIT_ULL(9)

struct guest_fpu {
	void *area;		/* 64-byte aligned, host_fpu_size() bytes, zeroed */
	u32 pkru;		/* the guest's, in use when pkru_used */
	bool pkru_used;		/* the guest's CPUID offers PKU */
	/* The host's, kept from load to save. */
	u32 host_pkru;
	u64 host_xcr0;
	u64 host_xss;
};

/* At load: what this host can swap. Fills host_xcr0_mask(); 0 or -errno. */
int host_fpu_init(void);
u64 host_fpu_mask(void);	/* XCR0 bits a guest may have; 0 without XSAVE */
u32 host_fpu_size(void);	/* bytes of an area with all of them, at least 4096 */
u32 host_fpu_mxcsr_mask(void);

int guest_fpu_init(struct guest_fpu *fpu);
void guest_fpu_free(struct guest_fpu *fpu);
/* Power-up values (SDM vol. 3, table 9-1): x87 control 0x37f... as FNINIT, MXCSR 0x1f80. */
void guest_fpu_reset(struct guest_fpu *fpu);

/*
 * guest_fpu_load() - window open: host's vector state away, the guest's and its @xcr0
 * in. guest_fpu_save() the other way round. Both with interrupts off, one CPU.
 */
void guest_fpu_load(struct guest_fpu *fpu, u64 xcr0);
void guest_fpu_save(struct guest_fpu *fpu, u64 xcr0);
/* Inside the window, after the guest's XSETBV. */
void guest_fpu_set_xcr0(u64 xcr0);

/*
 * guest_fpu_import() - from user space's XSAVE area of @size bytes (KVM_SET_XSAVE): header and
 * MXCSR checked against @xcr0_allowed. -EINVAL and nothing changed, or 0.
 */
int guest_fpu_import(struct guest_fpu *fpu, const void *area, u32 size, u64 xcr0_allowed);
/* Into @area of @size bytes, the header's XSTATE_BV as saved. */
void guest_fpu_export(const struct guest_fpu *fpu, void *area, u32 size);

#endif

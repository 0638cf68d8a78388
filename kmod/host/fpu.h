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

struct guest_fpu {
	void *area;		/* one page: XSAVE's standard format, or FXSAVE's */
	/*
	 * XCR0 while the guest runs: its own where its CR4.OSXSAVE is set. Else the
	 * host's stays, since nothing the guest can execute then depends on it.
	 */
	u64 xcr0;
};

/* At load: what this host can swap. Fills host_xcr0_mask(); 0 or -errno. */
int host_fpu_init(void);
u64 host_fpu_mask(void);	/* XCR0 bits a guest may have; 0 without XSAVE */

int guest_fpu_init(struct guest_fpu *fpu);
void guest_fpu_free(struct guest_fpu *fpu);
/* Power-up values (SDM vol. 3, table 9-1): x87 control 0x37f... as FNINIT, MXCSR 0x1f80. */
void guest_fpu_reset(struct guest_fpu *fpu);

/* XCR0 for the guest from its XCR0 and CR4 (see struct guest_fpu). */
void guest_fpu_set_xcr0(struct guest_fpu *fpu, u64 xcr0, u64 cr4);

/*
 * guest_fpu_load() - window open: host's vector state away, the guest's in.
 * guest_fpu_save() the other way round. Interrupts off from one to the other.
 * guest_fpu_reload_xcr0() - between them, after a change of fpu->xcr0.
 */
void guest_fpu_load(struct guest_fpu *fpu);
void guest_fpu_save(struct guest_fpu *fpu);
void guest_fpu_reload_xcr0(struct guest_fpu *fpu, u64 old);

/*
 * guest_fpu_import() - from user space's area of XSAVE's standard format, one page
 * (KVM_SET_XSAVE). -EINVAL where its header or MXCSR would fault, or has components
 * outside @allowed; nothing changed then.
 * guest_fpu_export() - into such an area; components in their initial state are
 * written out as such, so that equal states give equal bytes.
 */
int guest_fpu_import(struct guest_fpu *fpu, const void *area, u64 allowed);
void guest_fpu_export(const struct guest_fpu *fpu, void *area);

/* One XMM register, 16 bytes, with no window open: for MMIO by vector instructions. */
void guest_fpu_get_xmm(const struct guest_fpu *fpu, unsigned int nr, void *to);
void guest_fpu_set_xmm(struct guest_fpu *fpu, unsigned int nr, const void *from);

#endif

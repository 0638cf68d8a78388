/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Vector state of a guest, swapped with the host's once a window, in the format that user
 * space gets and sets. The mask of components is constant, since those that the guest's
 * XCR0 turns off must survive too. Without XSAVE on the host: FXSAVE, no XCR0 for guests.
 */
#ifndef KVIRT_HOST_FPU_H
#define KVIRT_HOST_FPU_H

#include <linux/types.h>

/* Components kvirt offers: x87, SSE, AVX, AVX-512's three. */
#define FPU_COMPONENTS	0xe7ULL

struct fxregs_state;
struct xregs_state;

struct guest_fpu {
	struct xregs_state *area;	/* one page: XSAVE's standard format, or FXSAVE's */
	u64 xcr0;	/* while the guest runs; the host's stays without the guest's CR4.OSXSAVE */
};

/* At load: what this host can swap. 0, or -EOPNOTSUPP where a component is out of place. */
int host_fpu_init(void);
u64 host_fpu_mask(void);	/* XCR0 bits a guest may have; 0 without XSAVE */
/* 0 or -ENOMEM; guest_fpu_reset() must follow. */
int guest_fpu_init(struct guest_fpu *fpu);
void guest_fpu_free(struct guest_fpu *fpu);
/* Power-up values (SDM vol. 3, table 9-1): x87 control 0x37f... as FNINIT, MXCSR 0x1f80. */
void guest_fpu_reset(struct guest_fpu *fpu);
/* fpu->xcr0 from the guest's registers; into the CPU too where the guest's state is @loaded. */
void guest_fpu_set_xcr0(struct guest_fpu *fpu, u64 xcr0, u64 cr4, bool loaded);

/*
 * guest_fpu_load() - window open: host's vector state away, the guest's in.
 * guest_fpu_save() the other way round. Interrupts off from one to the other.
 */
void guest_fpu_load(struct guest_fpu *fpu);
void guest_fpu_save(struct guest_fpu *fpu);

/*
 * guest_fpu_import() - from user space's area of XSAVE's standard format, one page. -EINVAL
 * where it would fault or has components beyond host_fpu_mask(); nothing changed then.
 * guest_fpu_export() - into such an area; components in their initial state are
 * written out as such, so that equal states give equal bytes.
 */
int guest_fpu_import(struct guest_fpu *fpu, const void *data);
void guest_fpu_export(struct guest_fpu *fpu, void *data);

/* FXSAVE's region, whole, with no window open; a writer marks components that were initial. */
struct fxregs_state *guest_fpu_legacy(struct guest_fpu *fpu);
/* One XMM register, 16 bytes, to read or write with no window open: for vector MMIO. */
void *guest_fpu_xmm(struct guest_fpu *fpu, unsigned int nr);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of svm/ share: what this CPU has, its own pages, the hardware's half of
 * a vCPU. Nobody outside svm/ includes it; the way in is svm_backend (vm/backend.h).
 */
#ifndef KVIRT_SVM_SVM_H
#define KVIRT_SVM_SVM_H

#include <linux/percpu.h>
#include "../host/msr.h"
#include "../vm/backend.h"
#include "vmcb.h"

/* EDX of CPUID leaf 8000000Ah. */
enum svm_edx {
	SVM_EDX_NPT = BIT(0), SVM_EDX_LBR = BIT(1), SVM_EDX_NRIPS = BIT(3), /* next_rip is filled */
	SVM_EDX_CLEAN_BITS = BIT(5), SVM_EDX_FLUSH_BY_ASID = BIT(6),
	SVM_EDX_DECODE_ASSISTS = BIT(7), SVM_EDX_PAUSE_FILTER = BIT(10),
	SVM_EDX_SPEC_CTRL = BIT(20),
};

/* What svm_probe() found; constant afterwards. */
struct svm_features {
	u32 edx;		/* enum svm_edx */
	u8 flush;		/* TLB_CONTROL_*: the least that there is */
	u32 clean;		/* CLEAN_ALL, or 0 without clean bits */
	bool virtual_spec_ctrl;	/* the VMCB has the guest's */
	u32 asid;
	u64 encryption;		/* physical address bit of encrypted host memory, or 0 */
	u64 iopm_pa, msrpm_pa;
	u64 host_cr4;		/* bits that must be set in guests too */
};

extern struct svm_features svm;

/* This CPU's pages, and who used its one ASID last. Interrupts off. */
struct svm_cpu {
	void *hsave;
	struct vmcb *host;	/* VMSAVE's area for what VMRUN does not save */
	struct vmcb *flush;	/* the guest of the flush run */
	const void *vcpu;	/* whose translations the ASID may hold */
	const struct task_struct *task;
	u64 task_start;
	unsigned long switches;
	bool used;		/* entered since the last unload */
	bool shared;		/* another hypervisor had SVM mode on then */
};

DECLARE_PER_CPU(struct svm_cpu, svm_cpu);

/* SVM mode as it was found. */
struct svm_mode {
	u64 efer, hsave_pa;
};

/* The hardware's half of a vCPU. Owner's thread; the window's part: interrupts off. */
struct svm_vcpu {
	u64 vmcb_pa, host_pa;	/* switch.S knows where these three are */
	u64 spec_ctrl;		/* the guest's, where the CPU does not switch it itself */
	struct vmcb *vmcb;
	u32 clean;		/* clean bits that hold */
	int last_cpu;		/* of the last entry */

	/* NMIs are masked from an injection until the IRET that ends its handler. */
	bool nmi_masked;
	bool iret_seen;		/* an IRET at iret_rip is about to be executed */
	u64 iret_rip;
	bool stepping;		/* this entry executes one instruction, at step_rip */
	u64 step_rip;
	bool guest_tf;		/* RFLAGS.TF as the guest had it */

	bool debug_live;	/* all debug registers are in the CPU and do not exit */

	u8 soft_len;		/* of the soft event that this entry injects, or 0 */
	u64 soft_rip;

	bool armed;		/* the window is: what follows was found on the host */
	bool machine_check;	/* one ended it */
	struct svm_mode mode;
	u64 host_tsc_ratio, host_tsc_aux, host_xss;
	u64 guest_tsc_aux;	/* in the CPU now */
};

static inline struct svm_vcpu *to_svm(const struct vcpu *vcpu)
{
	return vcpu->hw;
}

static inline u64 svm_pa(const void *page)
{
	return __pa(page) | svm.encryption;
}

/* The calls of vm/backend.h. */
#define SVM_DECLARE(name) extern BACKEND_TYPE(name) svm_##name;
BACKEND_CALLS(SVM_DECLARE)

/* caps.c */
int svm_probe(struct backend_features *features);
void svm_remove(void);
/* A zeroed page for the CPU's own use: never aligned to 2 MiB (SNP hosts), or NULL. */
void *svm_alloc_page(void);

/* backend.c: the control half of a VMCB, as it is before the first entry. */
void svm_init_control(struct vcpu *vcpu);

/* window.c: SVM mode on, with @hsave for VMRUN; and as it was. */
void svm_mode_enter(struct svm_mode *found, const void *hsave);
void svm_mode_leave(const struct svm_mode *found);
/* Before a window's first entry: SVM mode, host state that the guest's run destroys. */
void svm_arm(struct vcpu *vcpu);
/* Put the guest's TSC_AUX into the CPU, if the window is armed. */
void svm_load_tsc_aux(struct svm_vcpu *hw, u64 value);

/* asid.c */
/* Before a window's first entry. @shared: another hypervisor has SVM mode on. */
void svm_asid_arm(struct vcpu *vcpu, bool shared);
void svm_unload(struct vcpu *vcpu);

/* enter.c: hw->debug_live has changed. */
void svm_intercept_debug(struct svm_vcpu *hw);

/* exit.c: fill @exit from the VMCB. */
void svm_decode_exit(struct vcpu *vcpu, struct kvirt_exit *exit);

/* switch.S: GIF and IF clear before and after. 0, or 1 when an SVM instruction faulted. */
asmlinkage int svm_switch(u64 *gpr, const struct svm_vcpu *hw);

/*
 * SVM instructions outside the world switch. They cannot fault while EFER.SVME is set;
 * should they, they are skipped and the entry reports it.
 */
#define SVM_INSTRUCTION(name, argument, text, operands...)			\
static __always_inline void svm_##name(argument)				\
{										\
	count_privop(PRIVOP_VMX);						\
	asm volatile("1: " text "\n2:" _ASM_EXTABLE(1b, 2b) : : operands : "memory", "cc"); \
}

SVM_INSTRUCTION(clgi, void, "clgi")
SVM_INSTRUCTION(stgi, void, "stgi")
SVM_INSTRUCTION(vmsave, u64 pa, "vmsave %%rax", "a" (pa))
/* Of a guest that exits before its first instruction, so that registers survive. */
SVM_INSTRUCTION(vmrun_nothing, u64 pa, "vmrun %%rax", "a" (pa))

#endif

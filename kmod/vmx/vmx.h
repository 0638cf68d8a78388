/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of vmx/ share: what the CPU offers, a vCPU's part here, the functions
 * between the files. Nobody outside vmx/ includes it; the way in is vmx_backend
 * (vm/backend.h). The offsets at the top are for switch.S too.
 */
#ifndef KVIRT_VMX_VMX_H
#define KVIRT_VMX_VMX_H

/* Of struct vmx_vcpu, asserted in enter.c. */
#define VMX_HOST_RSP	0
#define VMX_SPEC_CTRL	8

#ifndef __ASSEMBLY__

#include <linux/percpu.h>
#include "../vm/backend.h"
#include "vmcs.h"

/* Bits of CR0 that mean to nested paging what they mean without: the guest's to change. */
#define CR0_GUEST_OWNED	((u64)(X86_CR0_TS | X86_CR0_MP | X86_CR0_EM | X86_CR0_WP | X86_CR0_AM))
/* Of CR4: nothing that CPUID shows, that changes the paging mode, or that we must check. */
#define CR4_GUEST_OWNED	((u64)(X86_CR4_TSD | X86_CR4_DE | X86_CR4_PCE | X86_CR4_PGE |	\
			       X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_FSGSBASE))

/* How the first-level data cache is emptied before a guest runs. */
enum vmx_l1d { L1D_KEEP, L1D_BY_MSR, L1D_BY_FILL };

/* What this machine's VT-x has, cut down to what kvirt uses: caps.c. */
struct vmx_caps {
	u32 revision;			/* of VMCS and VMXON regions */
	u32 pin, cpu, cpu2, exit, entry;	/* controls of a new VMCS */
	u64 cr0_fixed1, cr4_fixed0, cr4_fixed1;
	u64 eptp;			/* all of an EPT pointer but the address */
	u8 invept, invvpid;		/* INVALIDATE_* */
	u8 timer_shift;			/* the preemption timer counts host TSC ticks >> this */
	bool error_code_free;		/* any exception may come with or without an error code */
	bool pebs;
	bool trace_forbids_vmxon;	/* Intel PT must be off in VMX operation */
	u32 msrs;			/* BIT(enum vmx_msr): those there are */
	enum vmx_l1d l1d;
};

extern struct vmx_caps vmx_caps;

/* MSRs that the guest's SYSCALL and RDTSCP use, swapped by hand; window.c's table. */
enum vmx_msr { VMX_LSTAR, VMX_STAR, VMX_SFMASK, VMX_CSTAR, VMX_TSC_AUX, VMX_NR_MSR };

struct vmx_msrs {
	u64 value[VMX_NR_MSR], efer;
};

/* What open() and the first enter() of a window found and changed; close() undoes it. */
struct vmx_window {
	unsigned long cr4;
	u64 saved_vmcs;			/* current VMCS of another owner, or NO_VMCS */
	bool own_cr4, own_vmxon;
	bool nmi, machine_check;	/* the window ended with one: hand it on */
	const struct vmx_msrs *found;
	struct vmx_msrs foreign;	/* *found, where another hypervisor's guest may have some */
	u64 live[VMX_NR_MSR];		/* in the CPU now */
	u64 kernel_gs_base, debugctl, pebs;
	u16 ds, es, fs, gs, ldt;
};

/* Due before the next entry, beside vcpu->flush. */
enum vmx_due {
	DUE_ARM		= BIT(0),	/* the window has not been armed */
	DUE_MSRS	= BIT(1),	/* window.live[] is not what the guest needs */
	DUE_NMI		= BIT(2),	/* an NMI goes in */
};

/* A vCPU's part here: vcpu->hw. All of it belongs to the vCPU's thread (m). */
struct vmx_vcpu {
	u64 host_rsp;			/* switch.S: as the VMCS has it */
	u64 spec_ctrl;			/* switch.S: the guest's */
	void *vmcs;
	u64 vmcs_pa;
	u32 due;			/* enum vmx_due */
	u32 failures;			/* VMCS accesses that failed: the vCPU stops */
	bool filled;			/* all fields have been written once */
	bool launched;			/* in this window */
	struct kvirt_event injected;	/* in the entry fields, not yet entered with */
	u64 kernel_gs_base;		/* the guest's, while not in the CPU */
	struct vmx_window window;

	/* What the VMCS holds, so that only changes are written. */
	struct {
		u64 cr0, cr3, cr4, fs_base, efer, perf;
		int cpu;		/* whose per-CPU fields */
	} host;
	u32 cpu, cpu2, entry;		/* controls */
	u64 timer;			/* in host TSC ticks */
	u64 cr4_owned;			/* bits that the guest changes freely */
};

static inline struct vmx_vcpu *to_vmx(struct vcpu *vcpu)
{
	return vcpu->hw;
}

/* The calls of vm/backend.h. */
#define VMX_DECLARE(name) extern BACKEND_TYPE(name) vmx_##name;
BACKEND_CALLS(VMX_DECLARE)

/* caps.c: 0; -ENODEV without VT-x; -EOPNOTSUPP after one line that says what is missing. */
int vmx_caps_init(struct backend_features *features);

/* vmcs.c */
int vmcs_module_init(void);		/* MSR bitmaps; -ENOMEM */
void vmcs_module_exit(void);
void *vmcs_alloc(void);			/* a region with the revision id: VMCS, VMXON; or NULL */
void vmcs_fill(struct vcpu *vcpu);	/* window open: every field of a new VMCS but the state */
void vmcs_push_controls(struct vcpu *vcpu);	/* window open: X86_GROUP_CONTROLS */
DECLARE_PER_CPU(u32, vmcs_failures);	/* accesses that failed here, not yet counted in a vCPU */

/* window.c */
int vmx_window_init(void);
void vmx_window_exit(void);
/* Before a window's first entry: host fields, host state that the guest's run destroys. */
void vmx_arm(struct vcpu *vcpu);
/* Before an entry: the MSRs the guest needs, where they are not there yet. */
void vmx_load_msrs(struct vcpu *vcpu);
/* The CPU's inactive GS base: the guest's in an armed window. Gives what it was. */
u64 vmx_exchange_kernel_gs_base(u64 value);

#define VMX_ENTRY_FAILED	BIT(31)	/* in the reason: guest state was not taken */

/* exit.c: insn_len and vectoring.valid of @exit are zero; @reason has been read. */
void vmx_decode_exit(struct vcpu *vcpu, u32 reason, struct kvirt_exit *exit);

/*
 * switch.S: enter the guest with @gpr, come back with its registers there. 0, or 1 when
 * VMLAUNCH or VMRESUME failed and the guest did not run.
 */
asmlinkage int vmx_switch(u64 *gpr, struct vmx_vcpu *hw, bool launched);
void vmx_switch_exit(void);		/* HOST_RIP */

#endif
#endif

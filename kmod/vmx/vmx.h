/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the VT-x back end share: a vCPU's part here, what the CPU offers,
 * the functions between the files. Included by vmx/ only, but for the offsets at the top,
 * which switch.S needs too.
 */
#ifndef KVIRT_VMX_VMX_H
#define KVIRT_VMX_VMX_H

/* Of struct vmx_vcpu, asserted in enter.c. */
#define VMX_HOST_RSP	0
#define VMX_SPEC_CTRL	8

#ifndef __ASSEMBLY__

#include <linux/percpu.h>
#include "../vm/backend.h"
#include "../vm/exit.h"
#include "../vm/vcpu.h"
#include "../vm/vm.h"
#include "vmcs.h"

/* Bits of CR0 that mean to nested paging what they mean without: the guest's to change. */
#define CR0_GUEST_OWNED	((u64)(X86_CR0_TS | X86_CR0_MP | X86_CR0_EM | X86_CR0_WP | X86_CR0_AM))
/* Of CR4: nothing that CPUID shows, that changes the paging mode, or that we must check. */
#define CR4_GUEST_OWNED	((u64)(X86_CR4_TSD | X86_CR4_DE | X86_CR4_PCE | X86_CR4_PGE |	\
			       X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_FSGSBASE))

/* Groups that a running guest cannot change without an exit: valid whatever happens. */
#define VMX_GROUPS_KEPT	(X86_GROUPS_OWN | X86_GROUP_PAT | X86_GROUP_DEBUG)

/* How the first-level data cache is emptied before a guest runs. */
enum vmx_l1d { L1D_KEEP, L1D_BY_MSR, L1D_BY_FILL };

/* What this machine's VT-x has, cut down to what kvirt uses: caps.c. */
struct vmx_caps {
	u32 revision;			/* of VMCS and VMXON regions */
	u32 pin, cpu, cpu2, exit, entry;	/* controls of a new VMCS */
	u64 cr0_fixed1, cr4_fixed0, cr4_fixed1;
	u64 eptp;			/* all of an EPT pointer but the address */
	bool error_code_free;		/* any exception may come with or without an error code */
	bool timer;			/* preemption timer */
	u8 timer_shift;			/* it counts host TSC ticks >> this */
	bool invept_single, invvpid_single;
	bool perf;			/* PERF_GLOBAL_CTRL is switched by entry and exit */
	bool pebs;
	enum vmx_l1d l1d;
	bool trace_forbids_vmxon;	/* Intel PT must be off in VMX operation */
	bool cstar;			/* SYSCALL uses it: not on Intel's own CPUs */
};

extern struct vmx_caps vmx_caps;

/* MSRs that the guest's SYSCALL and RDTSCP use, swapped by hand; window.c's table. */
enum vmx_msr { VMX_LSTAR, VMX_STAR, VMX_SFMASK, VMX_CSTAR, VMX_TSC_AUX, VMX_NR_MSR };

/* What open() and the first enter() of a window found and changed; close() undoes it. */
struct vmx_window {
	unsigned long cr4;
	u64 saved_vmcs;			/* current VMCS of another owner, or NO_VMCS */
	bool own_cr4, own_vmxon;
	bool armed;			/* vmx_arm() was done */
	bool nmi, machine_check;	/* the window ended with one: hand it on */
	u64 found[VMX_NR_MSR], live[VMX_NR_MSR];
	u64 kernel_gs_base, fs_base, debugctl, pebs;
	u16 ds, es, fs, gs, ldt;
};

/* A vCPU's part here: vcpu->hw. All of it belongs to the vCPU's thread (m). */
struct vmx_vcpu {
	/* switch.S knows the first two. */
	u64 host_rsp;			/* as the VMCS has it */
	u64 spec_ctrl;			/* the guest's */

	void *vmcs;
	struct vmx_window window;
	bool filled;			/* all fields have been written once */
	bool launched;			/* in this window */
	bool msrs_loaded;		/* window.live[] is what the guest needs */
	struct kvirt_event injected;	/* in the entry fields, not yet entered with */
	u32 flush;			/* FLUSH_* before the next entry */
	u64 deadline;			/* host TSC, ~0 none */
	u32 failures;			/* VMCS accesses that failed: the vCPU stops */

	/* What the VMCS holds, so that only changes are written. */
	int host_cpu;			/* whose per-CPU host fields, or -1 */
	u64 host_cr0, host_cr3, host_cr4, host_fs_base, host_efer, host_perf;
	u32 cpu, cpu2, entry;		/* controls */
	u32 exceptions;
	u64 timer;			/* in host TSC ticks */
	u64 cr0_shadow, cr4_shadow, cr4_owned;	/* owned: bits the guest changes freely */
	u64 guest_has;			/* X86_HAS_* that the controls were made for */
	u64 guest_cr4_allowed;
	u64 kernel_gs_base;		/* the guest's, while not in the CPU */
};

static inline struct vmx_vcpu *to_vmx(struct vcpu *vcpu)
{
	return vcpu->hw;
}

/* caps.c: 0; -ENODEV without VT-x; -EOPNOTSUPP after one line that says what is missing. */
int vmx_caps_init(struct backend_features *features);

/* vmcs.c */
int vmcs_module_init(void);		/* MSR bitmaps; -ENOMEM */
void vmcs_module_exit(void);
void *vmcs_alloc(void);			/* a region with the revision id: VMCS, VMXON; or NULL */
void vmcs_free(void *region);
void vmcs_fill(struct vcpu *vcpu);	/* window open: every field of a new VMCS but the state */
void vmcs_follow_cpuid(struct vcpu *vcpu);	/* window open: controls that CPUID decides */
u32 vmcs_take_failures(void);		/* of this CPU since the last call */

/* window.c; see vm/backend.h */
int vmx_window_init(void);
void vmx_window_exit(void);
int vmx_open(struct vcpu *vcpu);
void vmx_close(struct vcpu *vcpu);
/* Before a window's first entry: host fields, host state that the guest's run destroys. */
void vmx_arm(struct vcpu *vcpu);
/* Before an entry: the MSRs the guest needs, where they are not there yet. */
void vmx_load_msrs(struct vcpu *vcpu);
/* The guest's, wherever it is now. */
u64 vmx_guest_kernel_gs_base(struct vmx_vcpu *hw);
void vmx_set_guest_kernel_gs_base(struct vmx_vcpu *hw, u64 value);

/* state.c */
void vmx_pull(struct vcpu *vcpu, u32 groups);
void vmx_push(struct vcpu *vcpu, u32 groups);

/* enter.c */
void vmx_enter(struct vcpu *vcpu, struct kvirt_exit *exit);
void vmx_inject(struct vcpu *vcpu, const struct kvirt_event *event);
void vmx_irq_window(struct vcpu *vcpu, enum window_request request);
void vmx_nmi_window(struct vcpu *vcpu, enum window_request request);
void vmx_deadline(struct vcpu *vcpu, u64 host_tsc);
void vmx_flush(struct vcpu *vcpu, u32 scope);
void vmx_intercept(struct vcpu *vcpu);

#define VMX_ENTRY_FAILED	BIT(31)	/* in the reason: guest state was not taken */

/* exit.c: @exit is zeroed; the reason word has been read. */
void vmx_decode_exit(struct vcpu *vcpu, u32 reason, struct kvirt_exit *exit);

/*
 * switch.S: enter the guest with @gpr, come back with its registers there. 0, or 1 when
 * VMLAUNCH or VMRESUME failed and the guest did not run.
 */
asmlinkage int vmx_switch(struct vmx_vcpu *hw, u64 *gpr, bool launched);
void vmx_switch_exit(void);		/* HOST_RIP */

#endif
#endif

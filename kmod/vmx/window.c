// SPDX-License-Identifier: GPL-2.0
/*
 * The strict window: VMX operation taken and given back, this vCPU's VMCS made current,
 * and all host state that a guest's run destroys put back as it was found. Nothing of it
 * outlives close(), so KVM may turn VMX on and off, run and unload between any two
 * windows. Called through vm/backend.h by vm/vcpu.c, and by enter.c.
 *
 * Sources: SDM vol. 3, 23.7, 24.11, 27.5 (what a VM exit loads), 30 (the instructions).
 */
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/thread_info.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include "../host/compat.h"
#include "vmx.h"

#define NO_VMCS		(~0ULL)
#define RTIT_TRACE_EN	BIT_ULL(0)

/*
 * A CPU's own. The VMXON region is used where no other has VMX operation on; the MSRs are
 * constant while no other hypervisor has its guest's values there.
 */
struct vmx_host {
	void *vmxon;
	bool known;
	struct vmx_msrs msrs;
};

static DEFINE_PER_CPU(struct vmx_host, vmx_host);

#define L1D_FILL_SIZE	SZ_64K
#define L1D_LINE	64
static u8 *l1d_fill;

static const u32 msr_index[VMX_NR_MSR] = {
	[VMX_LSTAR] = MSR_LSTAR, [VMX_STAR] = MSR_STAR, [VMX_SFMASK] = MSR_SYSCALL_MASK,
	[VMX_CSTAR] = MSR_CSTAR, [VMX_TSC_AUX] = MSR_TSC_AUX,
};

int vmx_window_init(void)
{
	int cpu;

	if (vmx_caps.l1d == L1D_BY_FILL) {
		/* Zeroed: nothing of a former owner's may be read ahead from it. */
		l1d_fill = alloc_pages_exact(L1D_FILL_SIZE, GFP_KERNEL | __GFP_ZERO);
		if (!l1d_fill)
			return -ENOMEM;
	}
	for_each_possible_cpu(cpu) {
		per_cpu(vmx_host, cpu).vmxon = vmcs_alloc();
		if (!per_cpu(vmx_host, cpu).vmxon)
			return -ENOMEM;
	}
	return 0;
}

void vmx_window_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		free_page((unsigned long)per_cpu(vmx_host, cpu).vmxon);
	if (l1d_fill)
		free_pages_exact(l1d_fill, L1D_FILL_SIZE);
}

static void leave_vmx_operation(const struct vmx_window *w)
{
	if (w->own_vmxon)
		vmx_vmxoff();
	else if (w->saved_vmcs != NO_VMCS)
		vmx_vmptrld(w->saved_vmcs);
	if (w->own_cr4)
		host_write_cr4(w->cr4);
}

/* Only the hardware knows whether VMX operation is on: the kernel's records may be behind. */
static int enter_vmx_operation(struct vmx_window *w)
{
	enum vmx_result result;

	w->cr4 = host_read_cr4();
	w->own_cr4 = !(w->cr4 & X86_CR4_VMXE);
	w->own_vmxon = false;
	if (unlikely(vmx_caps.trace_forbids_vmxon) && w->own_cr4 &&
	    (host_rdmsr(MSR_IA32_RTIT_CTL) & RTIT_TRACE_EN))
		return -EBUSY;
	if (w->own_cr4)
		host_write_cr4(w->cr4 | X86_CR4_VMXE);
	if (!w->own_cr4 && vmx_vmptrst(&w->saved_vmcs) == VMX_OK)
		return 0;
	w->saved_vmcs = NO_VMCS;
	result = vmx_vmxon(__pa(this_cpu_read(vmx_host.vmxon)));
	w->own_vmxon = result == VMX_OK;
	if (result != VMX_FAULTED)
		return 0;
	leave_vmx_operation(w);
	return -EBUSY;
}

int vmx_open(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	struct vmx_window *w = &hw->window;
	int err = enter_vmx_operation(w);

	if (unlikely(err))
		return err;
	w->nmi = false;
	w->machine_check = false;
	hw->launched = false;
	hw->due |= DUE_ARM | DUE_MSRS;
	/* A new region must be cleared before it is first loaded; close() clears for later. */
	if (unlikely((!hw->filled && vmx_vmclear(hw->vmcs_pa) != VMX_OK) ||
		     vmx_vmptrld(hw->vmcs_pa) != VMX_OK)) {
		leave_vmx_operation(w);
		return -EIO;
	}
	if (unlikely(!hw->filled)) {
		hw->filled = true;
		vmcs_fill(vcpu);
	}
	return 0;
}

/*
 * KVM leaves its guest's SYSCALL MSRs and EFER in the CPU until the return to user space.
 * It does so with a user-return notifier, whose flag the context switch hands on: where
 * the running task does not have it, the values are the kernel's own, constant ones.
 */
static const struct vmx_msrs *find_host_msrs(struct vmx_window *w)
{
	struct vmx_host *host = this_cpu_ptr(&vmx_host);
	bool foreign = host_msrs_may_be_guests();
	struct vmx_msrs *msrs = foreign ? &w->foreign : &host->msrs;
	int i;

	if (likely(!foreign && host->known))
		return msrs;
	for (i = 0; i < VMX_NR_MSR; i++)
		msrs->value[i] = vmx_caps.msrs & BIT(i) ? host_rdmsr(msr_index[i]) : 0;
	msrs->efer = host_rdmsr(MSR_EFER);
	host->known |= !foreign;
	return msrs;
}

/* Host fields that differ between CPUs. */
static void write_cpu_fields(struct vcpu *vcpu, int cpu)
{
	struct desc_ptr table;

	to_vmx(vcpu)->host.cpu = cpu;
	vmcs_write(HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	native_store_gdt(&table);
	vmcs_write(HOST_GDTR_BASE, table.address);
	store_idt(&table);
	vmcs_write(HOST_IDTR_BASE, table.address);
	vmcs_write(HOST_SYSENTER_CS, host_rdmsr(MSR_IA32_SYSENTER_CS));
	vmcs_write(HOST_SYSENTER_ESP, host_rdmsr(MSR_IA32_SYSENTER_ESP));
	vmcs_write(HOST_SYSENTER_EIP, host_rdmsr(MSR_IA32_SYSENTER_EIP));
	vmcs_write(HOST_GS_BASE, host_rdmsr(MSR_GS_BASE));
	/* This CPU may hold translations from a time when the guest ran here before. */
	vcpu->flush |= FLUSH_NESTED;
}

static __always_inline void write_changed(enum vmcs_field field, u64 *cache, u64 value)
{
	if (unlikely(*cache != value)) {
		vmcs_write(field, value);
		*cache = value;
	}
}

static bool use_fsgsbase(void)
{
	return boot_cpu_has(X86_FEATURE_FSGSBASE);
}

/* The inactive GS base: SWAPGS in the kernel, as the kernel itself reads and writes it. */
noinstr u64 vmx_exchange_kernel_gs_base(u64 value)
{
	u64 old;

	if (!use_fsgsbase()) {
		old = host_rdmsr(MSR_KERNEL_GS_BASE);
		host_wrmsr(MSR_KERNEL_GS_BASE, value);
		return old;
	}
	native_swapgs();
	old = rdgsbase();
	wrgsbase(value);
	native_swapgs();
	return old;
}

/* A VM exit nulls these; a 64-bit task has them null already. */
static void save_selectors(struct vmx_window *w)
{
	savesegment(ds, w->ds);
	savesegment(es, w->es);
	savesegment(fs, w->fs);
	savesegment(gs, w->gs);
	asm volatile("sldt %0" : "=m" (w->ldt));
}

static noinstr void load_user_gs(u16 selector)
{
	native_swapgs();
	asm volatile("mov %0, %%gs" : : "r" (selector));
	native_swapgs();
}

/* A selector's load changes the base: both bases are written after it. */
static noinline void restore_selectors(const struct vmx_window *w, u64 fs_base)
{
	if (w->ldt)
		asm volatile("lldt %0" : : "r" (w->ldt));
	loadsegment(ds, w->ds);
	loadsegment(es, w->es);
	if (w->gs) {
		load_user_gs(w->gs);
		vmx_exchange_kernel_gs_base(w->kernel_gs_base);
	}
	if (!w->fs)
		return;
	loadsegment(fs, w->fs);
	if (use_fsgsbase())
		wrfsbase(fs_base);
	else
		host_wrmsr(MSR_FS_BASE, fs_base);
}

/* Once a window: between its entries only kvirt's own code runs. */
static void flush_l1d(void)
{
	int i;

	if (vmx_caps.l1d == L1D_BY_MSR) {
		host_wrmsr(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
		return;
	}
	/* Without the microcode: lines of our own, twice as many as the cache has. */
	for (i = 0; i < L1D_FILL_SIZE; i += 64 * L1D_LINE)
		asm volatile(".set line, 0\n\t"
			     ".rept 64\n\t"
			     "movzbl line(%0), %%eax\n\t"
			     ".set line, line + %c1\n\t"
			     ".endr" : : "r" (l1d_fill + i), "i" (L1D_LINE) : "eax");
	rmb();	/* all read before the guest is entered */
}

void vmx_arm(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	struct vmx_window *w = &hw->window;
	int cpu = smp_processor_id();

	w->found = find_host_msrs(w);
	memcpy(w->live, w->found->value, sizeof(w->live));
	if (unlikely(hw->host.cpu != cpu))
		write_cpu_fields(vcpu, cpu);
	write_changed(HOST_EFER, &hw->host.efer, w->found->efer);
	write_changed(HOST_CR0, &hw->host.cr0, host_read_cr0());
	write_changed(HOST_CR3, &hw->host.cr3, host_read_cr3());
	write_changed(HOST_CR4, &hw->host.cr4, w->cr4 | X86_CR4_VMXE);
	write_changed(HOST_FS_BASE, &hw->host.fs_base,
		      use_fsgsbase() ? rdfsbase() : host_rdmsr(MSR_FS_BASE));
	/* A VM exit clears DEBUGCTL; counters must not count the guest. */
	w->debugctl = host_rdmsr(MSR_IA32_DEBUGCTLMSR);
	if (vmx_caps.exit & EXITCTL_LOAD_PERF)
		write_changed(HOST_PERF_GLOBAL_CTRL, &hw->host.perf,
			      host_rdmsr(MSR_CORE_PERF_GLOBAL_CTRL));
	w->pebs = vmx_caps.pebs ? host_rdmsr(MSR_IA32_PEBS_ENABLE) : 0;
	if (unlikely(w->pebs))
		host_wrmsr(MSR_IA32_PEBS_ENABLE, 0);
	save_selectors(w);
	w->kernel_gs_base = vmx_exchange_kernel_gs_base(hw->kernel_gs_base);
	if (vmx_caps.l1d != L1D_KEEP)
		flush_l1d();
}

static __always_inline void load_msr(struct vmx_vcpu *hw, enum vmx_msr i, u64 value)
{
	if (hw->window.live[i] == value)
		return;
	/* Checked when the guest wrote it; should the CPU differ, the vCPU stops. */
	if (host_wrmsr_safe(msr_index[i], value))
		hw->failures++;
	else
		hw->window.live[i] = value;
}

void vmx_load_msrs(struct vcpu *vcpu)
{
	const struct x86_state *s = &vcpu->state;
	struct vmx_vcpu *hw = to_vmx(vcpu);

	if (s->efer & EFER_SCE) {
		load_msr(hw, VMX_LSTAR, s->lstar);
		load_msr(hw, VMX_STAR, s->star);
		load_msr(hw, VMX_SFMASK, s->sfmask);
		if (vmx_caps.msrs & BIT(VMX_CSTAR))
			load_msr(hw, VMX_CSTAR, s->cstar);
	}
	if (hw->cpu2 & CPU2_RDTSCP)
		load_msr(hw, VMX_TSC_AUX, s->tsc_aux);
}

static void restore_host(struct vmx_vcpu *hw)
{
	struct vmx_window *w = &hw->window;
	int i;

	hw->kernel_gs_base = vmx_exchange_kernel_gs_base(w->kernel_gs_base);
	if (unlikely(w->ds | w->es | w->fs | w->gs | w->ldt))
		restore_selectors(w, hw->host.fs_base);
	for (i = 0; i < VMX_NR_MSR; i++)
		if (w->live[i] != w->found->value[i])
			host_wrmsr(msr_index[i], w->found->value[i]);
	if (unlikely(w->debugctl))
		host_wrmsr(MSR_IA32_DEBUGCTLMSR, w->debugctl);
	if (unlikely(w->pebs))
		host_wrmsr(MSR_IA32_PEBS_ENABLE, w->pebs);
	/*
	 * A VM exit leaves limits of 0x67 for the TSS, so no I/O bitmap, and 0xffff for GDT
	 * and IDT. The IDT has 256 entries whatever its limit says; the GDT's matters.
	 */
	invalidate_tss_limit();
	load_fixmap_gdt(smp_processor_id());
}

void vmx_close(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	struct vmx_window *w = &hw->window;

	if (!(hw->due & DUE_ARM))
		restore_host(hw);
	/* Written back, launch state reset: this vCPU may run on any CPU next. */
	if (vmx_vmclear(hw->vmcs_pa) != VMX_OK)
		hw->failures++;
	leave_vmx_operation(w);
	if (unlikely(this_cpu_read(vmcs_failures)))
		hw->failures += this_cpu_xchg(vmcs_failures, 0);
	/*
	 * NMIs are blocked since the exit; the handler's IRET unblocks them. After VMXOFF,
	 * since it can be the one that parks this CPU for a crash kernel: INIT must reach it.
	 */
	if (unlikely(w->nmi))
		asm volatile("int $2" : : : "memory");
	if (unlikely(w->machine_check))
		host_machine_check();
}

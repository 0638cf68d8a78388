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
 * What is constant on a CPU while no other hypervisor has its guest's values there. The
 * VMXON region is ours; another's VMX operation is used when it is there.
 */
struct vmx_host {
	void *vmxon;
	bool known;
	u64 msr[VMX_NR_MSR], efer;
	u64 sysenter_cs, sysenter_esp, sysenter_eip, gs_base;
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
		l1d_fill = alloc_pages_exact(L1D_FILL_SIZE, GFP_KERNEL);
		if (!l1d_fill)
			return -ENOMEM;
		/* Nothing of a former owner's may be read ahead from it. */
		memset(l1d_fill, 0, L1D_FILL_SIZE);
	}
	for_each_possible_cpu(cpu) {
		per_cpu(vmx_host, cpu).vmxon = vmcs_alloc();
		if (!per_cpu(vmx_host, cpu).vmxon) {
			vmx_window_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

void vmx_window_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		vmcs_free(per_cpu(vmx_host, cpu).vmxon);
		per_cpu(vmx_host, cpu).vmxon = NULL;
	}
	if (l1d_fill)
		free_pages_exact(l1d_fill, L1D_FILL_SIZE);
	l1d_fill = NULL;
}

static bool msr_used(enum vmx_msr msr)
{
	if (msr == VMX_TSC_AUX)
		return boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID);
	return msr != VMX_CSTAR || vmx_caps.cstar;
}

/* Only the hardware knows whether VMX operation is on: the kernel's records may be behind. */
static int enter_vmx_operation(struct vmx_window *w)
{
	enum vmx_result result;

	w->cr4 = host_read_cr4();
	w->own_cr4 = !(w->cr4 & X86_CR4_VMXE);
	w->own_vmxon = false;
	w->saved_vmcs = NO_VMCS;
	if (unlikely(vmx_caps.trace_forbids_vmxon) && w->own_cr4 &&
	    (host_rdmsr(MSR_IA32_RTIT_CTL) & RTIT_TRACE_EN))
		return -EBUSY;
	if (w->own_cr4)
		host_write_cr4(w->cr4 | X86_CR4_VMXE);
	if (!w->own_cr4 && vmx_vmptrst(&w->saved_vmcs) == VMX_OK)
		return 0;
	w->saved_vmcs = NO_VMCS;
	result = vmx_vmxon(__pa(this_cpu_read(vmx_host.vmxon)));
	if (result == VMX_FAULTED) {
		if (w->own_cr4)
			host_write_cr4(w->cr4);
		return -EBUSY;
	}
	w->own_vmxon = result == VMX_OK;
	return 0;
}

static void leave_vmx_operation(struct vmx_window *w)
{
	if (w->own_vmxon)
		vmx_vmxoff();
	else if (w->saved_vmcs != NO_VMCS)
		vmx_vmptrld(w->saved_vmcs);
	if (w->own_cr4)
		host_write_cr4(w->cr4);
}

int vmx_open(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	struct vmx_window *w = &hw->window;
	u64 pa = __pa(hw->vmcs);
	int err;

	err = enter_vmx_operation(w);
	if (unlikely(err))
		return err;
	w->armed = false;
	w->nmi = false;
	w->machine_check = false;
	hw->launched = false;
	hw->msrs_loaded = false;
	/* A new region must be cleared before it is first loaded; close() clears for later. */
	if (unlikely(!hw->filled) && vmx_vmclear(pa) != VMX_OK)
		goto leave;
	if (vmx_vmptrld(pa) != VMX_OK)
		goto leave;
	if (unlikely(!hw->filled)) {
		hw->filled = true;
		vmcs_fill(vcpu);
	}
	return 0;
leave:
	leave_vmx_operation(w);
	return -EIO;
}

/*
 * KVM leaves its guest's SYSCALL MSRs and EFER in the CPU until the return to user space.
 * It does so with a user-return notifier, whose flag the context switch hands on: where
 * the running task does not have it, the values are the kernel's own, constant ones.
 */
static u64 find_host_msrs(struct vmx_window *w, struct vmx_host *host)
{
	bool foreign = host_msrs_may_be_guests();
	u64 efer;
	int i;

	if (likely(!foreign && host->known)) {
		memcpy(w->found, host->msr, sizeof(w->found));
		return host->efer;
	}
	for (i = 0; i < VMX_NR_MSR; i++)
		w->found[i] = msr_used(i) ? host_rdmsr(msr_index[i]) : 0;
	efer = host_rdmsr(MSR_EFER);
	if (!foreign) {
		memcpy(host->msr, w->found, sizeof(host->msr));
		host->efer = efer;
		host->sysenter_cs = host_rdmsr(MSR_IA32_SYSENTER_CS);
		host->sysenter_esp = host_rdmsr(MSR_IA32_SYSENTER_ESP);
		host->sysenter_eip = host_rdmsr(MSR_IA32_SYSENTER_EIP);
		host->gs_base = host_rdmsr(MSR_GS_BASE);
		host->known = true;
	}
	return efer;
}

/* Host fields that differ between CPUs. */
static void write_cpu_fields(struct vmx_vcpu *hw, const struct vmx_host *host)
{
	int cpu = smp_processor_id();
	struct desc_ptr table;

	vmcs_write(HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	native_store_gdt(&table);
	vmcs_write(HOST_GDTR_BASE, table.address);
	store_idt(&table);
	vmcs_write(HOST_IDTR_BASE, table.address);
	if (host->known) {
		vmcs_write(HOST_SYSENTER_CS, host->sysenter_cs);
		vmcs_write(HOST_SYSENTER_ESP, host->sysenter_esp);
		vmcs_write(HOST_SYSENTER_EIP, host->sysenter_eip);
		vmcs_write(HOST_GS_BASE, host->gs_base);
		hw->host_cpu = cpu;
	} else {
		vmcs_write(HOST_SYSENTER_CS, host_rdmsr(MSR_IA32_SYSENTER_CS));
		vmcs_write(HOST_SYSENTER_ESP, host_rdmsr(MSR_IA32_SYSENTER_ESP));
		vmcs_write(HOST_SYSENTER_EIP, host_rdmsr(MSR_IA32_SYSENTER_EIP));
		vmcs_write(HOST_GS_BASE, host_rdmsr(MSR_GS_BASE));
	}
	/* This CPU may hold translations from a time when the guest ran here before. */
	hw->flush |= FLUSH_NESTED;
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
static noinstr u64 exchange_kernel_gs_base(u64 value)
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

u64 vmx_guest_kernel_gs_base(struct vmx_vcpu *hw)
{
	u64 value;

	if (!hw->window.armed)
		return hw->kernel_gs_base;
	value = exchange_kernel_gs_base(0);
	exchange_kernel_gs_base(value);
	return value;
}

void vmx_set_guest_kernel_gs_base(struct vmx_vcpu *hw, u64 value)
{
	if (hw->window.armed)
		exchange_kernel_gs_base(value);
	else
		hw->kernel_gs_base = value;
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

static void restore_selectors(struct vmx_window *w)
{
	if (likely(!(w->ds | w->es | w->fs | w->gs | w->ldt)))
		return;
	if (w->ldt)
		asm volatile("lldt %0" : : "r" (w->ldt));
	loadsegment(ds, w->ds);
	loadsegment(es, w->es);
	if (w->gs) {
		load_user_gs(w->gs);
		exchange_kernel_gs_base(w->kernel_gs_base);
	}
	if (w->fs) {
		loadsegment(fs, w->fs);
		if (use_fsgsbase())
			wrfsbase(w->fs_base);
		else
			host_wrmsr(MSR_FS_BASE, w->fs_base);
	}
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
	for (i = 0; i < L1D_FILL_SIZE; i += 16 * L1D_LINE)
		asm volatile(".set line, 0\n\t"
			     ".rept 16\n\t"
			     "movzbl line(%0), %%eax\n\t"
			     ".set line, line + %c1\n\t"
			     ".endr" : : "r" (l1d_fill + i), "i" (L1D_LINE) : "eax");
	rmb();	/* all read before the guest is entered */
}

void vmx_arm(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	struct vmx_window *w = &hw->window;
	struct vmx_host *host = this_cpu_ptr(&vmx_host);
	u64 efer = find_host_msrs(w, host);

	if (unlikely(hw->guest_has != vcpu->guest.has ||
		     hw->guest_cr4_allowed != vcpu->guest.cr4_allowed))
		vmcs_follow_cpuid(vcpu);
	memcpy(w->live, w->found, sizeof(w->live));
	if (unlikely(hw->host_cpu != smp_processor_id()))
		write_cpu_fields(hw, host);
	write_changed(HOST_EFER, &hw->host_efer, efer);
	write_changed(HOST_CR0, &hw->host_cr0, host_read_cr0());
	write_changed(HOST_CR3, &hw->host_cr3, host_read_cr3());
	write_changed(HOST_CR4, &hw->host_cr4, w->cr4 | X86_CR4_VMXE);
	w->fs_base = use_fsgsbase() ? rdfsbase() : host_rdmsr(MSR_FS_BASE);
	write_changed(HOST_FS_BASE, &hw->host_fs_base, w->fs_base);
	/* A VM exit clears DEBUGCTL; counters must not count the guest. */
	w->debugctl = host_rdmsr(MSR_IA32_DEBUGCTLMSR);
	if (vmx_caps.perf)
		write_changed(HOST_PERF_GLOBAL_CTRL, &hw->host_perf,
			      host_rdmsr(MSR_CORE_PERF_GLOBAL_CTRL));
	w->pebs = vmx_caps.pebs ? host_rdmsr(MSR_IA32_PEBS_ENABLE) : 0;
	if (unlikely(w->pebs))
		host_wrmsr(MSR_IA32_PEBS_ENABLE, 0);
	save_selectors(w);
	w->kernel_gs_base = exchange_kernel_gs_base(hw->kernel_gs_base);
	if (vmx_caps.l1d != L1D_KEEP)
		flush_l1d();
	w->armed = true;
}

void vmx_load_msrs(struct vcpu *vcpu)
{
	const struct x86_state *s = &vcpu->state;
	struct vmx_vcpu *hw = to_vmx(vcpu);
	struct vmx_window *w = &hw->window;
	u64 want[VMX_NR_MSR];
	int i;

	memcpy(want, w->live, sizeof(want));
	if (s->efer & EFER_SCE) {
		want[VMX_LSTAR] = s->lstar;
		want[VMX_STAR] = s->star;
		want[VMX_SFMASK] = s->sfmask;
		if (vmx_caps.cstar)
			want[VMX_CSTAR] = s->cstar;
	}
	if (hw->cpu2 & CPU2_RDTSCP)
		want[VMX_TSC_AUX] = s->tsc_aux;
	for (i = 0; i < VMX_NR_MSR; i++) {
		if (want[i] == w->live[i])
			continue;
		/* Checked when the guest wrote it; should the CPU differ, the vCPU stops. */
		if (host_wrmsr_safe(msr_index[i], want[i]))
			hw->failures++;
		else
			w->live[i] = want[i];
	}
	hw->msrs_loaded = true;
}

static void restore_host(struct vmx_vcpu *hw)
{
	struct vmx_window *w = &hw->window;
	int i;

	hw->kernel_gs_base = exchange_kernel_gs_base(w->kernel_gs_base);
	restore_selectors(w);
	for (i = 0; i < VMX_NR_MSR; i++)
		if (w->live[i] != w->found[i])
			host_wrmsr(msr_index[i], w->found[i]);
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

/*
 * NMIs are blocked since the exit; the handler's IRET unblocks them. After VMXOFF, since
 * an NMI can be the one that parks this CPU for a crash kernel: INIT must reach it then.
 */
static void forward_nmi(void)
{
	asm volatile("int $2" : : : "memory");
}

void vmx_close(struct vcpu *vcpu)
{
	struct vmx_vcpu *hw = to_vmx(vcpu);
	struct vmx_window *w = &hw->window;

	if (w->armed)
		restore_host(hw);
	w->armed = false;
	/* Written back, launch state reset: this vCPU may run on any CPU next. */
	if (vmx_vmclear(__pa(hw->vmcs)) != VMX_OK)
		hw->failures++;
	leave_vmx_operation(w);
	hw->failures += vmcs_take_failures();
	if (unlikely(w->nmi))
		forward_nmi();
	if (unlikely(w->machine_check))
		host_machine_check();
}

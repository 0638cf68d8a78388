/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM_RUN's own functions. run.c is the loop, dispatch.c the handler table and the one
 * place where RIP advances; the others are handlers and what they need.
 * Unless said otherwise they are called by the vCPU's owner, inside or outside a window.
 */
#ifndef KVIRT_RUN_RUN_H
#define KVIRT_RUN_RUN_H

#include "../vm/vcpu.h"
#include "../vm/vm.h"

/*
 * vcpu_run() - KVM_RUN, vcpu->mutex held, vcpu_load()ed. 0: the run page says why it
 * returned. -EINTR: a signal, or immediate_exit. -EAGAIN: the vCPU waited for INIT or SIPI.
 * -EFAULT: the guest touched a slot whose host address is bad. -EIO: the VM is dead,
 * or the host goes down; -EBUSY: the CPU's virtualization is somebody else's.
 */
int vcpu_run(struct vcpu *vcpu);

/* dispatch.c: serve vcpu->exit by its handler; SLOW only from inside a window. */
enum verdict dispatch(struct vcpu *vcpu);
/* Groups that the handler will ask for behind the window: pulled at close. */
u32 dispatch_groups(const struct vcpu *vcpu);
/* Move RIP over @insn_len bytes: what STEP means. RETRY, or TO_USER: it was a debugger's step. */
enum verdict dispatch_step(struct vcpu *vcpu, u8 insn_len);

/* runnable.c */
bool vcpu_runnable(struct vcpu *vcpu);
/*
 * The vector to go in next, -1: none; VECTOR_OF_PIC: the 8259 says it when it is taken.
 * take_vector() - it goes in: which it is.
 */
enum { VECTOR_OF_PIC = 256 };
int next_vector(struct vcpu *vcpu);
u8 take_vector(struct vcpu *vcpu, int vector);
/* KVM_INTERRUPT has a way in, be it only when the guest lets interrupts in. */
bool vcpu_has_room_for_interrupt(struct vcpu *vcpu);
/* KVM_INTERRUPT would go in now: the run page's ready_for_interrupt_injection. */
bool vcpu_ready_for_interrupt(struct vcpu *vcpu);
/* Sleep until runnable, signalled, or INIT/SIPI came; in HLT look for a while first. */
void vcpu_block(struct vcpu *vcpu);
/* Give this thread's turn to @target's, to any of the VM's, if that waits for a CPU: positive. */
int vcpu_yield_to(struct vcpu *target);
void vcpu_yield(struct vcpu *vcpu);

/* pv.c. An MSR: 0, or 1 for #GP; outside of windows. */
int pv_write_msr(struct vcpu *vcpu, u32 index, u64 value);
/* With steal time on, between instructions: it will not run for now; it does, and waited. */
void pv_report_preempted(struct vcpu *vcpu);
void pv_report_steal(struct vcpu *vcpu);
static inline bool pv_steal_time(const struct vcpu *vcpu)
{
	return unlikely(vcpu->pv.steal_msr & 1);
}

/*
 * With PV EOI on before an entry; while eoi_offered, after an exit, and after the window, where
 * nothing stays offered. LEAVE: the guest's memory cannot be reached in a window.
 */
enum verdict pv_eoi_to_guest(struct vcpu *vcpu);
enum verdict pv_eoi_from_guest(struct vcpu *vcpu);

static inline unsigned int cpl(struct vcpu *vcpu)
{
	vcpu_pull(vcpu, X86_GROUP_MODE | X86_GROUP_CR0);
	return x86_cpl(&vcpu->state);
}

static inline bool long_code(struct vcpu *vcpu)
{
	if (!x86_long_mode(&vcpu->state))
		return false;
	vcpu_pull(vcpu, X86_GROUP_MODE);
	return x86_64bit_mode(&vcpu->state);
}

/*
 * translate.c: guest linear memory, through the guest's own page tables. 0, or the verdict:
 * RETRY: a fault was queued; SLOW: not inside this window; TO_USER: no memory there, the run
 * page says so. @access: X86_ACCESS_WRITE or 0 (x86/walk.h).
 */
int translate(struct vcpu *vcpu, u64 linear, u32 access, u64 *gpa);
int linear_access(struct vcpu *vcpu, u64 linear, void *data, u32 len, u32 access);
/* Guest-physical memory, by the form of gmem.h that the window allows; its answers. */
static inline int physical_read(struct vcpu *vcpu, u64 gpa, void *data, u32 len)
{
	return vcpu->in_window ? gmem_read_atomic(vcpu->vm, gpa, data, len) :
				 gmem_read(vcpu->vm, gpa, data, len);
}

/* vcpu->insn: the instruction at RIP; TO_USER: it cannot be decoded. */
int fetch_insn(struct vcpu *vcpu);

/* RIP as a linear address. */
u64 linear_rip(struct vcpu *vcpu);
/* Where a supervisor's read of @linear would end; false: nowhere. The guest sees nothing of it. */
bool linear_to_physical(struct vcpu *vcpu, u64 linear, u64 *gpa);

/*
 * debug.c. debug_set(): KVM_SET_GUEST_DEBUG; -EBUSY: it injects, but an exception is pending.
 * debug_trap(): #DB with these bits of DR6, for the debugger or the guest. debug_leave(): to the
 * debugger. debug_keep_step(): RFLAGS was set anew (and is valid), TF may be the debugger's.
 */
int debug_set(struct vcpu *vcpu, void *data);
enum verdict debug_trap(struct vcpu *vcpu, u64 dr6_bits);
enum verdict debug_leave(struct vcpu *vcpu, u8 vector, u64 dr6_bits);
void debug_keep_step(struct vcpu *vcpu);

/* Bytes from @address to the end of its page. */
#define PAGE_LEFT(address) (PAGE_SIZE - ((address) & ~PAGE_MASK))

/* Queue an exception, with error code 0 where it has one. RETRY. */
enum verdict raise(struct vcpu *vcpu, u8 vector);

/* Handlers; each gets vcpu->exit. First pv.c's, msr.c's and io.c's; insn.c's; fault.c's. */
typedef enum verdict exit_handler(struct vcpu *vcpu);
exit_handler exit_hypercall, exit_rdmsr, exit_wrmsr, exit_io;
exit_handler exit_cpuid, exit_hlt, exit_pause, exit_mwait, exit_rdpmc, exit_cr_read, exit_cr_write,
	     exit_dr, exit_xsetbv;
exit_handler exit_nested_fault, exit_exception, exit_undefined, exit_triple_fault,
	     exit_invalid_state, exit_internal, exit_task_switch;
/* No way to emulate: SLOW inside a window, else INTERNAL_ERROR with @bytes of the instruction. */
enum verdict stop_emulation(struct vcpu *vcpu, const u8 *bytes, u8 nr_bytes);

/* insn.c: the registers that CPUID follows. Caller: holds vcpu->mutex. */
struct x86_cpuid_live cpuid_live(const struct vcpu *vcpu);

/* msr.c; the doors' too: 0, SLOW inside a window, or 1: it faults. */
int msr_read(struct vcpu *vcpu, u32 index, u64 *value, enum x86_msr_by by);
int msr_write(struct vcpu *vcpu, u32 index, u64 value, enum x86_msr_by by);

/* mmio.c: an access that faulted because no memory is there. */
enum verdict mmio_start(struct vcpu *vcpu);
/* mmio.c, io.c: finish what user space answered. TO_USER: it needs more; else go on. */
int mmio_complete(struct vcpu *vcpu);
int complete_last_exit(struct vcpu *vcpu);

#endif

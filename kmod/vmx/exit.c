// SPDX-License-Identifier: GPL-2.0
/*
 * From the hardware's exit reason and qualification to the neutral record, one case for
 * each reason the SDM lists (vol. 3, appendix C, 27.2). What nobody asked the CPU to exit
 * for stops the VM with the number in the record. Called by enter.c, window open.
 */
#include "vmx.h"

enum vmx_reason {
	REASON_EXCEPTION_NMI = 0, REASON_INTERRUPT = 1, REASON_TRIPLE_FAULT = 2,
	REASON_INIT = 3, REASON_IRQ_WINDOW = 7, REASON_NMI_WINDOW = 8,
	REASON_TASK_SWITCH = 9, REASON_CPUID = 10, REASON_GETSEC = 11, REASON_HLT = 12,
	REASON_INVD = 13, REASON_RDPMC = 15, REASON_VMCALL = 18, REASON_VMCLEAR = 19,
	REASON_VMXON = 27, REASON_CR = 28, REASON_DR = 29, REASON_IO = 30,
	REASON_RDMSR = 31, REASON_WRMSR = 32, REASON_INVALID_STATE = 33,
	REASON_MWAIT = 36, REASON_MONITOR = 39, REASON_PAUSE = 40,
	REASON_MACHINE_CHECK = 41, REASON_EPT_VIOLATION = 48, REASON_EPT_MISCONFIG = 49,
	REASON_INVEPT = 50, REASON_PREEMPTION_TIMER = 52, REASON_INVVPID = 53,
	REASON_WBINVD = 54, REASON_XSETBV = 55, REASON_VMFUNC = 59, REASON_ENCLS = 60,
	REASON_ENCLV = 70,
};

#define REASON_MASK		0xffff

/* Qualification of an EPT violation. */
#define EPTQ_READ		BIT(0)
#define EPTQ_WRITE		BIT(1)
#define EPTQ_FETCH		BIT(2)
#define EPTQ_LINEAR_VALID	BIT(7)
#define EPTQ_FINAL		BIT(8)		/* the final address, not a page-table entry */
#define EPTQ_IRET_UNBLOCKED	BIT(12)

#define DB_PAYLOAD		(0xfULL | BIT(13) | BIT(14) | BIT(16))

static bool is_soft(u8 type)
{
	return type == EVENT_SOFT_INT || type == EVENT_ICEBP || type == EVENT_SOFT_EXC;
}

/* The event whose delivery caused this exit. Only exits that a delivery can cause have one. */
static void decode_vectoring(struct kvirt_exit *exit)
{
	u32 info = vmcs_read(IDT_VECTORING_INFO);
	struct kvirt_event *event = &exit->vectoring;

	if (likely(!(info & INTR_VALID)))
		return;
	event->valid = true;
	event->vector = info & INTR_VECTOR;
	event->type = (info & INTR_TYPE) >> INTR_TYPE_SHIFT;
	event->has_error = info & INTR_HAS_ERROR;
	if (event->has_error)
		event->error = vmcs_read(IDT_VECTORING_ERROR);
	if (is_soft(event->type))
		event->insn_len = vmcs_read(EXIT_INSTRUCTION_LENGTH);
}

/*
 * The IRET that ended an NMI handler faulted after it had unblocked NMIs: it will run
 * again, so they are blocked until then (SDM vol. 3, 27.2.3).
 */
static void block_nmis_again(const struct kvirt_exit *exit)
{
	u32 state;

	if (exit->vectoring.valid)
		return;
	state = vmcs_read(GUEST_INTERRUPTIBILITY);
	vmcs_write(GUEST_INTERRUPTIBILITY, state | BLOCKED_BY_NMI);
}

/*
 * A #DB exit drops the step that a MOV SS or STI shadow holds back, and the next entry
 * insists on it as long as the shadow and TF are there (SDM vol. 3, 26.3.1.5).
 */
static void keep_step_pending(void)
{
	if ((vmcs_read(GUEST_INTERRUPTIBILITY) & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)) &&
	    (vmcs_read(GUEST_RFLAGS) & X86_RFLAGS_TF))
		vmcs_write(GUEST_PENDING_DEBUG, vmcs_read(GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

static void decode_exception(struct vcpu *vcpu, struct kvirt_exit *exit)
{
	struct vmx_window *w = &to_vmx(vcpu)->window;
	u32 info = vmcs_read(EXIT_INTERRUPTION_INFO);
	u8 type = (info & INTR_TYPE) >> INTR_TYPE_SHIFT;

	if (type == EVENT_NMI) {
		w->nmi = true;
		exit->kind = EXIT_HOST;
		return;
	}
	exit->exception.vector = info & INTR_VECTOR;
	if (exit->exception.vector == X86_MC) {
		w->machine_check = true;
		exit->kind = EXIT_HOST;
		return;
	}
	decode_vectoring(exit);
	if ((info & INTR_IRET_UNBLOCKED) && exit->exception.vector != X86_DF)
		block_nmis_again(exit);
	if (exit->exception.vector == X86_DB && !is_soft(type))
		keep_step_pending();
	exit->kind = EXIT_EXCEPTION;
	exit->exception.has_error = info & INTR_HAS_ERROR;
	if (exit->exception.has_error)
		exit->exception.error = vmcs_read(EXIT_INTERRUPTION_ERROR);
	if (exit->exception.vector == X86_PF)
		exit->exception.payload = vmcs_read(EXIT_QUALIFICATION);
	else if (exit->exception.vector == X86_DB)
		exit->exception.payload = vmcs_read(EXIT_QUALIFICATION) & DB_PAYLOAD;
	if (is_soft(type))
		exit->insn_len = vmcs_read(EXIT_INSTRUCTION_LENGTH);
}

static void decode_ept_violation(struct kvirt_exit *exit)
{
	u64 q = vmcs_read(EXIT_QUALIFICATION);

	decode_vectoring(exit);
	if (q & EPTQ_IRET_UNBLOCKED)
		block_nmis_again(exit);
	exit->kind = EXIT_NESTED_FAULT;
	exit->fault.gpa = vmcs_read(GUEST_PHYSICAL_ADDRESS);
	exit->fault.access = (q & EPTQ_READ ? ACCESS_READ : 0) |
			     (q & EPTQ_WRITE ? ACCESS_WRITE : 0) |
			     (q & EPTQ_FETCH ? ACCESS_EXEC : 0);
	exit->fault.walk = q & EPTQ_LINEAR_VALID && !(q & EPTQ_FINAL);
}

static void decode_cr(struct kvirt_exit *exit)
{
	u64 q = vmcs_read(EXIT_QUALIFICATION);

	exit->cr.nr = q & 0xf;
	exit->cr.gpr = (q >> 8) & 0xf;
	switch ((q >> 4) & 3) {
	case 0:
		exit->cr.how = CR_MOV;
		break;
	case 1:
		exit->cr.how = CR_MOV;
		exit->kind = EXIT_CR_READ;
		break;
	case 2:
		exit->cr.how = CR_CLTS;
		break;
	case 3:
		exit->cr.how = CR_LMSW;
		exit->cr.msw = q >> 16;
		break;
	}
}

static void decode_dr(struct kvirt_exit *exit)
{
	u64 q = vmcs_read(EXIT_QUALIFICATION);

	exit->dr.nr = q & 7;
	exit->dr.read = q & BIT(4);
	exit->dr.gpr = (q >> 8) & 0xf;
}

static void decode_io(struct kvirt_exit *exit)
{
	u64 q = vmcs_read(EXIT_QUALIFICATION);

	exit->io.size = (q & 7) + 1;
	exit->io.in = q & BIT(3);
	exit->io.string = q & BIT(4);
	exit->io.port = q >> 16;
}

static void decode_internal(u32 reason, enum exit_kind kind, struct kvirt_exit *exit)
{
	exit->kind = kind;
	exit->internal.code = reason;
	exit->internal.info = vmcs_read(EXIT_QUALIFICATION);
}

static void decode_failed_entry(struct vcpu *vcpu, u32 reason, struct kvirt_exit *exit)
{
	if ((reason & REASON_MASK) == REASON_MACHINE_CHECK) {
		/* The event that should have gone in has not. */
		to_vmx(vcpu)->window.machine_check = true;
		exit->kind = EXIT_HOST;
		return;
	}
	decode_internal(reason, EXIT_INVALID_STATE, exit);
}

/* Exits that an instruction caused on purpose: most have nothing to tell but which. */
static const u8 instruction_kinds[] = {
	[REASON_CPUID] = EXIT_CPUID, [REASON_HLT] = EXIT_HLT, [REASON_PAUSE] = EXIT_PAUSE,
	[REASON_RDMSR] = EXIT_RDMSR, [REASON_WRMSR] = EXIT_WRMSR, [REASON_RDPMC] = EXIT_RDPMC,
	[REASON_XSETBV] = EXIT_XSETBV, [REASON_VMCALL] = EXIT_HYPERCALL,
	[REASON_CR] = EXIT_CR_WRITE, [REASON_DR] = EXIT_DR, [REASON_IO] = EXIT_IO,
	/* KVM lets MONITOR and MWAIT do nothing, as it does INVD and WBINVD. */
	[REASON_MONITOR] = EXIT_INVD, [REASON_MWAIT] = EXIT_INVD,
	[REASON_INVD] = EXIT_INVD, [REASON_WBINVD] = EXIT_INVD,
	/* What no guest is told to have. */
	[REASON_GETSEC] = EXIT_UNDEFINED, [REASON_VMCLEAR ... REASON_VMXON] = EXIT_UNDEFINED,
	[REASON_INVEPT] = EXIT_UNDEFINED, [REASON_INVVPID] = EXIT_UNDEFINED,
	[REASON_VMFUNC] = EXIT_UNDEFINED, [REASON_ENCLS] = EXIT_UNDEFINED,
	[REASON_ENCLV] = EXIT_UNDEFINED,
};

static bool decode_instruction(u32 reason, struct kvirt_exit *exit)
{
	static_assert(EXIT_HOST == 0);

	if (reason >= ARRAY_SIZE(instruction_kinds) || !instruction_kinds[reason])
		return false;
	exit->kind = instruction_kinds[reason];
	if (exit->kind == EXIT_CR_WRITE)
		decode_cr(exit);
	else if (exit->kind == EXIT_DR)
		decode_dr(exit);
	else if (exit->kind == EXIT_IO)
		decode_io(exit);
	exit->insn_len = vmcs_read(EXIT_INSTRUCTION_LENGTH);
	return true;
}

void vmx_decode_exit(struct vcpu *vcpu, u32 reason, struct kvirt_exit *exit)
{
	if (unlikely(reason & VMX_ENTRY_FAILED)) {
		decode_failed_entry(vcpu, reason, exit);
		return;
	}
	if (decode_instruction(reason, exit))
		return;
	switch (reason & REASON_MASK) {
	case REASON_INTERRUPT:
		/* Not acknowledged: it is taken when interrupts come on after close(). */
		exit->kind = EXIT_HOST;
		break;
	case REASON_PREEMPTION_TIMER:
		exit->kind = EXIT_DEADLINE;
		break;
	case REASON_EXCEPTION_NMI:
		decode_exception(vcpu, exit);
		break;
	case REASON_EPT_VIOLATION:
		decode_ept_violation(exit);
		break;
	case REASON_IRQ_WINDOW:
		exit->kind = EXIT_IRQ_WINDOW;
		break;
	case REASON_NMI_WINDOW:
		exit->kind = EXIT_NMI_WINDOW;
		break;
	case REASON_TRIPLE_FAULT:
		exit->kind = EXIT_TRIPLE_FAULT;
		break;
	case REASON_INIT:
		exit->kind = EXIT_INIT;
		break;
	case REASON_EPT_MISCONFIG:
		/* An entry of ours that the CPU cannot make sense of. */
		decode_internal(reason, EXIT_INTERNAL, exit);
		exit->internal.info = vmcs_read(GUEST_PHYSICAL_ADDRESS);
		break;
	case REASON_TASK_SWITCH:
		decode_vectoring(exit);
		decode_internal(reason, EXIT_TASK_SWITCH, exit);
		break;
	default:
		decode_internal(reason, EXIT_INTERNAL, exit);
	}
}
